"""Which Node object of the cluster each machine of the inventory is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harbor_agent.errors import Problem

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harbor_agent.engine.plan.nodes import PlannedNode
    from harbor_agent.kubernetes.nodes import ClusterNode


def find_node(planned: PlannedNode, known: Sequence[ClusterNode]) -> ClusterNode | Problem:
    """Return the Node object of a machine, found by its name or else by its address.

    A Node object that reports another boot is another machine: clusters often use the same names.
    """
    node = planned.node
    names = {node.name, *node.aliases}
    found = [one for one in known if one.name in names] or [one for one in known if node.address in one.addresses]
    if len(found) != 1:
        return Problem(
            code="cluster-node-missing",
            message=f"the cluster has {len(found) or 'no'} node{'s' if found else ''} for {node.name} ({node.address})",
            hint="use the name of `kubectl get nodes` in the inventory, or exclude the node from runs with --drain",
        )
    boot_id = planned.state.system.boot_id if planned.state else ""
    if boot_id and found[0].boot_id and boot_id != found[0].boot_id:
        return Problem(
            code="cluster-node-mismatch",
            message=f"node {found[0].name} in the cluster is another machine, "
            "or its kubelet has not run since the last boot",
            hint="check that --kubeconfig and --context name the cluster of these nodes",
        )
    return found[0]
