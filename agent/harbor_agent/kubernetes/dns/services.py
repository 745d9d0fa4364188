"""The addresses at which a DNS server is asked in the cluster: those of the Services that select its pods."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lightkube.resources.core_v1 import Service

from harbor_agent.errors import Problem
from harbor_agent.kubernetes.errors import Intent, attempt

if TYPE_CHECKING:
    from collections.abc import Iterable

    from harbor_agent.kubernetes.dns.servers import DnsWorkload
    from harbor_agent.kubernetes.kubeconfig.client import ApiClient

_DNS_PORT: Final = 53


def list_service_addresses(client: ApiClient, workloads: Iterable[DnsWorkload]) -> tuple[str, ...] | Problem:
    """Return the cluster IPs of the Services for DNS over TCP that select pods of the workloads."""
    found: dict[str, None] = {}
    for workload in workloads:
        namespace = workload.namespace
        intent = Intent(verb="list", resource="services", namespace=namespace)
        services = attempt(intent, lambda namespace=namespace: tuple(client.list(Service, namespace=namespace)))  # type: ignore[misc]
        if isinstance(services, Problem):
            return services
        for service in services:
            if _selects(service, workload):
                found |= dict.fromkeys(_list_addresses(service))
    return tuple(found)


def _selects(service: Service, workload: DnsWorkload) -> bool:
    spec = service.spec
    if spec is None or not spec.selector:
        return False
    has_port = any(port.port == _DNS_PORT and (port.protocol or "TCP") == "TCP" for port in spec.ports or [])
    return has_port and spec.selector.items() <= workload.labels.items()


def _list_addresses(service: Service) -> list[str]:
    spec = service.spec
    if spec is None:
        return []
    addresses = spec.clusterIPs or [spec.clusterIP or ""]
    return [address for address in addresses if address not in ("", "None")]
