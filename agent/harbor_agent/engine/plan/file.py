"""Plan files: a plan that is approved now and applied later, or refused if it has changed by then.

A plan file holds the request, hashes of the planned files and, if they are requested, the diffs as the plan shows
them, with secrets masked. It never holds whole files, and no password.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from harbor_agent import __version__
from harbor_agent.engine.plan.approval import (
    approve_dns,
    approve_nodes,
    approve_secrets,
    enforce_approval,
    enforce_dns_approval,
    require_approved_secrets,
    require_diffs_without_secrets,
)
from harbor_agent.engine.plan.run_plan import note_objections, plan_run
from harbor_agent.engine.request.request import RunRequest  # noqa: TC001 - plan files are decoded by this type
from harbor_agent.errors import (
    Problem,  # noqa: TC001 - plan files are decoded by this type
    UsageError,
)
from harbor_agent.local.clock import Moment
from harbor_agent.local.files import describe_error, replace_file
from harbor_agent.planning.config.digest import request_digest
from harbor_agent.planning.rollout.approval import (
    Approval,  # noqa: TC001 - plan files are decoded by these types
    ApprovedConfigMap,  # noqa: TC001 - likewise
    ApprovedSecret,  # noqa: TC001 - likewise
)

if TYPE_CHECKING:
    from harbor_agent.engine.events import Listener
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
    """A plan that may be approved. `created_at` (ISO 8601, UTC) is for people; its age is counted from `clock`.

    `cluster` is that of DNS and pull secrets. With `with_diffs` it also holds what the plan shows: the diff of each
    file and ConfigMap, and the warnings.
    """

    schema: str = SCHEMA
    tool: str = f"harbor-agent {__version__}"
    created_at: str
    clock: Moment
    valid_hours: float
    request_digest: str
    request: RunRequest
    nodes: tuple[Approval, ...]
    cluster: str = ""
    dns: tuple[ApprovedConfigMap, ...] = ()
    secrets: tuple[ApprovedSecret, ...] = ()
    with_diffs: bool = False
    warnings: tuple[Problem, ...] = ()


def save_plan_file(run_plan: RunPlan, path: str, *, hours: float, with_diffs: bool = False) -> None:
    """Write the plan to a plan file that is valid for `hours`.

    Raises UsageError if that fails, and if a diff holds a password (`diff-holds-secret`).
    """
    plan = _build_plan_file(run_plan, hours=hours, with_diffs=with_diffs)
    require_diffs_without_secrets(run_plan, plan.nodes, plan.dns, path)
    _write_plan_file(path, plan)


def plan_approved_run(path: str, overrides: RunRequest, listener: Listener) -> RunPlan:
    """Plan the request of a plan file again, and refuse nodes and DNS servers whose plan differs from the approved one.

    So all that the result changes was approved. Of `overrides` only the password and the note count. Raises UsageError
    if the file is not a plan file or has expired, and if the settings, the cluster or the pull secrets have changed
    since.
    """
    plan = read_plan_file(path)
    _require_fresh(path, plan, Moment.now())
    flags = replace(plan.request.flags, password=overrides.flags.password)
    request = replace(plan.request, flags=flags, note=overrides.note or plan.request.note)
    run_plan = plan_run(request, listener, wait=True)
    if _digest_request(run_plan) != plan.request_digest:
        message = f"the settings have changed since {path} was created"
        raise UsageError.of("plan-stale", message, "plan again and check the new plan")
    _require_cluster(path, plan.cluster, run_plan.cluster)
    require_approved_secrets(run_plan.secrets, plan.secrets)
    fresh = approve_nodes(note_objections(run_plan).nodes, with_diffs=plan.with_diffs)
    return replace(
        run_plan,
        nodes=enforce_approval(run_plan.nodes, fresh, plan.nodes),
        dns=enforce_dns_approval(run_plan.dns, plan.dns, with_diffs=plan.with_diffs),
    )


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


def _build_plan_file(run_plan: RunPlan, *, hours: float, with_diffs: bool) -> PlanFile:
    """Return a plan file that is valid for `hours` from now."""
    now = Moment.now()
    return PlanFile(
        created_at=datetime.fromtimestamp(now.unix_time, UTC).isoformat(timespec="seconds"),
        clock=now,
        valid_hours=hours,
        request_digest=_digest_request(run_plan),
        request=make_storable(run_plan.request),
        nodes=approve_nodes(run_plan.nodes, with_diffs=with_diffs),
        cluster=run_plan.cluster,
        dns=approve_dns(run_plan.dns, with_diffs=with_diffs),
        secrets=approve_secrets(run_plan.secrets),
        with_diffs=with_diffs,
        warnings=run_plan.warnings if with_diffs else (),
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


def _require_cluster(path: str, approved: str, opened: str) -> None:
    """Raise UsageError if the plan is one of another cluster, which has the same Corefile if it was installed alike."""
    if approved and opened and approved != opened:
        message = f"{path} was created for another cluster than the kubeconfig names now: {approved} is not {opened}"
        hint = "name the kubeconfig and the context of that cluster, or plan again and check the new plan"
        raise UsageError.of("plan-stale", message, hint)


def _digest_request(run_plan: RunPlan) -> str:
    return request_digest(run_plan.general, repair=run_plan.request.repair)


def _make_absolute(source: str) -> str:
    return str(Path(source).absolute()) if Path(source).exists() else source
