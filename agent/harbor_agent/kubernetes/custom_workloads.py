"""Objects with pod templates of kinds that other projects define, such as Argo Rollouts and OpenKruise."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lightkube.generic_resource import create_namespaced_resource

from harbor_agent.errors import Problem
from harbor_agent.kubernetes.discovery import find_custom_kinds
from harbor_agent.kubernetes.errors import Intent, attempt
from harbor_agent.model.secret import ALL_NAMESPACES
from harbor_agent.model.workloads.kinds import ANY
from harbor_agent.model.workloads.template import PodContainer, PodTemplate, Workload

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from harbor_agent.kubernetes.discovery import CustomKind
    from harbor_agent.kubernetes.kubeconfig.client import ApiClient
    from harbor_agent.model.workloads.kinds import Path

_PAGE_SIZE = 500


def list_custom_workloads(client: ApiClient, namespaces: Sequence[str]) -> tuple[list[Workload], list[Problem]]:
    """Return the objects of these namespaces, "*" for all, and remarks on kinds that could not be read.

    An object with several pod templates is one workload with all of their containers and pull secrets.
    """
    kinds, problems = find_custom_kinds(client)
    remarks = [_describe_unsearched(problem) for problem in problems]
    found: list[Workload] = []
    for namespace in namespaces:
        refused: dict[str, list[str]] = {}
        for kind in kinds:
            listed = _list_kind(client, kind, namespace)
            if isinstance(listed, Problem):
                refused.setdefault(listed.message, []).append(str(kind))
            else:
                found += listed
        remarks += [_describe_unread(names, reason) for reason, names in refused.items()]
    return found, remarks


def _list_kind(client: ApiClient, kind: CustomKind, namespace: str) -> list[Workload] | Problem:
    resource = create_namespaced_resource(kind.group, kind.version, kind.kind, kind.plural)
    intent = Intent(verb="list", resource=str(kind), namespace="" if namespace == ALL_NAMESPACES else namespace)
    listed = attempt(intent, lambda: list(client.list(resource, namespace=namespace, chunk_size=_PAGE_SIZE)))
    if isinstance(listed, Problem):
        return listed
    return [one for item in listed if (one := _read_object(kind, item.to_dict()))]  # type: ignore[no-untyped-call]


def _read_object(kind: CustomKind, item: Mapping[str, Any]) -> Workload | None:
    """Return the workload, None if the object has no containers."""
    specs = [
        spec for path in kind.paths for template in _walk(item, path) if isinstance(spec := template.get("spec"), dict)
    ]
    containers = [one for spec in specs for key in ("containers", "initContainers") for one in _list(spec, key)]
    secrets = [one.get("name", "") for spec in specs for one in _list(spec, "imagePullSecrets")]
    if not containers:
        return None
    metadata = item.get("metadata", {})
    return Workload(
        group=kind.group,
        kind=kind.kind,
        namespace=metadata.get("namespace", ""),
        name=metadata.get("name", ""),
        template=PodTemplate(
            containers=tuple(
                PodContainer(name=str(one.get("name", "")), image=str(one.get("image", ""))) for one in containers
            ),
            pull_secrets=tuple(dict.fromkeys(filter(None, map(str, secrets)))),
        ),
    )


def _walk(value: object, path: Path) -> Iterator[dict[str, Any]]:
    """Yield the mappings at a path."""
    if not path:
        if isinstance(value, dict):
            yield value
        return
    if path[0] == ANY:
        below = value if isinstance(value, list) else list(value.values()) if isinstance(value, dict) else []
    else:
        below = [value[path[0]]] if isinstance(value, dict) and path[0] in value else []
    for one in below:
        yield from _walk(one, path[1:])


def _list(spec: dict[str, Any], key: str) -> list[dict[str, Any]]:
    found = spec.get(key)
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def _describe_unsearched(problem: Problem) -> Problem:
    return Problem(
        code="kinds-not-scanned",
        message=f"kinds of other projects may be missing from this list: {problem.message}",
        hint="workloads of such kinds keep their pull secrets, as KubeSphere's console does not edit them",
    )


def _describe_unread(kinds: list[str], reason: str) -> Problem:
    return Problem(
        code="kinds-not-scanned",
        message=f"not scanned: {', '.join(kinds)}: {reason}",
        hint="workloads of such kinds keep their pull secrets, as KubeSphere's console does not edit them",
    )
