"""Make the host keys of the inventory's nodes known, after somebody has compared them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from harbor_agent.engine.events import Phase
from harbor_agent.engine.plan.nodes import load_nodes
from harbor_agent.errors import ExitCode
from harbor_agent.transport.ssh.host_keys import HostKeys, KeyStatus, add

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from harbor_agent.engine.events import Listener
    from harbor_agent.engine.request.request import NodeSelection
    from harbor_agent.transport.ssh.host_keys import HostKey

# No exit code of its own: the nodes behind a key that is not known are unreachable.
_FINE = frozenset({KeyStatus.KNOWN, KeyStatus.ADDED})


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustReport:
    """What became of each host's key: bastions before the nodes behind them."""

    keys: tuple[HostKey, ...]

    @property
    def exit_code(self) -> ExitCode:
        """DONE where every key is known now."""
        return ExitCode.DONE if all(key.status in _FINE for key in self.keys) else ExitCode.UNREACHABLE


def trust_hosts(
    selection: NodeSelection, confirm: Callable[[Sequence[HostKey]], None], listener: Listener
) -> TrustReport:
    """Ask nodes and their bastions for their host keys, and add the unknown ones that `confirm` does not object to.

    `confirm` is handed all unknown keys of hosts that are reached the same way, and raises to end it all: then nothing
    of these is added. A key that has changed or is revoked is only reported. Raises UsageError where the inventory is
    wrong or a known_hosts file cannot be written.
    """
    nodes = [node for node in load_nodes(selection, listener) if node.skip_reason is None and node.connection == "ssh"]
    listener(Phase(name="ask for host keys", total=len(nodes)))
    done: list[HostKey] = []
    with HostKeys(nodes, forks=selection.forks) as host_keys:
        for stage in host_keys.stages():
            unknown = [key for key in stage if key.status is KeyStatus.UNKNOWN and key.file is not None]
            if unknown:
                confirm(unknown)
                add(unknown)
            done += [replace(key, status=KeyStatus.ADDED, problem=None) if key in unknown else key for key in stage]
    return TrustReport(keys=tuple(done))
