"""Past runs as text: tables with a line per run or node."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING

from harbor_agent.engine.history.query import RunState, find_state
from harbor_agent.errors import ExitCode
from harbor_agent.language.current import translate
from harbor_agent.model.result import Outcome
from harbor_agent.model.runs import RunKind
from harbor_agent.views.text.common import join_clauses
from harbor_agent.views.text.layout.cells import fill_cell
from harbor_agent.views.text.layout.table import Column, Table
from harbor_agent.views.text.style import style_outcome

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from harbor_agent.model.runs import PastNode, PastRun

_NEWEST = 20
# The ID of a run begins with its time, so the time is the first to be left out.
_COLUMNS = (
    Column(title="RUN"),
    Column(title="KIND", rank=4),
    Column(title="STARTED", rank=1),
    Column(title="WHO", rank=2),
    Column(title="RESULT"),
    Column(title="NODES", rank=5, least=36),
    Column(title="NOTE", rank=3, least=16),
)
_COLUMNS_OF_A_NODE = (
    Column(title="RUN"),
    Column(title="KIND", rank=2),
    Column(title="STARTED", rank=1),
    Column(title="OUTCOME"),
    Column(title="REASON", rank=3, least=24),
)
# The end of a text may be cut off.
_WORST_FIRST = sorted(Outcome, key=(Outcome.CHANGED, Outcome.PENDING, Outcome.UNCHANGED, Outcome.SKIPPED).count)
_FACT_WIDTH = 11
_NO_OUTCOME, _NOT_BEGUN = "outcome unknown", "not begun"
_STATES = {RunState.UNDER_WAY: "under way", RunState.BROKEN_OFF: "did not finish"}


def tabulate_runs(runs: Sequence[PastRun]) -> Table:
    """Return the newest runs as a table."""
    rows = (
        (
            run.run_id,
            run.kind.value,
            run.started,
            run.who,
            _describe_result(run),
            _count_outcomes(run),
            " ".join(run.note.split()),
        )
        for run in runs[:_NEWEST]
    )
    return Table(columns=_COLUMNS, rows=tuple(rows))


def count_earlier_runs(runs: Sequence[PastRun]) -> str:
    """Return the number of runs that are not in the table, "" if all are; or that there is none."""
    if not runs:
        return "no runs in the history of this controller"
    earlier = len(runs) - _NEWEST
    if earlier <= 0:
        return ""
    return f"{earlier} earlier run{'s' if earlier > 1 else ''}; to list all: harbor-agent history -o json"


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
        where = ", ".join([one.server, *one.cluster.split(" ")[:1]] if one.cluster else [one.server])
        lines.append(f"ConfigMap {one.namespace}/{one.name} ({where})  {outcome}")
    for node in run.nodes:
        outcome = style_outcome(node.outcome) if node.outcome else translate(_describe_missing_outcome(run))
        lines.append(f"{node.node}  {outcome}{_describe_pull(node)}")
        lines += [f"  {translate(node.reason)}"] if node.reason else []
    return "\n".join(lines)


def tabulate_node(runs: Sequence[PastRun]) -> Table:
    """Return one node's runs as a table."""
    rows = (
        (
            run.run_id,
            run.kind.value,
            run.started,
            _describe_outcome(node, run),
            " ".join(translate(node.reason).split()),
        )
        for run in runs
        for node in run.nodes
    )
    return Table(columns=_COLUMNS_OF_A_NODE, rows=tuple(rows))


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


def _count_outcomes(run: PastRun) -> str:
    found = Counter(node.outcome for node in run.nodes)
    counted = [f"{found[outcome]} {outcome.value.replace('_', ' ')}" for outcome in _WORST_FIRST if found[outcome]]
    if missing := found[None]:
        counted.append(f"{missing} not begun" if _has_begun_nothing(run) else f"{missing} without outcome")
    return join_clauses(counted or ["none"])


def _describe_outcome(node: PastNode, run: PastRun) -> str:
    outcome = node.outcome.value.replace("_", " ") if node.outcome else _describe_missing_outcome(run)
    return f"{translate(outcome)}{_describe_pull(node)}"


def _describe_missing_outcome(run: PastRun) -> str:
    return _NOT_BEGUN if _has_begun_nothing(run) else _NO_OUTCOME


def _has_begun_nothing(run: PastRun) -> bool:
    """Whether the run changed nothing that is without an outcome: an error ends it before, a signal at any time."""
    return run.exit_code is not None and run.exit_code < ExitCode.BUG


def _describe_pull(node: PastNode) -> str:
    return translate({True: ", pull verified", False: ", pull failed", None: ""}[node.verified])
