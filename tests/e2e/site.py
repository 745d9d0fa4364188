"""A small data centre, and the command as a user runs it there."""

from __future__ import annotations

import json
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING, Any

from tests.lab.files import Files
from tests.lab.images import busybox_root
from tests.lab.nodes import Lab
from tests.lab.registry import Login, running_registry

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Iterator, Sequence

    from tests.lab.apiserver import RunningApiServer
    from tests.lab.node import LabNode
    from tests.lab.registry import RunningRegistry
    from tests.lab.shapes import Shape

# Tests that look for it at every process of the machine may run beside others that have it in their environment:
# not even its beginning is theirs, which in base64 would be found too.
PULLER = Login(name="robot$demo+puller", password=f"e2e-canary-{token_hex(8)}")
IMAGE = "demo/hello:1.0"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a run of harbor-agent ended."""

    code: int
    stdout: str
    stderr: str

    @property
    def document(self) -> dict[str, Any]:
        """The one JSON object on standard output."""
        assert self.stdout.startswith("{"), f"no JSON on stdout: {self.stdout!r}, stderr: {self.stderr}"
        return json.loads(self.stdout)

    def node(self, name: str) -> dict[str, Any]:
        """What the document says about one node."""
        found = [node for node in self.document["nodes"] if node["node"] == name]
        assert len(found) == 1, f"{name} is there {len(found)} times: {self.document['nodes']}"
        return found[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A small data centre: three nodes with Docker in three shapes, one without, and a registry with a login."""

    lab: Lab
    registry: RunningRegistry

    @property
    def nodes(self) -> tuple[LabNode, ...]:
        """The nodes that have Docker: docker.io, kubespray, docker-ce."""
        return self.lab.nodes[:3]

    @property
    def without_docker(self) -> LabNode:
        """The node that has none."""
        return self.lab.nodes[3]

    @property
    def image(self) -> str:
        """The image that wants a login, as a node names it."""
        return f"{self.registry.entry}/{IMAGE}"

    def agent(self, *arguments: str | Path, stdin: str = "", timeout: float = 240) -> Ended:
        """Run harbor-agent on the controller; the password of `PULLER` is in HARBOR_PASSWORD."""
        program = str(Path(sys.executable).with_name("harbor-agent"))
        password = {"HARBOR_PASSWORD": PULLER.password}
        argv = [program, *map(str, arguments)]
        done = self.lab.run(argv, cwd=self.lab.home, env=password, stdin=stdin, timeout=timeout)
        return Ended(code=done.returncode, stdout=done.stdout, stderr=done.stderr)

    def run(self, *arguments: str, nodes: Sequence[LabNode] | None = None) -> Ended:
        """Run a command with the inventory of these nodes, else of all, and the settings of the site."""
        inventory, settings = self.lab.write_inventory(nodes=nodes), self.settings(None, "")
        return self.agent(arguments[0], "-i", inventory, "-c", settings, *arguments[1:])

    def settings(
        self, server: RunningApiServer | None, namespace: str, *, service_accounts: Sequence[str] = ("default",)
    ) -> Path:
        """Write harbor-agent.yaml: the registry, its login and image, and with an API server the secret."""
        registry: dict[str, object] = {
            "address": self.registry.entry,
            "verify_image": IMAGE,
            "credentials": {
                "username": PULLER.name,
                "password_env": "HARBOR_PASSWORD",
                "email": "ops@example.org",
            },
        }
        document: dict[str, object] = {"registries": [registry], "rollout": {"canary": 1, "batch": 2}}
        if server:
            accounts = list(service_accounts)
            registry["secret"] = {"name": "harbor-pull", "namespaces": [namespace], "service_accounts": accounts}
            document["kubeconfig"] = str(server.kubeconfig())
        path = self.lab.folder / "harbor-agent.yaml"
        path.write_text(json.dumps(document))  # JSON is YAML
        return path

    def pull(self, node: LabNode) -> subprocess.CompletedProcess[str]:
        """Log in and pull on a node as its administrator would, leaving neither login nor image behind."""
        command = (
            "export DOCKER_CONFIG=$(mktemp -d -p /run) && trap 'rm -rf $DOCKER_CONFIG' EXIT; "
            f"docker login -u '{PULLER.name}' --password-stdin {self.registry.entry} && docker pull {self.image} "
            f"&& docker rmi {self.image}"
        )
        return node.run(command, stdin=PULLER.password.encode(), check=False)

    @staticmethod
    def files(node: LabNode) -> Files:
        """Every file that an operator could miss, by path: type, mode, owner, content, and what lies in /tmp."""
        facts = "find /etc /usr/local /root /home /tmp -xdev ! -type d -printf '%p\\t%y %m %U:%G %l\\n'"
        sums = "find /etc /usr/local -xdev -type f -exec sha256sum {} + | sed 's/^\\([0-9a-f]*\\)  \\(.*\\)/\\2\\t\\1/'"
        pairs = (line.partition("\t") for line in node.run(f"{facts}; {sums}").stdout.splitlines())
        return Files((path, fact) for path, _, fact in pairs)


@contextmanager
def running_site(
    *,
    shapes: Sequence[Shape],
    suites: Sequence[str] = ("bookworm",),
    packages: tuple[str, ...] = (),
    prepare: Callable[[LabNode], None] | None = None,
) -> Iterator[Site]:
    """Boot nodes of these shapes, and run a registry that has `IMAGE` and wants a login."""
    with (
        Lab(shapes=shapes, suites=suites, packages=packages, prepare=prepare) as lab,
        running_registry(
            lab.folder / "registry",
            authentication="token",
            logins=[PULLER],
            host=lab.address,
            port=5000,
            prefix=lab.network.inside(()),
        ) as registry,
    ):
        registry.push(*IMAGE.split(":"), root=busybox_root(lab.nodes[0].base))
        yield Site(lab=lab, registry=registry)
