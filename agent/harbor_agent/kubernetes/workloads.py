"""Workloads that run in the cluster, as far as pull secrets go.

Import this module where it is needed: lightkube costs a quarter of a second.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

from lightkube.generic_resource import create_namespaced_resource
from lightkube.models.core_v1 import PodSpec, PodTemplateSpec
from lightkube.models.meta_v1 import ObjectMeta
from lightkube.resources.apps_v1 import DaemonSet, Deployment, StatefulSet
from lightkube.resources.batch_v1 import CronJob

from harbor_agent.errors import AgentError, Problem
from harbor_agent.kubernetes.client import open_client
from harbor_agent.kubernetes.errors import Intent, attempt
from harbor_agent.kubernetes.rbac import Rule, role_hint
from harbor_agent.model.secret import ALL_NAMESPACES
from harbor_agent.model.workload import PULL_SECRETS_ANNOTATION, PodContainer, PodTemplate, Workload

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from lightkube import Client

_AT_ONCE = 500
# What a server says that does not know a version: with a body that is an object of its own, or just with text.
_UNKNOWN_VERSION = frozenset({"cluster-not-found", "cluster-answer-invalid"})


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveWorkloads:
    """What was found, by namespace and name, and which namespaces could not be looked at."""

    workloads: tuple[Workload, ...]
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kind:
    """One kind that KubeSphere's console edits containers of. `resources` are its versions, newest first."""

    group: str
    plural: str
    resources: tuple[Any, ...]
    template: Callable[[Any], PodTemplateSpec]


def live_workloads(
    kubeconfig: str | None, context: str | None, namespaces: Sequence[str], *, timeout: float = 10.0
) -> LiveWorkloads:
    """Return the deployments, stateful sets, daemon sets and cron jobs of these namespaces; of all for none named.

    `timeout` is seconds for each step of a request. Raises UsageError for a wrong kubeconfig, AgentError where the
    cluster does not answer; a right that is missing in a namespace is one of its `problems`.
    """
    found: list[Workload] = []
    problems: list[Problem] = []
    client = open_client(kubeconfig, context, timeout=timeout)
    try:
        for namespace in namespaces or (ALL_NAMESPACES,):
            refused: list[tuple[_Kind, Problem]] = []
            for kind in _kinds():
                listed = _listed(client, kind, namespace)
                if not isinstance(listed, Problem):
                    found += listed
                elif listed.code == "cluster-forbidden":
                    refused.append((kind, listed))
                else:
                    raise AgentError(listed)
            problems += [_forbidden(namespace, refused)] if refused else []
    finally:
        client.close()
    found.sort(key=lambda one: (one.namespace, one.name, one.kind))
    return LiveWorkloads(workloads=tuple(found), problems=tuple(problems))


def _kinds() -> tuple[_Kind, ...]:
    # what Kubernetes had before 1.21
    older = create_namespaced_resource("batch", "v1beta1", "CronJob", "cronjobs")
    return (
        _Kind(group="apps", plural="deployments", resources=(Deployment,), template=_pods),
        _Kind(group="apps", plural="statefulsets", resources=(StatefulSet,), template=_pods),
        _Kind(group="apps", plural="daemonsets", resources=(DaemonSet,), template=_pods),
        _Kind(group="batch", plural="cronjobs", resources=(CronJob, older), template=_pods_of_jobs),
    )


def _listed(client: Client, kind: _Kind, namespace: str) -> list[Workload] | Problem:
    intent = Intent(verb="list", resource=kind.plural, namespace="" if namespace == ALL_NAMESPACES else namespace)
    answer: list[Any] | Problem = []
    for resource in kind.resources:
        answer = attempt(intent, lambda: list(client.list(resource, namespace=namespace, chunk_size=_AT_ONCE)))  # noqa: B023 - called at once
        if not isinstance(answer, Problem) or answer.code not in _UNKNOWN_VERSION:
            break
    if isinstance(answer, Problem):
        return answer
    name = kind.resources[0].__name__
    return [_workload(name, one.metadata or ObjectMeta(), kind.template(one)) for one in answer]


def _pods(workload: Deployment | StatefulSet | DaemonSet) -> PodTemplateSpec:
    return workload.spec.template


def _pods_of_jobs(workload: Any) -> PodTemplateSpec:  # noqa: ANN401 - of the older version there is no type
    if isinstance(workload, CronJob):
        jobs = workload.spec.jobTemplate.spec
        return jobs.template if jobs else PodTemplateSpec()
    return cast("PodTemplateSpec", PodTemplateSpec.from_dict(workload["spec"]["jobTemplate"]["spec"]["template"]))


def _workload(kind: str, metadata: ObjectMeta, template: PodTemplateSpec) -> Workload:
    spec = template.spec or PodSpec(containers=[])
    annotations = (template.metadata or ObjectMeta()).annotations or {}
    containers = [*spec.containers, *(spec.initContainers or [])]
    return Workload(
        kind=kind,
        namespace=metadata.namespace or "",
        name=metadata.name or "",
        template=PodTemplate(
            containers=tuple(PodContainer(name=one.name, image=one.image or "") for one in containers),
            pull_secrets=tuple(secret.name for secret in spec.imagePullSecrets or [] if secret.name),
            annotation=annotations.get(PULL_SECRETS_ANNOTATION),
        ),
    )


def _forbidden(namespace: str, refused: Sequence[tuple[_Kind, Problem]]) -> Problem:
    """Return one problem for all that may not be listed in a namespace, with a manifest that grants all of it."""
    first = refused[0][1]
    who = re.search(r", which (.+) has not\Z", first.message)
    where = "" if namespace == ALL_NAMESPACES else namespace
    plurals = ", ".join(kind.plural for kind, _ in refused)
    rules = tuple(Rule(group=kind.group, resource=kind.plural, verbs=("list",)) for kind, _ in refused)
    return replace(
        first,
        message=f"needs verb list on {plurals}"
        + (f" in namespace {where}" if where else "")
        + (f", which {who[1]} has not" if who else ""),
        hint=role_hint("harbor-agent-workloads", rules, namespace=where, user=who[1] if who else "USER"),
    )
