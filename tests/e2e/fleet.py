"""The repository of docs/guides/many-clusters.md, its two clusters, and its commands as the guide has them."""

from __future__ import annotations

import fcntl
import json
import re
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prometheus_client.parser import text_string_to_metric_families

from harbor_agent.engine.history.lock import find_lock_file
from tests.e2e.site import IMAGE, PULLER, Ended

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.site import Site

CLUSTERS = ("east", "west")
_GUIDE = Path(__file__).resolve().parents[2] / "docs/guides/many-clusters.md"

Sample = tuple[str, dict[str, str], float]


def blocks(section: int, language: str = "sh") -> list[str]:
    """Return the code blocks of a section of the guide."""
    text = re.split(r"^## \d\. ", _GUIDE.read_text(encoding="utf-8"), flags=re.MULTILINE)[section]
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


class Fleet:
    """The guide's repository, its clusters one node each; jobs of a CI, and a controller with a copy of it."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.nodes = dict(zip(CLUSTERS, site.lab.nodes, strict=True))
        home = site.lab.home
        self.repository, self.copy, self.metrics = home / "fleet", home / "copy", home / "metrics"
        self.state = home / "state"
        self.repository.mkdir()
        self.metrics.mkdir()
        (home / ".ssh/id_ed25519").symlink_to(site.lab.private_key)

    def adapt(self, text: str) -> str:
        """Return a text of the guide with the addresses of this site."""
        places = {
            "192.168.0.99": self.site.registry.entry,
            "library/pause:3.9": IMAGE,
            "robot$k8s": PULLER.name,
            "192.168.1.2": self.nodes["east"].address,
            "192.168.2.2": self.nodes["west"].address,
            "/var/lib/prometheus/node-exporter": str(self.metrics),
        }
        for place, ours in places.items():
            text = text.replace(place, ours)
        return text

    def write_files(self) -> None:
        """Write the files of the guide, each named by its first line, and let main have them."""
        for text in (*blocks(1, "ini"), *blocks(1, "yaml")):
            path = self.repository / text.partition("\n")[0].removeprefix("# ")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(self.adapt(text))
        self.git("init", "-q", "-b", "main")
        assert self.type(blocks(1)[0]).code == 0
        self.commit()
        self.git("clone", "-q", "--bare", ".", "../origin.git")
        self.git("remote", "add", "origin", "../origin.git")
        self.git("fetch", "-q")
        self.git("clone", "-q", "../origin.git", str(self.copy))

    def git(self, *arguments: str) -> str:
        user = ("-c", "user.name=ops", "-c", "user.email=ops@example.org")
        return subprocess.run(
            ["git", *user, *arguments],
            cwd=self.repository,
            env=self.site.lab.environment,
            check=True,
            capture_output=True,
            text=True,
        ).stdout

    def commit(self) -> None:
        self.git("add", "known_hosts", "clusters")
        self.git("commit", "-q", "-m", "change clusters")

    def type(self, script: str, cluster: str = "", *, folder: Path | None = None, **variables: str) -> Ended:
        """Run lines of the guide in the repository, as a user whose home is the lab's."""
        own = {
            "PATH": f"{Path(sys.executable).parent}:{self.site.lab.environment['PATH']}",
            "XDG_STATE_HOME": str(self.state),
            "CLUSTER": cluster,
            **variables,
        }
        argv = ["bash", "-euc", self.adapt(script)]
        done = self.site.lab.run(argv, cwd=folder or self.repository, env=own, timeout=240)
        return Ended(code=done.returncode, stdout=done.stdout, stderr=done.stderr)

    def job(self, script: str, cluster: str) -> Ended:
        """Run lines of the guide as a job with a home of its own, and what the CI's secret store has."""
        home = self.site.lab.folder / f"job-{cluster}"
        home.mkdir(exist_ok=True)
        begin = "trap 'ssh-agent -k >/dev/null' EXIT\n" + blocks(2)[0]
        secrets = {"HARBOR_PASSWORD": PULLER.password, "SSH_KEY_FILE": str(self.site.lab.private_key)}
        return self.type(begin + script, cluster, HOME=str(home), **secrets)

    def plan(self, cluster: str) -> tuple[int, dict[str, Any]]:
        """Run the plan job; returns the exit code of the plan, and the document that it leaves."""
        ended = self.job(blocks(3)[1] + 'echo "$code"', cluster)
        assert ended.code == 0, ended.stderr
        return int(ended.stdout.split()[-1]), json.loads((self.repository / f"{cluster}.json").read_text())

    def check(self, cluster: str) -> int:
        """Run the check of the controller, in its copy of main."""
        update = blocks(6)[0].splitlines()[0] + "\n"
        return self.type(update + blocks(6)[1], cluster, folder=self.copy).code

    def report(self, cluster: str) -> dict[str, Any]:
        """Read what the apply job of a cluster left."""
        return dict(json.loads((self.repository / f"{cluster}.run.json").read_text()))

    def registries(self, cluster: str) -> str:
        """Return the registries that the daemon of a cluster's node takes."""
        return self.nodes[cluster].run("docker info --format '{{json .RegistryConfig.IndexConfigs}}'").stdout

    def samples(self) -> list[Sample]:
        """Return what the textfile collector reads: all files of the folder."""
        text = "".join(file.read_text() for file in sorted(self.metrics.glob("*.prom")))
        families = text_string_to_metric_families(text)
        return [(one.name, one.labels, one.value) for family in families for one in family.samples]

    @contextmanager
    def locked(self, cluster: str) -> Iterator[None]:
        """Hold the lock of a cluster, as a run of another job does."""
        inventory = self.repository / f"clusters/{cluster}/inventory.ini"
        with (self.state / "harbor-agent" / find_lock_file(str(inventory)).name).open("r+") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield
