"""What was observed of a node's Docker daemon."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harbor_agent.model.daemon import RunningContainer, UnitState

NAME = "docker"


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveRegistryConfig:
    """`docker info`'s RegistryConfig: what the running daemon really uses."""

    insecure_cidrs: tuple[str, ...] = ()
    insecure_entries: tuple[str, ...] = ()
    mirrors: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DockerState:
    """The Docker daemon of a node.

    `argv` and `environment` are those of the running process (None: not running, or not readable);
    `environment` holds only names that matter to pulls (proxy variables), user information masked.
    `live` is what the daemon answered, if it did, and `containers` what it listed (None: it did not). `version` is the
    server's; if the daemon is down, the client's or that of `dockerd --version`; "" if unknown. `swarm` is the state of
    its membership, such as "inactive", or "". `changed_files` are the files that changed after the process started, by
    their ctime (None: not known). `socket_owner` is the process that answers on the socket if it is not the unit's:
    its PID, its program, and its own unit, if it has one. `certificate_files` maps each certificate and key below
    /etc/docker/certs.d to "file", "directory" or "missing" (a link to nothing).
    """

    unit: UnitState
    version: str = ""
    argv: tuple[str, ...] | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    live: LiveRegistryConfig | None = None
    live_restore: bool | None = None
    swarm: str = ""
    containers: tuple[RunningContainer, ...] | None = ()
    changed_files: tuple[str, ...] | None = None
    socket_owner: tuple[str, ...] = ()
    certificate_files: Mapping[str, str] = field(default_factory=dict)
