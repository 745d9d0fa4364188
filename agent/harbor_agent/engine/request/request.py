"""The options of a command line, as values, before any file is read."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from harbor_agent.model.address import Address

# Plan files are decoded by these types, so they must be there at run time.
from harbor_agent.model.inventory import Shard, VaultSources  # noqa: TC001
from harbor_agent.model.policy import KeyForm, RouteChoice, RuntimeChoice  # noqa: TC001
from harbor_agent.model.sensitive import Sensitive  # noqa: TC001

_NAMES_FILE = re.compile(r"(?<![^,:])@([^,:]+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryFlags:
    """The options about registries, their credentials and the secret."""

    addresses: tuple[str, ...] = ()
    absent: bool = False
    route: RouteChoice | None = None
    runtime: RuntimeChoice | None = None
    username: str | None = None
    email: str | None = None
    password: Sensitive | None = None
    password_file: str | None = None
    secret_name: str | None = None
    namespaces: tuple[str, ...] = ()
    force_conflicts: bool = False
    service_accounts: tuple[str, ...] = ()
    key_form: KeyForm | None = None
    verify_image: str | None = None
    ca_file: str | None = None
    system_trust: bool = False
    kubelet_login: bool = False
    kubeconfig: str | None = None
    context: str | None = None

    def parse_addresses(self) -> tuple[Address, ...]:
        """Return the addresses, each once; with `absent` also entries that are not addresses.

        Raises UsageError for one that is refused.
        """
        parse = Address.parse_removal if self.absent else Address.parse
        return tuple(dict.fromkeys(parse(text) for text in self.addresses))


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeSelection:
    """The nodes of a run, and how they are reached. `sources` are inventories; without any, ansible.cfg names one.

    With a `shard`, only the nodes of that part.
    `ask_password` and `ask_become_password` only say that passwords are asked for; no password is kept here.
    """

    sources: tuple[str, ...] = ()
    limit: str | None = None
    shard: Shard | None = None
    transport: Literal["ssh", "ansible", "local"] = "ssh"
    forks: int = 10
    vault: VaultSources = field(default_factory=VaultSources)
    ask_password: bool = False
    ask_become_password: bool = False

    def make_absolute(self) -> NodeSelection:
        """Return the same with every path absolute and the inventory of ansible.cfg named, for use in any directory.

        Raises UsageError if no inventory is named and ansible.cfg has none.
        """
        sources = self.sources
        if not sources and self.transport != "local":
            from harbor_agent.inventory.load import default_sources  # noqa: PLC0415 - Ansible is slow to import

            sources = default_sources()
        limit = self.limit and _NAMES_FILE.sub(lambda found: "@" + _make_absolute(found[1]), self.limit)
        vault = replace(
            self.vault,
            ids=tuple(_make_source_absolute(text) for text in self.vault.ids),
            password_files=tuple(map(_make_absolute, self.vault.password_files)),
        )
        return replace(self, sources=tuple(map(_make_absolute, sources)), limit=limit, vault=vault)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRequest:
    """All options of a run. `root` is a tree to work on instead of nodes, `config` a settings file.

    `note` is the reason of the run, kept on the node and in the report. `drain` drains nodes before a restart even if
    the settings do not ask for it. `live_restore` keeps containers running through a restart. `only_unmanaged` skips
    nodes that have the record of an earlier run. `prove_with_pods` has kubelet prove the pulls, `retry_pods` deletes
    pods that wait for an image, if a controller makes them again. `docker_version` is that of the dockerd in `root`,
    `assumed_runtime` name and version of another runtime there.
    """

    selection: NodeSelection = field(default_factory=NodeSelection)
    flags: RegistryFlags = field(default_factory=RegistryFlags)
    config: str | None = None
    repair: bool = False
    root: str | None = None
    docker_version: str | None = None
    note: str = ""
    drain: bool = False
    live_restore: bool = False
    only_unmanaged: bool = False
    prove_with_pods: bool = False
    retry_pods: bool = False
    assumed_runtime: tuple[str, str] | None = None


def encode_request(request: RunRequest) -> str:
    """Return the request as JSON, as the run history keeps it."""
    import msgspec  # noqa: PLC0415 - not needed for --help

    return msgspec.json.encode(request).decode()


def decode_request(text: str) -> RunRequest:
    """Read a request that `encode_request` wrote. Raises ValueError."""
    import msgspec  # noqa: PLC0415 - not needed for --help

    return msgspec.json.decode(text, type=RunRequest)


def _make_source_absolute(vault_id: str) -> str:
    """Return LABEL@FILE with the path of the file absolute; `prompt` is not a file."""
    label, separator, source = vault_id.rpartition("@")
    return f"{label}{separator}{_make_absolute(source)}"


def _make_absolute(text: str) -> str:
    """Return the path of an existing file as an absolute path, and anything else (a list of hosts) unchanged."""
    path = Path(text).expanduser()
    return str(path.absolute()) if text and path.exists() else text
