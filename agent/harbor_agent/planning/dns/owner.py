"""The program that owns a DNS ConfigMap, if it can be seen: whether an edit lasts, and the owner's lasting setting."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from harbor_agent.errors import Problem
from harbor_agent.planning.refusal import RefusedError

if TYPE_CHECKING:
    from harbor_agent.model.dns import ConfigMapState

_MANAGED_BY: Final = "app.kubernetes.io/managed-by"
_ADDON_MODE: Final = "addonmanager.kubernetes.io/mode"
_LAST_APPLIED: Final = "kubectl.kubernetes.io/last-applied-configuration"
_NODE_HOSTS: Final = "NodeHosts"  # the key that k3s keeps for its own hosts directive
_RESTORED: Final = "the next update restores its own text"


def check_owner(config: ConfigMapState) -> None:
    """Raise RefusedError if the owner of a ConfigMap restores its own text within minutes, or at its next update."""
    if "DNS" in config.owners or "dns.operator.openshift.io/owning-dns" in config.labels:
        raise _refuse_operator(config)
    if config.namespace == "openshift-dns":
        raise _refuse_operator(config)
    if config.labels.get(_MANAGED_BY) == "Helm" or "meta.helm.sh/release-name" in config.annotations:
        release = config.annotations.get("meta.helm.sh/release-name", config.name)
        raise RefusedError(
            "dns-owned-by-helm",
            f"ConfigMap {config.full_name} belongs to the Helm release {release}",
            "add a hosts plugin to the chart's value `servers` (RKE2: in a HelmChartConfig named rke2-coredns)",
        )


def check_lasting(config: ConfigMapState) -> None:
    """Raise RefusedError if the owner rewrites the ConfigMap itself, and offers no ConfigMap for additions."""
    is_reconciled = config.labels.get(_ADDON_MODE) == "Reconcile"
    if is_reconciled or _NODE_HOSTS in config.data:
        raise RefusedError(
            "dns-owner-rewrites",
            f"ConfigMap {config.full_name} is rewritten by its owner, and its Corefile imports no file for additions",
            "update the cluster to a version that imports custom/*.server, or add the name to the DNS that it forwards "
            "to",
        )


def describe_owner(config: ConfigMapState) -> Problem | None:
    """Return the warning that the owner will rewrite the ConfigMap some day, with its lasting setting."""
    if "eks" in config.managers:
        return _warn(config, "the EKS add-on", "set `corefile` in the add-on's configuration values as well")
    if "kubectl-client-side-apply" in config.managers or _LAST_APPLIED in config.annotations:
        return _warn(
            config,
            "the installer that applies it with kubectl",
            "set it there as well: dns_etchosts (Kubespray), dns.dnsEtcHosts (KubeKey 3), dns.coredns.dns_etc_hosts "
            "(KubeKey 4)",
        )
    return None


def _warn(config: ConfigMapState, owner: str, hint: str) -> Problem:
    message = f"ConfigMap {config.full_name} belongs to {owner}: {_RESTORED}"
    return Problem(code="dns-owner-will-rewrite", message=message, hint=hint)


def _refuse_operator(config: ConfigMapState) -> RefusedError:
    return RefusedError(
        "dns-owned-by-operator",
        f"ConfigMap {config.full_name} belongs to an operator, which restores its own text within seconds",
        "forward the name to a DNS server that knows it: spec.servers of dns.operator/default",
    )
