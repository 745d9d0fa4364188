"""Past runs as text: tables with a line per run or node."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING

from harbor_agent.engine.history.query import RunState, find_state
from harbor_agent.language.current import translate
from harbor_agent.model.result import Outcome
from harbor_agent.model.runs import RunKind
from harbor_agent.views.text.cells import fill_cell
from harbor_agent.views.text.common import format_table
from harbor_agent.views.text.style import style_outcome

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from harbor_agent.model.runs import PastNode, PastRun

_NEWEST = 20
_FACT_WIDTH = 11
_NO_OUTCOME = "outcome unknown"
_STATES = {RunState.UNDER_WAY: "under way", RunState.BROKEN_OFF: "did not finish"}


def runs_text(runs: Sequence[PastRun]) -> str:
    """Return the newest runs as a table, and the number of earlier ones."""
    if not runs:
        return translate("no runs in the history of this controller")
    rows = [tuple(map(translate, ("RUN", "KIND", "STARTED", "WHO", "RESULT", "NODES", "NOTE")))]
    rows += [
        (
            run.run_id,
            run.kind.value,
            run.started,
            run.who,
            _describe_result(run),
            _count_outcomes(run.nodes),
            " ".join(run.note.split()),
        )
        for run in runs[:_NEWEST]
    ]
    earlier = len(runs) - _NEWEST
    more = (
        [translate(f"{earlier} earlier run{'s' if earlier > 1 else ''}; to list all: harbor-agent history -o json")]
        if earlier > 0
        else []
    )
    return "\n".join([*format_table(rows), *more])


def run_text(run: PastRun) -> str:
    """Return one run: its facts, then a line per node with the reason below."""
    facts = {
        "run": f"{run.run_id} ({run.kind.value}{_describe_origin(run)})",
        "who": f"{run.who}, {run.tool}",
        "started": run.started,
        "ended": run.ended or _describe_result(run),
        "settings": run.config and f"{run.config} (sha256 {run.config_digest[:12]})",
        "options": _describe_options(run.options),
        "note": run.note,
        "exit code": "" if run.exit_code is None else str(run.exit_code),
        "halted": translate(run.halted or ""),
    }
    lines = [f"{fill_cell(translate(name) + ':', _FACT_WIDTH)}{value}" for name, value in facts.items() if value]
    for one in run.config_maps:
        outcome = style_outcome(one.outcome) if one.outcome else translate(_NO_OUTCOME)
        lines.append(f"ConfigMap {one.namespace}/{one.name} ({one.server})  {outcome}")
    for node in run.nodes:
        outcome = style_outcome(node.outcome) if node.outcome else translate(_NO_OUTCOME)
        lines.append(f"{node.node}  {outcome}{_describe_pull(node)}")
        lines += [f"  {translate(node.reason)}"] if node.reason else []
    return "\n".join(lines)


def node_text(runs: Sequence[PastRun]) -> str:
    """Return one node's runs as a table."""
    rows = [tuple(map(translate, ("RUN", "KIND", "STARTED", "OUTCOME", "REASON")))]
    for run in runs:
        rows += [
            (run.run_id, run.kind.value, run.started, _describe_outcome(node), translate(node.reason))
            for node in run.nodes
        ]
    return "\n".join(format_table(rows))


def _describe_options(text: str) -> str:
    """Return a line for each option that the run had, below each other; the text itself if it is of another form."""
    try:
        options = json.loads(text)
    except ValueError:
        return text
    lines = [f"{name.replace('_', ' ')}: {value}" for name, value in _list_options(options)]
    return f"\n{' ' * _FACT_WIDTH}".join(lines) if isinstance(options, dict) else text


def _list_options(options: object) -> Iterator[tuple[str, str]]:
    """Yield names and values from all levels, without those that were not given; the note is a fact of its own."""
    for name, value in options.items() if isinstance(options, dict) else ():
        if isinstance(value, dict):
            yield from _list_options(value)
        elif value and name != "note":
            yield (
                name,
                ", ".join(map(str, value)) if isinstance(value, list) else "yes" if value is True else str(value),
            )


def _describe_origin(run: PastRun) -> str:
    if run.kind is RunKind.ROLLBACK:
        return f" of {run.rolls_back}"
    return translate(f", resumes {run.resumes}") if run.resumes else ""


def _describe_result(run: PastRun) -> str:
    return translate(_STATES.get(find_state(run), "done" if run.exit_code == 0 else f"exit code {run.exit_code}"))


def _count_outcomes(nodes: Sequence[PastNode]) -> str:
    found = Counter(node.outcome for node in nodes)
    counted = [f"{found[outcome]} {outcome.value.replace('_', ' ')}" for outcome in Outcome if found[outcome]]
    return translate(", ".join([*counted, *([f"{found[None]} without outcome"] if found[None] else [])]) or "none")


def _describe_outcome(node: PastNode) -> str:
    return f"{translate(node.outcome.value.replace('_', ' ') if node.outcome else _NO_OUTCOME)}{_describe_pull(node)}"


def _describe_pull(node: PastNode) -> str:
    return translate({True: ", pull verified", False: ", pull failed", None: ""}[node.verified])
