"""What was asked for on the command line, before any file is read."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from harbor_agent.errors import UsageError
from harbor_agent.model.address import Address

# Plan files are decoded by these types, so they must be there at run time.
from harbor_agent.model.inventory import VaultSources
from harbor_agent.model.policy import KeyForm, RouteChoice  # noqa: TC001
from harbor_agent.model.sensitive import Sensitive  # noqa: TC001
from harbor_agent.planning.config.merge import merge
from harbor_agent.planning.config.schema import PolicyLayer, settings_from_variables

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harbor_agent.model.inventory import Node
    from harbor_agent.model.policy import Policy


_FILE_OF_NAMES = re.compile(r"(?<![^,:])@([^,:]+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryFlags:
    """The flags about registries, their credentials and the secret."""

    addresses: tuple[str, ...] = ()
    absent: bool = False
    route: RouteChoice | None = None
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
    kubeconfig: str | None = None
    context: str | None = None

    def parsed(self) -> tuple[Address, ...]:
        """Return the addresses, each once. Raises UsageError for one that is refused."""
        return tuple(dict.fromkeys(Address.parse(text) for text in self.addresses))


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeSelection:
    """How the nodes are found and reached. Without `sources`, ansible.cfg says where they are.

    `ask_password` and `ask_become_password` say to ask for passwords; these themselves are nowhere in here.
    """

    sources: tuple[str, ...] = ()
    limit: str | None = None
    transport: Literal["ssh", "ansible", "local"] = "ssh"
    forks: int = 10
    timeout: float = 60.0
    vault: VaultSources = field(default_factory=VaultSources)
    ask_password: bool = False
    ask_become_password: bool = False

    def from_anywhere(self) -> NodeSelection:
        """Return the same with every path absolute, and with the inventory of ansible.cfg named. Raises UsageError."""
        sources = self.sources
        if not sources and self.transport != "local":
            from harbor_agent.inventory.load import default_sources  # noqa: PLC0415 - Ansible is slow to import

            sources = default_sources()
        limit = self.limit and _FILE_OF_NAMES.sub(lambda found: "@" + _absolute(found[1]), self.limit)
        vault = replace(
            self.vault,
            ids=tuple(_absolute_source(text) for text in self.vault.ids),
            password_files=tuple(map(_absolute, self.vault.password_files)),
        )
        return replace(self, sources=tuple(map(_absolute, sources)), limit=limit, vault=vault)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRequest:
    """Everything that a run was asked for. `root` is a tree to work on instead of nodes, `config` a settings file.

    `note` says why, for those who look later: it is kept on the node and in the report. `drain` has nodes drained
    before a restart, whatever the settings say. `live_restore` has containers kept running through it.
    With `only_unmanaged` nodes that have a record of an earlier run are left alone.
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


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PolicyLayers:
    """The layers of settings below and above a node's own, and the policies that come of them."""

    file: PolicyLayer
    flags: RegistryFlags
    repair: bool = False
    live_restore: bool = False

    def general(self) -> Policy:
        """Return the policy without any node's variables. Raises UsageError."""
        return self._merge(())

    def for_node(self, node: Node) -> Policy:
        """Return the policy of one node. Raises UsageError naming the host for a wrong variable."""
        if not node.variables:
            return _policy_of_most(self)
        return self._merge((settings_from_variables(node.variables, node.name),))

    def _merge(self, between: tuple[PolicyLayer, ...]) -> Policy:
        only = self.flags.parsed()
        layers = (self.file, *between)
        written = (registry["address"] for layer in layers for registry in layer.registries)
        targets = only or tuple(dict.fromkeys(address for address in written if isinstance(address, Address)))
        return merge((*layers, self._flag_layer(targets)), only=only)

    def _flag_layer(self, targets: tuple[Address, ...]) -> PolicyLayer:
        flags = self.flags
        credentials = {
            "username": flags.username,
            "email": flags.email,
            "password": flags.password,
            "password_file": flags.password_file,
        }
        secret = {
            "name": flags.secret_name,
            "namespaces": flags.namespaces or None,
            "namespace_selector": "" if flags.namespaces else None,  # what is named here is all that is meant
            "exclude_namespaces": () if flags.namespaces else None,
            "service_accounts": flags.service_accounts or None,
            "key_form": flags.key_form,
        }
        per_registry: dict[str, object | None] = {
            "state": "absent" if flags.absent else None,
            "verify_image": flags.verify_image,
            "credentials": _given(credentials),
            "secret": _given(secret),
        }
        given = _given(per_registry) or {}
        _check_flags(flags, given, targets)
        return PolicyLayer(
            registries=tuple({"address": address, **given} for address in targets),
            route=flags.route,
            kubeconfig=flags.kubeconfig,
        )


def _absolute_source(vault_id: str) -> str:
    """Return LABEL@FILE with the file's path absolute; `prompt` is no file."""
    label, separator, source = vault_id.rpartition("@")
    return f"{label}{separator}{_absolute(source)}"


def _absolute(text: str) -> str:
    """Return the path of a file that is there made absolute, anything else (a list of hosts) as it is."""
    path = Path(text).expanduser()
    return str(path.absolute()) if text and path.exists() else text


def _given(values: Mapping[str, object | None]) -> dict[str, object] | None:
    return {key: value for key, value in values.items() if value is not None} or None


def _check_flags(flags: RegistryFlags, given: Mapping[str, object], targets: tuple[Address, ...]) -> None:
    if flags.absent and not flags.addresses:
        raise UsageError.of("flags-ambiguous", "--absent needs to know what to remove", "name it with --registry")
    if len(targets) > 1 and ("credentials" in given or "secret" in given or "verify_image" in given):
        raise UsageError.of(
            "flags-ambiguous",
            f"credentials, secret and image flags are for one registry, and this run has {len(targets)}",
            "name one with --registry, or write them into harbor-agent.yaml",
        )


@cache
def _policy_of_most(policies: PolicyLayers) -> Policy:
    """Return what is wanted of nodes without variables of ours: the same for a thousand of them."""
    return policies.general()
