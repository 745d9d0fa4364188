"""The nodes through which the cluster's DNS is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harbor_agent.engine.dns.ask import find_askers
from harbor_agent.engine.plan.nodes import load_nodes, open_transport

if TYPE_CHECKING:
    from harbor_agent.engine.dns.ask import Askers
    from harbor_agent.engine.events import Listener
    from harbor_agent.engine.request.request import NodeSelection


def load_askers(selection: NodeSelection, listener: Listener) -> Askers | None:
    """Return the nodes of the inventory that run kubelet; None if no inventory is named.

    Raises UsageError for a wrong inventory.
    """
    if not selection.sources and selection.transport != "local":
        return None
    nodes = [node for node in load_nodes(selection, listener) if node.skip_reason is None]
    return find_askers(open_transport(selection), nodes)
