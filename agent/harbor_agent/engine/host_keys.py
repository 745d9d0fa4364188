"""Adds the host keys of nodes and bastions to known_hosts, after a person has compared them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from harbor_agent.engine.events import Phase
from harbor_agent.engine.plan.fleet import load_nodes
from harbor_agent.errors import ExitCode
from harbor_agent.transport.ssh.host_keys import HostKeys, KeyStatus, add_host_keys

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from harbor_agent.engine.events import Listener
    from harbor_agent.engine.request.request import NodeSelection
    from harbor_agent.transport.ssh.host_keys import HostKey

# No exit code of its own: the nodes behind a key that is not known are unreachable.
_FINE = frozenset({KeyStatus.KNOWN, KeyStatus.ADDED})


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustReport:
    """The key of each host with its status, bastions before the nodes behind them."""

    keys: tuple[HostKey, ...]

    @property
    def exit_code(self) -> ExitCode:
        """DONE if every key is known now."""
        return ExitCode.DONE if all(key.status in _FINE for key in self.keys) else ExitCode.UNREACHABLE


def trust_hosts(
    selection: NodeSelection, confirm: Callable[[Sequence[HostKey]], None], listener: Listener
) -> TrustReport:
    """Fetch the host keys of nodes and their bastions, and add those unknown keys that `confirm` accepts.

    `confirm` gets all unknown keys of hosts that are reached the same way; if it raises, none of these is added. A key
    that has changed or was revoked is only reported. Raises UsageError for an error in the inventory, and if a
    known_hosts file cannot be written.
    """
    nodes = [node for node in load_nodes(selection, listener) if node.skip_reason is None and node.connection == "ssh"]
    listener(Phase(name="fetch host keys", total=len(nodes)))
    done: list[HostKey] = []
    with HostKeys(nodes, forks=selection.forks) as host_keys:
        for stage in host_keys.iterate_stages():
            unknown = [key for key in stage if key.status is KeyStatus.UNKNOWN and key.file is not None]
            if unknown:
                confirm(unknown)
                add_host_keys(unknown)
            done += [replace(key, status=KeyStatus.ADDED, problem=None) if key in unknown else key for key in stage]
    return TrustReport(keys=tuple(done))
