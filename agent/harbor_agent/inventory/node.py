"""From the variables of one host to a node: how to reach it, and its `harbor_` variables."""

from __future__ import annotations

import difflib
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from harbor_agent.errors import UsageError
from harbor_agent.model.inventory import OWN_VARIABLES, SKIP, Become, Node
from harbor_agent.model.sensitive import Sensitive

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
    from typing import Protocol

    class Variables(Protocol):
        """The variables of one host, with templates evaluated on demand."""

        @property
        def names(self) -> Iterable[str]:
            """The names of all variables."""
            ...

        def raw_value(self, name: str) -> object:
            """Return the value with its templates not evaluated."""
            ...

        def values(self, names: Collection[str], *, secret: Collection[str] = ()) -> dict[str, object]:
            """Return the values of those `names` that are set. Raises UsageError."""
            ...


# The variables of each setting, as Ansible's ssh, sudo and su plugins list them: the last one that is set counts.
_CONNECTION = ("ansible_connection",)
_ADDRESS = ("ansible_host", "ansible_ssh_host")
_PORT = ("ansible_port", "ansible_ssh_port")
_USER = ("ansible_user", "ansible_ssh_user")
_PASSWORD = ("ansible_password", "ansible_ssh_pass", "ansible_ssh_password")
_KEY = ("ansible_private_key_file", "ansible_ssh_private_key_file")
_ARGUMENTS = ("ansible_ssh_args", "ansible_ssh_common_args", "ansible_ssh_extra_args")
_BECOME = ("ansible_become",)
_BECOME_METHOD = ("ansible_become_method",)
_BECOME_USER = {
    "sudo": ("ansible_become_user", "ansible_sudo_user"),
    "su": ("ansible_become_user", "ansible_su_user"),
}
_BECOME_PASSWORD = {
    "sudo": ("ansible_become_password", "ansible_become_pass", "ansible_sudo_pass"),
    "su": ("ansible_become_password", "ansible_become_pass", "ansible_su_pass"),
}
_BECOME_EXECUTABLE = {
    "sudo": ("ansible_become_exe", "ansible_sudo_exe"),
    "su": ("ansible_become_exe", "ansible_su_exe"),
}
_BECOME_FLAGS = {
    "sudo": ("ansible_become_flags", "ansible_sudo_flags"),
    "su": ("ansible_become_flags", "ansible_su_flags"),
}
_LOCATION = (*_CONNECTION, *_ADDRESS, *_PORT, *_ARGUMENTS)
_LOGIN = (*_USER, *_PASSWORD, *_KEY)
_SECRET = frozenset((*_PASSWORD, *_BECOME_PASSWORD["sudo"], *_BECOME_PASSWORD["su"]))
_SSH_CONNECTIONS = frozenset({"ssh", "smart", "paramiko", "paramiko_ssh"})
_IMPLIED_GROUPS = frozenset({"all", "ungrouped"})
_OWN_PREFIX = "harbor_"
# Words that mean the same to every shell.
_PLAIN_WORDS = re.compile(r"[A-Za-z0-9_./=:,@%+ -]*")
_OTHER_TRANSPORT = "use --transport ansible, which becomes root with Ansible's own plugins; or log in as root"
_HIGHEST_PORT = 65535
_TRUE = frozenset({"true", "yes", "on", "1", "y", "t"})
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
    password = _read_text(values, _PASSWORD)
    return replace(
        _locate_node(name, groups, variables, defaults),
        user=_read_text(values, _USER),
        private_key_file=_read_text(values, _KEY),
        password=Sensitive(password) if password else None,
        become=_build_become(name, variables, defaults, become_defaults, any_become=any_become),
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
    return replace(location, user=_read_text(values, _USER), private_key_file=_read_text(values, _KEY))


def _locate_node(name: str, groups: Iterable[str], variables: Variables, defaults: Mapping[str, object]) -> Node:
    values = {**defaults, **variables.values(_LOCATION)}
    if not _is_plain(name):
        message = f"host {name!a}: the name has a character that is not allowed"
        raise UsageError.of("inventory-variable-invalid", message, "correct the name; save the file as UTF-8")
    for names in (_ADDRESS, _ARGUMENTS):
        _require_plain(name, values, names)
    return Node(
        name=name,
        address=_read_text(values, _ADDRESS) or name,
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
    text = _read_text(variables, names)
    if text is not None and not _is_plain(text):
        message = f"host {name}: {names[0]} is {text!a}, which has a character that is not allowed"
        raise UsageError.of("inventory-variable-invalid", message, "correct the value; save the file as UTF-8")


def _read_text(variables: Mapping[str, object], names: Sequence[str]) -> str | None:
    values = [variables[name] for name in names if variables.get(name) not in (None, "")]
    return str(values[-1]) if values else None


def _join_arguments(variables: Mapping[str, object]) -> str:
    """Return the arguments for ssh in the order of Ansible's command line."""
    arguments = (_read_text(variables, (name,)) for name in _ARGUMENTS)
    return " ".join(argument for argument in arguments if argument)


def _parse_port(name: str, variables: Mapping[str, object]) -> int | None:
    text = _read_text(variables, _PORT)
    if text is None:
        return None
    if not re.fullmatch("[0-9]{1,5}", text) or not 1 <= int(text) <= _HIGHEST_PORT:
        message = f"host {name}: ansible_port is '{text}', not a number from 1 to 65535"
        raise UsageError.of("inventory-variable-invalid", message)
    return int(text)


def _build_become(
    name: str,
    variables: Variables,
    defaults: Mapping[str, object],
    become_defaults: Callable[[str], Mapping[str, object]],
    *,
    any_become: bool,
) -> Become | None:
    """Return how to become root; None if nothing is set, or the inventory says not to, or Ansible becomes root."""
    switches = variables.values((*_BECOME, *_BECOME_METHOD))
    switch = switches.get("ansible_become")
    if switch is not None and not _is_true(switch):
        return None
    method_name = _read_text({**defaults, **switches}, _BECOME_METHOD)
    method = _parse_become_method(method_name)
    if method is None:
        if any_become:
            return None
        message = f"host {name}: ansible_become_method is {method_name}; supported: sudo, su, community.general.sudosu"
        raise UsageError.of("inventory-variable-invalid", message, _OTHER_TRANSPORT)
    plugin = "sudo" if method == "sudosu" else method
    names = (*_BECOME_USER[plugin], *_BECOME_PASSWORD[plugin], *_BECOME_EXECUTABLE[plugin], *_BECOME_FLAGS[plugin])
    values = {**become_defaults(plugin), **variables.values(names, secret=_SECRET)}
    user, password = _read_text(values, _BECOME_USER[plugin]), _read_text(values, _BECOME_PASSWORD[plugin])
    executable, flags = (_read_text(values, names[plugin]) or "" for names in (_BECOME_EXECUTABLE, _BECOME_FLAGS))
    if not any_become:
        for variable, words in (("ansible_become_exe", executable), ("ansible_become_flags", flags)):
            if words and (method == "sudosu" or not _PLAIN_WORDS.fullmatch(words)):
                message = f"host {name}: {variable} is {words!a}, which is not supported over SSH"
                raise UsageError.of("inventory-variable-invalid", message, _OTHER_TRANSPORT)
    required = switch or _is_true(defaults.get("ansible_become"))
    if not (required or password or method_name or user or executable or flags):
        return None
    return Become(
        method=method,
        user=user or "root",
        password=Sensitive(password) if password else None,
        executable=executable,
        flags=flags,
    )


def _parse_become_method(method: str | None) -> Literal["sudo", "su", "sudosu"] | None:
    match (method or "sudo").removeprefix("ansible.builtin."):
        case "sudo":
            return "sudo"
        case "su":
            return "su"
        case "sudosu" | "community.general.sudosu":
            return "sudosu"
        case _:
            return None


def _parse_connection(name: str, variables: Mapping[str, object]) -> Literal["ssh", "local"]:
    connection = (_read_text(variables, _CONNECTION) or "ssh").rpartition(".")[2]
    if connection == "local":
        return "local"
    if connection in _SSH_CONNECTIONS:
        return "ssh"
    message = f"host {name}: ansible_connection is {connection}; supported: ssh, local"
    raise UsageError.of("inventory-variable-invalid", message, "exclude the host with --limit or harbor_skip")


def _is_true(value: object) -> bool:
    return str(value).lower() in _TRUE


def _parse_skip_reason(value: object) -> str | None:
    """Return why to skip the node, None to include it. INI files have no booleans, so their words are parsed here."""
    text = "" if value is None else str(value).strip()
    if text.lower() in _FALSE:
        return None
    return "harbor_skip is set" if text.lower() in _TRUE else text


def _find_mistyped(variables: Variables) -> dict[str, object]:
    """Return the raw values of variables whose names resemble one of ours; `harbor_admin_password` does not."""
    ours = [name.removeprefix(_OWN_PREFIX) for name in OWN_VARIABLES]
    names = [name for name in variables.names if name.startswith(_OWN_PREFIX) and name not in OWN_VARIABLES]
    return {n: variables.raw_value(n) for n in names if difflib.get_close_matches(n.removeprefix(_OWN_PREFIX), ours)}
