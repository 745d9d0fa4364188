"""The host keys that nodes and bastions present, compared with known_hosts and added to it."""

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
from harbor_agent.transport.deadline import Deadline, DeadlineExceededError, Watchdog
from harbor_agent.transport.pool import run_each
from harbor_agent.transport.ssh.config.jumps import JumpPath, JumpResolver
from harbor_agent.transport.ssh.config.target import UnreachableError, format_login
from harbor_agent.transport.ssh.connector import Connector
from harbor_agent.transport.ssh.handshake import check_host_key
from harbor_agent.transport.ssh.known_hosts import fingerprint

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path
    from threading import Event
    from typing import Self

    from harbor_agent.model.inventory import Node
    from harbor_agent.transport.ssh.config.target import Target

_SECONDS_PER_HOST = 60.0
_SECONDS_TO_CONNECT = 10.0
_SALT_BYTES = 20


class KeyStatus(StrEnum):
    """The state of a host's key. UNKNOWN keys can be added; CHANGED and REVOKED ones never are."""

    KNOWN = "known"
    UNKNOWN = "unknown"
    ADDED = "added"
    CHANGED = "changed"
    REVOKED = "revoked"
    UNREACHABLE = "unreachable"


@dataclass(frozen=True, slots=True, kw_only=True)
class HostKey:
    """The key of one host. `known_as` is its name in known_hosts, `nodes` are reached there or behind it.

    `key_type` and `key` are empty if the host was not reached; a key that is known has no `problem`. `file` is the
    known_hosts file to add the key to, with a hashed name if HashKnownHosts is set.
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
    """The host keys of nodes and of the bastions in front of them. A context manager."""

    def __init__(self, nodes: Sequence[Node], *, forks: int) -> None:
        """Connect to no host yet, and later to at most `forks` at a time."""
        self._nodes = nodes
        self._forks = forks
        self._resolver = JumpResolver(complete=True)
        self._connector = Connector(connect_timeout=_SECONDS_TO_CONNECT)

    def __enter__(self) -> Self:
        """Keep connections to bastions while the block runs."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connections to bastions."""
        self._connector.close()

    def iterate_stages(self) -> Iterator[list[HostKey]]:
        """Yield the keys of the hosts that are reached directly, then of those behind them, and so on.

        The next stage is fetched after the consumer has processed this one: a bastion must be known before the agent
        connects through it. Hosts are in the order of the nodes.
        """
        hosts, lost = self._find_hosts()
        for depth in range(max((len(jump_path.bastions) for jump_path, _ in hosts), default=-1) + 1):
            stage = [(jump_path, nodes) for jump_path, nodes in hosts if len(jump_path.bastions) == depth]
            self._connector.forget_known_hosts()
            with closing(Watchdog()) as watchdog:
                fetched = run_each(partial(self._fetch_key, watchdog), stage, forks=self._forks)
                found = {id(jump_path): key for jump_path, key in fetched}
            yield [*(lost if depth == 0 else ()), *(found[id(jump_path)] for jump_path, _ in stage)]
        if not hosts and lost:
            yield lost

    def _find_hosts(self) -> tuple[list[tuple[JumpPath, tuple[str, ...]]], list[HostKey]]:
        """Return the jump path to each distinct host with its nodes, and the nodes whose configuration is invalid."""
        hosts: dict[tuple[object, ...], tuple[JumpPath, list[str]]] = {}
        lost: list[HostKey] = []
        for node in self._nodes:
            try:
                jump_path = self._resolver.resolve(node)
            except UnreachableError as error:
                lost.append(_build_unreachable(node.name, node.address, (node.name,), error.problem))
                continue
            hops = (*jump_path.bastions, jump_path.target)
            for number, hop in enumerate(hops):
                key = tuple((*one.known_names, one.config.host, one.config.port) for one in hops[: number + 1])
                target = replace(hop, label=f"{hop.name} ({format_login(hop.config)})")
                _, nodes = hosts.setdefault(key, (JumpPath(bastions=hops[:number], target=target), []))
                nodes.append(node.name)
        return [(jump_path, tuple(nodes)) for jump_path, nodes in hosts.values()], lost

    def _fetch_key(
        self, watchdog: Watchdog, host: tuple[JumpPath, tuple[str, ...]], stopping: Event
    ) -> tuple[JumpPath, HostKey]:
        jump_path, nodes = host
        target = jump_path.target
        deadline = Deadline(_SECONDS_PER_HOST, stopping, paused_seconds=lambda: self._connector.terminal.seconds)
        try:
            with self._connector.connect_unverified(jump_path, watchdog, deadline) as (_, key):
                key_type, blob = key.get_name(), key.asbytes()
            found = check_host_key(target, key, self._connector.load_known_hosts(target))
            problem = replace(found, message=f"{target.label}: {found.message}") if found else None
        except UnreachableError as error:
            return jump_path, _build_unreachable(target.name, target.known_names[0], nodes, error.problem)
        except DeadlineExceededError:
            problem = Problem(
                code="ssh-timeout", message=f"{target.label}: not finished within {_SECONDS_PER_HOST:.0f} s"
            )
            return jump_path, _build_unreachable(target.name, target.known_names[0], nodes, problem)
        return jump_path, HostKey(
            host=target.name,
            known_as=target.known_names[0],
            nodes=nodes,
            status=_find_status(problem),
            key_type=key_type,
            key=blob,
            problem=problem,
            file=self._select_file(target),
            hashed=target.config.hash_known_hosts,
        )

    def _select_file(self, target: Target) -> Path | None:
        """Return the user's first known_hosts file; None if host keys are discarded (/dev/null)."""
        return next((file for file in self._connector.find_user_files(target) if str(file) != os.devnull), None)


