"""How one host is reached over SSH and as whom: the values behind the options of ssh_config(5)."""

from __future__ import annotations

import os
import pwd
import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from socket import gethostname
from typing import TYPE_CHECKING

from harbor_agent.local.user import user_name
from harbor_agent.model.inventory import SSH_PORT
from harbor_agent.transport.ssh.config.arguments import SshArguments

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

DEFAULT_KEYS = ("~/.ssh/id_ed25519", "~/.ssh/id_ecdsa", "~/.ssh/id_rsa")
_PART_OF_TIME = re.compile(r"([0-9]+)([smhdwSMHDW]?)")
_TIME = re.compile(rf"(?:{_PART_OF_TIME.pattern})+")
_SECONDS_IN = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_DEFAULT_KEY = re.compile(r"~/\.ssh/id_[a-z0-9_]+\Z")
# The fewest that any version of ssh names where nobody has named one.
_FEWEST_DEFAULT_KEYS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """A host as somebody names it; what is set here wins over every configuration, as it does with Ansible."""

    name: str
    user: str | None = None
    port: int | None = None
    private_key_file: str | None = None
    arguments: SshArguments = field(default_factory=SshArguments)


@dataclass(frozen=True, slots=True, kw_only=True)
class HostConfig:
    """How one host is reached.

    `private_key_file` was named with the destination, `identity_files` by a configuration, or they are the defaults.
    `known_hosts` and `global_known_hosts` are None where nothing names them; `known_as` is what is looked up in them
    in place of `host`. `agent` is the path of a socket, "" for none. Of `proxy_jump` and `proxy_command` at most one is
    set. `connect_timeout` and `keepalive` are seconds; None leaves them to whoever connects.
    """

    host: str
    port: int = SSH_PORT
    user: str
    private_key_file: Path | None = None
    identity_files: tuple[Path, ...] = ()
    certificate_files: tuple[Path, ...] = ()
    identities_only: bool = False
    agent: str = ""
    known_hosts: tuple[Path, ...] | None = None
    global_known_hosts: tuple[Path, ...] | None = None
    known_as: str | None = None
    revoked_keys: Path | None = None
    hash_known_hosts: bool = False
    proxy_jump: str | None = None
    proxy_command: str | None = None
    ip_version: int | None = None
    connect_timeout: float | None = None
    keepalive: int | None = None


def settings_from(destination: Destination, found: Mapping[str, tuple[str, ...]]) -> HostConfig:
    """Return the settings of `destination`, with `found` as the values of its options by lower-case name.

    Raises ValueError where a value is no number.
    """

    def first(name: str) -> str | None:
        values = found.get(name)
        return values[0] if values and values[0] != "none" else None

    bare = HostConfig(
        host=first("hostname") or destination.name,
        port=destination.port or int(first("port") or SSH_PORT),
        user=destination.user or first("user") or user_name(),
        known_as=first("hostkeyalias"),
        proxy_jump=first("proxyjump"),
    )

    def path(text: str) -> Path:
        return Path(expand(text, bare, destination.name)).expanduser()

    revoked = first("revokedhostkeys")
    key = destination.private_key_file
    return replace(
        bare,
        private_key_file=Path(key).expanduser() if key else None,
        identity_files=tuple(map(path, _identities(found.get("identityfile", ()), named=key is not None))),
        certificate_files=tuple(map(path, found.get("certificatefile", ()))),
        identities_only=first("identitiesonly") == "yes",
        agent=_agent(found.get("identityagent"), path),
        known_hosts=_files(_unless_default(found.get("userknownhostsfile")), path),
        global_known_hosts=_files(found.get("globalknownhostsfile"), path),
        revoked_keys=path(revoked) if revoked else None,
        hash_known_hosts=first("hashknownhosts") == "yes",
        proxy_command=None if bare.proxy_jump else first("proxycommand"),
        ip_version={"inet": 4, "inet6": 6}.get(first("addressfamily") or ""),
        connect_timeout=float(_seconds(first("connecttimeout") or "0")) or None,
        keepalive=_seconds(first("serveraliveinterval") or "0") or None,
    )


def _seconds(text: str) -> int:
    """Read a time as ssh_config(5) writes it, such as 90, 1m30 or 2h. Raises ValueError."""
    if not _TIME.fullmatch(text):
        raise ValueError(f"'{text}' is no time")
    return sum(int(number) * _SECONDS_IN[unit.lower()] for number, unit in _PART_OF_TIME.findall(text))


def expand(text: str, settings: HostConfig, name: str) -> str:
    """Fill in `${VARIABLE}` and the tokens of ssh_config(5); `name` is what the host was called."""
    if "%" not in text and "$" not in text:
        return text
    here = gethostname()
    tokens = {
        "%": "%",
        "d": str(Path.home()),
        "h": settings.host,
        "i": str(os.getuid()),
        "j": settings.proxy_jump or "",
        "k": settings.known_as or name,
        "l": here,
        "L": here.partition(".")[0],
        "n": name,
        "p": str(settings.port),
        "r": settings.user,
        "u": user_name(),
    }
    text = re.sub(r"\$\{([A-Za-z0-9_]+)\}", lambda variable: os.environ.get(variable[1], ""), text)
    return re.sub(r"%(.)", lambda token: tokens.get(token[1], token[0]), text)


def _identities(found: Sequence[str], *, named: bool) -> Sequence[str]:
    """Return the key files of a configuration; the defaults where there are none, unless a key was named."""
    defaults = all(map(_DEFAULT_KEY.match, found)) and (not found or len(found) >= _FEWEST_DEFAULT_KEYS)
    if not defaults:
        return found
    return () if named else DEFAULT_KEYS


def _unless_default(found: tuple[str, ...] | None) -> tuple[str, ...] | None:
    """Return None for the files of the account's home: what `ssh -G` prints where nothing is configured."""
    try:
        home = Path(pwd.getpwuid(os.getuid()).pw_dir) / ".ssh"
    except KeyError:  # a user without a name, in a container
        return found
    return None if found == (str(home / "known_hosts"), str(home / "known_hosts2")) else found


def _files(found: tuple[str, ...] | None, path: Callable[[str], Path]) -> tuple[Path, ...] | None:
    return None if found is None else tuple(path(name) for name in found if name != "none")


def _agent(found: tuple[str, ...] | None, path: Callable[[str], Path]) -> str:
    named = found[0] if found else "SSH_AUTH_SOCK"
    if named == "none":
        return ""
    # Both name a variable: the one that everybody has, or with a dollar another one.
    if named == "SSH_AUTH_SOCK" or named.startswith("$"):
        return os.environ.get(named.strip("${}"), "")
    return str(path(named))
