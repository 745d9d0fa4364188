"""Plan files: a plan that is approved now and applied later, or refused if it has changed by then.

A plan file holds the request and hashes of the planned files, never their content and no password.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from harbor_agent import __version__
from harbor_agent.engine.plan.dns import approve_dns, enforce_dns_approval
from harbor_agent.engine.plan.nodes import refuse_node
from harbor_agent.engine.plan.run_plan import plan_run
from harbor_agent.engine.request.request import RunRequest  # noqa: TC001 - plan files are decoded by this type
from harbor_agent.errors import UsageError
from harbor_agent.local.clock import Moment
from harbor_agent.local.files import describe_error, replace_file
from harbor_agent.planning.config.digest import policy_digest, request_digest
from harbor_agent.planning.rollout.approval import (
    Approval,  # noqa: TC001 - plan files are decoded by these types
    ApprovedConfigMap,  # noqa: TC001 - likewise
    build_approval,
    check_approval,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harbor_agent.engine.events import Listener
    from harbor_agent.engine.plan.nodes import PlannedNode
    from harbor_agent.engine.plan.run_plan import RunPlan

SCHEMA = "harbor-agent/plan-file/2"
_OLDER = frozenset({"harbor-agent/plan-file/1"})
_SECONDS_PER_HOUR = 3600
_CREATE = "create one with harbor-agent plan --out FILE"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Document:
    """The one member that every version has."""

    schema: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanFile:
    """A plan that may be approved. `created_at` (ISO 8601, UTC) is for people; its age is counted from `clock`."""

    schema: str = SCHEMA
    tool: str = f"harbor-agent {__version__}"
    created_at: str
    clock: Moment
    valid_hours: float
    request_digest: str
    request: RunRequest
    nodes: tuple[Approval, ...]
    dns: tuple[ApprovedConfigMap, ...] = ()


def save_plan_file(run_plan: RunPlan, path: str, *, hours: float) -> None:
    """Write the plan to a plan file that is valid for `hours`. Raises UsageError if that fails."""
    _write_plan_file(path, _build_plan_file(run_plan, hours=hours))


def plan_approved_run(path: str, overrides: RunRequest, listener: Listener) -> RunPlan:
    """Plan the request of a plan file again, and refuse nodes and DNS servers whose plan differs from the approved one.

    Of `overrides` only the password and the note count. Raises UsageError if the file is not a plan file or has
    expired, and if the settings have changed since.
    """
    plan = read_plan_file(path)
    _require_fresh(path, plan, Moment.now())
    flags = replace(plan.request.flags, password=overrides.flags.password)
    request = replace(plan.request, flags=flags, note=overrides.note or plan.request.note)
    run_plan = plan_run(request, listener, wait=True)
    if _digest_request(run_plan) != plan.request_digest:
        message = f"the settings have changed since {path} was created"
        raise UsageError.of("plan-stale", message, "plan again and check the new plan")
    nodes = tuple(_enforce_approval(plan, run_plan.nodes))
    return replace(run_plan, nodes=nodes, dns=enforce_dns_approval(run_plan.dns, plan.dns))


def read_plan_file(path: str) -> PlanFile:
    """Read a plan file.

    Raises UsageError if it cannot be read (`plan-file-missing`), and if it is not a plan file of this version
    (`plan-file-invalid`).
    """
    import msgspec  # noqa: PLC0415 - not needed for --help

    try:
        content = Path(path).read_bytes()
        schema = msgspec.json.decode(content, type=_Document).schema
        if schema in _OLDER:
            message = f"{path} was created by an older version of harbor-agent ({schema})"
            raise UsageError.of("plan-file-invalid", message, "plan again and check the new plan")
        if schema != SCHEMA:
            message = f"{path} is not a plan file: its schema is {schema}, not {SCHEMA}"
            raise UsageError.of("plan-file-invalid", message, _CREATE)
        return msgspec.json.decode(content, type=PlanFile)
    except OSError as error:
        message = f"cannot read {path}: {describe_error(error)}"
        raise UsageError.of("plan-file-missing", message, _CREATE) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UsageError.of("plan-file-invalid", f"{path} is not a plan file: {error}", _CREATE) from None


def make_storable(request: RunRequest) -> RunRequest:
    """Return the request in the form that is stored: without the password, and valid in any directory.

    Raises UsageError if no inventory is named and ansible.cfg has none.
    """
    return replace(
        request,
        selection=request.selection if request.root else request.selection.make_absolute(),
        flags=replace(request.flags, password=None),
        config=_make_absolute(request.config) if request.config else None,
    )


def _build_plan_file(run_plan: RunPlan, *, hours: float) -> PlanFile:
    """Return a plan file that is valid for `hours` from now."""
    now = Moment.now()
    return PlanFile(
        created_at=datetime.fromtimestamp(now.unix_time, UTC).isoformat(timespec="seconds"),
        clock=now,
        valid_hours=hours,
        request_digest=_digest_request(run_plan),
        request=make_storable(run_plan.request),
        nodes=tuple(_build_approvals(run_plan.nodes)),
        dns=approve_dns(run_plan.dns),
    )


def _write_plan_file(path: str, plan: PlanFile) -> None:
    """Write the file with mode 0600, or replace it. Raises UsageError if that fails."""
    import msgspec  # noqa: PLC0415 - not needed for --help

    try:
        content = msgspec.json.format(msgspec.json.encode(plan), indent=2) + b"\n"
    except UnicodeEncodeError:
        message = f"cannot write {path}: the path of the inventory or of the settings file is not UTF-8"
        raise UsageError.of("plan-file-unwritable", message, "rename them") from None
    try:
        replace_file(path, content, mode=0o600)
    except OSError as error:
        message = f"cannot write {path}: {describe_error(error)}"
        raise UsageError.of("plan-file-unwritable", message, "choose another --out") from None


def _require_fresh(path: str, plan: PlanFile, now: Moment) -> None:
    """Raise UsageError if the plan has expired."""
    hours = now.seconds_since(plan.clock) / _SECONDS_PER_HOUR
    if hours > plan.valid_hours:
        message = f"{path} has expired: it was created {hours:.1f} hours ago and was valid for {plan.valid_hours:g}"
        raise UsageError.of("plan-expired", message, "plan again; --valid-hours sets how long a plan is valid")


def _enforce_approval(plan: PlanFile, nodes: Sequence[PlannedNode]) -> list[PlannedNode]:
    """Refuse every node whose new plan differs from the approved one."""
    approved = {approval.node: approval for approval in plan.nodes}
    return [
        refuse_node(node, problem) if (problem := check_approval(now, approved)) else node
        for node, now in zip(nodes, _build_approvals(nodes), strict=True)
    ]


def _build_approvals(nodes: Sequence[PlannedNode]) -> list[Approval]:
    return [build_approval(p.node.name, p.outcome, p.decision, policy_digest(p.policy), p.objection) for p in nodes]


def _digest_request(run_plan: RunPlan) -> str:
    return request_digest(run_plan.general, repair=run_plan.request.repair)


def _make_absolute(source: str) -> str:
    return str(Path(source).absolute()) if Path(source).exists() else source
