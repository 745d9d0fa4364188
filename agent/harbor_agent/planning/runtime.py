"""What every runtime family offers to planning, and the one rule that every change must pass."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from harbor_agent.errors import Problem

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Iterator, Sequence

    from harbor_agent.model.daemon import RunningContainer
    from harbor_agent.model.plan import Plan, Refusal
    from harbor_agent.model.policy import DesiredState
    from harbor_agent.model.state import FileState, NodeState, Record
    from harbor_agent.planning.files.render import Templates


@dataclass(frozen=True, slots=True, kw_only=True)
class InEffect:
    """What a runtime would run with after a start with the node's files.

    `entries` are the registries that it trusts, as it lists them (`normalize_range`). `foreign` is everything else that
    a change must leave as it was; it is only compared.
    """

    entries: tuple[str, ...]
    foreign: Hashable


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessState:
    """What a runtime's process runs with, and its containers: None for anything that it does not report.

    `version` is "" if it is not known, also from the program.
    """

    version: str = ""
    entries: tuple[str, ...] | None = None
    arguments: tuple[str, ...] | None = None
    containers: tuple[RunningContainer, ...] | None = None


class FileTree(Protocol):
    """A file system tree without a running system."""

    def state(self, path: str) -> FileState:
        """Return the file at `path`."""

    def names(self, directory: str) -> Sequence[str]:
        """Return the sorted names in `directory`, none if there is no such directory."""


class Runtime(Protocol):
    """One container runtime; each family has a module that satisfies this.

    `NAME` is the name in plans, records and the node's programs; `DAEMON` is the program that people know.
    `ALWAYS_TRUSTED` are entries that it trusts without any configuration. `TEMPLATES` are files in templates/.
    """

    NAME: str
    DAEMON: str
    ALWAYS_TRUSTED: tuple[str, ...]
    TEMPLATES: tuple[str, ...]

    def is_present(self, state: NodeState) -> bool:
        """Whether the node has this runtime."""

    def is_running(self, state: NodeState) -> bool:
        """Whether the daemon runs."""

    def is_in_use(self, state: NodeState) -> bool:
        """Whether the daemon runs, or systemd starts it at boot."""

    def find_socket(self, state: NodeState) -> str | None:
        """Return the CRI socket on which the daemon listens, "" if kubelet reaches it through another program.

        None if kubelet cannot use this runtime at all.
        """

    def plan(self, node: str, state: NodeState, desired: DesiredState, templates: Templates) -> Plan | Refusal:
        """Plan the change to the desired state. Never raises for what is on the node."""

    def restore(self, node: str, state: NodeState, earlier: Sequence[FileState], reason: str) -> Plan | Refusal:
        """Plan the restoration of `earlier` files, given in the order in which they were changed."""

    def evaluate_files(self, state: NodeState) -> InEffect:
        """Evaluate the node's files. Raises RefusedError for files that cannot be evaluated."""

    def describe_process(self, state: NodeState) -> ProcessState:
        """Return what the running process reports."""

    def observe_tree(self, tree: FileTree, version: str) -> NodeState:
        """Read what planning needs from a file system tree, for a runtime of this version."""


def normalize_range(entry: str) -> str:
    """Return an address range by its first address, as Go's ParseCIDR does; any other entry is unchanged."""
    network = parse_range(entry)
    return entry if network is None else str(network)


def parse_range(entry: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    """Parse an address range; None for any other entry."""
    if "/" not in entry:
        return None
    try:
        return ipaddress.ip_network(entry, strict=False)
    except ValueError:
        return None


def takes_effect(before: InEffect, after: InEffect, *, added: Iterable[str] = (), removed: Iterable[str] = ()) -> bool:
    """Whether a change adds and removes these entries, and changes nothing else."""
    entries = set(after.entries)
    return (
        entries.issuperset(map(normalize_range, added))
        and entries.isdisjoint(map(normalize_range, removed))
        and after.foreign == before.foreign
    )


def find_unrequested_entries(record: Record | None, desired: DesiredState) -> Iterator[Problem]:
    """Yield a warning for each entry that this tool added and that the request does not name."""
    named = tuple(f"{address.entry}/" for address in (*desired.present, *desired.absent))
    for entry in record.entries if record else ():
        # a part of a registry that is requested is part of the request
        if not f"{entry}/".startswith(named):
            yield Problem(
                code="ours-no-longer-wanted",
                message=f"{entry} was added by this tool and is no longer requested",
                hint=f"it stays until you name it: --absent --registry {entry}, or 'state: absent'",
            )
