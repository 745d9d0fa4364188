"""The ssh arguments of an inventory (`ansible_ssh_common_args` and the like), parsed as by ssh(1)."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

# From the getopt string of ssh.c: flags that are short for options of ssh_config, and the other ones with a value.
_SHORT = {"i": "IdentityFile", "J": "ProxyJump", "l": "User", "p": "Port"}
_FAMILIES = {"4": "AddressFamily=inet", "6": "AddressFamily=inet6"}
_OTHERS_WITH_VALUE = frozenset("bcemBDEILOPQRSwW")
# The first one of either kind counts.
_PROXIES = frozenset({"proxyjump", "proxycommand"})
# Options whose value is a list of files on one line.
LISTS = frozenset({"userknownhostsfile", "globalknownhostsfile"})
_TOKEN = re.compile("%[%h]")
_OPTION = re.compile(r"\s*([A-Za-z0-9]+)(?:\s*=\s*|\s+)(.*)", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class SshArguments:
    """Arguments that affect a connection: `options` as `Name=value`, in their order, and the file of `-F`."""

    options: tuple[str, ...] = ()
    config_file: str | None = None

    def to_mapping(self, host: str) -> dict[str, tuple[str, ...]]:
        """Return the values of each option by its lower-case name. Raises ValueError for an unclosed quote.

        As in ssh, the first value of an option counts. `host` is the name on the command line, for the tokens of
        HostName (ssh_config(5)).
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
    """Parse arguments, split as by a shell. Raises ValueError for an unclosed quote and a flag without its value."""
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
                options.append(_read_value(flag, "".join(flags), words))
            elif flag == "F":
                config_file = _read_value(flag, "".join(flags), words)
            elif flag in _SHORT:
                options.append(f"{_SHORT[flag]}={_read_value(flag, ''.join(flags), words)}")
            elif flag in _OTHERS_WITH_VALUE:
                _read_value(flag, "".join(flags), words)
    return SshArguments(options=tuple(options), config_file=config_file)


def _read_value(flag: str, rest: str, words: Iterator[str]) -> str:
    value = rest or next(words, "")
    if not value:
        raise ValueError(f"-{flag} has no value")
    return value