def add_host_keys(keys: Sequence[HostKey]) -> None:
    """Append each key to its known_hosts file, in one write per file so that no other program sees half a line.

    Raises UsageError if a file cannot be written.
    """
    lines: dict[Path, str] = {}
    for key in keys:
        if key.file is not None:
            name = _hash_name(key.known_as) if key.hashed else key.known_as
            line = f"{name} {key.key_type} {base64.b64encode(key.key).decode()}\n"
            lines[key.file] = lines.get(key.file, "") + line
    for file, text in lines.items():
        try:
            _append_text(file, text)
        except OSError as error:
            message = f"cannot add the host keys to {file}: {error.strerror}"
            raise UsageError.of("known-hosts-unwritable", message, f"check its permissions: ls -l {file}") from None


def _append_text(file: Path, text: str) -> None:
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with os.fdopen(os.open(file, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600), "r+b", buffering=0) as known_hosts:
        size = known_hosts.seek(0, os.SEEK_END)
        if size:
            known_hosts.seek(size - 1)
            text = text if known_hosts.read(1) == b"\n" else f"\n{text}"
        known_hosts.write(text.encode())
        os.fsync(known_hosts.fileno())


def _hash_name(name: str) -> str:
    """Return the name as HashKnownHosts writes it: `|1|salt|HMAC-SHA1` (OpenSSH hostfile.c, host_hash)."""
    salt = secrets.token_bytes(_SALT_BYTES)
    digest = hmac.digest(salt, name.encode(), hashlib.sha1)
    return f"|1|{base64.b64encode(salt).decode()}|{base64.b64encode(digest).decode()}"


def _find_status(problem: Problem | None) -> KeyStatus:
    if problem is None:
        return KeyStatus.KNOWN
    found = {"host-key-unknown": KeyStatus.UNKNOWN, "host-key-changed": KeyStatus.CHANGED}
    return found.get(problem.code, KeyStatus.REVOKED)


def _build_unreachable(host: str, known_as: str, nodes: tuple[str, ...], problem: Problem) -> HostKey:
    return HostKey(host=host, known_as=known_as, nodes=nodes, status=KeyStatus.UNREACHABLE, problem=problem)
