"""Which directory and which mirror containerd takes for a registry, and whether it is trusted over plain HTTP."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harbor_agent.errors import UsageError
from harbor_agent.formats.containerd.hosts import Attempt, read_hosts
from harbor_agent.formats.text import FormatError
from harbor_agent.model.address import Address
from harbor_agent.model.state import FileState

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harbor_agent.formats.containerd.hosts import HostsFile
    from harbor_agent.model.state import NodeState
    from harbor_agent.planning.containerd.effective import Effective

DEFAULT = "_default"
ANY_MIRROR = "*"
HOSTS_FILE = "hosts.toml"
_DEFAULT_SINCE = (1, 6)
_PORT_NAME = re.compile(r"(.+)_(\d+)_")


@dataclass(frozen=True, slots=True, kw_only=True)
class HostsDirectory:
    """The directory for a registry: the one that wins, or the one to create. `is_own` is false for `_default`."""

    path: str
    exists: bool
    is_own: bool

    @property
    def file(self) -> str:
        """The path of its hosts.toml."""
        return f"{self.path}/{HOSTS_FILE}"


def find_directory(state: NodeState, effective: Effective, address: Address) -> HostsDirectory:
    """Return the directory that containerd takes: the first that exists in the first root that has one.

    An empty directory counts too. If no directory exists, the one to create is returned.
    """
    for root in effective.roots:
        for name in list_directory_names(effective, address):
            path = f"{root}/{name}"
            # rule CD-21
            if exists(state, path):
                return HostsDirectory(path=path, exists=True, is_own=name != DEFAULT)
    return HostsDirectory(path=f"{effective.roots[0]}/{address.entry}", exists=False, is_own=True)


def list_directory_names(effective: Effective, address: Address) -> tuple[str, ...]:
    """Return the names of directories that containerd tries for a registry, in its order."""
    own = [address.entry]
    if address.port is not None:
        # rule CD-19
        own.insert(0, f"{address.entry.rpartition(':')[0]}_{address.port}_")
    # rule CD-20
    return (*own, DEFAULT) if effective.version >= _DEFAULT_SINCE else tuple(own)


def read_hosts_of(state: NodeState, effective: Effective, directory: HostsDirectory) -> HostsFile | None:
    """Return the hosts.toml of a directory; None if it is absent or broken: then containerd uses HTTPS."""
    file = state.files.get(directory.file) or FileState(path=directory.file)
    if file.content is None:
        return None
    try:
        return read_hosts(file.content, effective.version)
    except FormatError:
        return None


def is_trusted(state: NodeState, effective: Effective, address: Address) -> bool:
    """Whether containerd pulls from this registry over plain HTTP after a start with these files."""
    if effective.conflict or effective.is_cri_disabled:
        return False
    if effective.roots:
        hosts = read_hosts_of(state, effective, find_directory(state, effective, address))
        return hosts is not None and hosts.is_plain(address)
    return any(reaches_plainly(endpoint, address) for endpoint in list_endpoints(effective, address.entry))


def is_always_plain(state: NodeState, effective: Effective, address: Address) -> bool:
    """Whether it is trusted, and never tried over HTTPS: then every error names HTTP."""
    if not is_trusted(state, effective, address):
        return False
    if not effective.roots:
        return True
    hosts = read_hosts_of(state, effective, find_directory(state, effective, address))
    return hosts is not None and not hosts.has_https_fallback(address)


def list_endpoints(effective: Effective, entry: str) -> tuple[str, ...]:
    """Return the endpoints of the mirror that containerd takes for a registry."""
    # rule CD-22
    mirror = effective.mirrors.get(entry, effective.mirrors.get(ANY_MIRROR))
    endpoints = mirror.get("endpoint") if isinstance(mirror, dict) else None
    return tuple(str(one) for one in endpoints) if isinstance(endpoints, list) else ()


def reaches_plainly(endpoint: str, address: Address) -> bool:
    """Whether an endpoint is this registry over plain HTTP."""
    return Attempt(url=endpoint, key=None, capabilities=()).reaches(address, "http")


def list_trusted(state: NodeState, effective: Effective) -> tuple[str, ...]:
    """Return every registry that the observed files make containerd reach over plain HTTP."""
    names = _list_names_in(state, effective) if effective.roots else effective.mirrors
    found = filter(None, map(parse_entry, names))
    return tuple(dict.fromkeys(one.entry for one in found if is_trusted(state, effective, one)))


def _list_names_in(state: NodeState, effective: Effective) -> Iterator[str]:
    for path in state.files:
        directory, _, base = path.rpartition("/")
        root, _, name = directory.rpartition("/")
        if base == HOSTS_FILE and root in effective.roots:
            match = _PORT_NAME.fullmatch(name)
            yield f"{match[1]}:{match[2]}" if match else name


def parse_entry(text: str) -> Address | None:
    """Return the registry of an entry; None if it is not an address."""
    try:
        return Address.parse(text)
    except UsageError:
        return None


def exists(state: NodeState, path: str) -> bool:
    """Whether there is a file or directory at the path, or anything below it."""
    if path in state.files and state.files[path].exists:
        return True
    return any(name.startswith(f"{path}/") and file.exists for name, file in state.files.items())
