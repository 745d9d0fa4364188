"""Inventories as Ansible understands them, in all their forms, and KubeKey's files."""

from __future__ import annotations

import contextlib
import difflib
import io
import ipaddress
import os
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harbor_agent.errors import UsageError
from harbor_agent.inventory.kubekey import is_kubekey
from harbor_agent.inventory.node import bystander_of, node_of
from harbor_agent.model.inventory import SSH_PORT, VaultSources

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from harbor_agent.errors import Problem
    from harbor_agent.inventory.ansible.hosts import Inventory
    from harbor_agent.model.inventory import Node
    from harbor_agent.model.sensitive import Sensitive

_NAME_ONE = "name one with -i, or as inventory= in ansible.cfg; --transport local is for this machine alone"


def load_inventory(
    sources: Sequence[str],
    *,
    limit: str | None = None,
    vault: VaultSources | None = None,
    tell: Callable[[Problem], None] | None = None,
) -> list[Node]:
    """Return the nodes that `sources` name, in their order; with `limit`, those its Ansible patterns select.

    Without sources, those that ansible.cfg or $ANSIBLE_INVENTORY name. What is encrypted is opened with the passwords
    of `vault` and those that ansible.cfg names. Hosts with the same address and port are one node: the first name
    counts, the others become aliases, those that `limit` leaves out included: the machine is in the groups of all.

    Raises UsageError for what Ansible only warns about: a source that is missing or cannot be parsed (with file and
    line), no hosts at all, a name in `limit` that is neither host nor group, a `limit` that selects nothing; and for
    a vault that does not open. Nothing is printed; what stops nothing goes to `tell`.
    """
    with _ansible_prepared():
        from harbor_agent.inventory.ansible import cfg as ansible_configuration  # noqa: PLC0415 - 0.3 s, for inventories
        from harbor_agent.inventory.ansible import hosts as ansible_inventory  # noqa: PLC0415 - 0.3 s, for inventories

        ignored = ansible_configuration.ignored_file()
    if ignored and tell:
        tell(ignored)
    with _ansible_prepared():
        sources = sources or ansible_configuration.default_sources()
        if not sources:
            raise UsageError.of("inventory-missing", "which nodes? There is no inventory", _NAME_ONE)
        inventory = ansible_inventory.Inventory([_source(source) for source in sources], vault or VaultSources())
        patterns = list(ansible_inventory.split_patterns(limit)) if limit else None
        _check_names(map(ansible_inventory.plain_name, patterns or ()), inventory.names)
        if not inventory.select(None):
            raise UsageError.of(
                "inventory-empty", f"there is no host in {', '.join(sources)}", "name at least one host"
            )
        hosts = inventory.select(patterns)
        if not hosts:
            raise UsageError.of("limit-matches-nothing", f"--limit {limit} selects none of the inventory's hosts")
        defaults = ansible_configuration.connection_defaults()
        nodes = [
            node_of(
                host.name,
                [group.name for group in host.get_groups()],
                inventory.variables(host),
                defaults=defaults,
                become_defaults=ansible_configuration.become_defaults,
            )
            for host in hosts
        ]
        others = list(_bystanders(inventory, hosts, defaults)) if patterns else []
    return _merge_same_machines(nodes, others)


def _bystanders(inventory: Inventory, selected: Sequence[Any], defaults: Mapping[str, object]) -> Iterator[Node]:
    """Yield the hosts that `--limit` leaves out: a machine keeps its groups and reasons under any of its names."""
    names = {host.name for host in selected}
    for host in inventory.select(None):
        if host.name in names:
            continue
        groups = [group.name for group in host.get_groups()]
        with contextlib.suppress(UsageError):
            bystander = bystander_of(host.name, groups, inventory.variables(host), defaults=defaults)
            if bystander:
                yield bystander


def default_sources() -> tuple[str, ...]:
    """Return the inventories, as absolute paths or host lists, that ansible.cfg or $ANSIBLE_INVENTORY name."""
    with _ansible_prepared():
        from harbor_agent.inventory.ansible import cfg as ansible_configuration  # noqa: PLC0415 - 0.3 s, for inventories

        return tuple(_source(source) for source in ansible_configuration.default_sources())


def ansible_sources(sources: Sequence[str]) -> list[str]:
    """Return `sources` (by default those of ansible.cfg) as Ansible's own programs take them.

    Raises UsageError for a source that is missing or that only this tool can read: a KubeKey file.
    """
    resolved = [_source(source) for source in sources] or list(default_sources())
    for source in resolved:
        path = Path(source)
        if path.is_file() and is_kubekey(path.read_text(encoding="utf-8", errors="replace")):
            raise UsageError.of(
                "inventory-not-ansible",
                f"{path} is a KubeKey file, which Ansible cannot read",
                "use --transport ssh, or write an Ansible inventory",
            )
    return resolved


