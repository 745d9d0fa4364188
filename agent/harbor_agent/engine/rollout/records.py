"""The records that nodes keep of the last run, built from plans."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from harbor_agent import __version__
from harbor_agent.errors import Problem
from harbor_agent.model.plan import Action, Plan
from harbor_agent.model.result import Outcome
from harbor_agent.model.state import NodeState, Record, System
from harbor_agent.node.wire import programs as wire
from harbor_agent.planning.config.digest import policy_digest
from harbor_agent.planning.drift import hash_content
from harbor_agent.planning.node import find_record, find_runtime
from harbor_agent.transport.protocol import Job, decode_answer

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from harbor_agent.engine.plan.nodes import PlannedNode
    from harbor_agent.engine.rollout.context import RolloutContext
    from harbor_agent.model.policy import Policy
    from harbor_agent.model.result import NodeResult

_TIMEOUT = 45.0


def build_record(planned: PlannedNode, plan: Plan, run: RolloutContext) -> Record:
    """Return the record that the transaction of the node writes when it commits."""
    state = planned.state or NodeState(system=System())
    before = find_record(state)
    if run.is_correction and before:
        return build_correction_record(plan, state, before, run.run_id, run.note)
    return build_apply_record(plan, planned.policy, state, run.run_id, run.note)


def build_apply_record(plan: Plan, policy: Policy, state: NodeState, run_id: str, note: str) -> Record:
    """Return the record of an apply: the state of the node after the plan.

    Entries of earlier runs that are still in effect stay in it, because a run may be about some registries only.
    """
    before = find_record(state) or Record()
    live = find_runtime(state).describe_process(state).entries or ()
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
        original_hashes=plan.original_hashes,
        earlier_settings=plan.earlier_settings,
        file_hashes={**_hash_current(before.file_hashes, state), **_hash_changes(plan)},
        argv=_predict_arguments(plan, state),
        expected_entries=_merge_entries(plan.activation.expected, kept, without=plan.activation.unexpected),
        unexpected_entries=_merge_entries(plan.activation.unexpected, gone, without=plan.activation.expected),
    )


def build_correction_record(plan: Plan, state: NodeState, before: Record, run_id: str, note: str) -> Record:
    """Return the record of a correction: the earlier one with the changes of the plan, and without other edits."""
    return replace(
        before,
        run_id=run_id,
        note=note,
        tool=f"harbor-agent {__version__}",
        entries=plan.owned_entries,
        created_files=plan.created_files,
        original_hashes=plan.original_hashes,
        earlier_settings=plan.earlier_settings,
        file_hashes={**before.file_hashes, **_hash_changes(plan)},
        argv=_predict_arguments(plan, state) if plan.activation.action is Action.RESTART else before.argv,
    )


def update_records(
    run: RolloutContext, planned: Sequence[PlannedNode], results: Sequence[NodeResult]
) -> Iterator[Problem]:
    """Write the records of unchanged nodes whose record is missing or differs.

    Then they are no longer unmanaged, and an edit that left the registry trusted is no longer drift: a person has seen
    the plan. Yields the problems; they do not affect the run.
    """
    verified = {r.node for r in results if r.outcome is Outcome.UNCHANGED and r.verified is not False}
    jobs = []
    for one in planned:
        if one.node.name not in verified or one.state is None or not isinstance(one.decision, Plan):
            continue
        record = build_apply_record(one.decision, one.policy, one.state, run.run_id, run.note)
        before = find_record(one.state)
        if before is None or _strip_run(record) != _strip_run(before):
            jobs.append(
                Job(node=one.node, program=wire.build_record_program(record, one.decision.runtime), timeout=_TIMEOUT)
            )
    for result in run.transport.run(jobs):
        if problem := decode_answer(result, wire.decode_recorded):
            yield Problem(
                code="record-not-written",
                message=f"{result.job.node.name} is configured, but its record cannot be written: {problem.message}",
                hint="apply again; until then drift compares the node with its earlier record",
            )


def _strip_run(record: Record) -> Record:
    """Return the record without the run that wrote it."""
    return replace(record, run_id="", approved_run="", note="", tool="")


def _hash_changes(plan: Plan) -> dict[str, str]:
    lasting = (change for change in plan.changes if change.path not in plan.passing_files)
    return {change.path: hash_content(change.after) for change in lasting}


def _hash_current(paths: Mapping[str, str], state: NodeState) -> dict[str, str]:
    """Return the hashes of these files as they are now, without files that are no longer read."""
    return {path: hash_content(state.files[path]) for path in paths if path in state.files}


def _predict_arguments(plan: Plan, state: NodeState) -> tuple[str, ...]:
    """Return the arguments of the daemon after the plan, empty if only the node can know them."""
    if plan.activation.action is not Action.RESTART:
        return find_runtime(state).describe_process(state).arguments or ()
    return () if any("%" in argument for argument in plan.activation.arguments) else plan.activation.arguments


def _merge_entries(first: Sequence[str], further: Sequence[str], *, without: Sequence[str]) -> tuple[str, ...]:
    return tuple(entry for entry in dict.fromkeys((*first, *further)) if entry not in without)
