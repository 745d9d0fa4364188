"""The changes for a node as a value: planning makes it, a transaction carries it out."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harbor_agent.errors import Problem
    from harbor_agent.model.daemon import RunningContainer
    from harbor_agent.model.dns import DnsEntry
    from harbor_agent.model.state import EarlierSetting, FileState


class Action(StrEnum):
    """The action on the daemon after its files changed, the least disruptive one first."""

    NONE = "none"
    RELOAD = "reload"
    RESTART = "restart"


class Route(StrEnum):
    """The kind of file that gets the setting."""

    NONE = "none"
    DROP_IN = "drop-in"
    ENVIRONMENT_FILE = "environment-file"
    UNIT_FLAG = "unit-flag"
    DAEMON_JSON = "daemon-json"
    HOSTS_TOML = "hosts-toml"
    CONTAINERD_CONFIG = "containerd-config"
    REGISTRIES_CONF = "registries-conf"
    REGISTRIES_YAML = "registries-yaml"
    CERTIFICATES = "certificates"
    HOSTS = "hosts"
    KUBELET_LOGIN = "kubelet-login"


class LiveRestore(StrEnum):
    """The effect of live-restore on a restart of the daemon.

    NONE: running containers stop and live-restore cannot change that, or nothing is restarted. ON: live-restore is on
    and keeps them running. POSSIBLE: they stop, and `--live-restore` would keep them running. PLANNED: a reload before
    the restart switches it on.
    """

    NONE = "none"
    ON = "on"
    POSSIBLE = "possible"
    PLANNED = "planned"


@dataclass(frozen=True, slots=True, kw_only=True)
class FileChange:
    """The change of one file; `after.kind` ABSENT means that the file is deleted. `reason` is one clause."""

    before: FileState
    after: FileState
    reason: str

    @property
    def path(self) -> str:
        """The path of the file."""
        return self.after.path


@dataclass(frozen=True, slots=True, kw_only=True)
class Activation:
    """The way in which one runtime starts to use the changed files.

    `action` is done to the systemd unit `unit`. Afterwards the daemon must list the entries in `expected` and none of
    those in `unexpected`. `arguments` are the ones that the daemon will run with (empty if they do not change or are
    not known); `config_file` is the configuration file it reads, "" if it has none. `stops` are the containers that a
    restart stops: none if `live_restore` is ON or PLANNED, and then every container must keep running. `kill_mode` is
    that of the unit if a restart kills the processes of all containers with the daemon's, "" if they live on.
    """

    runtime: str
    unit: str
    action: Action = Action.NONE
    config_file: str = ""
    expected: tuple[str, ...] = ()
    unexpected: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ()
    live_restore: LiveRestore = LiveRestore.NONE
    kill_mode: str = ""
    stops: tuple[RunningContainer, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The changes that bring one node to its desired state; no changes and no action if it is there already.

    `changes` are in an order in which every prefix leaves a node that boots. `owned_entries`, `created_files`,
    `original_hashes` and `earlier_settings` go into the record: what this tool may later remove or restore.
    `passing_files` are changed files that the runtime itself writes again at its next start: the record has no hash of
    them.
    `containers_seen` says whether the runtime listed its containers; `latent_edits` describes edits of somebody else
    that the running daemon has not read and that a restart applies; `warnings` stop nothing. `names` must resolve to
    their addresses on the node once the files are changed.
    """

    node: str
    activation: Activation
    changes: tuple[FileChange, ...] = ()
    names: tuple[DnsEntry, ...] = ()
    route: Route = Route.NONE
    reason: str
    owned_entries: tuple[str, ...] = ()
    created_files: tuple[str, ...] = ()
    original_hashes: Mapping[str, str] = field(default_factory=dict)
    earlier_settings: Mapping[str, EarlierSetting] = field(default_factory=dict)
    passing_files: tuple[str, ...] = ()
    containers_seen: bool = True
    latent_edits: tuple[str, ...] = ()
    warnings: tuple[Problem, ...] = ()

    @property
    def runtime(self) -> str:
        """The runtime whose configuration the plan changes."""
        return self.activation.runtime

    @property
    def is_empty(self) -> bool:
        """Whether the node has its desired state already."""
        return not self.changes and self.activation.action is Action.NONE


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """The reason why a node is not changed. `changes` are those that `--repair` or the like would make."""

    node: str
    runtime: str
    problem: Problem
    changes: tuple[FileChange, ...] = ()
    warnings: tuple[Problem, ...] = ()
