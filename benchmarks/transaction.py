"""What a change takes on a node beyond what the daemon's own restart takes, and how long it takes without a restart.

    python -m benchmarks.transaction [ROUNDS]

On booted nodes with Docker and with containerd of two generations, with a container on each. Timed on the node itself,
from the start of the program to its report, so that no connection counts. A change and a bare `systemctl restart` go
turn and turn about on the same node; every change adds another registry, planned by the real planner. No registry
answers, but its host refuses the connection at once. Prints a table; always ends with 0.
"""

from __future__ import annotations

import shlex
import sys
from statistics import median
from typing import TYPE_CHECKING

from harbor_agent.engine.plan.nodes import load_templates
from harbor_agent.model.address import Address
from harbor_agent.model.plan import Action, Plan
from harbor_agent.model.policy import DesiredState
from harbor_agent.model.result import TransactionPhase
from harbor_agent.model.state import Record
from harbor_agent.node.wire import programs as wire
from harbor_agent.planning.node import plan_node
from tests.lab import cri, shapes
from tests.lab.images import busybox_root
from tests.lab.network import CONTROLLER
from tests.lab.nodes import Lab
from tests.lab.waiting import wait_until
from tests.needs import missing

if TYPE_CHECKING:
    from harbor_agent.model.program import Program
    from tests.lab.node import LabNode
    from tests.lab.shapes import Shape

ROUNDS = 7
DOCKER = {"bookworm": ("docker.io", "docker-ce"), "trixie": ("docker.io", "docker-ce")}
CONTAINERD = dict.fromkeys(("trixie", "trixie-containerd-2"), ("containerd-kubespray", "containerd"))
GOALS = {
    ("docker", Action.RESTART): "at most 0.5 s more",
    ("docker", Action.RELOAD): "at most 1 s",
    ("containerd", Action.NONE): "at most 0.5 s",
    ("containerd", Action.RESTART): "at most 0.7 s more",
}
_RESTART = (
    "systemctl reset-failed {runtime}.service docker.socket 2>/dev/null; {clock}; systemctl restart {runtime}; {clock}"
)
# One more mirror takes a restart each time; a directory for one more registry takes none.
_MIRRORS = """\
version = 2
[plugins."io.containerd.grpc.v1.cri".registry.mirrors."docker.io"]
  endpoint = ["https://registry-1.docker.io"]
"""
_CLOCK = "date +clock:%s.%N"
_VERSION = {
    "docker": "docker version --format '{{.Server.Version}}'",
    "containerd": "ctr version | sed -n '/^Server/,$s/^ *Version: *//p' | sed 's/~.*//'",
}


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS
    if why_not := missing("nodes"):
        print(f"{why_not}: nothing was measured")
        return
    kinds = [(suite, shape) for suites in (DOCKER, CONTAINERD) for suite, shapes in suites.items() for shape in shapes]
    with Lab(shapes=[shape for _, shape in kinds], suites=[suite for suite, _ in kinds]) as lab:
        for node, (_, shape) in zip(lab.nodes, kinds, strict=True):
            prepare(node, shape)
        print(f"median of {rounds} rounds, in seconds")
        print(f"{'runtime':20}{'change by':12}{'change':>8}{'restart':>9}{'more':>7}   goal")
        for node, (_, shape) in zip(lab.nodes, kinds, strict=True):
            report(node, "containerd" if shape in shapes.CONTAINERD else "docker", rounds)


def prepare(node: LabNode, shape: Shape) -> None:
    """Start a container on the node."""
    if shape not in shapes.CONTAINERD:
        node.load_image("busybox:lab", busybox_root(node.base))
        node.start_container("web", "busybox:lab", restart="always")
        return
    if shape == "containerd":
        node.run("cat >/etc/containerd/config.toml && systemctl restart containerd", stdin=_MIRRORS.encode())
        node.wait_ready()
    cri.import_images(node)
    cri.start_pod(node, "web")


def report(node: LabNode, runtime: str, rounds: int) -> None:
    """Measure one node and print its line."""
    changes, restarts = [], []
    for number in range(rounds + 1):
        action, change = timed_change(node, f"{CONTROLLER}:{6000 + number}")
        restart = seconds(node.run(_RESTART.format(runtime=runtime, clock=_CLOCK)).stdout)
        node.wait_ready()
        if number:  # the first one makes directories and warms caches
            changes.append(change)
            restarts.append(restart)
    version = node.run(_VERSION[runtime]).stdout.partition("+")[0].strip()
    line = f"{runtime} {version:{19 - len(runtime)}}{action:12}{median(changes):8.2f}"
    if action is Action.RESTART:
        more = median(change - restart for change, restart in zip(changes, restarts, strict=True))
        line += f"{median(restarts):9.2f}{more:7.2f}"
    print(f"{line:56}   {GOALS[runtime, action]}", flush=True)


def timed_change(node: LabNode, entry: str) -> tuple[Action, float]:
    """Have the node trust `entry` too; return how, and how many seconds that took there."""
    state = wire.decode_probe(carry_out(node, wire.build_probe_program([f"={entry}"])))
    plan = plan_node(node.name, state, DesiredState(present=(Address.parse(entry),)), load_templates())
    assert isinstance(plan, Plan), plan.problem
    name = f"bench-{entry.rpartition(':')[2]}"
    record = wire.encode_record(Record(run_id=name, entries=plan.owned_entries))
    printed = carry_out(node, wire.build_begin_program(plan, transaction=name, record=record, deadline=60))
    ended = wire.decode_report(printed)
    assert ended.phase is TransactionPhase.COMMITTED, ended
    wait_until(
        lambda: not node.succeeds("systemctl is-active harbor-agent-transaction"), "the unit has ended", seconds=60
    )
    return plan.activation.action, seconds(printed.decode())


def carry_out(node: LabNode, program: Program) -> bytes:
    """Run a program on the node between two lines of its clock; return what it printed."""
    node.run("cat >/run/benchmark.sh", stdin=program.stdin)
    command = f"{_CLOCK}; /bin/sh -s -- {shlex.join(program.arguments)} </run/benchmark.sh; {_CLOCK}"
    return node.run(command).stdout.encode()


def seconds(printed: str) -> float:
    """Return the time between the first and the last line of the clock."""
    clock = [float(line.partition(":")[2]) for line in printed.splitlines() if line.startswith("clock:")]
    return clock[-1] - clock[0]


if __name__ == "__main__":
    main()
