"""From the variables of one host to a node: how to reach it, and its `harbor_` variables."""

from __future__ import annotations

import difflib
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from harbor_agent.errors import UsageError
from harbor_agent.inventory.become import BECOME_SECRETS, build_become
from harbor_agent.inventory.variables import is_true, read_text
from harbor_agent.model.inventory import OWN_VARIABLES, SKIP, Node
from harbor_agent.model.sensitive import Sensitive

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from harbor_agent.inventory.variables import Variables


# The variables of each setting, as Ansible's ssh, sudo and su plugins list them: the last one that is set counts.
_CONNECTION = ("ansible_connection",)
_ADDRESS = ("ansible_host", "ansible_ssh_host")
_PORT = ("ansible_port", "ansible_ssh_port")
_USER = ("ansible_user", "ansible_ssh_user")
_PASSWORD = ("ansible_password", "ansible_ssh_pass", "ansible_ssh_password")
_KEY = ("ansible_private_key_file", "ansible_ssh_private_key_file")
_ARGUMENTS = ("ansible_ssh_args", "ansible_ssh_common_args", "ansible_ssh_extra_args")
_LOCATION = (*_CONNECTION, *_ADDRESS, *_PORT, *_ARGUMENTS)
_LOGIN = (*_USER, *_PASSWORD, *_KEY)
_SECRET = BECOME_SECRETS.union(_PASSWORD)
_SSH_CONNECTIONS = frozenset({"ssh", "smart", "paramiko", "paramiko_ssh"})
_IMPLIED_GROUPS = frozenset({"all", "ungrouped"})
_OWN_PREFIX = "harbor_"
_HIGHEST_PORT = 65535
_WITH_PORT = re.compile(r"([^:]+|\[.*\]):([0-9]{1,5})")
_FALSE = frozenset({"", "false", "no", "off", "0", "n", "f"})


def build_node(  # noqa: PLR0913 - what applies to all hosts, and what to this one
    name: str,
    groups: Sequence[str],
    variables: Variables,
    *,
    defaults: Mapping[str, object],
    become_defaults: Callable[[str], Mapping[str, object]],
    any_become: bool = False,
) -> Node:
    """Return the node of a host; `defaults` are the settings of ansible.cfg, under names of variables.

    With `any_become`, Ansible becomes root on the node, so any method is allowed.
    Only the location of a skipped host is read. Raises UsageError with host and variable for an invalid value.
    """
    skip_reason = _parse_skip_reason(variables.values([SKIP]).get(SKIP))
    if skip_reason is not None:
        return _build_skipped_node(name, groups, variables, defaults, skip_reason)
    values = {**defaults, **variables.values(_LOGIN, secret=_SECRET)}
    for names in (_USER, _KEY):
        _require_plain(name, values, names)
    password = read_text(values, _PASSWORD)
    return replace(
        _locate_node(name, groups, variables, defaults),
        user=read_text(values, _USER) or _read_user_of_address(name, variables, defaults),
        private_key_file=read_text(values, _KEY),
        password=Sensitive(password) if password else None,
        become=build_become(name, variables, defaults, become_defaults, any_become=any_become),
        variables={**_find_mistyped(variables), **variables.values(OWN_VARIABLES)},
    )


def build_unselected_node(
    name: str, groups: Iterable[str], variables: Variables, *, defaults: Mapping[str, object]
) -> Node | None:
    """Return the location and the `harbor_` variables of a host that was not selected; None if they are invalid.

    The host may be another name of a machine that was selected.
    """
    try:
        own = variables.values(OWN_VARIABLES)
        return replace(
            _locate_node(name, groups, variables, defaults),
            variables=own,
            skip_reason=_parse_skip_reason(own.get(SKIP)),
        )
    except UsageError:
        return None


def build_bastion(name: str, groups: Iterable[str], variables: Variables, *, defaults: Mapping[str, object]) -> Node:
    """Return the location and the login of a host that others are reached through. Raises UsageError."""
    values = {**defaults, **variables.values((*_USER, *_KEY))}
    location = _locate_node(name, groups, variables, defaults)
    return replace(location, user=read_text(values, _USER), private_key_file=read_text(values, _KEY))


