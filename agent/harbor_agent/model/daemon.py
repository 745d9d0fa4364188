"""What every runtime's daemon has: the systemd unit that starts it, and containers that run."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitState:
    """What `systemctl show` says of the unit; every text is "" where there is no systemd to ask.

    `fragment_path` and `drop_in_paths` are what systemd has loaded, in its order.
    """

    name: str = "docker.service"
    load_state: str = ""
    active_state: str = ""
    unit_file_state: str = ""
    fragment_path: str = ""
    drop_in_paths: tuple[str, ...] = ()
    need_daemon_reload: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningContainer:
    """A running container. `restart_policy` is Docker's name for it: no, always, unless-stopped, on-failure."""

    id: str
    name: str
    image: str
    restart_policy: str
    kubernetes: bool = False
