"""What containerd trusts with its files, and everything else that they set."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harbor_agent.planning.containerd.effective import evaluate
from harbor_agent.planning.containerd.hosts import list_trusted
from harbor_agent.planning.runtime import InEffect

if TYPE_CHECKING:
    from harbor_agent.model.state import NodeState
    from harbor_agent.planning.containerd.effective import Effective


def evaluate_files(state: NodeState) -> InEffect:
    """Evaluate the node's files. Raises RefusedError for files that cannot be evaluated."""
    return summarize(state, evaluate(state))


def summarize(state: NodeState, effective: Effective) -> InEffect:
    """Return what a change of the files is judged by: the registries, and all other settings."""
    return InEffect(entries=list_trusted(state, effective), foreign=effective.foreign)
