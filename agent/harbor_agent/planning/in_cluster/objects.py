"""The objects of a drift check in a cluster, and the commands that create its secrets."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from harbor_agent.planning.in_cluster.check import EVERYWHERE
from harbor_agent.planning.in_cluster.rights import grant, list_node_rules, list_secret_rules, list_system_rules

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harbor_agent.planning.in_cluster.check import ClusterSchedule
    from harbor_agent.planning.in_cluster.rights import Object

# Those of the container image: OpenSSH takes the home from passwd, not from $HOME.
USER = 10001
HOME = "/state"
FOLDER = "/etc/harbor-agent"
_STABLE = (1, 21)  # the first version with CronJob in batch/v1; batch/v1beta1 is gone in 1.25
_RBAC = "rbac.authorization.k8s.io"
_DNS_PORT = 53


def build_objects(schedule: ClusterSchedule) -> list[Object]:
    """Return the objects in the order in which they can be created."""
    objects: list[Object] = [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": schedule.namespace}},
        _build("v1", "ServiceAccount", schedule, automountServiceAccountToken=False),
    ]
    if schedule.kubeconfig:
        objects.append(_build("v1", "ConfigMap", schedule, data={"kubeconfig": _KUBECONFIG}))
        objects += _build_rights(schedule)
    claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    objects.append(_build("v1", "PersistentVolumeClaim", schedule, spec=claim))
    objects.append(_build("networking.k8s.io/v1", "NetworkPolicy", schedule, spec=_build_policy(schedule)))
    api = "batch/v1" if schedule.version >= _STABLE else "batch/v1beta1"
    objects.append(_build(api, "CronJob", schedule, spec=_build_cron(schedule, schedule.arguments)))
    if schedule.apply_arguments:
        # It never runs by its time: a person makes a Job from it, so that the history knows what was applied.
        spec = {**_build_cron(schedule, schedule.apply_arguments), "suspend": True}
        objects.append(_build(api, "CronJob", schedule, suffix="-apply", spec=spec))
    return objects


# The token of the pod's service account is read again by each request: it changes within the hour.
_KUBECONFIG = """\
apiVersion: v1
kind: Config
current-context: pod
contexts: [{name: pod, context: {cluster: pod, user: pod, namespace: default}}]
clusters:
  - name: pod
    cluster:
      server: https://kubernetes.default.svc
      certificate-authority: /var/run/secrets/kubernetes.io/serviceaccount/ca.crt
