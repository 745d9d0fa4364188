"""Past runs as text: tables with a line a run or a node."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from harbor_agent.engine.history.query import RunState, state_of
from harbor_agent.model.result import Outcome
from harbor_agent.model.runs import RunKind
from harbor_agent.views.text.style import style_outcome

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harbor_agent.model.runs import PastNode, PastRun

_NEWEST = 20
_NO_END = "no end is known"
_STATES = {RunState.UNDER_WAY: "under way", RunState.BROKEN_OFF: "did not end by itself"}


def runs_text(runs: Sequence[PastRun]) -> str:
    """Return the newest runs as a table; its last line says how many more there are."""
    if not runs:
        return "no run is known on this controller"
    rows = [("RUN", "KIND", "STARTED", "WHO", "RESULT", "NODES", "NOTE")]
    rows += [
        (run.run_id, run.kind.value, run.started, run.who, _result(run), _nodes(run.nodes), " ".join(run.note.split()))
        for run in runs[:_NEWEST]
    ]
    earlier = len(runs) - _NEWEST
    more = [f"and {earlier} earlier: harbor-agent history -o json has them all"] if earlier > 0 else []
    return "\n".join([*table(rows), *more])


def run_text(run: PastRun) -> str:
    """Return one run: what is known of it, then a line a node with the reason below."""
    facts = {
        "run": f"{run.run_id} ({run.kind.value}{_about(run)})",
        "who": f"{run.who}, {run.tool}",
        "started": run.started,
        "ended": run.ended or _result(run),
        "settings": run.config and f"{run.config} (sha256 {run.config_digest[:12]})",
        "options": run.options,
        "note": run.note,
        "exit code": "" if run.exit_code is None else str(run.exit_code),
        "halted": run.halted or "",
    }
    lines = [f"{name + ':':<11}{value}" for name, value in facts.items() if value]
    for node in run.nodes:
        outcome = style_outcome(node.outcome) if node.outcome else _NO_END
        lines.append(f"{node.node}  {outcome}{_proof(node)}")
        lines += [f"  {node.reason}"] if node.reason else []
    return "\n".join(lines)


def node_text(runs: Sequence[PastRun]) -> str:
    """Return one node's runs as a table."""
    rows = [("RUN", "KIND", "STARTED", "OUTCOME", "REASON")]
    for run in runs:
        rows += [(run.run_id, run.kind.value, run.started, _end(node), node.reason) for node in run.nodes]
    return "\n".join(table(rows))


def table(rows: Sequence[tuple[str, ...]]) -> list[str]:
    """Return rows with their columns aligned, two blanks between them."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _about(run: PastRun) -> str:
    if run.kind is RunKind.ROLLBACK:
        return f" of {run.rolls_back}"
    return f", takes up {run.resumes}" if run.resumes else ""


def _result(run: PastRun) -> str:
    return _STATES.get(state_of(run), "done" if run.exit_code == 0 else f"exit code {run.exit_code}")


def _nodes(nodes: Sequence[PastNode]) -> str:
    found = Counter(node.outcome for node in nodes)
    counted = [f"{found[outcome]} {outcome.value.replace('_', ' ')}" for outcome in Outcome if found[outcome]]
    return ", ".join([*counted, *([f"{found[None]} open"] if found[None] else [])]) or "none"


def _end(node: PastNode) -> str:
    return f"{node.outcome.value.replace('_', ' ') if node.outcome else _NO_END}{_proof(node)}"


def _proof(node: PastNode) -> str:
    return {True: ", pull proven", False: ", pull failed", None: ""}[node.verified]
