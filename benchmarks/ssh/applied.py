"""Brings loopback hosts into the state that an apply leaves: files, what the daemon says of itself, and records."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from benchmarks.ssh.nodes import REGISTRIES, write_argv
from harbor_agent.engine.plan.nodes import load_templates
from harbor_agent.model.address import Address
from harbor_agent.model.inventory import Node
from harbor_agent.model.plan import Plan
from harbor_agent.model.policy import DesiredState
from harbor_agent.node.wire import programs as wire
from harbor_agent.planning.node import plan_node
from harbor_agent.transport.protocol import Completed, Job
from harbor_agent.transport.ssh.transport import SshTransport

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from benchmarks.ssh.nodes import Hosts
    from harbor_agent.model.program import Program

# What peers are told to put there: as with us, it is there already.
SAME_FILE = "same on every host\n"


def apply_to(hosts: Hosts, registry: str) -> None:
    """Have every host trust `registry`, as the planner would have it; records follow with the first apply."""
    transport = SshTransport(forks=4, known_hosts=[hosts.home / ".ssh/known_hosts"])
    address = Address.parse(registry)
    names = {name: root for root, name in hosts.roots.items()}
    for name, stdout in _run(transport, hosts, list(names), wire.build_probe_program([registry])):
        plan = plan_node(name, wire.decode_probe(stdout), DesiredState(present=(address,)), load_templates())
        assert isinstance(plan, Plan), plan.problem
        _carry_out(names[name], plan, address)
        (names[name] / "etc/docker/same").write_text(SAME_FILE)


def _run(transport: SshTransport, hosts: Hosts, addresses: Sequence[str], program: Program) -> list[tuple[str, bytes]]:
    key = str(hosts.home / "client")
    nodes = [Node(name=a, address=a, port=hosts.port, user="root", private_key_file=key) for a in addresses]
    results = list(transport.run(Job(node=node, program=program) for node in nodes))
    return [(r.job.node.name, r.stdout) for r in results if isinstance(r, Completed)]


def _carry_out(root: Path, plan: Plan, address: Address) -> None:
    for change in plan.changes:
        path = root / change.path.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(change.after.content or b"")
        path.chmod(change.after.mode)
    write_argv(root, list(plan.activation.arguments))
    index = {address.entry: {"Name": address.entry, "Mirrors": [], "Secure": False, "Official": False}}
    registries = json.dumps({**REGISTRIES, "IndexConfigs": index})
    (root / "stubs/registries.json").write_text(registries + "\n")
