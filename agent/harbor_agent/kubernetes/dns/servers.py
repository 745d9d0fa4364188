"""The DNS servers of a cluster: workloads whose container is CoreDNS or node-cache, and the ConfigMaps they mount."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypeVar

from lightkube.resources.apps_v1 import DaemonSet, Deployment

from harbor_agent.errors import Problem
from harbor_agent.kubernetes.errors import Intent, attempt
from harbor_agent.model.dns import CUSTOM_FOLDER, ServerKind

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from lightkube.models.core_v1 import Container, PodSpec

    from harbor_agent.kubernetes.kubeconfig.client import ApiClient

_T = TypeVar("_T", Deployment, DaemonSet)

NAMESPACE: Final = "kube-system"
_FOLDER: Final = "/etc/coredns"
_VERSION: Final = re.compile(r"v?(\d+(?:\.\d+)+)(?:[-+].*)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class DnsWorkload:
    """A Deployment or DaemonSet of a DNS server. `config` and `custom` are names of ConfigMaps, "" without one.

    `labels` are those of its pods.
    """

    kind: str
    name: str
    namespace: str
    server: ServerKind
    config: str
    custom: str = ""
    version: tuple[int, ...] | None = None
    selector: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        """Return it as kubectl names it, such as deployment/coredns."""
        return f"{self.kind}/{self.name}"


def list_dns_workloads(client: ApiClient) -> tuple[DnsWorkload, ...] | Problem:
    """Return the DNS servers in kube-system, CoreDNS before node-cache."""
    deployments = _list(client, Deployment, "deployments")
    if isinstance(deployments, Problem):
        return deployments
    daemon_sets = _list(client, DaemonSet, "daemonsets")
    if isinstance(daemon_sets, Problem):
        return daemon_sets
    found = [one for workload in deployments for one in _read_workload("deployment", workload)]
    found += [one for workload in daemon_sets for one in _read_workload("daemonset", workload)]
    return tuple(sorted(found, key=lambda one: (one.server is ServerKind.NODE_CACHE, one.name)))


def _list(client: ApiClient, resource: type[_T], plural: str) -> tuple[_T, ...] | Problem:
    intent = Intent(verb="list", resource=plural, namespace=NAMESPACE)
    return attempt(intent, lambda: tuple(client.list(resource, namespace=NAMESPACE)))


def _read_workload(kind: str, workload: Deployment | DaemonSet) -> Iterator[DnsWorkload]:
    if workload.metadata is None or workload.spec is None:
        return
    template = workload.spec.template
    spec = template.spec
    if spec is None:
        return
    for container in spec.containers:
        server, version = _read_image(container.image or "")
        mounts = _list_config_maps(spec, container)
        if server and _FOLDER in mounts:
            yield DnsWorkload(
                kind=kind,
                name=workload.metadata.name or "",
                namespace=NAMESPACE,
                server=server,
                config=mounts[_FOLDER],
                custom=mounts.get(CUSTOM_FOLDER, ""),
                version=version,
                selector=workload.spec.selector.matchLabels or {},
                labels=(template.metadata.labels if template.metadata else None) or {},
            )


def _read_image(image: str) -> tuple[ServerKind | None, tuple[int, ...] | None]:
    name, _, tag = image.partition("@")[0].rpartition("/")[2].partition(":")
    match = _VERSION.fullmatch(tag)
    version = tuple(int(part) for part in match[1].split(".")) if match else None
    if "node-cache" in name:
        return ServerKind.NODE_CACHE, version
    return (ServerKind.COREDNS if "coredns" in name else None), version


def _list_config_maps(spec: PodSpec, container: Container) -> dict[str, str]:
    """Return the ConfigMaps that the container mounts, by the folder."""
    volumes = {volume.name: volume.configMap.name or "" for volume in spec.volumes or [] if volume.configMap}
    return {
        mount.mountPath.rstrip("/"): volumes[mount.name]
        for mount in container.volumeMounts or []
        if mount.name in volumes and not mount.subPath
    }
