"""The result of a run as text: the nodes that are not as requested, and a last line that sums up."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from harbor_agent.engine.reports.report import VERIFY
from harbor_agent.language.current import translate
from harbor_agent.model.result import Outcome, Proof
from harbor_agent.views.text.secrets import count_secrets
from harbor_agent.views.text.style import indent, render_problem, style_outcome

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harbor_agent.engine.reports.report import Report
    from harbor_agent.model.result import NodeResult

_PROVEN = {Proof.PULL: "verified by a pull", Proof.POD: "proven by a pod"}
_FINE = frozenset({Outcome.CHANGED, Outcome.UNCHANGED, Outcome.SKIPPED, Outcome.PENDING})


def failures_text(results: Sequence[NodeResult]) -> str:
    """Return every node that is not as requested, with its reason; nodes with the same reason share a block."""
    blocks: dict[tuple[str, ...], list[str]] = {}
    for result in results:
        if result.outcome not in _FINE or result.verified is False:
            blocks.setdefault(_describe_failure(result), []).append(result.node)
    return "\n".join("\n".join([f"{', '.join(names)}  {title}", *lines]) for (title, *lines), names in blocks.items())


def _describe_failure(result: NodeResult) -> tuple[str, ...]:
    title = style_outcome(result.outcome) + (
        translate(describe_failed_pull(result)) if result.verified is False else ""
    )
    if result.problem:
        return (title, *render_problem(result.problem))
    return (title, indent(translate(result.reason)))


def describe_failed_pull(result: NodeResult) -> str:
    """Return the clause about a node whose pull was not proven."""
    return ", not proven by a pod" if result.proof is Proof.POD else ", pull failed"


def run_summary(report: Report) -> str:
    """Return the last line of a run: outcomes, pulls, pull secrets, why it halted, and its ID if the history has it."""
    run_id = "" if report.kind == VERIFY else report.run_id
    return translate(summarize_run(report.results, report.halted, run_id, count_secrets(report.secrets)))


def summarize_run(results: Sequence[NodeResult], halted: str | None, run_id: str, secrets: str = "") -> str:
    """Return one line about a run: outcomes, pulls, the text about pull secrets, why it halted, and an ID, if any."""
    counted = count_results(results) + secrets
    text = f"Halted: {counted}; reason: {halted}" if halted else f"Done: {counted}"
    return f"{text} (run {run_id})" if run_id else text


def count_results(results: Sequence[NodeResult]) -> str:
    """Return how many nodes have each outcome, and how many were proven by what."""
    found = Counter(result.outcome for result in results)
    counted = [f"{found[outcome]} {outcome.value.replace('_', ' ')}" for outcome in Outcome if found[outcome]]
    proofs = Counter(result.proof for result in results if result.verified)
    counted += [f"{proofs[proof]} {text}" for proof, text in _PROVEN.items() if proofs[proof]]
    logged_in = sum(1 for result in results if result.logged_in)
    counted += [f"{logged_in} logged in"] if logged_in else []
    unproven = sum(1 for result in results if result.outcome is Outcome.CHANGED and result.verified is None)
    counted += [f"{unproven} not proven by a pull"] if unproven else []
    return ", ".join(counted) or "no nodes"
