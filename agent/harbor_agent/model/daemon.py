"""What every runtime's daemon has: a systemd unit, and containers that run."""

from __future__ import annotations

from dataclasses import dataclass

# on-failure depends on the exit code with which a container stops: after 0 it is not started again.
_RESTARTED_BY_DOCKER = frozenset({"always", "unless-stopped"})


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitState:
    """A systemd unit as `systemctl show` prints it; every text but the name is "" without systemd.

    `fragment_path` and `drop_in_paths` are the files that systemd has loaded, in its order.
    """

    name: str
    load_state: str = ""
    active_state: str = ""
    unit_file_state: str = ""
    fragment_path: str = ""
    drop_in_paths: tuple[str, ...] = ()
    need_daemon_reload: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningContainer:
    """A running container. `restart_policy` is Docker's name for it: no, always, unless-stopped, on-failure."""

    name: str
    image: str
    restart_policy: str
    kubernetes: bool = False

    @property
    def comes_back(self) -> bool:
        """Whether Docker or kubelet starts the container again after a restart of the daemon."""
        return self.kubernetes or self.restart_policy in _RESTARTED_BY_DOCKER
