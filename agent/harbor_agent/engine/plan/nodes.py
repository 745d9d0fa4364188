"""The nodes of a run, each with its policy, its observed state and its plan."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING

from harbor_agent import resources
from harbor_agent.engine.plan.probe import probe_nodes
from harbor_agent.engine.request.passwords import ask_passwords
from harbor_agent.errors import AgentError, Problem
from harbor_agent.model.dns import DnsEntry
from harbor_agent.model.plan import Refusal
from harbor_agent.model.policy import DesiredState
from harbor_agent.model.result import Outcome
from harbor_agent.node.wire import programs as wire
from harbor_agent.planning.node import RUNTIMES, TEMPLATES, choose_runtime, find_runtime, plan_node
from harbor_agent.transport.protocol import describe_unknown_answer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harbor_agent.engine.events import Listener
    from harbor_agent.engine.plan.probe import ProbeResult
    from harbor_agent.engine.request.request import NodeSelection, RunRequest
    from harbor_agent.model.inventory import Node
    from harbor_agent.model.plan import Plan
    from harbor_agent.model.policy import Policy
    from harbor_agent.model.state import NodeState
    from harbor_agent.planning.files.render import Templates
    from harbor_agent.transport.protocol import Transport

PROBE_TIMEOUT = 45.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedNode:
    """One node of the run: its policy, its observed state, and the plan or refusal that follows from both.

    Without a `decision`, the node was skipped or could not be probed; `reason` says why. `objection` is why `apply`
    will refuse the planned change unless the operator consents; only a plan that is shown has it.
    """

    node: Node
    policy: Policy
    outcome: Outcome
    decision: Plan | Refusal | None = None
    problem: Problem | None = None
    reason: str = ""
    objection: Problem | None = None
    state: NodeState | None = None
    seconds: float = 0.0

    @property
    def runtime(self) -> str:
        """The runtime that is planned, or would be."""
        if self.decision:
            return self.decision.runtime
        return find_runtime(self.state).NAME if self.state else RUNTIMES[0].NAME


def open_transport(selection: NodeSelection) -> Transport:
    """Return the requested transport; its libraries are imported only now."""
    if selection.transport == "local":
        from harbor_agent.transport.local import LocalTransport  # noqa: PLC0415

        return LocalTransport()
    if selection.transport == "ansible":
        from harbor_agent.inventory.load import (  # noqa: PLC0415 - Ansible's library is slow to import
            ansible_sources,
            vault_passwords,
        )
        from harbor_agent.transport.ansible.transport import AnsibleTransport  # noqa: PLC0415

        login, become = ask_passwords(selection)
        return AnsibleTransport(
            sources=ansible_sources(selection.sources),
            forks=selection.forks,
            login_password=login,
            become_password=become,
            vault_passwords=vault_passwords,
        )
    return _open_ssh_transport(selection.forks)


@cache
def _open_ssh_transport(forks: int) -> Transport:
    """Return the SSH transport of this process: it asks for a passphrase once and logs in to a bastion once."""
    from harbor_agent.transport.ssh.transport import SshTransport  # noqa: PLC0415 - paramiko is slow to import

    return SshTransport(forks=forks)


def plan_nodes(
    transport: Transport, nodes: Sequence[tuple[Node, Policy]], request: RunRequest, listener: Listener
) -> list[PlannedNode]:
    """Probe every node and plan it, in the order given. Changes nothing."""
    targets = [(node, _list_entries(policy)) for node, policy in nodes if node.skip_reason is None]
    policies = {node.name: policy for node, policy in nodes}
    planned = {
        seen.node.name: _plan_probed(seen, policies[seen.node.name], request)
        for seen in probe_nodes(transport, targets, timeout=PROBE_TIMEOUT, listener=listener)
    }
    return [planned.get(node.name) or _skip_node(node, policy) for node, policy in nodes]


def plan_state(node: Node, policy: Policy, state: NodeState, request: RunRequest) -> PlannedNode:
    """Plan one node from its observed state."""
    state = choose_runtime(state, policy.runtime) if not state.offline else state
    decision = plan_node(node.name, state, build_desired_state(policy, request), load_templates())
    decision = replace(decision, warnings=(*decision.warnings, *state.unreadable))
    if isinstance(decision, Refusal):
        return PlannedNode(
            node=node,
            policy=policy,
            outcome=Outcome.REFUSED,
            decision=decision,
            problem=decision.problem,
            reason=decision.problem.message,
            state=state,
        )
    outcome = Outcome.UNCHANGED if decision.is_empty else Outcome.PENDING
    return PlannedNode(
        node=node, policy=policy, outcome=outcome, decision=decision, reason=decision.reason, state=state
    )


def build_desired_state(policy: Policy, request: RunRequest) -> DesiredState:
    """Return the state that a node with this policy should have; `request` says how far the planner may go."""
    names = _list_names(policy)
    return DesiredState(
        present=tuple(r.address for r in policy.present if r.address.needs_node_change),
        absent=tuple(r.address for r in policy.absent if not r.address.is_docker_hub),
        route=policy.route,
        runtime=policy.runtime,
        repair=request.repair,
        live_restore=request.live_restore,
        certificates={r.address.entry: r.certificates for r in policy.present if r.certificates},
        secure=tuple(r.address for r in policy.present if r.address.scheme == "https" and not r.address.is_docker_hub),
        names=names,
        absent_names=frozenset(r.address.host.lower() for r in policy.registries) - {entry.name for entry in names},
        system_trust=tuple(r.address.entry for r in policy.present if r.system_trust),
        kubelet_logins={r.address.entry: r.login for r in policy.present if r.kubelet_login and r.login},
        kept_logins=tuple(r.address.entry for r in policy.present if r.kubelet_login and not r.login),
    )


def describe_pending(planned: PlannedNode) -> Problem:
    """Return the problem of a node that would have to be changed before its pulls can be verified."""
    return Problem(
        code="not-configured",
        message=f"not configured, so nothing was pulled; apply would change the node: {planned.reason}",
        hint="check the change with harbor-agent plan",
    )


def refuse_node(planned: PlannedNode, problem: Problem) -> PlannedNode:
    """Return the node with its plan refused for this problem; the planned changes are still shown."""
    decision = planned.decision
    refusal = Refusal(
        node=planned.node.name,
        runtime=planned.runtime,
        problem=problem,
        changes=decision.changes if decision else (),
        warnings=decision.warnings if decision else (),
    )
    return replace(planned, outcome=Outcome.REFUSED, decision=refusal, problem=problem, reason=problem.message)


@cache
def load_templates() -> Templates:
    """Return the templates that planning renders, read once."""
    return {name: resources.read_template(name) for name in TEMPLATES}


def _list_entries(policy: Policy) -> tuple[str, ...]:
    """Return the registries for the probe: those that a node reaches over HTTP are tried, of others files are read.

    Names for /etc/hosts follow, each with its address.
    """
    tried = [registry.address.entry for registry in policy.present if registry.address.scheme == "http"]
    others = [registry.address.entry for registry in policy.registries if registry.address.literal is None]
    names = [f"@{entry.name}={entry.address}" for entry in _list_names(policy)]
    logins = (wire.READ_LOGINS,) if any(registry.kubelet_login for registry in policy.present) else ()
    return (*tried, *(f"={entry}" for entry in dict.fromkeys(others) if entry not in tried), *names, *logins)


def _list_names(policy: Policy) -> tuple[DnsEntry, ...]:
    """Return the entries that the node's /etc/hosts should have."""
    found = {r.address.host.lower(): r.resolve.address for r in policy.present if r.resolve and r.resolve.nodes}
    return tuple(DnsEntry(name=name, address=address) for name, address in found.items())


def _skip_node(node: Node, policy: Policy) -> PlannedNode:
    return PlannedNode(node=node, policy=policy, outcome=Outcome.SKIPPED, reason=f"harbor_skip: {node.skip_reason}")


def _plan_probed(seen: ProbeResult, policy: Policy, request: RunRequest) -> PlannedNode:
    node = seen.node
    if seen.state is None:
        outcome = Outcome.UNREACHABLE if seen.unreachable else Outcome.FAILED
        reason = seen.problem.message if seen.problem else ""
        return PlannedNode(
            node=node, policy=policy, outcome=outcome, problem=seen.problem, reason=reason, seconds=seen.seconds
        )
    try:
        planned = plan_state(node, policy, seen.state, request)
    except AgentError:
        raise
    except Exception as error:  # noqa: BLE001 - one node's answer must never end the run of the others
        problem = describe_unknown_answer(error)
        planned = PlannedNode(
            node=node, policy=policy, outcome=Outcome.FAILED, problem=problem, reason=problem.message, state=seen.state
        )
    return replace(planned, seconds=seen.seconds)
