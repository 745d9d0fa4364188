"""Host keys of nodes and bastions: what they present, what known_hosts says of it, and adding what was confirmed."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import secrets
from contextlib import closing
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING

from harbor_agent.errors import Problem, UsageError
from harbor_agent.transport.deadline import Deadline, OutOfTimeError, Watchdog
from harbor_agent.transport.pool import run_each
from harbor_agent.transport.ssh.config.jumps import JumpPath, JumpResolver
from harbor_agent.transport.ssh.config.target import UnreachableError, place
from harbor_agent.transport.ssh.connector import Connector
from harbor_agent.transport.ssh.handshake import judge
from harbor_agent.transport.ssh.known_hosts import fingerprint

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path
    from threading import Event
    from typing import Self

    from harbor_agent.model.inventory import Node
    from harbor_agent.transport.ssh.config.target import Target

_SECONDS_A_HOST = 60.0
_SECONDS_TO_CONNECT = 10.0
_SALT_BYTES = 20


class KeyStatus(StrEnum):
    """What is known of a host's key. UNKNOWN can be added; CHANGED and REVOKED never are."""

    KNOWN = "known"
    UNKNOWN = "unknown"
    ADDED = "added"
    CHANGED = "changed"
    REVOKED = "revoked"
    UNREACHABLE = "unreachable"


@dataclass(frozen=True, slots=True, kw_only=True)
class HostKey:
    """What one host presented. `known_as` is its name in known_hosts, `nodes` who is reached there or behind it.

    `key_type` and `key` are empty where the host was not reached; `problem` is None for a key that is known. `file` is
    where the key is added, hashed as HashKnownHosts says.
    """

    host: str
    known_as: str
    nodes: tuple[str, ...]
    status: KeyStatus
    key_type: str = ""
    key: bytes = field(default=b"", repr=False)
    problem: Problem | None = None
    file: Path | None = None
    hashed: bool = False

    @property
    def fingerprint(self) -> str:
        """The fingerprint as ssh shows it, "" without a key."""
        return fingerprint(self.key) if self.key else ""


class HostKeys:
    """The host keys of nodes and of the bastions before them."""

    def __init__(self, nodes: Sequence[Node], *, forks: int) -> None:
        """Ask nobody yet; `forks` hosts at a time."""
        self._nodes = nodes
        self._forks = forks
        self._routes = JumpResolver(thoroughly=True)
        self._connector = Connector(connect_timeout=_SECONDS_TO_CONNECT)

    def __enter__(self) -> Self:
        """Hold connections to bastions while the block runs."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close them."""
        self._connector.close()

    def stages(self) -> Iterator[list[HostKey]]:
        """Yield the keys of the hosts that are reached directly, then of those behind them, and so on.

        Each stage is asked for when the one before has been dealt with: a bastion is only passed once its key is
        known. Hosts come in the order of the nodes.
        """
        hosts, lost = self._hosts()
        for depth in range(max((len(route.bastions) for route, _ in hosts), default=-1) + 1):
            stage = [(route, nodes) for route, nodes in hosts if len(route.bastions) == depth]
            self._connector.forget_known_hosts()
            with closing(Watchdog()) as watch:
                found = {id(route): key for route, key in self._asked(stage, watch)}
            yield [*(lost if depth == 0 else ()), *(found[id(route)] for route, _ in stage)]
        if not hosts and lost:
            yield lost

    def _hosts(self) -> tuple[list[tuple[JumpPath, tuple[str, ...]]], list[HostKey]]:
        """Return the way to each distinct host with its nodes, and the nodes to which there is none."""
        hosts: dict[tuple[object, ...], tuple[JumpPath, list[str]]] = {}
        lost: list[HostKey] = []
        for node in self._nodes:
            try:
                route = self._routes.to(node)
            except UnreachableError as error:
                lost.append(_unreachable(node.name, node.address, (node.name,), error.problem))
                continue
            ends = (*route.bastions, route.target)
            for number, end in enumerate(ends):
                way = tuple((*one.known_names, one.settings.host, one.settings.port) for one in ends[: number + 1])
                own = replace(end, label=f"{end.name} ({place(end.settings)})")
                _, nodes = hosts.setdefault(way, (JumpPath(bastions=ends[:number], target=own), []))
                nodes.append(node.name)
        return [(route, tuple(nodes)) for route, nodes in hosts.values()], lost

    def _asked(
        self, stage: Sequence[tuple[JumpPath, tuple[str, ...]]], watch: Watchdog
    ) -> Iterator[tuple[JumpPath, HostKey]]:
        return run_each(partial(self._ask, watch), stage, forks=self._forks)

    def _ask(
        self, watch: Watchdog, host: tuple[JumpPath, tuple[str, ...]], stopping: Event
    ) -> tuple[JumpPath, HostKey]:
        route, nodes = host
        target = route.target
        deadline = Deadline(_SECONDS_A_HOST, stopping, uncounted=lambda: self._connector.terminal.seconds)
        try:
            with self._connector.negotiated(route, watch, deadline) as (_, key):
                key_type, blob = key.get_name(), key.asbytes()
            found = judge(target, key, self._connector.known_hosts(target))
            problem = replace(found, message=f"{target.label}: {found.message}") if found else None
        except UnreachableError as error:
            return route, _unreachable(target.name, target.known_names[0], nodes, error.problem)
        except OutOfTimeError:
            problem = Problem(code="ssh-timeout", message=f"{target.label}: no end within {_SECONDS_A_HOST:.0f} s")
            return route, _unreachable(target.name, target.known_names[0], nodes, problem)
        return route, HostKey(
            host=target.name,
            known_as=target.known_names[0],
            nodes=nodes,
            status=_status(problem),
            key_type=key_type,
            key=blob,
            problem=problem,
            file=self._file(target),
            hashed=target.settings.hash_known_hosts,
        )

    def _file(self, target: Target) -> Path | None:
        """Return the user's first file; None where keys are not kept."""
        return next((file for file in self._connector.user_files(target) if str(file) != os.devnull), None)


