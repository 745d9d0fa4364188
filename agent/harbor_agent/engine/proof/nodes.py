"""The nodes of the cluster, listed again if the API server fails to answer."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from harbor_agent.errors import Problem

if TYPE_CHECKING:
    from harbor_agent.kubernetes.nodes import ClusterNode, ClusterNodes

_DENIED = frozenset({"cluster-forbidden", "cluster-unauthorized"})
_PAUSE_SECONDS = 0.2


def list_nodes(nodes: ClusterNodes, seconds: float) -> tuple[ClusterNode, ...] | Problem:
    """Return every node; a request that fails is repeated for so many seconds, unless the server denies it."""
    end = time.monotonic() + seconds
    while True:
        found = nodes.all()
        if not isinstance(found, Problem) or found.code in _DENIED or time.monotonic() > end:
            return found
        time.sleep(_PAUSE_SECONDS)
