"""What was observed of a runtime that reads its registries with containers/image: CRI-O or podman."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harbor_agent.model.daemon import RunningContainer, UnitState

CRIO = "cri-o"
PODMAN = "podman"
CRIO_SOCKET = "/run/crio/crio.sock"


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainersImageState:
    """The CRI-O or the podman of a node; `name` says which one.

    `version` is "" if unknown. `unit` is that of CRI-O; podman has none, it reads its files with each command. `argv`
    is that of the running CRI-O (None: not running). `live_entries` are the prefixes that CRI-O reported as insecure
    in its journal when it last read its files (None: not reported). The files of a node are in `NodeState.files`: all
    files in the folders of drop-ins, also those in the home of root. `containers` is None if they were not listed.
    """

    name: str
    version: str = ""
    unit: UnitState | None = None
    argv: tuple[str, ...] | None = None
    socket: str = ""
    live_entries: tuple[str, ...] | None = None
    containers: tuple[RunningContainer, ...] | None = ()
