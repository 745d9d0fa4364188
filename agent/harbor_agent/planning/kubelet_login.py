"""A registry login for kubelet itself, in a file on the node: only on request, and removed again.

kubelet offers the logins of the first file that it finds to every pod (kubernetes pkg/credentialprovider/config.go).
The record has the mode of a file that was there before, as an earlier setting in octal: it returns with the last login.
"""

from __future__ import annotations

import posixpath
from dataclasses import replace
from typing import TYPE_CHECKING

from harbor_agent.errors import Problem
from harbor_agent.formats.basic_auth import encode_login
from harbor_agent.formats.docker.login_file import add_login, find_login, has_own_login, is_empty, remove_login
from harbor_agent.formats.redact import mask_problem
from harbor_agent.formats.text import FormatError, decode
from harbor_agent.model.plan import Refusal, Route
from harbor_agent.model.state import EarlierSetting
from harbor_agent.planning.files.workspace import Workspace, read_content, require_plain_paths
from harbor_agent.planning.refusal import RefusedError, refuse_file

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from harbor_agent.model.plan import FileChange, Plan
    from harbor_agent.model.policy import DesiredState
    from harbor_agent.model.state import NodeState

NAME = "config.json"
_MODE = 0o600
_REASON = "the login at {} for kubelet, which it offers to every pod of the node"


def add_logins(plan: Plan, state: NodeState, desired: DesiredState) -> Plan | Refusal:
    """Return the plan with the logins that kubelet should have, and without this tool's other ones.

    A node on which the file that kubelet reads is not known, or has somebody else's login for a registry, is refused.
    """
    try:
        changes = _change_logins(Workspace(original=state, state=state, templates={}), desired).changes()
        require_plain_paths(change.path for change in changes)
    except RefusedError as refused:
        problem, changes = mask_problem(refused.problem), plan.changes
        return Refusal(node=plan.node, runtime=plan.runtime, problem=problem, changes=changes, warnings=plan.warnings)
    plan = replace(plan, earlier_settings={**plan.earlier_settings, **_note_modes(state, changes)})
    if not changes:
        return plan
    reason = "; ".join(dict.fromkeys(change.reason for change in changes))
    gone = {change.path for change in changes if not change.after.exists}
    created = dict.fromkeys((*plan.created_files, *(one.path for one in changes if not one.before.exists)))
    return replace(
        plan,
        changes=(*plan.changes, *changes),
        route=Route.KUBELET_LOGIN if plan.is_empty else plan.route,
        reason=reason if plan.is_empty else f"{plan.reason}; {reason}",
        created_files=tuple(path for path in created if path not in gone),
        warnings=(*plan.warnings, *_warn_of_logins(changes, desired)),
    )


def is_login_file(path: str) -> bool:
    """Whether a file that a plan changes is one with logins for kubelet."""
    return posixpath.basename(path) == NAME


def _change_logins(workspace: Workspace, desired: DesiredState) -> Workspace:
    for address in (*desired.present, *desired.absent, *desired.secure):
        if address.entry not in desired.kubelet_logins and address.entry not in desired.kept_logins:
            workspace = _remove(workspace, address.entry)
    for entry, credentials in desired.kubelet_logins.items():
        workspace = _add(workspace, entry, encode_login(credentials).reveal())
    return workspace


def _warn_of_logins(changes: Iterable[FileChange], desired: DesiredState) -> Iterator[Problem]:
    for change in changes:
        if change.after.exists and is_login_file(change.path) and desired.kubelet_logins:
            entries = ", ".join(desired.kubelet_logins)
            yield Problem(
                code="kubelet-login-on-disk",
                message=f"{change.path} gets the login at {entries}: it stays on the node's disk, and kubelet offers "
                "it to every pod, in every namespace",
                hint="use an account that may only pull; a pull secret instead is for the pods of its namespace",
            )


def _add(workspace: Workspace, entry: str, auth: str) -> Workspace:
    path = _find_file(workspace.state)
    file = workspace.file(path)
    try:
        content = read_content(file) or b""
        found = find_login(content, entry) if content else None
        if found and not found.is_ours:
            message = f"{path} has another login for {entry}, which harbor-agent did not write"
            raise RefusedError("kubelet-login-differs", message, "remove it there, or leave out --kubelet-login")
        if found and found.auth == auth and file.mode == _MODE:
            return workspace
        return workspace.write(path, decode(add_login(content, entry, auth)), _REASON.format(entry), mode=_MODE)
    except FormatError as error:
        raise refuse_file(path, error) from None


def _remove(workspace: Workspace, entry: str) -> Workspace:
    created = {path for record in workspace.state.records.values() for path in record.created_files}
    for path in _list_recorded(workspace.state):
        content = workspace.file(path).content or b""
        try:
            found = find_login(content, entry) if content else None
            if not found or not found.is_ours:
                continue
            rest, reason = remove_login(content, entry), f"{entry} no longer has a login for kubelet"
            if path in created and is_empty(rest):
                workspace = workspace.delete(path, reason)
                continue
            mode = None if has_own_login(rest) else _recall_mode(workspace.state, path)
            workspace = workspace.write(path, decode(rest), reason, mode=mode)
        except FormatError as error:
            raise refuse_file(path, error) from None
    return workspace


def _list_earlier(state: NodeState) -> dict[str, EarlierSetting]:
    """Return the recorded modes of the files that were there before this tool, by path."""
    recorded = (one for record in state.records.values() for one in record.earlier_settings.items())
    return {path: earlier for path, earlier in recorded if is_login_file(path)}


def _recall_mode(state: NodeState, path: str) -> int | None:
    earlier = _list_earlier(state).get(path)
    return int(earlier.value, 8) if earlier and earlier.value else None


def _note_modes(state: NodeState, changes: Iterable[FileChange]) -> dict[str, EarlierSetting]:
    """Return the modes to record: those of the record and of the changes, without those that are as they were."""
    found = _list_earlier(state)
    for change in changes:
        path, was, now = change.path, f"{change.before.mode:o}", f"{change.after.mode:o}"
        if path in found and (not change.after.exists or found[path].value == now):
            del found[path]
        elif change.before.exists and change.after.exists and was != now:
            found.setdefault(path, EarlierSetting(value=was))
    return found


def _find_file(state: NodeState) -> str:
    """Return the file that kubelet reads, or the first that it would. Raises RefusedError."""
    paths = state.kubelet.login_files if state.kubelet else ()
    hint = "leave out --kubelet-login: a pull secret in the namespace does the same for its pods"
    if not paths:
        message = "it is not known where kubelet reads logins on this node: none runs, or it has a root of its own"
        raise RefusedError("kubelet-login-impossible", message, hint)
    existing = [path for path in dict.fromkeys(paths) if path in state.files and state.files[path].exists]
    if not existing:
        return paths[0]
    if not is_login_file(existing[0]):
        message = f"kubelet reads {existing[0]}, and would no longer read it beside a {NAME}"
        raise RefusedError("kubelet-login-impossible", message, hint)
    return existing[0]


def _list_recorded(state: NodeState) -> list[str]:
    paths = (path for record in state.records.values() for path in record.file_hashes)
    return [path for path in dict.fromkeys(paths) if is_login_file(path) and path in state.files]
