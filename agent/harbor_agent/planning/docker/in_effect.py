"""What dockerd trusts with its files, and everything else on its command line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harbor_agent.formats.docker.arguments import INSECURE_REGISTRY
from harbor_agent.planning.docker.effective import evaluate
from harbor_agent.planning.docker.matching import normalize_listed_entry
from harbor_agent.planning.docker.state import read_version
from harbor_agent.planning.runtime import InEffect

if TYPE_CHECKING:
    from harbor_agent.model.state import NodeState
    from harbor_agent.planning.docker.effective import Effective


def evaluate_files(state: NodeState) -> InEffect:
    """Evaluate the node's files. Raises RefusedError for files that cannot be evaluated."""
    return summarize(state, evaluate(state))


def summarize(state: NodeState, effective: Effective) -> InEffect:
    """Return what a change of the files is judged by: the entries, and all other arguments."""
    version = read_version(state)
    return InEffect(
        entries=tuple(dict.fromkeys(normalize_listed_entry(entry, version) for entry in effective.entries)),
        foreign=list_foreign_arguments(effective),
    )


def list_foreign_arguments(effective: Effective) -> tuple[tuple[str, str], ...]:
    """Return everything on the command line but the registries."""
    flags = ((flag.name, flag.value) for flag in effective.daemon.flags if flag.name != INSECURE_REGISTRY)
    return (*flags, *(("", operand) for operand in effective.daemon.operands))
