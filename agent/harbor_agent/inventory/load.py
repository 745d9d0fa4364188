"""Inventories in all the forms that Ansible reads, and files of KubeKey and RKE."""

from __future__ import annotations

import contextlib
import difflib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harbor_agent.errors import UsageError
from harbor_agent.inventory.ansible.prepare import silence_ansible
from harbor_agent.inventory.installers.bastion import (
    BASTION_GROUP,
    describe_route,
    has_kubespray_bastion,
    route_through_bastion,
)
from harbor_agent.inventory.installers.kubekey import is_kubekey
from harbor_agent.inventory.installers.rke import parse_rke_machines
from harbor_agent.inventory.machines import merge_machines
from harbor_agent.inventory.node import build_bastion, build_node, build_unselected_node
from harbor_agent.model.inventory import Node, VaultSources

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from harbor_agent.errors import Problem
    from harbor_agent.inventory.ansible.hosts import Inventory
    from harbor_agent.model.sensitive import Sensitive

# Ansible's library takes 0.3 s to import, so the modules that use it are imported when an inventory is read.

_NAME_ONE = "name one with -i, or set inventory= in ansible.cfg; --transport local covers this machine alone"


def load_inventory(  # noqa: PLR0913 - what to read, and where to report
    sources: Sequence[str],
    *,
    limit: str | None = None,
    vault: VaultSources | None = None,
    warn: Callable[[Problem], None] | None = None,
    note_hosts: Callable[[Sequence[Node]], None] | None = None,
    any_become: bool = False,
) -> list[Node]:
    """Return the nodes of `sources` in their order, or those of them that the Ansible patterns of `limit` select.

    Without sources, those of ansible.cfg or $ANSIBLE_INVENTORY are read. Encrypted files and values are decrypted with
    the passwords of `vault` and those that ansible.cfg names. Hosts with the same address and port are one node: the
    first name counts, the others become aliases, and the node is in the groups of all of them, even of those that
    `limit` excludes. With `any_become`, Ansible becomes root on the nodes, so any method is allowed.

    Raises UsageError for conditions that Ansible only warns about: a source that is missing or cannot be parsed (with
    file and line), an inventory without hosts, a name in `limit` that is neither host nor group, a `limit` that
    selects no host; and for a vault that cannot be decrypted. Prints nothing; calls `warn` with each warning, and
    `note_hosts` with every host of the sources, also those that `limit` excludes: only name and address of them count.
    """
    with silence_ansible():
        from harbor_agent.inventory.ansible import cfg, hosts  # noqa: PLC0415

        ignored = cfg.find_ignored_file()
    if ignored and warn:
        warn(ignored)
    with silence_ansible():
        sources = sources or cfg.default_sources()
        if not sources:
            raise UsageError.of("inventory-missing", "no inventory given", _NAME_ONE)
        inventory = hosts.Inventory([_resolve_source(source) for source in sources], vault or VaultSources())
        patterns = list(hosts.split_patterns(limit)) if limit else None
        _check_names(map(hosts.extract_name, patterns or ()), inventory.names)
        if not inventory.select(None):
            raise UsageError.of("inventory-empty", f"no host in {', '.join(sources)}", "add at least one host")
        selected = inventory.select(patterns)
        if not selected:
            raise UsageError.of("limit-matches-nothing", f"--limit {limit} matches no host of the inventory")
        defaults = cfg.connection_defaults()
        nodes = [
            build_node(
                host.name,
                [group.name for group in host.get_groups()],
                inventory.variables(host),
                defaults=defaults,
                become_defaults=cfg.become_defaults,
                any_become=any_become,
            )
            for host in selected
        ]
        others = list(_iterate_unselected(inventory, selected, defaults)) if patterns else []
        bastion = _find_bastion(inventory, defaults)
        names = [host.name for host in inventory.select(None)]
    if note_hosts:
        located = {node.name: node for node in (*others, *nodes)}
        note_hosts([located.get(name) or Node(name=name, address=name) for name in names])
    if bastion:
        route = describe_route(nodes, bastion)
        if route and warn:
            warn(route)
        nodes, others = route_through_bastion(nodes, bastion), route_through_bastion(others, bastion)
    return merge_machines(nodes, others)


