"""What is approved with a plan, and the refusal of everything that was not."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import replace
from typing import TYPE_CHECKING

from harbor_agent.engine.plan.nodes import refuse_node
from harbor_agent.errors import Problem, UsageError
from harbor_agent.model.plan import Plan
from harbor_agent.model.result import Outcome
from harbor_agent.model.secret import SecretPlan
from harbor_agent.planning.config.digest import policy_digest
from harbor_agent.planning.dns.diff import render_config_map_diff
from harbor_agent.planning.files.diff import render_diff
from harbor_agent.planning.rollout.approval import (
    approve_config_map,
    approve_secret,
    build_approval,
    check_approval,
    find_unapproved_secret,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from harbor_agent.engine.dns.report import DnsReport, ServerReport
    from harbor_agent.engine.plan.nodes import PlannedNode
    from harbor_agent.engine.plan.run_plan import RunPlan
    from harbor_agent.engine.secrets.report import SecretsReport
    from harbor_agent.planning.rollout.approval import Approval, ApprovedConfigMap, ApprovedSecret


def approve_nodes(nodes: Sequence[PlannedNode], *, with_diffs: bool) -> tuple[Approval, ...]:
    """Return what is approved with the plan of each node."""
    return tuple(_approve_node(one, with_diffs=with_diffs) for one in nodes)


def enforce_approval(
    nodes: Sequence[PlannedNode], fresh: Sequence[Approval], approved: Sequence[Approval]
) -> tuple[PlannedNode, ...]:
    """Refuse every node whose approval would be another one now (`fresh`) than it was when it was approved."""
    known = {approval.node: approval for approval in approved}
    return tuple(
        refuse_node(node, problem) if (problem := check_approval(now, known)) else node
        for node, now in zip(nodes, fresh, strict=True)
    )


def approve_dns(report: DnsReport | None, *, with_diffs: bool) -> tuple[ApprovedConfigMap, ...]:
    """Return what is approved with the plan of the cluster's DNS."""
    servers = report.servers if report else ()
    return tuple(one for server in servers for one in _approve_server(server, with_diffs=with_diffs))


def enforce_dns_approval(
    report: DnsReport | None, approved: Sequence[ApprovedConfigMap], *, with_diffs: bool
) -> DnsReport | None:
    """Refuse every DNS server whose new plan has changes that are not the approved ones."""
    if report is None:
        return None
    servers = (_enforce_on_server(server, approved, with_diffs=with_diffs) for server in report.servers)
    return replace(report, servers=tuple(servers))


def approve_secrets(report: SecretsReport | None) -> tuple[ApprovedSecret, ...]:
    """Return what is approved with the plan of the pull secrets."""
    plans = [(one.registry, one.result) for one in report.items if isinstance(one.result, SecretPlan)] if report else []
    return tuple(approved for registry, plan in plans if (approved := approve_secret(registry, plan)))


def require_approved_secrets(report: SecretsReport | None, approved: Sequence[ApprovedSecret]) -> None:
    """Raise UsageError if the new plan of the pull secrets has a change that is not one of the approved ones."""
    if problem := find_unapproved_secret(approve_secrets(report), approved):
        raise UsageError(problem)


def require_diffs_without_secrets(
    run_plan: RunPlan, nodes: Sequence[Approval], dns: Sequence[ApprovedConfigMap], path: str
) -> None:
    """Raise UsageError if a diff holds a password of this run, which the masking of diffs did not find there."""
    passwords = tuple(_list_passwords(run_plan))
    diffs = [(f"{node.node} {file.path}", file.diff) for node in nodes for file in node.files]
    diffs += [(one.config_map, one.diff) for one in dns]
    for place, diff in diffs:
        if diff and any(password in diff for password in passwords):
            raise UsageError.of(
                "diff-holds-secret",
                f"the diff of {place} holds a password of this run, so {path} was not written",
                "leave out --with-diffs, or remove the password from that file and change it",
            )


def _list_passwords(run_plan: RunPlan) -> Iterator[str]:
    """Yield every password that the run knows, as it is and as a login in base64."""
    for login in run_plan.credentials.values():
        yield b64encode(f"{login.username}:{login.password.reveal()}".encode()).decode()
    becomes = [planned.node.become for planned in run_plan.nodes]
    hidden = [
        run_plan.request.flags.password,
        *(login.password for login in run_plan.credentials.values()),
        *(planned.node.password for planned in run_plan.nodes),
        *(become.password for become in becomes if become),
    ]
    yield from (password.reveal() for password in hidden if password and password.reveal())


def _approve_node(planned: PlannedNode, *, with_diffs: bool) -> Approval:
    decision = planned.decision
    digest = policy_digest(planned.policy)
    approval = build_approval(planned.node.name, planned.outcome, decision, digest, planned.objection)
    if not (with_diffs and isinstance(decision, Plan)):
        return approval
    files = tuple(
        replace(file, diff=render_diff(change), reason=change.reason)
        for file, change in zip(approval.files, decision.changes, strict=True)
    )
    return replace(approval, files=files, warnings=decision.warnings)


def _approve_server(server: ServerReport, *, with_diffs: bool) -> list[ApprovedConfigMap]:
    return [
        replace(
            approve_config_map(server.name, change),
            diff=render_config_map_diff(change) if with_diffs else None,
            apply_refuses=server.objection,
        )
        for change in server.plan.changes
    ]


def _enforce_on_server(
    server: ServerReport, approved: Sequence[ApprovedConfigMap], *, with_diffs: bool
) -> ServerReport:
    now = _approve_server(server, with_diffs=with_diffs)
    stale = next((one for one in now if one not in approved), None)
    if stale is None or server.outcome is not Outcome.PENDING:
        return server
    problem = Problem(
        code="plan-stale",
        message=f"{server.name} needs another change than the planned one: ConfigMap {stale.config_map} has changed",
        hint="plan again and check the new plan",
    )
    return replace(server, outcome=Outcome.REFUSED, problem=problem)
