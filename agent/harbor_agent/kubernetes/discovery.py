"""Kinds of other projects whose objects have pod templates: known ones, and those whose schema shows it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harbor_agent.errors import Problem
from harbor_agent.kubernetes.errors import Intent, attempt
from harbor_agent.model.workloads.kinds import ANY, find_template_paths, list_custom_kinds

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harbor_agent.kubernetes.kubeconfig.client import ApiClient
    from harbor_agent.model.workloads.kinds import Path

_CRDS = "customresourcedefinitions"
# Schemas of operators nest deeply; no pod template is this deep.
_MAX_DEPTH = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomKind:
    """A namespaced kind of a server, and the paths to the pod templates in its objects."""

    group: str
    version: str
    kind: str
    plural: str
    paths: tuple[Path, ...]

    def __str__(self) -> str:
        """Return it as kubectl names it, such as rollouts.argoproj.io."""
        return f"{self.plural}.{self.group}"


def find_custom_kinds(client: ApiClient) -> tuple[list[CustomKind], list[Problem]]:
    """Return the kinds with pod templates that the server has, and why some may be missing."""
    known = _find_known(client)
    if isinstance(known, Problem):
        return [], [known]
    definitions = attempt(
        Intent(verb="list", resource=_CRDS), lambda: client.read_document(f"apis/apiextensions.k8s.io/v1/{_CRDS}")
    )
    if isinstance(definitions, Problem):
        return known, [definitions]
    return [*known, *(kind for item in _list(definitions, "items") for kind in _read_definition(item))], []


def _find_known(client: ApiClient) -> list[CustomKind] | Problem:
    groups = attempt(Intent(verb="get", resource="API groups"), lambda: client.read_document("apis"))
    if isinstance(groups, Problem):
        return groups
    wanted, found = list_custom_kinds(), []
    for group in _list(groups, "groups"):
        name, version = group.get("name", ""), _member(group, "preferredVersion").get("version", "")
        if name not in wanted:
            continue
        path = f"apis/{name}/{version}"
        resources = attempt(Intent(verb="get", resource=path), lambda: client.read_document(path))  # noqa: B023 - called at once
        if isinstance(resources, Problem):
            return resources
        for one in _list(resources, "resources"):
            paths = find_template_paths(name, one.get("kind", ""))
            if paths and one.get("namespaced") and "/" not in one.get("name", "/"):
                found.append(CustomKind(group=name, version=version, kind=one["kind"], plural=one["name"], paths=paths))
    return found


def _read_definition(definition: dict[str, Any]) -> Iterator[CustomKind]:
    """Yield the kind of a CustomResourceDefinition if it is not known and its schema has a pod template."""
    spec = _member(definition, "spec")
    names = _member(spec, "names")
    group, kind, plural = spec.get("group", ""), names.get("kind", ""), names.get("plural", "")
    if spec.get("scope") != "Namespaced" or find_template_paths(group, kind) is not None:
        return
    served = [version for version in _list(spec, "versions") if version.get("served")]
    version = next((one for one in served if one.get("storage")), served[0] if served else {})
    schema = _member(_member(version, "schema"), "openAPIV3Schema")
    paths = tuple(_find_paths(schema, ()))
    if paths:
        yield CustomKind(group=group, version=version.get("name", ""), kind=kind, plural=plural, paths=paths)


def _find_paths(schema: dict[str, Any], path: Path) -> Iterator[Path]:
    """Yield the paths to pod templates: objects whose `spec` has containers with images."""
    properties = _member(schema, "properties")
    containers = _member(_member(properties, "containers"), "items")
    if path[-1:] == ("spec",) and len(path) > 1 and "image" in _member(containers, "properties"):
        yield path[:-1]
        return
    if len(path) >= _MAX_DEPTH:
        return
    for key, below in properties.items():
        yield from _find_paths(below if isinstance(below, dict) else {}, (*path, key))
    for below in (_member(schema, "items"), _member(schema, "additionalProperties")):
        if below:
            yield from _find_paths(below, (*path, ANY))


def _member(value: object, key: str) -> dict[str, Any]:
    """Return a mapping in a mapping, empty if there is none."""
    found = value.get(key) if isinstance(value, dict) else None
    return found if isinstance(found, dict) else {}


def _list(value: object, key: str) -> list[dict[str, Any]]:
    """Return the mappings of a list in a mapping."""
    found = value.get(key) if isinstance(value, dict) else None
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []
