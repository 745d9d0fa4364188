"""What the pods of a DNS server say of their Corefile: the metrics of the plugin reload, through the pod proxy."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from lightkube.resources.core_v1 import Pod

from harbor_agent.errors import Problem
from harbor_agent.kubernetes.errors import Intent, attempt

if TYPE_CHECKING:
    from harbor_agent.kubernetes.dns.servers import DnsWorkload
    from harbor_agent.kubernetes.kubeconfig.client import ApiClient

_FAILED: Final = re.compile(r"^coredns_reload_failed_total(?:\{[^}]*\})? ([0-9.e+]+)", re.MULTILINE)
_VERSION: Final = re.compile(r'^coredns_reload_version_info\{[^}]*value="([^"]*)"[^}]*\}', re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReloadState:
    """How often a pod failed to load a Corefile, and the hash of the one that it read last."""

    pod: str
    failed: float
    version: str


def read_reload_states(client: ApiClient, workload: DnsWorkload, port: int) -> tuple[ReloadState, ...] | Problem:
    """Return the state of every pod of the server; a Problem if one cannot be asked, or if there is none."""
    namespace = workload.namespace
    intent = Intent(verb="list", resource="pods", namespace=namespace)
    labels = dict(workload.selector)
    pods = attempt(intent, lambda: tuple(client.list(Pod, namespace=namespace, labels=labels)))  # type: ignore[arg-type]
    if isinstance(pods, Problem):
        return pods
    names = [pod.metadata.name or "" for pod in pods if pod.metadata and _is_serving(pod)]
    if not names or not labels:
        return Problem(code="dns-not-proven", message=f"{workload} has no pods that could be asked")
    states: list[ReloadState] = []
    for name in sorted(names):
        state = _read_state(client, namespace, name, port)
        if isinstance(state, Problem):
            return state
        states.append(state)
    return tuple(states)


def _is_serving(pod: Pod) -> bool:
    """Whether the pod has not ended: an evicted one stays in the list, and one that is being deleted ends soon."""
    is_ended = pod.status is not None and pod.status.phase in ("Succeeded", "Failed")
    return not is_ended and not (pod.metadata and pod.metadata.deletionTimestamp)


def _read_state(client: ApiClient, namespace: str, name: str, port: int) -> ReloadState | Problem:
    intent = Intent(verb="get", resource="pods/proxy", name=name, namespace=namespace)
    path = f"api/v1/namespaces/{namespace}/pods/{name}:{port}/proxy/metrics"
    text = attempt(intent, lambda: client.read_text(path))
    if isinstance(text, Problem):
        return text
    failed, version = _FAILED.search(text), _VERSION.search(text)
    if not version:
        return Problem(code="dns-not-proven", message=f"pod {name} has no metrics of reload at port {port}")
    return ReloadState(pod=name, failed=float(failed[1]) if failed else 0.0, version=version[1])
