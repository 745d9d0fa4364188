"""What ansible.cfg and the environment say of inventories and connections.

Imported with Ansible's surroundings prepared: Ansible finds and reads the file when it is imported.
"""

from __future__ import annotations

import os
import stat
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from ansible import constants
from ansible.errors import AnsibleError
from ansible.plugins.loader import become_loader, connection_loader

from harbor_agent.errors import Problem, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

_DEFAULT = "default"
# The variable that stands above a setting of Ansible's ssh plugin (ansible-doc -t connection ssh).
_CONNECTION = {
    "ansible_port": "port",
    "ansible_user": "remote_user",
    "ansible_ssh_args": "ssh_args",
    "ansible_ssh_common_args": "ssh_common_args",
    "ansible_ssh_extra_args": "ssh_extra_args",
}
# Likewise of its sudo and su plugins.
_BECOME = {"ansible_become_user": "become_user", "ansible_become_password": "become_pass"}
_GENERAL = {
    "ansible_connection": "DEFAULT_TRANSPORT",
    "ansible_private_key_file": "DEFAULT_PRIVATE_KEY_FILE",
    "ansible_become": "DEFAULT_BECOME",
    "ansible_become_method": "DEFAULT_BECOME_METHOD",
}


def default_sources() -> tuple[str, ...]:
    """Return the inventories that ansible.cfg or $ANSIBLE_INVENTORY name; none where neither does.

    /etc/ansible/hosts, which Ansible reads when nobody names anything, does not count: a cluster is not changed
    because of a file that nobody mentioned.
    """
    sources, origin = constants.config.get_config_value_and_origin("DEFAULT_HOST_LIST")
    return () if origin == _DEFAULT else tuple(str(source) for source in sources)


def ignored_file() -> Problem | None:
    """Return what to say where the current folder has an ansible.cfg that Ansible does not read, as anybody may."""
    folder = Path.cwd()
    file = folder / "ansible.cfg"
    if not folder.stat().st_mode & stat.S_IWOTH or not file.exists() or "ANSIBLE_CONFIG" in os.environ:
        return None
    return Problem(
        code="ansible-cfg-ignored",
        message=f"{file} is not read, because anybody may write to its folder",
        hint=f"chmod o-w {folder}, or export ANSIBLE_CONFIG={file}",
    )


@cache
def connection_defaults() -> Mapping[str, object]:
    """Return the variables of connections that are set without the inventory, under Ansible's names for them.

    Raises UsageError for a value that makes no sense.
    """
    if not _anything_set():
        return {}
    connection_loader.get("ssh", class_only=True)
    found = {
        name: _setting(option, plugin_type="connection", plugin_name="ssh") for name, option in _CONNECTION.items()
    }
    found |= {name: _setting(option) for name, option in _GENERAL.items()}
    return {name: value for name, value in found.items() if value is not None}


@cache
def become_defaults(method: str) -> Mapping[str, object]:
    """Return the same for the ways to root: `method` is sudo or su."""
    if not _anything_set():
        return {}
    become_loader.get(method, class_only=True)
    found = {name: _setting(option, plugin_type="become", plugin_name=method) for name, option in _BECOME.items()}
    return {name: value for name, value in found.items() if value is not None}


def password_questions() -> tuple[bool, bool]:
    """Return whether to ask for a password to log in (`ask_pass`), and for one to become root (`become_ask_pass`)."""
    return bool(_setting("DEFAULT_ASK_PASS")), bool(_setting("DEFAULT_BECOME_ASK_PASS"))


def _anything_set() -> bool:
    """Whether there is a file, or a variable in the environment; loading the plugins' options takes 0.1 s."""
    set_here = {"ANSIBLE_LOCAL_TEMP"}
    return bool(constants.CONFIG_FILE) or any(name.startswith("ANSIBLE_") for name in set(os.environ) - set_here)


def _setting(option: str, **plugin: str) -> object:
    try:
        value, origin = constants.config.get_config_value_and_origin(option, **plugin)
    except AnsibleError as error:
        message = f"{constants.CONFIG_FILE or 'the environment'}: {' '.join(str(error).split())}"
        raise UsageError.of(
            "ansible-cfg-invalid", message, "ansible-config dump --only-changed shows what is set"
        ) from None
    return None if origin == _DEFAULT else value
