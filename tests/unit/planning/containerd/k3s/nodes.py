"""File trees with k3s or RKE2, and what becomes of them when a plan is carried out."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from harbor_agent.planning.containerd.k3s.runtime import k3s, rke2

if TYPE_CHECKING:
    from harbor_agent.model.plan import Plan
    from harbor_agent.model.state import NodeState

RUNTIMES = {"k3s": k3s, "rke2": rke2}


def applied(state: NodeState, plan: Plan) -> NodeState:
    """Return the tree after the plan; a tree has no records."""
    return replace(state, files={**state.files, **{change.path: change.after for change in plan.changes}})


def shown(state: NodeState) -> dict[str, bytes | None]:
    return {path: file.content for path, file in state.files.items() if file.exists and file.content is not None}