def add(keys: Sequence[HostKey]) -> None:
    """Append each key to its known_hosts file, whole lines in one write, so that nobody sees or loses half of one.

    Raises UsageError where a file cannot be written.
    """
    lines: dict[Path, str] = {}
    for key in keys:
        if key.file is not None:
            name = _hashed(key.known_as) if key.hashed else key.known_as
            line = f"{name} {key.key_type} {base64.b64encode(key.key).decode()}\n"
            lines[key.file] = lines.get(key.file, "") + line
    for file, text in lines.items():
        try:
            _append(file, text)
        except OSError as error:
            message = f"{file}: the host keys cannot be added ({error.strerror})"
            raise UsageError.of("known-hosts-unwritable", message, f"ls -l {file}") from None


def _append(file: Path, text: str) -> None:
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with os.fdopen(os.open(file, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600), "r+b", buffering=0) as known_hosts:
        size = known_hosts.seek(0, os.SEEK_END)
        if size:
            known_hosts.seek(size - 1)
            text = text if known_hosts.read(1) == b"\n" else f"\n{text}"
        known_hosts.write(text.encode())
        os.fsync(known_hosts.fileno())


def _hashed(name: str) -> str:
    """Return the name as HashKnownHosts has it: `|1|salt|HMAC-SHA1` (OpenSSH hostfile.c, host_hash)."""
    salt = secrets.token_bytes(_SALT_BYTES)
    digest = hmac.digest(salt, name.encode(), hashlib.sha1)
    return f"|1|{base64.b64encode(salt).decode()}|{base64.b64encode(digest).decode()}"


def _status(problem: Problem | None) -> KeyStatus:
    if problem is None:
        return KeyStatus.KNOWN
    found = {"host-key-unknown": KeyStatus.UNKNOWN, "host-key-changed": KeyStatus.CHANGED}
    return found.get(problem.code, KeyStatus.REVOKED)


def _unreachable(host: str, known_as: str, nodes: tuple[str, ...], problem: Problem) -> HostKey:
    return HostKey(host=host, known_as=known_as, nodes=nodes, status=KeyStatus.UNREACHABLE, problem=problem)
