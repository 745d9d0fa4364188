"""Inventories as Ansible understands them: INI, YAML, directories, host lists, with group_vars and host_vars."""

from __future__ import annotations

import contextlib
import difflib
import io
import os
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from agent.errors import UsageError
from agent.model.inventory import Become, Node
from agent.model.sensitive import Sensitive
from agent.transport.known_hosts import SSH_PORT

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

# Names of one setting, as Ansible's ssh, sudo and su plugins list them: of several that are set, the last counts.
_ADDRESS = ("ansible_host", "ansible_ssh_host")
_PORT = ("ansible_port", "ansible_ssh_port")
_USER = ("ansible_user", "ansible_ssh_user")
_PASSWORD = ("ansible_password", "ansible_ssh_pass", "ansible_ssh_password")
_KEY = ("ansible_private_key_file", "ansible_ssh_private_key_file")
_ARGUMENTS = ("ansible_ssh_args", "ansible_ssh_common_args", "ansible_ssh_extra_args")
_BECOME_USER = ("ansible_become_user", "ansible_sudo_user", "ansible_su_user")
_BECOME_PASSWORD = ("ansible_become_password", "ansible_become_pass", "ansible_sudo_pass", "ansible_su_pass")
_SSH_CONNECTIONS = frozenset({"ssh", "smart", "paramiko", "paramiko_ssh"})
_IMPLIED_GROUPS = frozenset({"all", "ungrouped"})
_HIGHEST_PORT = 65535
_TRUE = frozenset({"true", "yes", "on", "1", "y", "t"})
_FALSE = frozenset({"", "false", "no", "off", "0", "n", "f"})


def load_inventory(sources: Sequence[str], *, limit: str | None = None) -> list[Node]:
    """Return the nodes that `sources` name, in their order; with `limit`, those its Ansible patterns select.

    Hosts with the same address and port are one node: the first name counts, the others become aliases. Raises
    UsageError for what Ansible only warns about: a source that is missing or cannot be parsed (with file and line), no
    hosts at all, a name in `limit` that is neither host nor group, a `limit` that selects nothing. Nothing is printed.
    """
    paths = [_source(source) for source in sources]
    with _ansible_prepared():
        from agent.transport import ansible_inventory  # noqa: PLC0415 - 0.3 s that only an inventory costs

        inventory = ansible_inventory.Inventory(paths)
        patterns = list(ansible_inventory.split_patterns(limit)) if limit else None
        _check_names(map(ansible_inventory.plain_name, patterns or ()), inventory.names)
        if not inventory.select(None):
            raise UsageError.of(
                "inventory-empty", f"there is no host in {', '.join(sources)}", "name at least one host"
            )
        hosts = inventory.select(patterns)
        if not hosts:
            raise UsageError.of("limit-matches-nothing", f"--limit {limit} selects none of the inventory's hosts")
        groups = {host.name: tuple(group.name for group in host.get_groups()) for host in hosts}
        nodes = [_node(host.name, groups[host.name], inventory.variables(host)) for host in hosts]
    return _merge_same_machines(nodes)


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
            yield
    finally:
        if before is None:
            del os.environ["ANSIBLE_LOCAL_TEMP"]


def _check_names(names: Iterator[str | None], known: Sequence[str]) -> None:
    for name in names:
        if name is not None and name not in known:
            close = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {close[0]}?" if close else "see the inventory for the names of hosts and groups"
            raise UsageError.of("limit-unknown-name", f"--limit: there is no host or group {name}", hint)


def _node(name: str, groups: tuple[str, ...], variables: Mapping[str, object]) -> Node:
    skip_reason = _skip_reason(variables.get("harbor_skip"))
    password = _text(variables, _PASSWORD)
    arguments = (_text(variables, (argument,)) for argument in _ARGUMENTS)
    return Node(
        name=name,
        address=_text(variables, _ADDRESS) or name,
        port=_port(name, variables),
        user=_text(variables, _USER),
        private_key_file=_text(variables, _KEY),
        password=Sensitive(password) if password else None,
        become=_become(name, variables),
        connection=_connection(name, variables, skipped=skip_reason is not None),
        ssh_common_args=" ".join(argument for argument in arguments if argument),
        groups=tuple(group for group in groups if group not in _IMPLIED_GROUPS),
        variables={key: value for key, value in variables.items() if key.startswith("harbor_")},
        skip_reason=skip_reason,
    )


def _text(variables: Mapping[str, object], names: Sequence[str]) -> str | None:
    values = [variables[name] for name in names if variables.get(name) not in (None, "")]
    return str(values[-1]) if values else None


def _port(name: str, variables: Mapping[str, object]) -> int | None:
    text = _text(variables, _PORT)
    if text is None:
        return None
    if not text.isdecimal() or not 1 <= int(text) <= _HIGHEST_PORT:
        message = f"host {name}: ansible_port is '{text}', not a number from 1 to 65535"
        raise UsageError.of("inventory-variable-invalid", message)
    return int(text)


def _become(name: str, variables: Mapping[str, object]) -> Become | None:
    """Return how to become root; None where the inventory says nothing of it, or not to."""
    wanted = variables.get("ansible_become")
    password = _text(variables, _BECOME_PASSWORD)
    method = _text(variables, ("ansible_become_method",))
    user = _text(variables, _BECOME_USER)
    if (wanted is not None and not _is_true(wanted)) or not (wanted or password or method or user):
        return None
    return Become(
        method=_become_method(name, method),
        user=user or "root",
        password=Sensitive(password) if password else None,
    )


def _become_method(name: str, method: str | None) -> Literal["sudo", "su"]:
    match (method or "sudo").removeprefix("ansible.builtin."):
        case "sudo":
            return "sudo"
        case "su":
            return "su"
        case other:
            message = f"host {name}: ansible_become_method is {other}; there are sudo and su"
            raise UsageError.of("inventory-variable-invalid", message)


def _connection(name: str, variables: Mapping[str, object], *, skipped: bool) -> Literal["ssh", "local"]:
    connection = (_text(variables, ("ansible_connection",)) or "ssh").rpartition(".")[2]
    if connection == "local":
        return "local"
    if connection in _SSH_CONNECTIONS or skipped:
        return "ssh"
    message = f"host {name}: ansible_connection is {connection}; nodes are reached with ssh or local"
    raise UsageError.of("inventory-variable-invalid", message, "leave the host out with --limit or harbor_skip")


def _is_true(value: object) -> bool:
    return str(value).lower() in _TRUE


def _skip_reason(value: object) -> str | None:
    """Return why the node is left alone; INI files have no booleans, so their words for one count too."""
    text = "" if value is None else str(value).strip()
    if text.lower() in _FALSE:
        return None
    return "harbor_skip is set" if text.lower() in _TRUE else text


def _merge_same_machines(nodes: Sequence[Node]) -> list[Node]:
    merged: dict[tuple[str, int], Node] = {}
    for node in nodes:
        place = (node.address.lower(), node.port or SSH_PORT)
        first = merged.get(place)
        merged[place] = _merge(first, node) if first else node
    return list(merged.values())


def _merge(first: Node, other: Node) -> Node:
    """Return `first` with the name, the groups and the variables of `other` that it does not have."""
    return replace(
        first,
        aliases=(*first.aliases, other.name),
        groups=tuple(dict.fromkeys((*first.groups, *other.groups))),
        variables={**other.variables, **first.variables},
        skip_reason=first.skip_reason or other.skip_reason,
    )
