"""dockerd's command line as pflag reads it, and the key of daemon.json that corresponds to each flag.

Names and types are those of cmd/dockerd/config.go and config_unix.go in moby; if a flag's name and its key differ,
the key is the name of the option there (NewNamedListOptsRef and similar functions).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from harbor_agent.formats.text import CACHED_FILES

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

INSECURE_REGISTRY = "insecure-registry"
CONFIG_FILE = "config-file"
DEFAULT_CONFIG_FILE = "/etc/docker/daemon.json"

_SHORT = {"b": "bridge", "D": "debug", "G": "group", "g": "graph", "H": "host", "h": "help", "l": "log-level",
          "p": "pidfile", "s": "storage-driver", "v": "version"}  # fmt: skip
_BOOLEAN = frozenset({
    "allow-direct-routing", "cri-containerd", "debug", "disable-legacy-registry", "experimental", "help", "icc",
    "init", "ip-forward", "ip-forward-no-drop", "ip-masq", "ip6tables", "iptables", "ipv6", "live-restore",
    "no-new-privileges", "raw-logs", "selinux-enabled", "signature-verification", "tls", "tlsverify",
    "userland-proxy", "validate", "version",
})  # fmt: skip
_CONFIG_KEYS = {
    "add-runtime": "runtimes",
    "authorization-plugin": "authorization-plugins", "cluster-store-opt": "cluster-store-opts",
    "default-address-pool": "default-address-pools", "default-network-opt": "default-network-opts",
    "default-ulimit": "default-ulimits", "dns-opt": "dns-opts", "exec-opt": "exec-opts",
    "host": "hosts", "insecure-registry": "insecure-registries", "label": "labels", "log-opt": "log-opts",
    "node-generic-resource": "node-generic-resources", "registry-mirror": "registry-mirrors",
    "storage-opt": "storage-opts",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Flag:
    """A flag: its long name without dashes, its value, and the indexes of its first and last argument."""

    name: str
    value: str
    first: int
    last: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DaemonArguments:
    """A daemon's command line: its flags, and its operands (dockerd accepts none and would not start).

    `skipped` is the number of words before the first argument. `launcher` is the configuration file that a wrapper
    passes to dockerd, "" if dockerd is started directly.
    """

    flags: tuple[Flag, ...]
    operands: tuple[str, ...]
    skipped: int = 1
    launcher: str = ""

    def values(self, name: str) -> tuple[str, ...]:
        """Return the values of every flag `name`, in order."""
        return tuple(flag.value for flag in self.flags if flag.name == name)

    @property
    def config_file(self) -> str:
        """The configuration file that dockerd reads."""
        # rule DD-07
        return (self.values(CONFIG_FILE) or (self.launcher or DEFAULT_CONFIG_FILE,))[-1]


def parse_arguments(argv: Sequence[str]) -> DaemonArguments:
    """Parse an argument vector, program included; `docker daemon` and `snap run NAME.dockerd` count as dockerd."""
    return _parse(tuple(argv))


@lru_cache(maxsize=CACHED_FILES)
def _parse(argv: tuple[str, ...]) -> DaemonArguments:
    skipped, launcher = 1, ""
    match [argv[0].rpartition("/")[2], *argv[1:3]] if argv else []:
        # rule DD-04
        case [_, "daemon", *_]:
            skipped = 2
        case ["snap", "run", app] if app.endswith(".dockerd"):
            # rule DD-12: the wrapper passes the file in $SNAP_DATA to dockerd, and all further arguments
            skipped, launcher = 3, f"/var/snap/{app.removesuffix('.dockerd')}/current/config/daemon.json"
        case _:
            pass
    arguments = list(argv[skipped:])
    flags = find_flags(arguments)
    taken = {index for flag in flags for index in range(flag.first, flag.last + 1)}
    operands = [argument for index, argument in enumerate(arguments) if index not in taken and argument != "--"]
    return DaemonArguments(flags=tuple(flags), operands=tuple(operands), skipped=skipped, launcher=launcher)


def find_flags(arguments: Sequence[str]) -> list[Flag]:
    """Return the flags among `arguments` (without the program), up to `--`."""
    flags: list[Flag] = []
    index = 0
    while index < len(arguments):
        argument = arguments[index]
        # rule DD-05
        if argument == "--":
            break
        flag = _read_flag(arguments, index) if argument.startswith("-") and argument != "-" else None
        if flag:
            flags.append(flag)
        index = flag.last + 1 if flag else index + 1
    return flags


def find_ranges(arguments: Sequence[str], name: str) -> list[tuple[int, int]]:
    """Return the indexes of the first and last argument of each flag `name`."""
    return [(flag.first, flag.last) for flag in find_flags(arguments) if flag.name == name]


def find_config_key(flag: str) -> str:
    """Return the key of daemon.json that sets the same option as the flag."""
    return _CONFIG_KEYS.get(flag, flag)


def find_conflicts(arguments: DaemonArguments, keys: Iterable[str]) -> list[tuple[str, str]]:
    """Return (flag, key) of each option that is set both ways: dockerd does not start or reload with one."""
    present = set(keys)
    names = dict.fromkeys(flag.name for flag in arguments.flags)
    # rule DD-08
    return [(name, find_config_key(name)) for name in names if find_config_key(name) in present]


def _read_flag(arguments: Sequence[str], index: int) -> Flag | None:
    argument = arguments[index]
    following = arguments[index + 1] if index + 1 < len(arguments) else None
    if argument.startswith("--"):
        name, equals, value = argument[2:].partition("=")
    else:
        # rule DD-03
        name, value = _SHORT.get(argument[1], argument[1]), argument[2:]
        equals = "=" if value else ""
        value = value.removeprefix("=")
    # rule DD-01
    if equals:
        return Flag(name=name, value=value, first=index, last=index)
    # rule DD-02: an unknown flag followed by "--…" is a switch of a newer docker, as no value starts like that
    is_switch = name in _BOOLEAN or (name not in _CONFIG_KEYS and (following or "").startswith("--"))
    if is_switch or following is None:
        return Flag(name=name, value="true" if is_switch else "", first=index, last=index)
    return Flag(name=name, value=following, first=index, last=index + 1)
