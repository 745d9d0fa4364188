"""How a host's variables and Ansible's settings say to become root."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal

from harbor_agent.errors import UsageError
from harbor_agent.inventory.variables import is_true, read_text
from harbor_agent.model.inventory import Become
from harbor_agent.model.sensitive import Sensitive

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from harbor_agent.inventory.variables import Variables

# The variables of each setting, as Ansible's sudo and su plugins list them: the last one that is set counts.
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
BECOME_SECRETS = frozenset((*_BECOME_PASSWORD["sudo"], *_BECOME_PASSWORD["su"]))
# Words that mean the same to every shell.
_PLAIN_WORDS = re.compile(r"[A-Za-z0-9_./=:,@%+ -]*")
_OTHER_TRANSPORT = "use --transport ansible, which becomes root with Ansible's own plugins; or log in as root"


def build_become(
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
    if switch is not None and not is_true(switch):
        return None
    method_name = read_text({**defaults, **switches}, _BECOME_METHOD)
    method = _parse_become_method(method_name)
    if method is None:
        if any_become:
            return None
        message = f"host {name}: ansible_become_method is {method_name}; supported: sudo, su, community.general.sudosu"
        raise UsageError.of("inventory-variable-invalid", message, _OTHER_TRANSPORT)
    plugin = "sudo" if method == "sudosu" else method
    names = (*_BECOME_USER[plugin], *_BECOME_PASSWORD[plugin], *_BECOME_EXECUTABLE[plugin], *_BECOME_FLAGS[plugin])
    values = {**become_defaults(plugin), **variables.values(names, secret=BECOME_SECRETS)}
    user, password = read_text(values, _BECOME_USER[plugin]), read_text(values, _BECOME_PASSWORD[plugin])
    executable, flags = (read_text(values, names[plugin]) or "" for names in (_BECOME_EXECUTABLE, _BECOME_FLAGS))
    if not any_become:
        for variable, words in (("ansible_become_exe", executable), ("ansible_become_flags", flags)):
            if words and (method == "sudosu" or not _PLAIN_WORDS.fullmatch(words)):
                message = f"host {name}: {variable} is {words!a}, which is not supported over SSH"
                raise UsageError.of("inventory-variable-invalid", message, _OTHER_TRANSPORT)
    required = switch or is_true(defaults.get("ansible_become"))
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
