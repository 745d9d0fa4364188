"""The nodes of an inventory, how to reach them, and which part of them a run is about."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harbor_agent.model.sensitive import Sensitive

# The inventory variables of this tool; other tools may use further ones that start with `harbor_`.
REGISTRIES = "harbor_registries"
ROUTE = "harbor_route"
RUNTIME = "harbor_runtime"
SKIP = "harbor_skip"
OWN_VARIABLES = (REGISTRIES, ROUTE, RUNTIME, SKIP)
SSH_PORT = 22


@dataclass(frozen=True, slots=True, kw_only=True)
class VaultSources:
    """The sources of ansible-vault passwords, in addition to those in ansible.cfg.

    `ids` are `LABEL@SOURCE` or `SOURCE`, a source being a file, a script that prints the password, or `prompt`.
    """

    ids: tuple[str, ...] = ()
    password_files: tuple[str, ...] = ()
    ask: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Become:
    """The way to become root on a node whose login user is not root.

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

    `name` is the inventory's name, `aliases` other names of the same machine. `address` is the one to connect to.
    `variables` are this tool's inventory variables (templated), and any that seem to be misspelled (as they are).
    Everything about the connection has a field; `None` leaves it to ssh's configuration. `skip_reason` is the value of
    `harbor_skip`.
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

    @property
    def place(self) -> str:
        """Where it is, which distinguishes it from a node of the same name in another inventory."""
        return f"{self.address}:{self.port or SSH_PORT}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shard:
    """One of `count` parts of a fleet, numbered from 1. The first one also does what is done once for the cluster."""

    index: int
    count: int

    def __post_init__(self) -> None:
        """Raise ValueError for a shard that does not exist."""
        if not 1 <= self.index <= self.count:
            raise ValueError(f"shard {self.index} of {self.count} does not exist")

    @property
    def is_first(self) -> bool:
        """Whether this shard does what is done once for the cluster: logins, DNS and secrets."""
        return self.index == 1

    def __str__(self) -> str:
        """Return it as the command line has it, such as "2/4"."""
        return f"{self.index}/{self.count}"


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeSet:
    """How many nodes there are, and the SHA-256 (hex) of their list, by which two controllers compare what they see."""

    nodes: int
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What the nodes of a run were selected from.

    `inventory` are all hosts of the inventory, with their addresses; `fleet` the names of the nodes that `--limit`
    selects, of which the run has those of its shard. Without a shard it has all of them.
    """

    inventory: NodeSet
    fleet: NodeSet
    shard: Shard | None = None

    @property
    def does_cluster_part(self) -> bool:
        """Whether the run does what is done once for the cluster: logins, DNS and secrets."""
        return self.shard is None or self.shard.is_first
