"""harbor-agent as a user starts it, so that a test can do something to it or to its nodes while it runs."""

from __future__ import annotations

import itertools
import json
import os
import secrets
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Self

from tests.e2e.site import IMAGE, PULLER, Ended
from tests.faults.failpoint import Failpoint, held
from tests.faults.invariants import expect
from tests.lab.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tests.e2e.site import Site
    from tests.faults.invariants import Expected
    from tests.lab.node import LabNode

_ENTRIES = itertools.count(6000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One more registry for some nodes, beside the one whose login and image prove every run.

    With `kubeconfig` the latter's pull secret is wanted in that cluster. `own` are inventory variables by node names.
    `health_deadline` is a setting of harbor-agent.yaml, in seconds. Orders with the same `inventory`, the name of a
    file, exclude each other; by default each has its own.
    """

    site: Site
    nodes: Sequence[LabNode]
    kubeconfig: Path | None = None
    own: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    health_deadline: int = 120
    inventory: str = ""
    entry: str = field(default_factory=lambda: f"10.99.0.1:{next(_ENTRIES)}")

    def arguments(self, command: str, *further: str) -> list[str]:
        """Return the words behind `harbor-agent`; the result is JSON, all nodes are changed at once."""
        folder = self.site.lab.folder
        name = self.entry.replace(":", "-")
        login = {"username": PULLER.name, "password_env": "HARBOR_PASSWORD", "email": "ops@example.org"}
        proven: dict[str, object] = {"address": self.site.registry.entry, "verify_image": IMAGE, "credentials": login}
        cluster = {}
        if self.kubeconfig:
            cluster["kubeconfig"] = str(self.kubeconfig)
            proven["secret"] = {"name": "harbor-pull", "namespaces": ["demo"]}
        count = len(self.nodes)
        rollout = {"canary": count, "batch": count, "max_failed": count, "max_unreachable": count}
        rollout["health_deadline"] = self.health_deadline
        settings = folder / f"{name}.yaml"
        settings.write_text(json.dumps({"registries": [proven, self.entry], "rollout": rollout, **cluster}))
        inventory = self.site.lab.write_inventory(
            self.inventory or f"{name}.ini", nodes=self.nodes, host_variables=self.own
        )
        given = ["-i", str(inventory), "-c", str(settings), "-o", "json", *further]
        options = {
            "apply": ["--yes", "--allow-unreachable-registry"],
            "drift": ["--correct", "--yes", "--allow-unreachable-registry"],
        }
        return [command, *given, *options.get(command, [])]

    def plan(self) -> Ended:
        """Plan it."""
        return self.site.agent(*self.arguments("plan"))

    def expect(self) -> dict[str, Expected]:
        """Plan it, and note what is in force before."""
        return expect(self.plan(), self.entry, self.nodes)

    def apply(self, *further: str) -> Ended:
        """Apply it, to the end."""
        return self.site.agent(*self.arguments("apply", *further))

    def correcting(self) -> Applying:
        """Return `drift --correct` of it, which is started with the block."""
        return Applying(self.site, self.arguments("drift"), {})

    def rolling_back(self, *further: str) -> Applying:
        """Return the rollback of the last change of its nodes, which is started with the block."""
        names = [word for node in self.nodes for word in ("--node", node.name)]
        inventory = self.arguments("plan")[2]
        return Applying(self.site, ["rollback", *names, "-i", inventory, "--yes", "-o", "json", *further], {})

    @contextmanager
    def applying(self, *further: str, environment: Mapping[str, str] | None = None) -> Iterator[Applying]:
        """Apply it while the block runs, with `environment` added to that of the command."""
        with Applying(self.site, self.arguments("apply", *further), environment or {}) as running:
            yield running


@contextmanager
def applying_held(order: Order, steps: Sequence[str]) -> Iterator[tuple[Applying, list[Failpoint]]]:
    """Apply an order while the block runs; when it begins, each node is held behind the step of its own."""
    points = [Failpoint(node, step) for node, step in zip(order.nodes, steps, strict=True)]
    with held(*points), order.applying() as running:
        running.wait_held(points)
        yield running, points


def taking_up(site: Site, run: str) -> Applying:
    """Return the run that resumes one by its ID, which is started with the block."""
    return Applying(site, ["apply", "--resume", run, "--allow-unreachable-registry", "--yes", "-o", "json"], {})


class Applying:
    """A run under way."""

    def __init__(self, site: Site, arguments: Sequence[str], environment: Mapping[str, str]) -> None:
        program = str(Path(sys.executable).with_name("harbor-agent"))
        self._streams = tuple(
            (site.lab.folder / f"applying-{secrets.token_hex(3)}.{name}").open("w+") for name in ("out", "err")
        )
        self.process = subprocess.Popen(
            site.lab.network.inside((program, *arguments)),
            stdin=subprocess.DEVNULL,
            stdout=self._streams[0],
            stderr=self._streams[1],
            cwd=site.lab.home,
            env={**site.lab.environment, "HARBOR_PASSWORD": PULLER.password, **environment},
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        for stream in self._streams:
            stream.close()

    def kill(self) -> None:
        """SIGKILL, unless it has ended."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()

    def said(self) -> str:
        """Return what it has written to standard error so far."""
        return Path(self._streams[1].name).read_text()

    def wait_said(self, words: str) -> None:
        """Return as soon as `words` are in what it has written to standard error."""
        try:
            wait_until(lambda: words in self.said(), f"it says '{words}'", seconds=120)
        except TimeoutError as error:
            error.add_note(f"exit code {self.process.poll()}: {self.said()}")
            raise

    def wait_held(self, points: Sequence[Failpoint]) -> list[Path]:
        """Return the directories of its transactions once each is held."""
        try:
            return [point.wait(seconds=120) for point in points]
        except TimeoutError as error:
            error.add_note(f"exit code {self.process.poll()}: {self.said()}")
            raise

    def end(self, seconds: float = 120) -> Ended:
        """Wait for its end and return it."""
        self.process.wait(timeout=seconds)
        stdout, stderr = (Path(stream.name).read_text() for stream in self._streams)
        return Ended(code=self.process.returncode, stdout=stdout, stderr=stderr)

    @property
    def argv_shows(self) -> bytes:
        """The arguments of the process as everybody on the controller sees them."""
        return (
            Path(f"/proc/{self.process.pid}/cmdline").read_bytes() if self.process.poll() is None else os.fsencode("")
        )
