"""What would be done on a node, as a value: planning makes it, a transaction carries it out."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harbor_agent.errors import Problem
    from harbor_agent.model.daemon import RunningContainer
    from harbor_agent.model.state import FileState


class Action(StrEnum):
    """What the daemon is told after the files changed, cheapest first."""

    NONE = "none"
    RELOAD = "reload"
    RESTART = "restart"


class Route(StrEnum):
    """Where on the node the setting goes."""

    NONE = "none"
    DROP_IN = "drop-in"
    ENVIRONMENT_FILE = "environment-file"
    UNIT_FLAG = "unit-flag"
    DAEMON_JSON = "daemon-json"


class LiveRestore(StrEnum):
    """How containers fare in a restart of the daemon.

    NONE: those that run stop, and live-restore could not change that; so too where nothing is restarted. ON: the daemon
    keeps them running by itself. POSSIBLE: they stop, and `--live-restore` would keep them running. PLANNED: it is
    switched on right before, by a reload.
    """

    NONE = "none"
    ON = "on"
    POSSIBLE = "possible"
    PLANNED = "planned"


@dataclass(frozen=True, slots=True, kw_only=True)
class FileChange:
    """One file, before and after; `after.kind` ABSENT means the file goes. `reason` is one clause."""

    before: FileState
    after: FileState
    reason: str

    @property
    def path(self) -> str:
        """The path that changes."""
        return self.after.path


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What makes one node as wanted; no changes and no action where it is so already.

    `changes` are in an order in which every prefix leaves a node that boots. `expected_entries` must be
    in the daemon's live list afterwards, `unexpected_entries` must not. `argv_after` is what dockerd is
    predicted to run with (empty where nothing is restarted and nothing is known), `config_file` the daemon
    configuration it reads. `containers_bounced` are those that a restart stops: none where `live_restore` is ON or
    PLANNED, and then every container must run on. `owned_entries` and `created_files` go into the record: what
    this tool may later remove. `warnings` are worth telling but stop nothing.
    """

    node: str
    runtime: str = "docker"
    unit: str = "docker.service"
    changes: tuple[FileChange, ...] = ()
    action: Action = Action.NONE
    route: Route = Route.NONE
    reason: str
    containers_bounced: tuple[RunningContainer, ...] = ()
    live_restore: LiveRestore = LiveRestore.NONE
    expected_entries: tuple[str, ...] = ()
    unexpected_entries: tuple[str, ...] = ()
    argv_after: tuple[str, ...] = ()
    config_file: str = "/etc/docker/daemon.json"
    owned_entries: tuple[str, ...] = ()
    created_files: tuple[str, ...] = ()
    warnings: tuple[Problem, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether the node is as wanted already."""
        return not self.changes and self.action is Action.NONE

    @property
    def fingerprint(self) -> str:
        """SHA-256 (hex) over path, kind, mode, owner and content of every `before`."""
        digest = hashlib.sha256()
        for change in self.changes:
            state = change.before
            content = hashlib.sha256(state.content).hexdigest() if state.content is not None else "-"
            facts = (state.path, state.kind, f"{state.mode:o}", str(state.uid), str(state.gid), content)
            digest.update("\0".join(facts).encode() + b"\n")
        return digest.hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why nothing is done on a node. `changes` is what would be done if the operator insisted."""

    node: str
    runtime: str = "docker"
    problem: Problem
    changes: tuple[FileChange, ...] = ()
    warnings: tuple[Problem, ...] = ()
