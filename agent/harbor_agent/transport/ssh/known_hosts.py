"""known_hosts files, as sshd(8) "SSH_KNOWN_HOSTS FILE FORMAT" describes them.

Read here and not by paramiko, whose reader rejects a whole file for one `@cert-authority` or `@revoked` line.
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
    """What known_hosts says of a key that a host presented."""

    KNOWN = "known"
    UNKNOWN = "unknown"
    CHANGED = "changed"
    REVOKED = "revoked"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line: `marker` is "", "revoked" or "cert-authority", `key` the decoded key blob."""

    marker: str
    hosts: str
    key_type: str
    key: bytes = field(repr=False)
    source: str

    @property
    def names(self) -> tuple[str, ...] | None:
        """The hosts by name, in lower case; None where the line is hashed or has patterns."""
        plain = not _HASHED.match(self.hosts) and not any(sign in self.hosts for sign in "*?!")
        return tuple(dict.fromkeys(self.hosts.lower().split(","))) if plain else None

    def matches(self, name: str) -> bool:
        """Whether the line speaks of `name`: a host in lower case, as `[host]:port` for another port than 22."""
        hashed = _HASHED.match(self.hosts)
        if hashed:
            try:
                salt, digest = (base64.b64decode(part) for part in hashed.groups())
            except binascii.Error:
                return False
            return hmac.compare_digest(hmac.digest(salt, name.encode(), hashlib.sha1), digest)
        patterns = self.hosts.lower().split(",")
        if any(_glob(pattern[1:], name) for pattern in patterns if pattern.startswith("!")):
            return False
        return any(_glob(pattern, name) for pattern in patterns)


class KnownHosts:
    """The lines of one or more files."""

    def __init__(self, entries: Iterable[Entry] = ()) -> None:
        """Sort the lines by the names in them: with a line for every host of many, nobody reads them all each time."""
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
        """Read `files`; one that is absent or unreadable is empty, a line that is no entry is passed over."""
        return cls(entry for path in files for entry in _read(path))

    def key_types(self, names: Sequence[str]) -> tuple[str, ...]:
        """Return the types of the keys known for the host, to be negotiated first as OpenSSH does."""
        found = [entry for name in names for entry in self._plain(name)]
        return tuple(dict.fromkeys(entry.key_type for entry in found))

    def check(self, names: Sequence[str], key_type: str, key: bytes) -> Verdict:
        """Judge the key that the host with these `known_names` presented.

        CHANGED only where another key of the same type is known. A line for the bare host also vouches for its
        other ports, but does not contradict them (OpenSSH sshconnect.c, check_host_key).
        """
        if any(entry.marker == "revoked" and entry.key == key for name in names for entry in self._about(name)):
            return Verdict.REVOKED
        if any(entry.key == key for name in names for entry in self._plain(name)):
            return Verdict.KNOWN
        if any(entry.key_type == key_type for entry in self._plain(names[0])):
            return Verdict.CHANGED
        return Verdict.UNKNOWN

    def sources(self, names: Sequence[str], key_type: str) -> tuple[str, ...]:
        """Return where (`file:line`) keys of that type are known for the host."""
        return tuple(e.source for e in self._plain(names[0]) if e.key_type == key_type)

    def has_authority(self, names: Sequence[str]) -> bool:
        """Whether an `@cert-authority` line covers the host; such lines vouch for nothing here."""
        return any(entry.marker == "cert-authority" for name in names for entry in self._about(name))

    def _plain(self, name: str) -> Iterator[Entry]:
        return (entry for entry in self._about(name) if not entry.marker)

    def _about(self, name: str) -> list[Entry]:
        # Kept: a hashed line costs a digest for every name that is looked up.
        if name not in self._found:
            self._found[name] = [*self._by_name.get(name, ()), *(e for e in self._others if e.matches(name))]
        return self._found[name]


def default_user_files() -> tuple[Path, ...]:
    """Return the user's files that OpenSSH reads when nothing else is configured."""
    home = Path.home() / ".ssh"
    return (home / "known_hosts", home / "known_hosts2")


def fingerprint(key: bytes) -> str:
    """Return the fingerprint of a key blob as OpenSSH shows it: `SHA256:` and base64 without padding."""
    return "SHA256:" + base64.b64encode(hashlib.sha256(key).digest()).decode().rstrip("=")


def known_names(host: str, port: int, alias: str | None = None) -> tuple[str, ...]:
    """Return the names under which a host may be known, the one that is its own first (HostKeyAlias has no port)."""
    if alias is not None:
        return (alias.lower(),)
    host = host.lower()
    return (host,) if port == SSH_PORT else (f"[{host}]:{port}", host)


def _read(path: Path) -> Iterator[Entry]:
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return
    for number, line in enumerate(lines, start=1):
        entry = _parse(line.strip(), f"{path}:{number}")
        if entry:
            yield entry


def _parse(line: str, source: str) -> Entry | None:
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


def _glob(pattern: str, name: str) -> bool:
    """Match with `*` and `?` only: brackets belong to `[host]:port`."""
    if "*" not in pattern and "?" not in pattern:
        return pattern == name
    expression = re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".")
    return re.fullmatch(expression, name) is not None
