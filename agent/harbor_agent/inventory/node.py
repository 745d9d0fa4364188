"""The variables of one host → how its node is reached, and what is wanted of it."""

from __future__ import annotations

import difflib
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from harbor_agent.errors import UsageError
from harbor_agent.model.inventory import OWN_VARIABLES, SKIP, Become, Node
from harbor_agent.model.sensitive import Sensitive

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
    from typing import Protocol

    class Variables(Protocol):
        """The variables of one host, filled in on demand."""

        @property
        def names(self) -> Iterable[str]:
            """The names of all variables."""
            ...

        def as_written(self, name: str) -> object:
            """Return the value with nothing filled in."""
            ...

        def values(self, names: Collection[str], *, secret: Collection[str] = ()) -> dict[str, object]:
            """Return those of `names` that are set, filled in. Raises UsageError."""
            ...


# Names of one setting, as Ansible's ssh, sudo and su plugins list them: of several that are set, the last counts.
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
_WHERE = (*_CONNECTION, *_ADDRESS, *_PORT, *_ARGUMENTS)
_LOGIN = (*_USER, *_PASSWORD, *_KEY)
_SECRET = frozenset((*_PASSWORD, *_BECOME_PASSWORD["sudo"], *_BECOME_PASSWORD["su"]))
_SSH_CONNECTIONS = frozenset({"ssh", "smart", "paramiko", "paramiko_ssh"})
_IMPLIED_GROUPS = frozenset({"all", "ungrouped"})
_OWN_PREFIX = "harbor_"
_HIGHEST_PORT = 65535
_TRUE = frozenset({"true", "yes", "on", "1", "y", "t"})
_FALSE = frozenset({"", "false", "no", "off", "0", "n", "f"})


def node_of(
    name: str,
    groups: Sequence[str],
    variables: Variables,
    *,
    defaults: Mapping[str, object],
    become_defaults: Callable[[str], Mapping[str, object]],
) -> Node:
    """Return the node of a host; `defaults` are what ansible.cfg says of connections, under names of variables.

    Of a host that is skipped nothing is looked at but where it is. Raises UsageError naming host and variable.
    """
    skip_reason = _skip_reason(variables.values([SKIP]).get(SKIP))
    if skip_reason is not None:
        return _skipped(name, groups, variables, defaults, skip_reason)
    values = {**defaults, **variables.values(_LOGIN, secret=_SECRET)}
    password = _text(values, _PASSWORD)
    return replace(
        _whereabouts(name, groups, variables, defaults),
        user=_text(values, _USER),
        private_key_file=_text(values, _KEY),
        password=Sensitive(password) if password else None,
        become=_become(name, variables, defaults, become_defaults),
        variables={**_mistyped(variables), **variables.values(OWN_VARIABLES)},
    )


def bystander_of(
    name: str, groups: Iterable[str], variables: Variables, *, defaults: Mapping[str, object]
) -> Node | None:
    """Return where a host is that was not asked for, and what is wanted of it: it may be another name of one that was.

    None where that cannot be told; what is wrong with such a host is not minded.
    """
    try:
        own = variables.values(OWN_VARIABLES)
        return replace(
            _whereabouts(name, groups, variables, defaults), variables=own, skip_reason=_skip_reason(own.get(SKIP))
        )
    except UsageError:
        return None


def _whereabouts(name: str, groups: Iterable[str], variables: Variables, defaults: Mapping[str, object]) -> Node:
    values = {**defaults, **variables.values(_WHERE)}
    return Node(
        name=name,
        address=_text(values, _ADDRESS) or name,
        port=_port(name, values),
        connection=_connection(name, values),
        ssh_common_args=_arguments(values),
        groups=tuple(group for group in groups if group not in _IMPLIED_GROUPS),
    )


def _skipped(
    name: str, groups: Sequence[str], variables: Variables, defaults: Mapping[str, object], reason: str
) -> Node:
    """Return a node that is left alone. Where it is shows other names of it; what is wrong there is not minded."""
    try:
        return replace(_whereabouts(name, groups, variables, defaults), skip_reason=reason)
    except UsageError:
        named = tuple(group for group in groups if group not in _IMPLIED_GROUPS)
        return Node(name=name, address=name, groups=named, skip_reason=reason)


def _text(variables: Mapping[str, object], names: Sequence[str]) -> str | None:
    values = [variables[name] for name in names if variables.get(name) not in (None, "")]
    return str(values[-1]) if values else None


def _arguments(variables: Mapping[str, object]) -> str:
    """Return ssh's arguments in the order in which Ansible puts them on its command line."""
    arguments = (_text(variables, (name,)) for name in _ARGUMENTS)
    return " ".join(argument for argument in arguments if argument)


def _port(name: str, variables: Mapping[str, object]) -> int | None:
    text = _text(variables, _PORT)
    if text is None:
        return None
    if not text.isdecimal() or not 1 <= int(text) <= _HIGHEST_PORT:
        message = f"host {name}: ansible_port is '{text}', not a number from 1 to 65535"
        raise UsageError.of("inventory-variable-invalid", message)
    return int(text)


def _become(
    name: str,
    variables: Variables,
    defaults: Mapping[str, object],
    become_defaults: Callable[[str], Mapping[str, object]],
) -> Become | None:
    """Return how to become root; None where nothing says anything of it, or the inventory says not to."""
    switches = variables.values((*_BECOME, *_BECOME_METHOD))
    said = switches.get("ansible_become")
    if said is not None and not _is_true(said):
        return None
    given = _text({**defaults, **switches}, _BECOME_METHOD)
    method = _become_method(name, given)
    names = (*_BECOME_USER[method], *_BECOME_PASSWORD[method])
    values = {**become_defaults(method), **variables.values(names, secret=_SECRET)}
    user, password = _text(values, _BECOME_USER[method]), _text(values, _BECOME_PASSWORD[method])
    wanted = said or _is_true(defaults.get("ansible_become"))
    if not (wanted or password or given or user):
        return None
    return Become(method=method, user=user or "root", password=Sensitive(password) if password else None)


def _become_method(name: str, method: str | None) -> Literal["sudo", "su"]:
    match (method or "sudo").removeprefix("ansible.builtin."):
        case "sudo":
            return "sudo"
        case "su":
            return "su"
        case other:
            message = f"host {name}: ansible_become_method is {other}; there are sudo and su"
            raise UsageError.of("inventory-variable-invalid", message)


def _connection(name: str, variables: Mapping[str, object]) -> Literal["ssh", "local"]:
    connection = (_text(variables, _CONNECTION) or "ssh").rpartition(".")[2]
    if connection == "local":
        return "local"
    if connection in _SSH_CONNECTIONS:
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


def _mistyped(variables: Variables) -> dict[str, object]:
    """Return, as written, variables whose names look like one of ours; `harbor_admin_password` is somebody else's."""
    ours = [name.removeprefix(_OWN_PREFIX) for name in OWN_VARIABLES]
    names = [name for name in variables.names if name.startswith(_OWN_PREFIX) and name not in OWN_VARIABLES]
    return {n: variables.as_written(n) for n in names if difflib.get_close_matches(n.removeprefix(_OWN_PREFIX), ours)}
