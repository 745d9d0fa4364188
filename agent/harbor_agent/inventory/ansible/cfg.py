"""The settings of ansible.cfg and of ANSIBLE_ environment variables for inventories and connections.

Ansible reads the file when it is imported, so this module is imported within `silence_ansible` only.
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
from harbor_agent.inventory.ansible.prepare import is_setting

if TYPE_CHECKING:
    from collections.abc import Mapping

_DEFAULT = "default"
# Variables and the settings of Ansible's ssh plugin that they override (ansible-doc -t connection ssh).
_CONNECTION = {
    "ansible_port": "port",
    "ansible_user": "remote_user",
    "ansible_ssh_args": "ssh_args",
    "ansible_ssh_common_args": "ssh_common_args",
    "ansible_ssh_extra_args": "ssh_extra_args",
}
# The same for its sudo and su plugins (ansible-doc -t become sudo).
_BECOME = {
    "ansible_become_user": "become_user",
    "ansible_become_password": "become_pass",
    "ansible_become_exe": "become_exe",
    "ansible_become_flags": "become_flags",
}
_GENERAL = {
    "ansible_connection": "DEFAULT_TRANSPORT",
    "ansible_private_key_file": "DEFAULT_PRIVATE_KEY_FILE",
    "ansible_become": "DEFAULT_BECOME",
    "ansible_become_method": "DEFAULT_BECOME_METHOD",
}


def default_sources() -> tuple[str, ...]:
    """Return the inventories that ansible.cfg or $ANSIBLE_INVENTORY name; none if neither does.

    Ansible's own default, /etc/ansible/hosts, is not used: a cluster is changed only if the user names its inventory.
    """
    sources, origin = constants.config.get_config_value_and_origin("DEFAULT_HOST_LIST")
    return () if origin == _DEFAULT else tuple(str(source) for source in sources)


def find_ignored_file() -> Problem | None:
    """Return a warning if Ansible ignores the ansible.cfg of the current directory because that is world-writable."""
    folder = Path.cwd()
    file = folder / "ansible.cfg"
    if not folder.stat().st_mode & stat.S_IWOTH or not file.exists() or "ANSIBLE_CONFIG" in os.environ:
        return None
    return Problem(
        code="ansible-cfg-ignored",
        message=f"{file} is ignored because its directory is world-writable",
        hint=f"chmod o-w {folder}, or export ANSIBLE_CONFIG={file}",
    )


@cache
def connection_defaults() -> Mapping[str, object]:
    """Return the connection settings that apply to all hosts, under the names of Ansible's variables for them.

    Raises UsageError for an invalid value.
    """
    if not _has_settings():
        return {}
    connection_loader.get("ssh", class_only=True)
    found = {name: _read(option, plugin_type="connection", plugin_name="ssh") for name, option in _CONNECTION.items()}
    found |= {name: _read(option) for name, option in _GENERAL.items()}
    return {name: value for name, value in found.items() if value is not None}


@cache
def become_defaults(method: str) -> Mapping[str, object]:
    """Return the same for becoming root: `method` is sudo or su."""
    if not _has_settings():
        return {}
    become_loader.get(method, class_only=True)
    found = {name: _read(option, plugin_type="become", plugin_name=method) for name, option in _BECOME.items()}
    return {name: value for name, value in found.items() if value is not None}


def requires_password_prompts() -> tuple[bool, bool]:
    """Return whether to prompt for the login password (`ask_pass`) and the become password (`become_ask_pass`)."""
    return bool(_read("DEFAULT_ASK_PASS")), bool(_read("DEFAULT_BECOME_ASK_PASS"))


def _has_settings() -> bool:
    """Whether there is a file or an environment variable; reading the plugins' options takes 0.1 s."""
    return bool(constants.CONFIG_FILE) or any(map(is_setting, os.environ))


def _read(option: str, **plugin: str) -> object:
    """Return the value of a setting; None if it is not set. Raises UsageError for an invalid value."""
    try:
        value, origin = constants.config.get_config_value_and_origin(option, **plugin)
    except AnsibleError as error:
        message = f"{constants.CONFIG_FILE or 'the environment'}: {' '.join(str(error).split())}"
        hint = "list the settings with: ansible-config dump --only-changed"
        raise UsageError.of("ansible-cfg-invalid", message, hint) from None
    return None if origin == _DEFAULT else value
