"""The CA of a registry in the system's trust store, for programs on a node that do not read a runtime's folder.

update-ca-certificates(8) reads `*.crt` and links only the first certificate of a file by its hash, so each certificate
gets a file of its own.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from harbor_agent.errors import Problem
from harbor_agent.formats.text import decode
from harbor_agent.planning.refusal import RefusedError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from harbor_agent.model.plan import FileChange
    from harbor_agent.model.policy import DesiredState
    from harbor_agent.model.state import NodeState
    from harbor_agent.planning.files.workspace import Workspace
    from harbor_agent.planning.runtime import FileTree

# The directory and the program of each layout, as trust_store.sh knows them.
_LAYOUTS = {
    "debian": ("/usr/local/share/ca-certificates", "/usr/sbin/update-ca-certificates"),
    "redhat": ("/etc/pki/ca-trust/source/anchors", "/usr/bin/update-ca-trust"),
}
_DIRECTORIES = tuple(directory for directory, _ in _LAYOUTS.values())
_END = b"-----END CERTIFICATE-----\n"


def observe_trust_store(tree: FileTree, state: NodeState) -> NodeState:
    """Return the state of a file system tree with its trust store, and this tool's files in it."""
    found = tuple(
        name
        for name, (directory, program) in _LAYOUTS.items()
        if tree.state(directory).exists and tree.state(program).exists
    )
    names = (f"{directory}/{name}" for directory in _DIRECTORIES for name in tree.names(directory))
    files = {path: tree.state(path) for path in names if "/harbor-agent-" in path}
    return replace(state, system=replace(state.system, trust_stores=found), files={**state.files, **files})


def is_in_store(path: str) -> bool:
    """Whether a file is one that a trust store is made of."""
    return path.startswith(tuple(f"{directory}/" for directory in _DIRECTORIES))


def write_authorities(workspace: Workspace, desired: DesiredState) -> Workspace:
    """Return the workspace with the CAs that should be in the trust store.

    Raises RefusedError `trust-store-unknown` for a node without exactly one of the stores that are known.
    """
    for path, (entry, content) in _list_wanted(workspace, desired).items():
        if workspace.file(path).content != content:
            workspace = workspace.write(path, decode(content), f"the CA of {entry} for the system's trust store")
    return workspace


def delete_authorities(workspace: Workspace, desired: DesiredState) -> Workspace:
    """Return the workspace without this tool's files in the trust store that the registries no longer need."""
    wanted = _list_wanted(workspace, desired)
    for address in (*desired.present, *desired.absent, *desired.secure):
        for path in _list_files(workspace, address.entry):
            if path not in wanted and workspace.file(path).exists:
                _find_directory(workspace.original)
                workspace = workspace.delete(path, f"{address.entry} no longer has this CA in the settings")
    return workspace


def warn_of_reading(
    changes: Iterable[FileChange], daemon: str, *, restarts: bool, offline: bool = False
) -> Iterator[Problem]:
    """Yield a warning if a daemon, or a tree without one, does not read the changed store at once."""
    changed = [change.path for change in changes if is_in_store(change.path)]
    if not changed or restarts:
        return
    if offline:
        message = f"{', '.join(changed)}: the tree's bundle of certificates is not made again"
        hint = "run update-ca-certificates, or update-ca-trust extract, in the image"
    else:
        message = f"{daemon} reads the system's trust store only when it starts: {', '.join(changed)}"
        hint = (
            f"pulls and logins do not need it, as the runtime's folder has the CA; for everything else restart {daemon}"
        )
    yield Problem(code="trust-store-not-read", message=message, hint=hint)


def _list_wanted(workspace: Workspace, desired: DesiredState) -> dict[str, tuple[str, bytes]]:
    """Return the content of each file, with the registry's entry, by its path."""
    wanted: dict[str, tuple[str, bytes]] = {}
    for entry in desired.system_trust:
        directory = _find_directory(workspace.original)
        certificates = desired.certificates[entry].authorities.split(_END)[:-1]
        for number, certificate in enumerate(certificates, 1):
            suffix = f"+{number}" if number > 1 else ""
            wanted[f"{directory}/{_build_name(entry)}{suffix}.crt"] = (entry, certificate + _END)
    return wanted


def _list_files(workspace: Workspace, entry: str) -> list[str]:
    name = re.compile(rf"(?:{'|'.join(_DIRECTORIES)})/{re.escape(_build_name(entry))}(?:\+\d+)?\.crt")
    return [path for path in workspace.state.files if name.fullmatch(path)]


def _build_name(entry: str) -> str:
    return f"harbor-agent-{re.sub('[^A-Za-z0-9.-]', '_', entry)}"


def _find_directory(state: NodeState) -> str:
    stores = state.system.trust_stores
    if len(stores) == 1:
        return _LAYOUTS[stores[0]][0]
    if stores:
        reason, hint = "it has update-ca-certificates and update-ca-trust", "remove the package that is not in use"
    else:
        reason = f"it has neither update-ca-certificates with {_DIRECTORIES[0]} nor update-ca-trust"
        hint = "install ca-certificates, or leave out system_trust"
    raise RefusedError("trust-store-unknown", f"the trust store of the node is not known: {reason}", hint)
