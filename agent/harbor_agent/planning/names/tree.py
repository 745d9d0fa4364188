"""What names need of a file system tree without a running system (`--root`)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from harbor_agent.formats.text import decode
from harbor_agent.model.state import NameService
from harbor_agent.planning.names.hosts_file import PATH

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harbor_agent.model.state import NodeState
    from harbor_agent.planning.runtime import FileTree

_CLOUD: Final = "/etc/cloud"


def observe_names(tree: FileTree, state: NodeState) -> NodeState:
    """Return the state with /etc/hosts and what decides whether it is read."""
    service = NameService(nsswitch=_read_nsswitch(tree), cloud_init=tuple(_list_settings(tree)))
    return replace(state, files={**state.files, PATH: tree.state(PATH)}, name_service=service)


def _read_nsswitch(tree: FileTree) -> str:
    found = [line.strip() for line in _list_lines(tree, "/etc/nsswitch.conf") if line.strip().startswith("hosts:")]
    return found[0].partition(":")[2] if found else ""


def _list_settings(tree: FileTree) -> Iterator[tuple[str, str]]:
    if tree.state(f"{_CLOUD}/cloud-init.disabled").exists:
        return
    names = [f"{_CLOUD}/cloud.cfg.d/{name}" for name in tree.names(f"{_CLOUD}/cloud.cfg.d") if name.endswith(".cfg")]
    for path in (f"{_CLOUD}/cloud.cfg", *names):
        yield from ((path, line) for line in _list_lines(tree, path) if "manage_etc_hosts" in line)


def _list_lines(tree: FileTree, path: str) -> list[str]:
    return decode(tree.state(path).content or b"").splitlines()
