"""known_hosts files in the format of sshd(8), "SSH_KNOWN_HOSTS FILE FORMAT".

paramiko's own reader rejects a whole file for one `@cert-authority` or `@revoked` line.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from harbor_agent.model.inventory import SSH_PORT

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

GLOBAL_FILES = (Path("/etc/ssh/ssh_known_hosts"), Path("/etc/ssh/ssh_known_hosts2"))
_HASHED = re.compile(r"\|1\|([A-Za-z0-9+/=]+)\|([A-Za-z0-9+/=]+)\Z")


class Verdict(StrEnum):
    """The result of looking up a host key in known_hosts."""

    KNOWN = "known"
    UNKNOWN = "unknown"
    CHANGED = "changed"
    REVOKED = "revoked"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line: `marker` is "", "revoked" or "cert-authority", `key` the decoded key, `source` its `file:line`."""

    marker: str
    hosts: str
    key_type: str
    key: bytes = field(repr=False)
    source: str

    @property
    def names(self) -> tuple[str, ...] | None:
        """The hosts of the line in lower case; None if it is hashed or has patterns."""
        plain = not _HASHED.match(self.hosts) and not any(sign in self.hosts for sign in "*?!")
        return tuple(dict.fromkeys(self.hosts.lower().split(","))) if plain else None

    def matches(self, name: str) -> bool:
        """Whether the line is for `name`: a host in lower case, as `[host]:port` if the port is not 22."""
        hashed = _HASHED.match(self.hosts)
        if hashed:
            try:
                salt, digest = (base64.b64decode(part) for part in hashed.groups())
            except binascii.Error:
                return False
            return hmac.compare_digest(hmac.digest(salt, name.encode(), hashlib.sha1), digest)
        patterns = self.hosts.lower().split(",")
        if any(_matches_pattern(pattern[1:], name) for pattern in patterns if pattern.startswith("!")):
            return False
        return any(_matches_pattern(pattern, name) for pattern in patterns)


class KnownHosts:
    """The entries of one or more files."""

    def __init__(self, entries: Iterable[Entry] = ()) -> None:
        """Index the entries by name, so that a lookup does not scan the lines of all other hosts."""
        self._by_name: dict[str, list[Entry]] = {}
        self._others: list[Entry] = []
        self._found: dict[str, list[Entry]] = {}
        for entry in entries:
            if entry.names is None:
                self._others.append(entry)
            for name in entry.names or ():
                self._by_name.setdefault(name, []).append(entry)

    @classmethod
    def load(cls, files: Iterable[Path]) -> KnownHosts:
        """Read `files`; a file that is missing or unreadable is empty, and an invalid line is skipped."""
        return cls(entry for path in files for entry in _read_file(path))

    def find_key_types(self, names: Sequence[str]) -> tuple[str, ...]:
        """Return the types of the keys that are known for the host."""
        found = [entry for name in names for entry in self._find_unmarked(name)]
        return tuple(dict.fromkeys(entry.key_type for entry in found))

    def check(self, names: Sequence[str], key_type: str, key: bytes) -> Verdict:
        """Look up the key that the host with these `known_names` presented.

        The result is CHANGED only if another key of the same type is known. A line for the host without a port also
        confirms keys on other ports, but does not contradict them (OpenSSH sshconnect.c, check_host_key).
        """
        if any(entry.marker == "revoked" and entry.key == key for name in names for entry in self._find_entries(name)):
            return Verdict.REVOKED
        if any(entry.key == key for name in names for entry in self._find_unmarked(name)):
            return Verdict.KNOWN
        if any(entry.key_type == key_type for entry in self._find_unmarked(names[0])):
            return Verdict.CHANGED
        return Verdict.UNKNOWN

    def find_sources(self, names: Sequence[str], key_type: str) -> tuple[str, ...]:
        """Return `file:line` of each key of that type for the host."""
        return tuple(e.source for e in self._find_unmarked(names[0]) if e.key_type == key_type)

    def has_authority(self, names: Sequence[str]) -> bool:
        """Whether an `@cert-authority` line is for the host; such lines are not supported."""
        return any(entry.marker == "cert-authority" for name in names for entry in self._find_entries(name))

    def _find_unmarked(self, name: str) -> Iterator[Entry]:
        return (entry for entry in self._find_entries(name) if not entry.marker)

    def _find_entries(self, name: str) -> list[Entry]:
        # Cached: a hashed line costs a digest for every name that is looked up.
        if name not in self._found:
            self._found[name] = [*self._by_name.get(name, ()), *(e for e in self._others if e.matches(name))]
        return self._found[name]


def default_user_files() -> tuple[Path, ...]:
    """Return the user's files that OpenSSH reads by default."""
    home = Path.home() / ".ssh"
    return (home / "known_hosts", home / "known_hosts2")


def fingerprint(key: bytes) -> str:
    """Return the fingerprint of a key blob as OpenSSH shows it: `SHA256:` and base64 without padding."""
    return "SHA256:" + base64.b64encode(hashlib.sha256(key).digest()).decode().rstrip("=")


def known_names(host: str, port: int, alias: str | None = None) -> tuple[str, ...]:
    """Return the names to look up for a host, its own first: with HostKeyAlias only that, without a port."""
    if alias is not None:
        return (alias.lower(),)
    host = host.lower()
    return (host,) if port == SSH_PORT else (f"[{host}]:{port}", host)


def _read_file(path: Path) -> Iterator[Entry]:
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return
    for number, line in enumerate(lines, start=1):
        entry = _parse_line(line.strip(), f"{path}:{number}")
        if entry:
            yield entry


def _parse_line(line: str, source: str) -> Entry | None:
    if not line or line.startswith("#"):
        return None
    marker = ""
    if line.startswith("@"):
        marker, line = (*line[1:].split(None, 1), "")[:2]
        if marker not in {"revoked", "cert-authority"}:
            return None
    fields = line.split(None, 3)
    try:
        hosts, key_type, encoded = fields[:3]
        key = base64.b64decode(encoded, validate=True)
    except (ValueError, binascii.Error):
        return None
    return Entry(marker=marker, hosts=hosts, key_type=key_type, key=key, source=source)


def _matches_pattern(pattern: str, name: str) -> bool:
    """Match with `*` and `?` only: brackets are part of `[host]:port`."""
    if "*" not in pattern and "?" not in pattern:
        return pattern == name
    expression = re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".")
    return re.fullmatch(expression, name) is not None