users: [{name: pod, user: {tokenFile: /var/run/secrets/kubernetes.io/serviceaccount/token}}]
"""


def _build(
    api: str, kind: str, schedule: ClusterSchedule, *, namespace: str = "", suffix: str = "", **rest: object
) -> Object:
    name, namespace = schedule.name + suffix, namespace or schedule.namespace
    metadata = {"name": name, "namespace": namespace, "labels": _label(schedule)}
    return {"apiVersion": api, "kind": kind, "metadata": metadata, **rest}


def _label(schedule: ClusterSchedule) -> dict[str, str]:
    return {"app.kubernetes.io/name": "harbor-agent", "app.kubernetes.io/instance": schedule.name}


def _build_rights(schedule: ClusterSchedule) -> list[Object]:
    everywhere = [*list_node_rules(schedule), *list_secret_rules(schedule, EVERYWHERE)]
    everywhere += [grant("", "namespaces", "get", "list")] if schedule.secrets else []
    objects = []
    if system := list_system_rules(schedule):
        objects += _give(schedule, "Role", system, "kube-system")
    for namespace in sorted({namespace for namespace, _ in schedule.secrets} - {EVERYWHERE}):
        objects += _give(schedule, "Role", list_secret_rules(schedule, namespace), namespace)
    if everywhere:
        objects += map(_drop_namespace, _give(schedule, "ClusterRole", everywhere))
    return objects


def _give(schedule: ClusterSchedule, kind: str, rules: list[Object], namespace: str = "") -> list[Object]:
    role = _build(f"{_RBAC}/v1", kind, schedule, namespace=namespace, rules=rules)
    return [role, _bind(schedule, kind, namespace=namespace)]


def _bind(schedule: ClusterSchedule, kind: str, *, namespace: str = "") -> Object:
    subject = {"kind": "ServiceAccount", "name": schedule.name, "namespace": schedule.namespace}
    reference = {"apiGroup": _RBAC, "kind": kind, "name": schedule.name}
    return _build(f"{_RBAC}/v1", f"{kind}Binding", schedule, namespace=namespace, roleRef=reference, subjects=[subject])


def _drop_namespace(cluster_wide: Object) -> Object:
    metadata = cluster_wide["metadata"]
    assert isinstance(metadata, dict)  # noqa: S101 - built by `_build`
    return {**cluster_wide, "metadata": {key: value for key, value in metadata.items() if key != "namespace"}}


def _build_policy(schedule: ClusterSchedule) -> Object:
    """Return the policy: nothing in, and out only to names, nodes, registries and, if it asks one, the API server."""
    dns = [{"port": _DNS_PORT, "protocol": protocol} for protocol in ("UDP", "TCP")]
    ports = sorted({*schedule.ports, *((443, 6443) if schedule.kubeconfig else ())})
    return {
        "podSelector": {"matchLabels": _label(schedule)},
        "policyTypes": ["Ingress", "Egress"],
        "egress": [{"ports": dns}, {"ports": [{"port": port, "protocol": "TCP"} for port in ports]}],
    }


def _build_cron(schedule: ClusterSchedule, arguments: tuple[str, ...]) -> Object:
    pod = {
        "serviceAccountName": schedule.name,
        "automountServiceAccountToken": schedule.kubeconfig is not None,
        "restartPolicy": "Never",
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": USER,
            "runAsGroup": USER,
            "fsGroup": USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [_build_container(schedule, arguments)],
        "volumes": _build_volumes(schedule),
    }
    # A second check would only find the lock held; the next one makes up for a check that failed.
    job = {"backoffLimit": 0, "template": {"metadata": {"labels": _label(schedule)}, "spec": pod}}
    return {
        "schedule": schedule.schedule,
        "concurrencyPolicy": "Forbid",
        "startingDeadlineSeconds": 300,
        "successfulJobsHistoryLimit": 3,
        "failedJobsHistoryLimit": 3,
        "jobTemplate": {"metadata": {"labels": _label(schedule)}, "spec": job},
    }


def _build_container(schedule: ClusterSchedule, arguments: tuple[str, ...]) -> Object:
    mounts = [
        _mount("state", HOME, writable=True),
        _mount("tmp", "/tmp", writable=True),  # noqa: S108 - in the pod
        _mount("ssh", f"{HOME}/.ssh"),
        _mount("inventory", f"{FOLDER}/inventory"),
        *({**_mount("files", path), "subPath": key} for key, path in schedule.files),
        *([{**_mount("kubeconfig", schedule.kubeconfig), "subPath": "kubeconfig"}] if schedule.kubeconfig else []),
    ]
    return {
        "name": "drift",
        "image": schedule.image,
        "args": list(arguments),
        "workingDir": f"{FOLDER}/inventory",
        "env": [{"name": "HOME", "value": HOME}],
        "volumeMounts": mounts,
        "resources": {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"memory": "512Mi"}},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
    }


def _mount(volume: str, path: str, *, writable: bool = False) -> Object:
    return {"name": volume, "mountPath": path, **({} if writable else {"readOnly": True})}


def _build_volumes(schedule: ClusterSchedule) -> list[Object]:
    def secret(volume: str) -> Object:
        return {"name": volume, "secret": {"secretName": f"{schedule.name}-{volume}", "defaultMode": 0o400}}

    kubeconfig: list[Object] = [{"name": "kubeconfig", "configMap": {"name": schedule.name}}]
    return [
        {"name": "state", "persistentVolumeClaim": {"claimName": schedule.name}},
        {"name": "tmp", "emptyDir": {}},
        secret("ssh"),
        secret("inventory"),
        *([secret("files")] if schedule.files else []),
        *(kubeconfig if schedule.kubeconfig else []),
    ]


def list_commands(schedule: ClusterSchedule, sources: Mapping[str, str], files: Mapping[str, str]) -> list[str]:
    """Return the commands that create the secrets.

    `sources` are the inventory and the settings on this machine by their name in the pod, `files` those that the
    settings name by their key.
    """
    create = f"kubectl -n {schedule.namespace} create secret generic {schedule.name}"

    def name(found: Mapping[str, str]) -> list[str]:
        return [shlex.quote(f"--from-file={key}={path}") for key, path in found.items()]

    # The namespace of another check is there already, which `create` alone would call an error.
    commands = [
        f"kubectl create namespace {schedule.namespace} --dry-run=client -o yaml | kubectl apply -f -",
        f"{create}-ssh --from-file=id_ed25519=KEY --from-file=known_hosts=KNOWN_HOSTS",
        " ".join([f"{create}-inventory", *name(sources)]),
    ]
    return [*commands, *([" ".join([f"{create}-files", *name(files)])] if files else [])]
