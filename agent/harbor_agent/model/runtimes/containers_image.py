"""What was observed of a runtime that reads its registries with containers/image: CRI-O or podman."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harbor_agent.model.daemon import RunningContainer, UnitState

CRIO = "cri-o"
PODMAN = "podman"
CRIO_SOCKET = "/run/crio/crio.sock"
CRIO_UNIT = "crio.service"
# podman has no daemon; this unit serves its API, and reads the files at each start.
PODMAN_UNIT = "podman.service"


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainersImageState:
    """The CRI-O or the podman of a node; `name` says which one.

    `version` is "" if unknown. `unit` is that of CRI-O; podman has none, it reads its files with each command. `argv`
    is that of the running CRI-O (None: not running). `registries` maps each prefix to whether it is pulled from over
    plain HTTP: as podman itself reads the files, or as CRI-O's journal has it of the last reload (None: not reported).
    `error` is what podman says if it rejects a file. `changed_files` are the files that changed after CRI-O started, by
    their ctime (None: not known). The files of a node are in `NodeState.files`: all files in the folders of drop-ins,
    also those in the home of root. `containers` is None if they were not listed.
    """

    name: str
    version: str = ""
    unit: UnitState | None = None
    argv: tuple[str, ...] | None = None
    socket: str = ""
    registries: Mapping[str, bool] | None = None
    error: str = ""
    changed_files: tuple[str, ...] | None = None
    containers: tuple[RunningContainer, ...] | None = ()
