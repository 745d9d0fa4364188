"""The configuration of one host: the values of the options of ssh_config(5)."""

from __future__ import annotations

import os
import pwd
import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from socket import gethostname
from typing import TYPE_CHECKING

from harbor_agent.local.user import get_user_name
from harbor_agent.model.inventory import SSH_PORT
from harbor_agent.transport.ssh.config.arguments import SshArguments

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

DEFAULT_KEYS = ("~/.ssh/id_ed25519", "~/.ssh/id_ecdsa", "~/.ssh/id_rsa")
_PART_OF_TIME = re.compile(r"([0-9]+)([smhdwSMHDW]?)")
_TIME = re.compile(rf"(?:{_PART_OF_TIME.pattern})+")
_SECONDS_IN = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_DEFAULT_KEY = re.compile(r"~/\.ssh/id_[a-z0-9_]+\Z")
# The fewest that any version of `ssh -G` prints if none is configured.
_FEWEST_DEFAULT_KEYS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """A host as on the command line of ssh; values that are set here override every configuration, as in Ansible."""

    name: str
    user: str | None = None
    port: int | None = None
    private_key_file: str | None = None
    arguments: SshArguments = field(default_factory=SshArguments)


@dataclass(frozen=True, slots=True, kw_only=True)
class HostConfig:
    """The configuration of one host.

    `private_key_file` is from the destination, `identity_files` are from a configuration or the defaults. `known_hosts`
    and `global_known_hosts` have a value only if they are configured; `known_as` (HostKeyAlias) is looked up in them
    instead of `host`. `agent` is the path of a socket, "" if there is no agent. At most one of `proxy_jump` and
    `proxy_command` is set. `connect_timeout` and `keepalive` are in seconds, None for the defaults of the connector.
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


def build_host_config(destination: Destination, found: Mapping[str, tuple[str, ...]]) -> HostConfig:
    """Return the configuration of `destination`; `found` has the values of its options by lower-case name.

    Raises ValueError for an invalid number.
    """

    def read_first(name: str) -> str | None:
        values = found.get(name)
        return values[0] if values and values[0] != "none" else None

    bare = HostConfig(
        host=read_first("hostname") or destination.name,
        port=destination.port or int(read_first("port") or SSH_PORT),
        user=destination.user or read_first("user") or get_user_name(),
        known_as=read_first("hostkeyalias"),
        proxy_jump=read_first("proxyjump"),
    )

    def expand_path(text: str) -> Path:
        return Path(expand_tokens(text, bare, destination.name)).expanduser()

    revoked = read_first("revokedhostkeys")
    key = destination.private_key_file
    return replace(
        bare,
        private_key_file=Path(key).expanduser() if key else None,
        identity_files=tuple(
            map(expand_path, _select_identities(found.get("identityfile", ()), named=key is not None))
        ),
        certificate_files=tuple(map(expand_path, found.get("certificatefile", ()))),
        identities_only=read_first("identitiesonly") == "yes",
        agent=_find_agent(found.get("identityagent"), expand_path),
        known_hosts=_expand_files(_drop_default(found.get("userknownhostsfile")), expand_path),
        global_known_hosts=_expand_files(found.get("globalknownhostsfile"), expand_path),
        revoked_keys=expand_path(revoked) if revoked else None,
        hash_known_hosts=read_first("hashknownhosts") == "yes",
        proxy_command=None if bare.proxy_jump else read_first("proxycommand"),
        ip_version={"inet": 4, "inet6": 6}.get(read_first("addressfamily") or ""),
        connect_timeout=float(_parse_seconds(read_first("connecttimeout") or "0")) or None,
        keepalive=_parse_seconds(read_first("serveraliveinterval") or "0") or None,
    )


def _parse_seconds(text: str) -> int:
    """Parse a time in the format of sshd_config(5), such as 90, 1m30 or 2h. Raises ValueError."""
    if not _TIME.fullmatch(text):
        raise ValueError(f"'{text}' is not a time")
    return sum(int(number) * _SECONDS_IN[unit.lower()] for number, unit in _PART_OF_TIME.findall(text))


def expand_tokens(text: str, config: HostConfig, name: str) -> str:
    """Expand `${VARIABLE}` and the tokens of ssh_config(5); `name` is the name on the command line."""
    if "%" not in text and "$" not in text:
        return text
    hostname = gethostname()
    tokens = {
        "%": "%",
        "d": str(Path.home()),
        "h": config.host,
        "i": str(os.getuid()),
        "j": config.proxy_jump or "",
        "k": config.known_as or name,
        "l": hostname,
        "L": hostname.partition(".")[0],
        "n": name,
        "p": str(config.port),
        "r": config.user,
        "u": get_user_name(),
    }
    text = re.sub(r"\$\{([A-Za-z0-9_]+)\}", lambda variable: os.environ.get(variable[1], ""), text)
    return re.sub(r"%(.)", lambda token: tokens.get(token[1], token[0]), text)


def _select_identities(found: Sequence[str], *, named: bool) -> Sequence[str]:
    """Return the key files of a configuration, by default OpenSSH's; none of those if the destination names a key."""
    defaults = all(map(_DEFAULT_KEY.match, found)) and (not found or len(found) >= _FEWEST_DEFAULT_KEYS)
    if not defaults:
        return found
    return () if named else DEFAULT_KEYS


def _drop_default(found: tuple[str, ...] | None) -> tuple[str, ...] | None:
    """Return None for the files in the account's home, which `ssh -G` prints if none are configured."""
    try:
        home = Path(pwd.getpwuid(os.getuid()).pw_dir) / ".ssh"
    except KeyError:  # a user without a name, in a container
        return found
    return None if found == (str(home / "known_hosts"), str(home / "known_hosts2")) else found


def _expand_files(found: tuple[str, ...] | None, expand_path: Callable[[str], Path]) -> tuple[Path, ...] | None:
    return None if found is None else tuple(expand_path(name) for name in found if name != "none")


def _find_agent(found: tuple[str, ...] | None, expand_path: Callable[[str], Path]) -> str:
    named = found[0] if found else "SSH_AUTH_SOCK"
    if named == "none":
        return ""
    # Both name an environment variable (ssh_config(5), IdentityAgent).
    if named == "SSH_AUTH_SOCK" or named.startswith("$"):
        return os.environ.get(named.strip("${}"), "")
    return str(expand_path(named))
