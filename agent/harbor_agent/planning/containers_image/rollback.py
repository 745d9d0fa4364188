"""A rollback as a plan like any other: earlier files, and the reload that applies them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harbor_agent.formats.redact import mask_problem
from harbor_agent.model.plan import Refusal, Route
from harbor_agent.planning.containers_image.checks import require_plannable
from harbor_agent.planning.containers_image.effective import evaluate, summarize
from harbor_agent.planning.containers_image.outcome import Outcome, build_plan
from harbor_agent.planning.containers_image.process import find_stopped_daemon
from harbor_agent.planning.files.restoration import apply_changes, list_restorations
from harbor_agent.planning.refusal import RefusedError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harbor_agent.model.plan import Plan
    from harbor_agent.model.state import FileState, NodeState


def restore(node: str, state: NodeState, earlier: Sequence[FileState], reason: str, name: str) -> Plan | Refusal:
    """Plan the restoration of `earlier` files, given in the order in which they were changed, in reverse."""
    try:
        require_plannable(state, name)
        changes = list_restorations(state, earlier, reason)
        restored = apply_changes(state, changes)
        after = evaluate(restored, name)
        then, now_trusted = summarize(after).entries, _list_trusted(state, name)
        gone = tuple(entry for entry in now_trusted if entry not in then)
        outcome = Outcome(changes, Route.NONE, reason, expected=then, unexpected=gone)
        if changes and (stopped := find_stopped_daemon(state, name)):
            raise RefusedError.from_problem(stopped)
        return build_plan(node, state, outcome, after, name)
    except RefusedError as refused:
        return Refusal(node=node, runtime=name, problem=mask_problem(refused.problem))


def _list_trusted(state: NodeState, name: str) -> tuple[str, ...]:
    """Return the insecure registries, none if the files cannot be read: a restoration may be what fixes them."""
    try:
        return summarize(evaluate(state, name)).entries
    except RefusedError:
        return ()
