"""What an inventory and a cluster show to a person who writes a first harbor-agent.yaml; neither is changed."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harbor_agent.errors import AgentError, Problem
from harbor_agent.model.inventory import OWN_VARIABLES
from harbor_agent.model.secret import ALL_NAMESPACES, Namespaces

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_TIMEOUT = 3.0  # seconds for each step of a request; the answers are a convenience
_LONGEST_LIST = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownCluster:
    """What a cluster shows: its namespaces, and a line for each fact. A problem is why it does not show them."""

    namespaces: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()


def describe_inventory(sources: Sequence[str], warn: Callable[[Problem], None]) -> tuple[str, ...]:
    """Return a line for each fact of an inventory. Raises UsageError as `load_inventory` does."""
    from harbor_agent.inventory.load import load_inventory  # noqa: PLC0415 - Ansible is slow to import

    nodes = load_inventory(sources, warn=warn)
    count = f"{len(nodes)} node{'s' if len(nodes) != 1 else ''}"
    groups = Counter(group for node in nodes for group in node.groups if group not in ("all", "ungrouped"))
    sizes = [f"{name} ({size})" for name, size in groups.most_common(_LONGEST_LIST)]
    notes = [f"Inventory {', '.join(sources)}: {count}{'; groups: ' if sizes else ''}{', '.join(sizes)}"]
    for variable in OWN_VARIABLES:
        setting = [node.name for node in nodes if variable in node.variables]
        if setting:
            notes.append(f"The inventory sets {variable} of {_shorten(setting)}, which overrides this file.")
    return tuple(notes)


def describe_cluster(kubeconfig: str) -> ShownCluster:
    """Return what the cluster of a kubeconfig shows; one that does not answer within seconds shows nothing.

    Raises UsageError for a kubeconfig that is missing or cannot be used.
    """
    from harbor_agent.kubernetes.kubeconfig.client import open_client  # noqa: PLC0415 - lightkube is slow to import
    from harbor_agent.kubernetes.namespaces import list_namespaces  # noqa: PLC0415
    from harbor_agent.kubernetes.nodes import ClusterNodes  # noqa: PLC0415

    client = open_client(kubeconfig, None, timeout=_TIMEOUT)
    with ClusterNodes(client, timeout=_TIMEOUT) as cluster:
        nodes = cluster.all()
        if isinstance(nodes, Problem) and nodes.code != "cluster-forbidden":
            return ShownCluster(problems=(nodes,))
        namespaces = list_namespaces(client, Namespaces(names=(ALL_NAMESPACES,)))
    problems = tuple(one for one in (nodes, namespaces) if isinstance(one, Problem))
    found = () if isinstance(namespaces, Problem) else namespaces
    notes = [] if isinstance(nodes, Problem) else [_describe_runtimes([one.runtime_version for one in nodes])]
    if found:
        notes.append(f"Namespaces of the cluster: {_shorten(found)}")
    return ShownCluster(namespaces=found, notes=tuple(notes), problems=problems)


def find_kubeconfig() -> str | None:
    """Return the kubeconfig that kubectl would read if it is one file; None if there is none, or several are merged."""
    from harbor_agent.kubernetes.kubeconfig.files import find_files  # noqa: PLC0415 - not needed for --help

    try:
        files = find_files(None)
    except AgentError:
        return None
    return str(files[0]) if len(files) == 1 else None


def _describe_runtimes(versions: Sequence[str]) -> str:
    counts = Counter(version.replace("://", " ") or "an unknown runtime" for version in versions)
    runtimes = ", ".join(f"{name} ({count})" for name, count in counts.most_common(_LONGEST_LIST))
    return f"Runtimes of the cluster's nodes, as their kubelets report them: {runtimes or 'no node'}"


def _shorten(names: Sequence[str]) -> str:
    more = len(names) - _LONGEST_LIST
    return ", ".join(names[:_LONGEST_LIST]) + (f" and {more} more" if more > 0 else "")
