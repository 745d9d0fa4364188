"""Workloads in the cluster and their pull secrets.

Import this module when it is needed: lightkube takes a quarter of a second to import.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

from lightkube.generic_resource import create_namespaced_resource
from lightkube.models.core_v1 import PodSpec, PodTemplateSpec
from lightkube.models.meta_v1 import ObjectMeta
from lightkube.resources.apps_v1 import DaemonSet, Deployment, StatefulSet
from lightkube.resources.batch_v1 import CronJob

from harbor_agent.errors import AgentError, Problem
from harbor_agent.kubernetes.custom_workloads import list_custom_workloads
from harbor_agent.kubernetes.errors import Intent, attempt
from harbor_agent.kubernetes.kubeconfig.client import open_client
from harbor_agent.kubernetes.rbac import Rule, build_role_hint, describe_missing_right, read_user
from harbor_agent.model.secret import ALL_NAMESPACES
from harbor_agent.model.workloads.template import PULL_SECRETS_ANNOTATION, PodContainer, PodTemplate, Workload

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from lightkube import Client

_PAGE_SIZE = 500
# Answers of a server that does not have a version: a Status object, or plain text.
_UNKNOWN_VERSION = frozenset({"cluster-not-found", "cluster-answer-invalid"})


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveWorkloads:
    """The workloads found, by namespace and name, and the namespaces that could not be read.

    `remarks` are on kinds of other projects that could not be read.
    """

    workloads: tuple[Workload, ...]
    problems: tuple[Problem, ...] = ()
    remarks: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kind:
    """A kind of workload that KubeSphere's console edits. `resources` are its versions, newest first."""

    group: str
    plural: str
    resources: tuple[Any, ...]
    template: Callable[[Any], PodTemplateSpec]


def list_workloads(
    kubeconfig: str | None, context: str | None, namespaces: Sequence[str], *, timeout: float = 10.0
) -> LiveWorkloads:
    """Return the deployments, stateful sets, daemon sets and cron jobs of these namespaces, of all if none is named.

    Objects of other projects with pod templates are listed as well.
    `timeout` is seconds for each step of a request. Raises UsageError for an invalid kubeconfig, AgentError if the
    cluster does not answer; a missing right in a namespace is one of the `problems`.
    """
    found: list[Workload] = []
    problems: list[Problem] = []
    client = open_client(kubeconfig, context, timeout=timeout)
    try:
        for namespace in namespaces or (ALL_NAMESPACES,):
            refused: list[tuple[_Kind, Problem]] = []
            for kind in _list_kinds():
                listed = _list_kind(client, kind, namespace)
                if not isinstance(listed, Problem):
                    found += listed
                elif listed.code == "cluster-forbidden":
                    refused.append((kind, listed))
                else:
                    raise AgentError(listed)
            problems += [_describe_forbidden(namespace, refused)] if refused else []
        custom, remarks = list_custom_workloads(client, namespaces or (ALL_NAMESPACES,))
        found += custom
    finally:
        client.close()
    found.sort(key=lambda one: (one.namespace, one.name, one.kind))
    return LiveWorkloads(workloads=tuple(found), problems=tuple(problems), remarks=tuple(remarks))


def _list_kinds() -> tuple[_Kind, ...]:
    # Kubernetes before 1.21
    older = create_namespaced_resource("batch", "v1beta1", "CronJob", "cronjobs")
    return (
        _Kind(group="apps", plural="deployments", resources=(Deployment,), template=_get_template),
        _Kind(group="apps", plural="statefulsets", resources=(StatefulSet,), template=_get_template),
        _Kind(group="apps", plural="daemonsets", resources=(DaemonSet,), template=_get_template),
        _Kind(group="batch", plural="cronjobs", resources=(CronJob, older), template=_get_job_template),
    )


def _list_kind(client: Client, kind: _Kind, namespace: str) -> list[Workload] | Problem:
    intent = Intent(verb="list", resource=kind.plural, namespace="" if namespace == ALL_NAMESPACES else namespace)
    answer: list[Any] | Problem = []
    for resource in kind.resources:
        answer = attempt(intent, lambda: list(client.list(resource, namespace=namespace, chunk_size=_PAGE_SIZE)))  # noqa: B023 - called at once
        if not isinstance(answer, Problem) or answer.code not in _UNKNOWN_VERSION:
            break
    if isinstance(answer, Problem):
        return answer
    name = kind.resources[0].__name__
    return [_read_workload(name, one.metadata or ObjectMeta(), kind.template(one)) for one in answer]


def _get_template(workload: Deployment | StatefulSet | DaemonSet) -> PodTemplateSpec:
    return workload.spec.template


def _get_job_template(workload: Any) -> PodTemplateSpec:  # noqa: ANN401 - lightkube has no type for the older version
    if isinstance(workload, CronJob):
        jobs = workload.spec.jobTemplate.spec
        return jobs.template if jobs else PodTemplateSpec()
    return cast("PodTemplateSpec", PodTemplateSpec.from_dict(workload["spec"]["jobTemplate"]["spec"]["template"]))


def _read_workload(kind: str, metadata: ObjectMeta, template: PodTemplateSpec) -> Workload:
    spec = template.spec or PodSpec(containers=[])
    annotations = (template.metadata or ObjectMeta()).annotations or {}
    containers = [*spec.containers, *(spec.initContainers or [])]
    return Workload(
        group="batch" if kind == "CronJob" else "apps",
        kind=kind,
        namespace=metadata.namespace or "",
        name=metadata.name or "",
        template=PodTemplate(
            containers=tuple(PodContainer(name=one.name, image=one.image or "") for one in containers),
            pull_secrets=tuple(secret.name for secret in spec.imagePullSecrets or [] if secret.name),
            annotation=annotations.get(PULL_SECRETS_ANNOTATION),
        ),
    )


def _describe_forbidden(namespace: str, refused: Sequence[tuple[_Kind, Problem]]) -> Problem:
    """Return one problem for all kinds that may not be listed in a namespace, with a manifest that grants them."""
    first = refused[0][1]
    user = read_user(first.message)
    namespace = "" if namespace == ALL_NAMESPACES else namespace
    plurals = ", ".join(kind.plural for kind, _ in refused)
    rules = tuple(Rule(group=kind.group, resource=kind.plural, verbs=("list",)) for kind, _ in refused)
    return replace(
        first,
        message=describe_missing_right(user, f"list {plurals}" + (f" in namespace {namespace}" if namespace else "")),
        hint=build_role_hint("harbor-agent-workloads", rules, namespace=namespace, user=user or "USER"),
    )
