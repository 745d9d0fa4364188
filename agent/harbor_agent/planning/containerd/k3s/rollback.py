"""A rollback as a plan like any other: earlier files, and the restart that applies them if nothing else does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harbor_agent.formats.redact import mask_problem
from harbor_agent.model.plan import Action, Refusal, Route
from harbor_agent.planning.containerd.hosts import parse_entry
from harbor_agent.planning.containerd.k3s.certificates import is_certificate, is_file_named
from harbor_agent.planning.containerd.k3s.checks import require_plannable
from harbor_agent.planning.containerd.k3s.effective import evaluate, is_written, summarize
from harbor_agent.planning.containerd.k3s.outcome import Outcome, build_plan
from harbor_agent.planning.containerd.k3s.process import find_stopped_daemon
from harbor_agent.planning.files.restoration import apply_changes, list_restorations
from harbor_agent.planning.refusal import RefusedError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harbor_agent.model.plan import Plan
    from harbor_agent.model.state import FileState, NodeState
    from harbor_agent.planning.containerd.k3s.effective import Effective


def restore(node: str, state: NodeState, earlier: Sequence[FileState], reason: str, name: str) -> Plan | Refusal:
    """Plan the restoration of `earlier` files, given in the order in which they were changed, in reverse."""
    try:
        require_plannable(state, name)
        changes = list_restorations(state, earlier, reason)
        if changes and (stopped := find_stopped_daemon(state, name)):
            raise RefusedError.from_problem(stopped)
        restored = apply_changes(state, changes)
        after = evaluate(restored, name)
        now_trusted, then = _list_trusted(state, name), summarize(after).entries
        gone = tuple(entry for entry in now_trusted if entry not in then)
        written = [entry for entry in (*then, *gone) if _is_written(restored, name, after, entry)]
        is_late = any(entry not in written for entry in then if entry not in now_trusted)
        is_late = is_late or any(entry in written for entry in gone)
        certificates = [change.after for change in changes if is_certificate(name, change.path)]
        is_late = is_late or any(is_file_named(restored, after, one.path) is not one.exists for one in certificates)
        outcome = Outcome(
            changes,
            Action.RESTART if is_late else Action.NONE,
            Route.NONE,
            reason,
            # what the daemon has not read before is not shown by a change that does not restart it
            expected=tuple(entry for entry in then if is_late or entry in written),
            unexpected=gone,
            restores=True,
        )
        return build_plan(node, state, outcome, after, name)
    except RefusedError as refused:
        return Refusal(node=node, runtime=name, problem=mask_problem(refused.problem))


def _list_trusted(state: NodeState, name: str) -> tuple[str, ...]:
    """Return the trusted registries, none if the files cannot be read: a restoration may be what fixes them."""
    try:
        return summarize(evaluate(state, name)).entries
    except RefusedError:
        return ()


def _is_written(state: NodeState, name: str, effective: Effective, entry: str) -> bool:
    address = parse_entry(entry)
    return address is not None and is_written(state, name, effective, address)
