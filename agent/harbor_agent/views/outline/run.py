"""The outline of a run: apply, verify, rollback, a correction, or the shards of one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harbor_agent.engine.reports.report import VERIFY
from harbor_agent.model.plan import Action
from harbor_agent.model.result import Outcome, Proof
from harbor_agent.views.outline.dns import outline_dns
from harbor_agent.views.outline.plan import render_changes
from harbor_agent.views.outline.secrets import outline_secrets
from harbor_agent.views.outline.value import VERDICTS, Item, Kind, Outline, Verdict, list_facts, list_words, time_steps
from harbor_agent.views.text.run import count_results, describe_failed_pull
from harbor_agent.views.text.secrets import count_secrets

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harbor_agent.engine.plan.nodes import PlannedNode
    from harbor_agent.engine.reports.report import Report
    from harbor_agent.model.result import NodeResult

_PROVEN = {Proof.PULL: "verified by a pull", Proof.POD: "proven by a pod"}


def outline_run(report: Report, planned: Sequence[PlannedNode]) -> Outline:
    """Return the outline of a run; `planned` has the diffs of its nodes."""
    plans = {one.node.name: one for one in planned}
    counted = count_results(report.results) + count_secrets(report.secrets)
    registries = ", ".join(f"{url} ({presence})" for url, presence in report.registries)
    return Outline(
        command=report.kind,
        summary=f"{'Halted' if report.halted else 'Done'}: {counted}",
        items=(
            *outline_halt(report.halted),
            *(outline_result(one, plans.get(one.node), is_check=report.kind == VERIFY) for one in report.results),
            *outline_dns(report.dns),
            *outline_secrets(report.secrets),
        ),
        exit_code=int(report.exit_code),
        facts=list_facts(
            {
                "run": report.run_id,
                "ended": report.ended,
                "registries": registries,
                "shard": str(report.scope.shard) if report.scope and report.scope.shard else "",
                "note": report.note,
            }
        ),
        warnings=(*report.warnings, *(report.secrets.warnings if report.secrets else ())),
    )


def outline_halt(halted: str | None) -> tuple[Item, ...]:
    """Return why a run stopped early, nothing if it did not."""
    if not halted:
        return ()
    return (Item(name="rollout", kind=Kind.COMMAND, verdict=Verdict.ERROR, status="halted", reason=halted),)


def outline_result(result: NodeResult, planned: PlannedNode | None, *, is_check: bool) -> Item:
    """Return the result of a node; one that was only checked has no diff."""
    lost = ", ".join(result.containers_lost)
    return Item(
        name=result.node,
        verdict=judge_result(result),
        status=result.outcome.value.replace("_", " "),
        title=_describe_proof(result),
        reason="" if result.problem else result.reason,
        problem=result.problem,
        diff=render_changes(planned) if planned and not is_check else "",
        remarks=(f"no longer running: {lost}",) if lost else (),
        warnings=planned.decision.warnings if planned and planned.decision else (),
        runtime=planned.runtime if planned and planned.state else "",
        timings=(
            *time_steps({"plan": planned.seconds if planned else 0.0}),
            *(time_result(result) or time_steps({"verify" if is_check else "change and verify": result.seconds})),
        ),
    )


def time_result(result: NodeResult) -> tuple[tuple[str, float], ...]:
    """Return the steps of a node in a run; () if they were not measured."""
    return tuple((one.step.value, one.seconds) for one in result.steps)


def judge_result(result: NodeResult) -> Verdict:
    """Return the verdict on a node: a failed pull is a failure, even if the change was made."""
    verdict = VERDICTS[result.outcome]
    return Verdict.FAILURE if verdict is Verdict.FINE and result.verified is False else verdict


def _describe_proof(result: NodeResult) -> tuple[str, ...]:
    if result.verified is False:
        pull = describe_failed_pull(result).removeprefix(", ")
    elif result.verified and result.proof:
        pull = _PROVEN[result.proof]
    else:
        pull = "not proven by a pull" if result.outcome is Outcome.CHANGED else ""
    action = result.action.value if result.action is not Action.NONE else ""
    return list_words(action, pull, "logged in" if result.logged_in else "")