def vault_passwords() -> list[tuple[str, Sensitive]]:
    """Return the label and the password of every vault that this process has opened for an inventory."""
    if "ansible.parsing.vault" not in sys.modules:
        return []
    from harbor_agent.inventory.ansible import vault  # noqa: PLC0415 - 0.3 s, for inventories

    return vault.opened_with()


def password_questions() -> tuple[bool, bool]:
    """Return whether ansible.cfg or the environment say to ask for a password to log in, and for one to become root."""
    with _ansible_prepared():
        from harbor_agent.inventory.ansible import cfg as ansible_configuration  # noqa: PLC0415 - 0.3 s, for inventories

        return ansible_configuration.password_questions()


def vault_question(sources: VaultSources) -> bool:
    """Return whether `sources`, ansible.cfg or the environment say to ask for a vault password."""
    with _ansible_prepared():
        from harbor_agent.inventory.ansible import vault  # noqa: PLC0415 - 0.3 s, for inventories

        return vault.is_asked_for(sources)


def _source(source: str) -> str:
    """Return a host list as it is, and a path made absolute: Ansible takes a relative one for content."""
    if "," in source:
        return source
    path = Path(source).expanduser().absolute()
    if not path.exists():
        hint = f"for a host by name, write '{source},' with a comma" if "/" not in source else ""
        raise UsageError.of("inventory-missing", f"the inventory {path} is not there", hint)
    return str(path)


@contextlib.contextmanager
def _ansible_prepared() -> Iterator[None]:
    """Keep Ansible from printing, and from making its temporary folder in the user's home when it is imported."""
    before = os.environ.get("ANSIBLE_LOCAL_TEMP")
    os.environ.setdefault("ANSIBLE_LOCAL_TEMP", tempfile.gettempdir())
    # Ansible writes to the stream's buffer, which a StringIO has not.
    sink = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", errors="replace")
    try:
        with contextlib.redirect_stdout(sink), contextlib.redirect_stderr(sink):
            _import_settings()
            yield
    finally:
        if before is None:
            del os.environ["ANSIBLE_LOCAL_TEMP"]


def _import_settings() -> None:
    """Have Ansible find and read its ansible.cfg. Raises UsageError where that cannot be read."""
    from ansible.errors import AnsibleError  # noqa: PLC0415 - only an inventory needs Ansible

    try:
        import ansible.constants  # noqa: F401, PLC0415 - likewise
    except AnsibleError as error:
        message = " ".join(str(error).split())
        hint = "correct it, or name another file: export ANSIBLE_CONFIG=FILE"
        raise UsageError.of("ansible-cfg-invalid", message, hint) from None


def _check_names(names: Iterator[str | None], known: Sequence[str]) -> None:
    for name in names:
        if name is not None and name not in known:
            close = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {close[0]}?" if close else "see the inventory for the names of hosts and groups"
            raise UsageError.of("limit-unknown-name", f"--limit: there is no host or group {name}", hint)


def _merge_same_machines(nodes: Sequence[Node], others: Sequence[Node]) -> list[Node]:
    """Return a node for each machine of `nodes`, with what `others` say of the same machine."""
    merged: dict[tuple[str, int, str], Node] = {}
    for node in nodes:
        place = _place(node)
        first = merged.get(place)
        merged[place] = _merge(first, node) if first else node
    for node in others:
        place = _place(node)
        if place in merged:
            merged[place] = _merge(merged[place], node)
    return list(merged.values())


def _place(node: Node) -> tuple[str, int, str]:
    """Return what two names of one machine have in common. Behind another bastion, an address is another machine."""
    if node.connection == "local":
        return "", 0, ""
    try:
        address = str(ipaddress.ip_address(node.address))
    except ValueError:
        address = node.address.lower()
    return address, node.port or SSH_PORT, node.ssh_common_args


def _merge(first: Node, other: Node) -> Node:
    """Return `first` with the name, the groups and the variables of `other` that it does not have."""
    return replace(
        first,
        aliases=(*first.aliases, other.name),
        groups=tuple(dict.fromkeys((*first.groups, *other.groups))),
        variables={**other.variables, **first.variables},
        skip_reason=first.skip_reason or other.skip_reason,
    )
