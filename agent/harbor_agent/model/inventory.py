"""The nodes that an inventory names, and how each is reached."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harbor_agent.model.sensitive import Sensitive

# The inventory variables of this tool. Others that start with `harbor_` belong to somebody else.
REGISTRIES = "harbor_registries"
ROUTE = "harbor_route"
RUNTIME = "harbor_runtime"
SKIP = "harbor_skip"
OWN_VARIABLES = (REGISTRIES, ROUTE, RUNTIME, SKIP)
SSH_PORT = 22


@dataclass(frozen=True, slots=True, kw_only=True)
class VaultSources:
    """Where the passwords of ansible-vault come from, beyond what ansible.cfg names.

    `ids` are `LABEL@SOURCE` or `SOURCE`, a source being a file, a script that prints the password, or `prompt`.
    """

    ids: tuple[str, ...] = ()
    password_files: tuple[str, ...] = ()
    ask: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Become:
    """How to become root on a node where the login user is not.

    `sudosu` is the method of community.general: `sudo su -l`. `executable` and `flags` are shell words that replace
    those of sudo and su, as `ansible_become_exe` and `ansible_become_flags` do; "" leaves them to the method.
    """

    method: Literal["sudo", "su", "sudosu"] = "sudo"
    user: str = "root"
    password: Sensitive | None = None
    executable: str = ""
    flags: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One machine of the inventory.

    `name` is the inventory's name, `aliases` other names of the same machine. `address` is what is
    connected to. `variables` holds this tool's own inventory variables (templated), and what looks like one of
    them mistyped (as it is); everything about the connection is a field of its own, and `None` leaves it to ssh
    configuration. `skip_reason` is the value of `harbor_skip`.
    """

    name: str
    address: str
    port: int | None = None
    user: str | None = None
    private_key_file: str | None = None
    password: Sensitive | None = None
    become: Become | None = None
    connection: Literal["ssh", "local"] = "ssh"
    ssh_common_args: str = ""
    groups: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    variables: Mapping[str, object] = field(default_factory=dict)
    skip_reason: str | None = None
