"""The result of the canary, which the shards of an apply or of a rollback require."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from harbor_agent.engine.reports.file import read_run_file
from harbor_agent.engine.reports.report import list_registries
from harbor_agent.errors import UsageError
from harbor_agent.model.result import Outcome
from harbor_agent.model.runs import PRISTINE, RunKind

if TYPE_CHECKING:
    from harbor_agent.engine.plan.run_plan import RunPlan
    from harbor_agent.engine.reports.file import RunFile
    from harbor_agent.model.inventory import Shard

_OLDEST = timedelta(hours=24)
_NOUNS = {RunKind.APPLY: "an apply", RunKind.ROLLBACK: "a rollback"}
_FINE = frozenset({Outcome.CHANGED, Outcome.UNCHANGED})
_HINTS = {
    RunKind.APPLY: "apply to a few nodes first: harbor-agent apply … --limit NODES -o json > canary.json, "
    "then --after canary.json",
    RunKind.ROLLBACK: "roll a few nodes back first: harbor-agent rollback … --limit NODES -o json > canary.json, "
    "then --after canary.json",
}


def require_canary(run_plan: RunPlan, path: str | None) -> RunPlan:
    """Return the plan without a canary of its own, as another run was its canary.

    Without a report, a plan for all nodes stays as it is. Raises UsageError `canary-missing` for a shard without one,
    `canary-refused` if that run failed, or proves nothing about this one, `report-unreadable` if it cannot be read.
    """
    if path is None:
        if run_plan.resumes is None:
            require_report(run_plan.request.selection.shard, path, run_plan.kind)
        return run_plan
    file = read_run_file(path)
    if reason := find_objection_to_canary(file, run_plan, datetime.now(UTC)):
        message = f"{path} is not the result of a canary for this run: {reason}"
        raise UsageError.of("canary-refused", message, _HINTS[run_plan.kind])
    rollout = replace(run_plan.general.rollout, canary=0)
    return replace(run_plan, general=replace(run_plan.general, rollout=rollout), after=file.run_id)


def require_report(shard: Shard | None, path: str | None, kind: RunKind) -> None:
    """Raise UsageError `canary-missing` for a shard without the report of a canary."""
    if shard and path is None:
        raise UsageError.of("canary-missing", f"shard {shard} needs the result of a canary", _HINTS[kind])


def find_objection_to_canary(file: RunFile, run_plan: RunPlan, now: datetime) -> str | None:
    """Return why a run proves nothing about this one; None if it does."""
    reasons = (
        _find_wrong_kind(file, run_plan),
        _find_failure(file),
        _find_difference(file, run_plan),
        _find_age(file.ended, now),
    )
    return next((reason for reason in reasons if reason), None)


def _find_wrong_kind(file: RunFile, run_plan: RunPlan) -> str | None:
    if file.kind != run_plan.kind:
        return f"run {file.run_id} is not {_NOUNS[run_plan.kind]}, but {file.kind}"
    # Shards of one rollout are runs of their own, so the canary and this run may roll back two of them.
    targets = (file.rolls_back, run_plan.rolls_back)
    if PRISTINE in targets and targets[0] != targets[1]:
        return f"run {file.run_id} is a rollback of {file.rolls_back}, not of {run_plan.rolls_back}"
    return f"run {file.run_id} is itself a shard, {file.shard}" if file.shard else None


def _find_failure(file: RunFile) -> str | None:
    if file.exit_code != 0:
        halted = f", and it halted: {file.halted}" if file.halted else ""
        return f"run {file.run_id} ended with exit code {file.exit_code}{halted}"
    if not any(node.outcome in _FINE for node in file.nodes):
        return f"run {file.run_id} has no node that was changed or found unchanged"
    return None


def _find_difference(file: RunFile, run_plan: RunPlan) -> str | None:
    if run_plan.scope is None or file.inventory != run_plan.scope.inventory:
        return f"run {file.run_id} had another inventory, or hosts were added, removed or given another address since"
    proven = {(one.url, one.state) for one in file.registries}
    new = [f"{url} ({state})" for url, state in list_registries(run_plan.policies) if (url, state) not in proven]
    return f"run {file.run_id} was not about {', '.join(new)}" if new else None


def _find_age(ended: str, now: datetime) -> str | None:
    """Return whether the run is too old, or ended in the future by the clock of this machine."""
    try:
        age = now - datetime.fromisoformat(ended)
    except (ValueError, TypeError):
        return f"'{ended}' is not the time of its end"
    if age > _OLDEST:
        return f"it ended {age / timedelta(hours=1):.0f} hours ago, and counts for {_OLDEST // timedelta(hours=1)}"
    return "it ended in the future; one of the two clocks is wrong" if -age > _OLDEST else None
