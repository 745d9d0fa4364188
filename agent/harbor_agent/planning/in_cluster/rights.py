"""The rights of a drift check in a cluster, as rules of Roles: as small as what it does."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harbor_agent.planning.in_cluster.check import ClusterSchedule

Object = dict[str, object]


def list_secret_rules(schedule: ClusterSchedule, namespace: str) -> list[Object]:
    """Return the rights to compare pull secrets, and with a correction to write them.

    A server-side apply asks for `create` with the name, so that it can be limited to it.
    """
    names = [name for place, name in schedule.secrets if place == namespace]
    if not names:
        return []
    writes, attaches = (("create", "patch"), ("patch",)) if schedule.corrects else ((), ())
    rules = [{**grant("", "secrets", "get", *writes), "resourceNames": names}]
    if schedule.accounts:
        rules.append({**grant("", "serviceaccounts", "get", *attaches), "resourceNames": list(schedule.accounts)})
    return rules


def list_system_rules(schedule: ClusterSchedule) -> list[Object]:
    """Return the rights in kube-system: the lock of the cluster, and its DNS."""
    rules: list[Object] = []
    if schedule.corrects:
        lease = grant("coordination.k8s.io", "leases", "get", "update")
        rules += [grant("coordination.k8s.io", "leases", "create"), {**lease, "resourceNames": ["harbor-agent"]}]
    if schedule.checks_dns:
        edits = ("create", "patch", "delete") if schedule.corrects else ()
        restarts = ("get", "patch") if schedule.corrects else ()
        rules += [
            grant("", "configmaps", "get", *edits),
            grant("", "services", "list"),
            grant("apps", "deployments", "list", *restarts),
            grant("apps", "daemonsets", "list", *restarts),
        ]
        rules += [grant("", "pods", "list"), grant("", "pods/proxy", "get")] if schedule.corrects else []
    return rules


def list_node_rules(schedule: ClusterSchedule) -> list[Object]:
    """Return the rights in the whole cluster: whether a corrected node is Ready, and its drain if the settings ask."""
    if not schedule.corrects:
        return []
    rules = [grant("", "nodes", "get", "list", *(("patch",) if schedule.drains else ()))]
    rules.append(grant("coordination.k8s.io", "leases", "get"))  # of kubelet, in kube-node-lease
    if schedule.drains:
        rules += [grant("", "pods", "list"), grant("", "pods/eviction", "create")]
    return rules


def grant(group: str, resource: str, *verbs: str) -> Object:
    """Return a rule of a Role; the group "" is the core API."""
    return {"apiGroups": [group], "resources": [resource], "verbs": list(verbs)}
