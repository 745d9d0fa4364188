"""The change of /etc/hosts as a part of a node's plan, the same for every runtime.

dockerd and containerd read the file at each lookup, so no plan needs an action for it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from harbor_agent.errors import Problem
from harbor_agent.formats.redact import mask_problem
from harbor_agent.model.dns import DnsEntry
from harbor_agent.model.plan import FileChange, Refusal, Route
from harbor_agent.model.state import FileKind, FileState, NameService
from harbor_agent.planning.files.lasting import find_volatile_changes
from harbor_agent.planning.files.workspace import read_content
from harbor_agent.planning.names.hosts_file import PATH, edit_hosts, read_own_entries, restore_own_part
from harbor_agent.planning.names.readers import require_lasting_file, require_readers
from harbor_agent.planning.refusal import RefusedError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from harbor_agent.model.plan import Plan
    from harbor_agent.model.policy import DesiredState
    from harbor_agent.model.state import NodeState

_NEW_FILE_MODE = 0o644


def add_names(plan: Plan, state: NodeState, desired: DesiredState) -> Plan | Refusal:
    """Return the plan with the requested names in /etc/hosts, and without those that are no longer requested."""
    file = state.files.get(PATH)
    if file is None:
        return plan
    service = state.name_service or NameService()
    plan = replace(plan, warnings=(*plan.warnings, *_find_unrequested_names(file, desired)))
    try:
        content = read_content(file) or b""
        edited = edit_hosts(content, desired.names, desired.absent_names)
        if edited == content:
            return plan
        before, after = read_own_entries(content), read_own_entries(edited)
        require_lasting_file(file, service)
        added = {name: address for name, address in after.items() if before.get(name) != address}
        require_readers(service, added, _find_other_answers(state, added, before))
    except RefusedError as refused:
        problem = mask_problem(refused.problem)
        return Refusal(node=plan.node, runtime=plan.runtime, problem=problem, warnings=plan.warnings)
    return _add_change(plan, state, _replace_content(file, edited, plan.created_files), before, after)


def restore_names(plan: Plan, state: NodeState, earlier: FileState) -> Plan | Refusal:
    """Return the plan with this tool's block in /etc/hosts as it was in an earlier file; other lines stay."""
    file = state.files.get(PATH) or FileState(path=PATH)
    try:
        content = read_content(file) or b""
        restored = restore_own_part(content, earlier.content or b"")
        if restored == content and (restored or file.exists is earlier.exists):
            return plan
        require_lasting_file(file, state.name_service or NameService())
    except RefusedError as refused:
        return Refusal(node=plan.node, runtime=plan.runtime, problem=mask_problem(refused.problem))
    created = () if earlier.exists else (PATH,)
    before, after = read_own_entries(content), read_own_entries(restored)
    return _add_change(plan, state, _replace_content(file, restored, created), before, after)


def _replace_content(file: FileState, content: bytes, created: tuple[str, ...]) -> FileState:
    """Return the file with this content; one that this tool created goes with its last line."""
    if not content and (PATH in created or not file.exists):
        return FileState(path=PATH)
    if not file.exists:
        return FileState(path=PATH, kind=FileKind.REGULAR, content=content, mode=_NEW_FILE_MODE)
    return replace(file, content=content)


def _add_change(plan: Plan, state: NodeState, after: FileState, old: Mapping[str, str], new: Mapping[str, str]) -> Plan:
    """Return the plan with the change: names come before anything that uses them, and go after it."""
    added = {name: address for name, address in new.items() if old.get(name) != address}
    gone = [name for name in old if name not in new]
    clauses = [f"{', '.join(f'{name} gets {address}' for name, address in added.items())} in {PATH}"] if added else []
    clauses += [f"{', '.join(gone)} is removed from {PATH}"] if gone else []
    reason = "; ".join(clauses)
    change = FileChange(before=state.files.get(PATH) or FileState(path=PATH), after=after, reason=reason)
    created = [path for path in plan.created_files if path != PATH]
    created += [PATH] if after.exists and (not change.before.exists or PATH in plan.created_files) else []
    return replace(
        plan,
        changes=(change, *plan.changes) if added else (*plan.changes, change),
        names=tuple(DnsEntry(name=name, address=address) for name, address in added.items()),
        route=Route.HOSTS if plan.is_empty else plan.route,
        reason=reason if plan.is_empty else f"{reason}; {plan.reason}",
        created_files=tuple(created),
        warnings=(
            *plan.warnings,
            *_warn_of_other_answers(_find_other_answers(state, added, old), added),
            *find_volatile_changes([change], state.volatile),
        ),
    )


def _find_unrequested_names(file: FileState, desired: DesiredState) -> Iterator[Problem]:
    """Yield a warning for each name of the block that the request does not name; it stays."""
    requested = {*(entry.name for entry in desired.names), *desired.absent_names}
    for name in read_own_entries(file.content):
        if name not in requested:
            yield Problem(
                code="ours-no-longer-wanted",
                message=f"{name} in {PATH} was added by this tool and is no longer requested",
                hint=f"it stays until you name it: --absent --registry {name}, or 'state: absent'",
            )


def _find_other_answers(
    state: NodeState, added: Mapping[str, str], old: Mapping[str, str]
) -> dict[str, tuple[str, ...]]:
    """Return the names that resolve to something else today, with those addresses."""
    resolved = state.name_service.resolved if state.name_service else {}
    others = {
        name: tuple(one for one in resolved.get(name, ()) if one not in (address, old.get(name)))
        for name, address in added.items()
    }
    return {name: addresses for name, addresses in others.items() if addresses}


def _warn_of_other_answers(answers: Mapping[str, Sequence[str]], added: Mapping[str, str]) -> Iterator[Problem]:
    for name, addresses in answers.items():
        yield Problem(
            code="name-resolves-elsewhere",
            message=f"{name} resolves to {', '.join(addresses)} on the node today, and to {added[name]} with {PATH}",
            hint="check resolve.address; if DNS is right, leave out resolve.nodes",
        )
