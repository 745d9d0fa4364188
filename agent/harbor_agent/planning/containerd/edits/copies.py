"""From a list of directories to its first one, which then is the only one that is read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harbor_agent.model.state import FileKind
from harbor_agent.planning.containerd.hosts import HOSTS_FILE, exists

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from harbor_agent.model.state import FileState
    from harbor_agent.planning.files.workspace import Workspace

_REASON = "config_path names one directory now, and this one is not it"


def copy_directories(workspace: Workspace, roots: Sequence[str]) -> Workspace:
    """Copy what later directories hold for registries that the first one does not have.

    Only what was observed is copied, and only folders with nothing but hosts.toml and certificates: keys stay where
    they are.
    """
    first, *others = roots
    for root in others:
        for name in dict.fromkeys(_list_names(workspace, root)):
            files = [file for path, file in workspace.state.files.items() if path.startswith(f"{root}/{name}/")]
            if exists(workspace.state, f"{first}/{name}") or not files or not all(map(_can_copy, files)):
                continue
            for file in files:
                workspace = workspace.copy(file, f"{first}/{name}/{file.path.rpartition('/')[2]}", _REASON)
    return workspace


def _list_names(workspace: Workspace, root: str) -> Iterator[str]:
    for path, file in workspace.state.files.items():
        if file.exists and path.startswith(f"{root}/"):
            name, separator, _ = path.removeprefix(f"{root}/").partition("/")
            if separator:
                yield name


def _can_copy(file: FileState) -> bool:
    is_known = file.path.endswith((f"/{HOSTS_FILE}", ".crt"))
    return is_known and file.kind is FileKind.REGULAR and file.content is not None
