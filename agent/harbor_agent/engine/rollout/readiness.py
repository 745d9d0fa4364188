"""Waits until nodes that were restarted are Ready again."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from harbor_agent.errors import Problem

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harbor_agent.kubernetes.nodes import ClusterNode, ClusterNodes

_POLL_SECONDS = 0.5


def wait_until_ready(nodes: ClusterNodes, restarted: Mapping[str, ClusterNode], seconds: float) -> dict[str, Problem]:
    """Wait until each node is Ready and its kubelet has reported since; return those that are late, with the reason.

    `restarted` are the nodes of the cluster by the names that the answer uses.
    """
    waiting, heard = dict(restarted), dict[str, str | None]()
    late: dict[str, Problem] = {}
    end = time.monotonic() + seconds
    while waiting:
        for name, node in list(waiting.items()):
            now = nodes.get(node.name)
            late[name] = _describe_late(node.name, seconds, now)
            if isinstance(now, Problem):
                continue
            first = heard.setdefault(name, now.sign_of_life)
            if now.ready and (first is None or now.sign_of_life != first):
                del waiting[name], late[name]
        if not waiting or time.monotonic() > end:
            break
        time.sleep(_POLL_SECONDS)
    return late


def _describe_late(name: str, seconds: float, now: ClusterNode | Problem) -> Problem:
    state = (
        now.message if isinstance(now, Problem) else "its kubelet does not report" if now.ready else "it is NotReady"
    )
    return Problem(
        code="node-not-ready",
        message=f"node {name} was Ready before the restart and is not Ready after {seconds:g} s: {state}",
        hint=f"check kubectl describe node {name}, and journalctl -u kubelet on the node",
    )
