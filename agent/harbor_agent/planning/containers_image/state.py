"""What was observed of CRI-O or podman, and which files it reads."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harbor_agent.model.runtimes.containers_image import CRIO, PODMAN, ContainersImageState

if TYPE_CHECKING:
    from harbor_agent.model.state import NodeState

MAIN_FILE = "/etc/containers/registries.conf"
FOLDER = "/etc/containers/registries.conf.d"
HOMES = "/home"
USER_FILE = "/.config/containers/registries.conf"
ROOT_FILE = "/root/.config/containers/registries.conf"
ROOT_FOLDER = "/root/.config/containers/registries.conf.d"
CRIO_FILE = "/etc/crio/crio.conf"
CRIO_FOLDER = "/etc/crio/crio.conf.d"
MACHINE_CONFIG = "/etc/machine-config-daemon/currentconfig"
_VERSION = re.compile(r"(\d+)\.(\d+)")
# From here on CRI-O ignores `insecure_registries` of crio.conf.
_IGNORES_OWN_LIST = (1, 35)
# From here on CRI-O has `auto_reload_registries`.
_WATCHES = (1, 30)
# podman 5 and the CRI-O releases of its time check more of a file.
_RECENT = {PODMAN: (5, 0), CRIO: (1, 30)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """The files that are read, in order: the main one, then the drop-ins of each folder by name."""

    main: str
    folders: tuple[str, ...]


def find_runtime_state(state: NodeState, name: str) -> ContainersImageState | None:
    """Return the CRI-O or podman of the node, None if it has none."""
    found = (one for one in state.runtimes if isinstance(one, ContainersImageState))
    return next((one for one in found if one.name == name), None)


def find_sources(state: NodeState, name: str) -> Sources:
    """Return the files that the runtime reads; a file in the home of root replaces those of the system for podman."""
    if name != PODMAN:
        return Sources(main=MAIN_FILE, folders=(FOLDER,))
    # rule RC-03
    own = state.files.get(ROOT_FILE)
    if own and own.exists:
        return Sources(main=ROOT_FILE, folders=(ROOT_FOLDER,))
    return Sources(main=MAIN_FILE, folders=(FOLDER, ROOT_FOLDER))


def list_drop_ins(state: NodeState, folder: str) -> list[str]:
    """Return the paths of a folder that count as drop-ins: not those in folders below it."""
    # rule RC-02
    found = (path for path, file in state.files.items() if file.exists and path.rpartition("/")[0] == folder)
    return sorted(path for path in found if path.endswith(".conf"))


def list_user_files(state: NodeState) -> list[str]:
    """Return the registries.conf of users other than root; for its user each replaces the files of the system."""
    found = (path for path, file in state.files.items() if file.exists and path.endswith(USER_FILE))
    return sorted(path for path in found if path != ROOT_FILE)


def is_recent(runtime: ContainersImageState) -> bool:
    """Whether it checks files as podman 5 does."""
    return _read_version(runtime) >= _RECENT[runtime.name]


def reads_own_list(runtime: ContainersImageState) -> bool:
    """Whether it is a CRI-O that also trusts `insecure_registries` of crio.conf."""
    # rule RC-29
    return runtime.name == CRIO and _read_version(runtime) < _IGNORES_OWN_LIST


def can_watch(runtime: ContainersImageState) -> bool:
    """Whether this CRI-O knows `auto_reload_registries`, and crio.conf is as it was when CRI-O started."""
    # rule RC-30
    changed = runtime.changed_files or ()
    is_as_started = not any(path == CRIO_FILE or path.startswith(f"{CRIO_FOLDER}/") for path in changed)
    return is_as_started and _read_version(runtime) >= _WATCHES


def _read_version(runtime: ContainersImageState) -> tuple[int, int]:
    match = _VERSION.search(runtime.version)
    return (int(match[1]), int(match[2])) if match else (99, 0)
