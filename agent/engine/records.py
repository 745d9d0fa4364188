"""What a node is to remember of a run: made from its plan, and compared with what it remembers now."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING

from agent import __version__
from agent.model.plan import Action
from agent.model.state import NodeState, Record, System
from agent.planning.policy_digest import policy_digest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from agent.engine.apply import Run
    from agent.engine.fleet import PlannedNode
    from agent.model.plan import Plan
    from agent.model.policy import Policy
    from agent.model.state import FileState

ABSENT = "absent"


def record_for(planned: PlannedNode, plan: Plan, run: Run) -> Record:
    """Return the record that the node's transaction leaves when it commits."""
    state = planned.state or NodeState(system=System())
    if run.is_correction and state.record:
        return record_of_correction(plan, state.record, run.run_id, run.note)
    return record_of(plan, planned.policy, state, run.run_id, run.note)


def record_of(plan: Plan, policy: Policy, state: NodeState, run_id: str, note: str) -> Record:
    """Return the record of a run that a person asked for: what is on the node, and what the plan makes of it.

    What earlier runs brought and is still so stays in it, since each run may be about some registries only.
    """
    before = state.record or Record()
    live = _live(state)
    kept = [entry for entry in before.expected_entries if entry in live]
    gone = [entry for entry in before.unexpected_entries if entry not in live]
    return Record(
        run_id=run_id,
        approved_run=run_id,
        note=note,
        tool=f"harbor-agent {__version__}",
        policy_digest=policy_digest(policy),
        entries=plan.owned_entries,
        created_files=plan.created_files,
        file_hashes={**_hashes_now(before.file_hashes, state), **_hashes_of(plan)},
        argv=_argv(plan, state),
        expected_entries=_joined(plan.expected_entries, kept, without=plan.unexpected_entries),
        unexpected_entries=_joined(plan.unexpected_entries, gone, without=plan.expected_entries),
    )


def record_of_correction(plan: Plan, before: Record, run_id: str, note: str) -> Record:
    """Return the record of a correction: as it was but for what the plan changes; no other edit is taken in."""
    return replace(
        before,
        run_id=run_id,
        note=note,
        tool=f"harbor-agent {__version__}",
        entries=plan.owned_entries,
        created_files=plan.created_files,
        file_hashes={**before.file_hashes, **_hashes_of(plan)},
    )


def digest_of(state: FileState) -> str:
    """Return the SHA-256 (hex) of a file's content, "absent" where there is no file."""
    return hashlib.sha256(state.content or b"").hexdigest() if state.exists else ABSENT


def _hashes_of(plan: Plan) -> dict[str, str]:
    return {change.path: digest_of(change.after) for change in plan.changes}


def _hashes_now(paths: Mapping[str, str], state: NodeState) -> dict[str, str]:
    """Return the hashes of these files as they are; one that nothing reads any more is left out."""
    return {path: digest_of(state.files[path]) for path in paths if path in state.files}


def _argv(plan: Plan, state: NodeState) -> tuple[str, ...]:
    """Return what dockerd runs with afterwards, empty where only the node itself will know."""
    if plan.action is not Action.RESTART:
        return (state.docker.argv if state.docker else None) or ()
    return () if any("%" in argument for argument in plan.argv_after) else plan.argv_after


def _live(state: NodeState) -> tuple[str, ...]:
    live = state.docker.live if state.docker else None
    return (*live.insecure_entries, *live.insecure_cidrs) if live else ()


def _joined(first: Sequence[str], further: Sequence[str], *, without: Sequence[str]) -> tuple[str, ...]:
    return tuple(entry for entry in dict.fromkeys((*first, *further)) if entry not in without)
