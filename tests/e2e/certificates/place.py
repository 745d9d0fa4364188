"""Nodes with Debian 12's and Debian 13's dockerd, and a registry whose certificate is another one in each test."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.e2e.site import IMAGE, Site
from tests.lab.certificates import Authority
from tests.lab.images import busybox_root
from tests.lab.nodes import Lab
from tests.lab.registry import running_registry

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from tests.e2e.site import Ended
    from tests.lab.certificates import Issued
    from tests.lab.registry import RunningRegistry

PORT = 5443
GOOD = Authority()
SAME_NAME = Authority()


@dataclass(frozen=True, slots=True, kw_only=True)
class Secure:
    """A lab whose nodes pull from an HTTPS registry at one address; its certificate is another one in each test."""

    site: Site
    folder: Path

    @property
    def entry(self) -> str:
        """The address of the registry."""
        return f"{self.site.lab.address}:{PORT}"

    @property
    def certificates(self) -> str:
        """The folder of its certificates on a node."""
        return f"/etc/docker/certs.d/{self.entry}"

    def install(self, *commands: str, ca: bytes | None = GOOD.pem) -> None:
        """Make the folder of certificates anew on each node, with this CA."""
        for node in self.site.lab.nodes:
            node.run(f"rm -rf {self.certificates} && mkdir -p {self.certificates}")
            if ca is not None:
                node.run(f"cat >{self.certificates}/ca.crt", stdin=ca)
            for command in commands:
                node.run(f"cd {self.certificates} && {command}")

    def verify(self, issued: Issued, *, client: Authority | None = None) -> Ended:
        """Serve the registry with this certificate, and verify the nodes."""
        issued.write(self.folder / "tls.crt", self.folder / "tls.key")
        tls: dict[str, object] = {"certificate": str(self.folder / "tls.crt"), "key": str(self.folder / "tls.key")}
        if client:
            (self.folder / "clients.crt").write_bytes(client.pem)
            tls["clientcas"] = [str(self.folder / "clients.crt")]
        with self.serve(tls):
            return self.agent("verify", {"address": f"https://{self.entry}", "verify_image": IMAGE})

    def serve(self, tls: dict[str, object] | None = None) -> AbstractContextManager[RunningRegistry]:
        """Serve the registry, with this section `http.tls` or over plain HTTP."""
        inside = self.site.lab.network.inside(())
        return running_registry(self.folder, host=self.site.lab.address, port=PORT, prefix=inside, tls=tls or False)

    def agent(self, command: str, *registries: dict[str, object], options: Sequence[str] = ()) -> Ended:
        """Run a command with these registries."""
        settings = self.site.lab.folder / "secure.yaml"
        settings.write_text(json.dumps({"registries": registries}))  # JSON is YAML
        consent = ["--yes"] if command == "apply" else []
        nodes = ["-i", self.site.lab.write_inventory(), "-c", settings, "-o", "json"]
        return self.site.agent(command, *nodes, *consent, *options)

    def list_starts(self) -> list[str]:
        """When dockerd last started on each node."""
        command = "systemctl show docker -p ExecMainStartTimestampMonotonic"
        return [node.run(command).stdout for node in self.site.lab.nodes]


def codes(ended: Ended) -> list[str | None]:
    return [node["code"] for node in ended.document["nodes"]]


@contextmanager
def booted_nodes(folder: Path) -> Iterator[Secure]:
    """Boot a node of each dockerd; the registry keeps its images in `folder`."""
    with Lab(shapes=("docker-ce", "docker-ce"), suites=("bookworm", "trixie")) as lab:
        lab_site = Site(lab=lab, registry=_fill(lab, folder))
        yield Secure(site=lab_site, folder=folder)


def _fill(lab: Lab, folder: Path) -> RunningRegistry:
    """Push the image while the registry is open; later ones serve the same storage."""
    with running_registry(folder, host=lab.address, port=PORT, prefix=lab.network.inside(())) as registry:
        registry.push(*IMAGE.split(":"), root=busybox_root(lab.nodes[0].base))
        return registry