def default_sources() -> tuple[str, ...]:
    """Return the inventories that ansible.cfg or $ANSIBLE_INVENTORY name, as absolute paths or host lists."""
    with silence_ansible():
        from harbor_agent.inventory.ansible import cfg  # noqa: PLC0415

        return tuple(_resolve_source(source) for source in cfg.default_sources())


def ansible_sources(sources: Sequence[str]) -> list[str]:
    """Return `sources` (by default those of ansible.cfg) as Ansible's own programs take them.

    Raises UsageError for a source that is missing, and for a KubeKey or RKE file, which only this tool can read.
    """
    resolved = [_resolve_source(source) for source in sources] or list(default_sources())
    for source in resolved:
        path = Path(source)
        owner = _find_installer(path) if path.is_file() else None
        if owner:
            raise UsageError.of(
                "inventory-not-ansible",
                f"{path} is {owner} file, which Ansible cannot read",
                "use --transport ssh, or write an Ansible inventory",
            )
    return resolved


def _find_installer(path: Path) -> str | None:
    """Return which installer's file this is, with its article; None for an inventory of Ansible."""
    text = path.read_text(encoding="utf-8", errors="surrogateescape")
    if is_kubekey(text):
        return "a KubeKey"
    return "an RKE" if parse_rke_machines(text, str(path)) else None


def vault_passwords() -> list[tuple[str, Sensitive]]:
    """Return the label and the password of every vault that this process has opened for an inventory."""
    if "ansible.parsing.vault" not in sys.modules:
        return []
    from harbor_agent.inventory.ansible import vault  # noqa: PLC0415

    return vault.known_passwords()


def requires_password_prompts() -> tuple[bool, bool]:
    """Return whether ansible.cfg or the environment require a prompt for the login and for the become password."""
    with silence_ansible():
        from harbor_agent.inventory.ansible import cfg  # noqa: PLC0415

        return cfg.requires_password_prompts()


def requires_vault_prompt(sources: VaultSources) -> bool:
    """Return whether `sources`, ansible.cfg or the environment require a prompt for a vault password."""
    with silence_ansible():
        from harbor_agent.inventory.ansible import vault  # noqa: PLC0415

        return vault.requires_prompt(sources)


def _resolve_source(source: str) -> str:
    """Return a host list as it is, and a path made absolute: Ansible takes a relative one for content."""
    if "," in source:
        return source
    path = Path(source).expanduser().absolute()
    if not path.exists():
        hint = f"to name a host, write '{source},' with a comma" if "/" not in source else ""
        raise UsageError.of("inventory-missing", f"inventory not found: {path}", hint)
    return str(path)


def _check_names(names: Iterator[str | None], known: Sequence[str]) -> None:
    for name in names:
        if name is not None and name not in known:
            close = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {close[0]}?" if close else "check the names of hosts and groups in the inventory"
            raise UsageError.of("limit-unknown-name", f"--limit: no host or group is called {name}", hint)


def _find_bastion(inventory: Inventory, defaults: Mapping[str, object]) -> Node | None:
    """Return the host in front of all others; None if there is none, or if it is this machine."""
    if not has_kubespray_bastion(inventory.names):
        return None
    for host in inventory.select([BASTION_GROUP]):
        groups = [group.name for group in host.get_groups()]
        if BASTION_GROUP in groups:
            bastion = build_bastion(host.name, groups, inventory.variables(host), defaults=defaults)
            return bastion if bastion.connection == "ssh" else None
    return None


def _iterate_unselected(
    inventory: Inventory, selected: Sequence[Any], defaults: Mapping[str, object]
) -> Iterator[Node]:
    """Yield the hosts that `--limit` excludes: they may be other names of selected machines."""
    names = {host.name for host in selected}
    for host in inventory.select(None):
        if host.name in names:
            continue
        groups = [group.name for group in host.get_groups()]
        with contextlib.suppress(UsageError):
            node = build_unselected_node(host.name, groups, inventory.variables(host), defaults=defaults)
            if node:
                yield node
