"""The arguments for ssh that an inventory holds (`ansible_ssh_common_args` and its kin), read as ssh(1) reads them."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

# ssh's own getopt string (ssh.c), for flags that are options of ssh_config in short, and the other ones with a value.
_SHORT = {"i": "IdentityFile", "J": "ProxyJump", "l": "User", "p": "Port"}
_FAMILIES = {"4": "AddressFamily=inet", "6": "AddressFamily=inet6"}
_OTHERS_WITH_VALUE = frozenset("bcemBDEILOPQRSwW")
# Of these the first that is given counts, of the two together.
_PROXIES = frozenset({"proxyjump", "proxycommand"})
# Options whose value is a list of files on one line.
LISTS = frozenset({"userknownhostsfile", "globalknownhostsfile"})
_TOKEN = re.compile("%[%h]")
_OPTION = re.compile(r"\s*([A-Za-z0-9]+)(?:\s*=\s*|\s+)(.*)", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class SshArguments:
    """What counts for a connection: `options` as `Name=value`, in their order, and the file of `-F`."""

    options: tuple[str, ...] = ()
    config_file: str | None = None

    def as_mapping(self, host: str) -> dict[str, tuple[str, ...]]:
        """Return the values of each option by its lower-case name. Raises ValueError where a quote is not closed.

        The first value of an option comes first and is the one that counts, as in ssh. `host` is what the host is
        called, for the tokens of HostName (ssh_config(5)).
        """
        found: dict[str, tuple[str, ...]] = {}
        for pair in filter(None, map(_OPTION.match, self.options)):
            name, value = pair[1].lower(), pair[2].strip()
            if not (name in _PROXIES and _PROXIES & found.keys()):
                found[name] = (*found.get(name, ()), *((value,) if name == "proxycommand" else shlex.split(value)))
        if "hostname" in found:
            tokens = {"%%": "%", "%h": host}
            found["hostname"] = tuple(_TOKEN.sub(lambda t: tokens[t[0]], value) for value in found["hostname"])
        return found


def parse_ssh_arguments(text: str) -> SshArguments:
    """Read arguments as a shell would split them. Raises ValueError for open quotes and a flag without its value."""
    options: list[str] = []
    config_file = None
    words = iter(shlex.split(text))
    for word in words:
        if not word.startswith("-"):
            continue
        flags = iter(word[1:])
        for flag in flags:
            if flag in _FAMILIES:
                options.append(_FAMILIES[flag])
            elif flag == "o":
                options.append(_value(flag, "".join(flags), words))
            elif flag == "F":
                config_file = _value(flag, "".join(flags), words)
            elif flag in _SHORT:
                options.append(f"{_SHORT[flag]}={_value(flag, ''.join(flags), words)}")
            elif flag in _OTHERS_WITH_VALUE:
                _value(flag, "".join(flags), words)
    return SshArguments(options=tuple(options), config_file=config_file)


def _value(flag: str, rest: str, words: Iterator[str]) -> str:
    value = rest or next(words, "")
    if not value:
        raise ValueError(f"-{flag} has no value")
    return value
