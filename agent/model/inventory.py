"""The nodes that an inventory names, and how each is reached."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agent.model.sensitive import Sensitive


@dataclass(frozen=True, slots=True, kw_only=True)
class Become:
    """How to become root on a node where the login user is not."""

    method: Literal["sudo", "su"] = "sudo"
    user: str = "root"
    password: Sensitive | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One machine of the inventory.

    `name` is the inventory's name, `aliases` other names of the same machine. `address` is what is
    connected to. `variables` holds the inventory variables that start with `harbor_` (templated);
    everything about the connection is a field of its own, and `None` leaves it to ssh configuration.
    `skip_reason` is the value of `harbor_skip`.
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
