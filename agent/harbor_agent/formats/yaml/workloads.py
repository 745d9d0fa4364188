"""Finds workloads in manifests: the places of their pod templates and of the pull secrets in them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from yaml.nodes import MappingNode, ScalarNode, SequenceNode

from harbor_agent.formats.text import FormatError
from harbor_agent.formats.yaml.nodes import fingerprint
from harbor_agent.formats.yaml.templates import find_containers, render_path, resolve_path
from harbor_agent.model.workloads.kinds import CORE_GROUPS, find_template_paths
from harbor_agent.model.workloads.template import PULL_SECRETS_ANNOTATION, PodContainer, PodTemplate, Workload

if TYPE_CHECKING:
    from collections.abc import Iterator

    from yaml.nodes import Node

    from harbor_agent.formats.yaml.nodes import Manifests, Spot
    from harbor_agent.model.workloads.kinds import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class ManifestWorkload:
    """A workload in a text that begins at `line` (from 1), and the parts of its pod template, None if absent.

    `path` is that of the pod template, "" if the object is one. `pull_secrets` is in `spec`; `annotation` is in
    `annotations`, in `metadata`.
    """

    workload: Workload
    line: int
    path: str
    template: Spot
    spec: Spot
    pull_secrets: Spot | None
    metadata: Spot | None
    annotations: Spot | None
    annotation: Spot | None


@dataclass(frozen=True, slots=True, kw_only=True)
class UnknownWorkload:
    """An object of an unknown kind that starts containers; `has_template` is whether they are in pod templates."""

    kind: str
    namespace: str
    name: str
    line: int
    images: tuple[str, ...]
    has_template: bool


def find_workloads(manifests: Manifests, *, all_kinds: bool = False) -> list[ManifestWorkload]:
    """Return the workloads with containers, including those inside lists; patches without containers do not count.

    With `all_kinds` pod templates of unknown kinds are workloads too. Raises FormatError for a workload that the API
    server would reject, NotEditableError for a duplicate key.
    """
    found = []
    for document, group, kind in _list_objects(manifests):
        paths = find_template_paths(group, kind)
        if paths is None and all_kinds:
            paths = tuple(one.path for one in find_containers(document.node) if one.path is not None)
        spots = [spot for path in paths or () for spot in resolve_path(manifests, document, path)]
        read = [_read_workload(manifests, document, (group, kind), path, template) for path, template in spots]
        workloads = [one for one in read if one]
        if len(workloads) > 1:
            workloads = [replace(one, line=one.template.line) for one in workloads]
        found += workloads
    return found


def find_unknown(manifests: Manifests) -> list[UnknownWorkload]:
    """Return the objects of unknown kinds that start containers."""
    unknown = []
    for document, group, kind in _list_objects(manifests):
        if find_template_paths(group, kind) is not None:
            continue
        found = find_containers(document.node)
        if found:
            one = UnknownWorkload(
                kind=kind,
                namespace=_read_loosely(document.node, "namespace"),
                name=_read_loosely(document.node, "name"),
                line=document.line,
                images=tuple(dict.fromkeys(image for one in found for image in one.images)),
                has_template=any(one.path is not None for one in found),
            )
            unknown.append(one)
    return unknown


def _list_objects(manifests: Manifests) -> Iterator[tuple[Spot, str, str]]:
    """Yield each object with its API group and kind; the items of lists instead of the lists."""
    ahead = list(reversed(manifests.roots))
    while ahead:
        document = ahead.pop()
        if not isinstance(document.node, MappingNode):
            continue
        kind, version = _read_last(document.node, "kind"), _read_last(document.node, "apiVersion")
        group = version.rpartition("/")[0]
        if kind == "List" or (kind.endswith("List") and _is_list(manifests, document, group, kind)):
            ahead.extend(reversed(manifests.items(manifests.member(document, "items"))))
        elif kind:
            yield document, group, kind


def _is_list(manifests: Manifests, document: Spot, group: str, kind: str) -> bool:
    """Whether it is a list of a known kind, or of any kind if it has items."""
    if find_template_paths(group, kind.removesuffix("List")) is not None:
        return True
    items = manifests.member(document, "items")
    return items is not None and isinstance(items.node, SequenceNode)


def fingerprint_documents(manifests: Manifests, found: list[ManifestWorkload], table: dict[object, int]) -> list[int]:
    """Return a number for each document, which does not depend on the pull secrets of these workloads.

    Two numbers from one `table` are equal if the documents are.
    """
    cut = frozenset(id(spot.node) for one in found for spot in (one.pull_secrets, one.annotation) if spot)
    pruned = frozenset(id(spot.node) for one in found for spot in (one.metadata, one.annotations) if spot)
    return [fingerprint(root.node, table, cut, pruned) for root in manifests.roots]


def _read_workload(
    manifests: Manifests, document: Spot, type_: tuple[str, str], path: Path, template: Spot
) -> ManifestWorkload | None:
    """Return the workload of a pod template, None if it has no containers. `type_` is the group and the kind."""
    group, kind = type_
    spec = manifests.member(template, "spec")
    if spec is None:
        return None
    containers = [
        _read_container(manifests, container, is_named=group in CORE_GROUPS)
        for key in ("containers", "initContainers")
        for container in manifests.items(manifests.member(spec, key))
    ]
    if not containers:
        return None
    pull_secrets = manifests.member(spec, "imagePullSecrets")
    metadata = manifests.member(template, "metadata")
    annotations = manifests.member(metadata, "annotations") if metadata else None
    annotation = manifests.member(annotations, PULL_SECRETS_ANNOTATION) if annotations else None
    return ManifestWorkload(
        workload=Workload(
            group=group,
            kind=kind,
            namespace=_read_name(manifests, document, "namespace"),
            name=_read_name(manifests, document, "name"),
            template=PodTemplate(
                containers=tuple(containers),
                pull_secrets=tuple(_read_required(manifests, item, "name") for item in manifests.items(pull_secrets)),
                annotation=_read_annotation(annotation),
            ),
        ),
        line=document.line,
        path=render_path(path),
        template=template,
        spec=spec,
        pull_secrets=pull_secrets,
        metadata=metadata,
        annotations=annotations,
        annotation=annotation,
    )


def _read_container(manifests: Manifests, spot: Spot, *, is_named: bool) -> PodContainer:
    """Return a container. Not all kinds of others require a name: Knative gives it one."""
    image = manifests.member(spot, "image")
    name = _read_required(manifests, spot, "name") if is_named or manifests.member(spot, "name") else ""
    return PodContainer(name=name, image=(image.string or "") if image else "")


def _read_required(manifests: Manifests, spot: Spot, key: str) -> str:
    member = manifests.member(spot, key)
    if member is None or not member.string or not member.string.isprintable():
        raise FormatError((member or spot).line, f"expected '{key}' with a text value")
    return member.string


def _read_annotation(annotation: Spot | None) -> str | None:
    if annotation is None or annotation.is_null:
        return None
    if annotation.string is None:
        reason = f"the annotation '{PULL_SECRETS_ANNOTATION}' is not text; put its value in quotes"
        raise FormatError(annotation.line, reason)
    return annotation.string


def _read_name(manifests: Manifests, document: Spot, key: str) -> str:
    metadata = manifests.member(document, "metadata")
    member = manifests.member(metadata, key) if metadata else None
    name = (member.string or "") if member else ""
    if member and not name.isprintable():
        raise FormatError(member.line, f"'{key}' contains control characters")
    return name


def _read_loosely(document: Node, key: str) -> str:
    """Return a name in `metadata`, "" if it cannot be read: an object that is left alone refuses no file."""
    pairs = document.value if isinstance(document, MappingNode) else []
    metadata = [value for name, value in pairs if name.value == "metadata" and isinstance(value, MappingNode)]
    name = _read_last(metadata[-1], key) if metadata else ""
    return name if name.isprintable() else ""


def _read_last(mapping: MappingNode, key: str) -> str:
    """Return the text of a key, or ""; of several equal keys the last counts, as in kubectl."""
    values = [value.value for name, value in mapping.value if name.value == key and isinstance(value, ScalarNode)]
    return values[-1] if values else ""