def _locate_node(name: str, groups: Iterable[str], variables: Variables, defaults: Mapping[str, object]) -> Node:
    values = {**defaults, **variables.values(_LOCATION)}
    if not _is_plain(name):
        message = f"host {name!a}: the name has a character that is not allowed"
        raise UsageError.of("inventory-variable-invalid", message, "correct the name; save the file as UTF-8")
    for names in (_ADDRESS, _ARGUMENTS):
        _require_plain(name, values, names)
    return Node(
        name=name,
        address=_parse_address(name, values),
        port=_parse_port(name, values),
        connection=_parse_connection(name, values),
        ssh_common_args=_join_arguments(values),
        groups=tuple(group for group in groups if group not in _IMPLIED_GROUPS),
    )


def _build_skipped_node(
    name: str, groups: Sequence[str], variables: Variables, defaults: Mapping[str, object], reason: str
) -> Node:
    """Return a node to skip, with its location if that is valid: other names of the machine have the same one."""
    try:
        return replace(_locate_node(name, groups, variables, defaults), skip_reason=reason)
    except UsageError:
        named = tuple(group for group in groups if group not in _IMPLIED_GROUPS)
        return Node(name=name, address=name, groups=named, skip_reason=reason)


def _is_plain(text: str) -> bool:
    """Whether a text has no control characters and no lone surrogates, which stand for bytes that are not UTF-8."""
    return not re.search("[\0-\x1f\x7f\ud800-\udfff]", text)


def _require_plain(name: str, variables: Mapping[str, object], names: Sequence[str]) -> None:
    text = read_text(variables, names)
    if text is not None and not _is_plain(text):
        message = f"host {name}: {names[0]} is {text!a}, which has a character that is not allowed"
        raise UsageError.of("inventory-variable-invalid", message, "correct the value; save the file as UTF-8")


def _join_arguments(variables: Mapping[str, object]) -> str:
    """Return the arguments for ssh in the order of Ansible's command line."""
    arguments = (read_text(variables, (name,)) for name in _ARGUMENTS)
    return " ".join(argument for argument in arguments if argument)


def _parse_address(name: str, variables: Mapping[str, object]) -> str:
    text = (read_text(variables, _ADDRESS) or name).rpartition("@")[2]
    if text != name and (found := _WITH_PORT.fullmatch(text)):
        message = f"host {name}: ansible_host is '{text}', and ssh takes no port there"
        hint = f"write ansible_host={found[1]} ansible_port={found[2]}"
        raise UsageError.of("inventory-variable-invalid", message, hint)
    return text


def _read_user_of_address(name: str, variables: Variables, defaults: Mapping[str, object]) -> str | None:
    """Return the user before an `@`, which ssh takes if no other one is named."""
    values = {**defaults, **variables.values(_ADDRESS)}
    return (read_text(values, _ADDRESS) or name).rpartition("@")[0] or None


def _parse_port(name: str, variables: Mapping[str, object]) -> int | None:
    text = read_text(variables, _PORT)
    if text is None:
        return None
    if not re.fullmatch("[0-9]{1,5}", text) or not 1 <= int(text) <= _HIGHEST_PORT:
        message = f"host {name}: ansible_port is '{text}', not a number from 1 to 65535"
        raise UsageError.of("inventory-variable-invalid", message)
    return int(text)


def _parse_connection(name: str, variables: Mapping[str, object]) -> Literal["ssh", "local"]:
    connection = (read_text(variables, _CONNECTION) or "ssh").rpartition(".")[2]
    if connection == "local":
        return "local"
    if connection in _SSH_CONNECTIONS:
        return "ssh"
    message = f"host {name}: ansible_connection is {connection}; supported: ssh, local"
    raise UsageError.of("inventory-variable-invalid", message, "exclude the host with --limit or harbor_skip")


def _parse_skip_reason(value: object) -> str | None:
    """Return why to skip the node, None to include it. INI files have no booleans, so their words are parsed here."""
    text = "" if value is None else str(value).strip()
    if text.lower() in _FALSE:
        return None
    return "harbor_skip is set" if is_true(text) else text


def _find_mistyped(variables: Variables) -> dict[str, object]:
    """Return the raw values of variables whose names resemble one of ours; `harbor_admin_password` does not."""
    ours = [name.removeprefix(_OWN_PREFIX) for name in OWN_VARIABLES]
    names = [name for name in variables.names if name.startswith(_OWN_PREFIX) and name not in OWN_VARIABLES]
    return {n: variables.raw_value(n) for n in names if difflib.get_close_matches(n.removeprefix(_OWN_PREFIX), ours)}
