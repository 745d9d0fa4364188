"""The workloads in manifests: where their pod templates stand, and what these say about pull secrets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from yaml.nodes import MappingNode, ScalarNode

from harbor_agent.formats.text import FormatError
from harbor_agent.formats.yaml.nodes import fingerprint
from harbor_agent.model.workload import PULL_SECRETS_ANNOTATION, PodContainer, PodTemplate, Workload

if TYPE_CHECKING:
    from harbor_agent.formats.yaml.nodes import Manifests, Spot

_APPS = frozenset({"apps", "extensions"})
# By kind: the API groups that it is in, and the way to the pod template.
_KINDS = {
    "Pod": (frozenset({""}), ()),
    "Deployment": (_APPS, ("spec", "template")),
    "DaemonSet": (_APPS, ("spec", "template")),
    "ReplicaSet": (_APPS, ("spec", "template")),
    "StatefulSet": (_APPS, ("spec", "template")),
    "Job": (frozenset({"batch"}), ("spec", "template")),
    "CronJob": (frozenset({"batch"}), ("spec", "jobTemplate", "spec", "template")),
}
_LISTS = frozenset(f"{kind}List" for kind in _KINDS)


@dataclass(frozen=True, slots=True, kw_only=True)
class ManifestWorkload:
    """A workload as it stands in a text, `line` being where it begins, and the parts of its pod template.

    A part is None where it is not there; `pull_secrets` is in `spec`, `annotation` in `annotations` in `metadata`.
    """

    workload: Workload
    line: int
    template: Spot
    spec: Spot
    pull_secrets: Spot | None
    metadata: Spot | None
    annotations: Spot | None
    annotation: Spot | None


def find_workloads(manifests: Manifests) -> list[ManifestWorkload]:
    """Return the workloads that name containers, those in lists too; patches that name none are not among them.

    Raises FormatError for one that the API server would not take, NotEditableError for a key that stands twice.
    """
    found = []
    ahead = list(reversed(manifests.roots))
    while ahead:
        document = ahead.pop()
        if not isinstance(document.node, MappingNode):
            continue
        kind = _last(document.node, "kind")
        if kind == "List" or kind in _LISTS:
            ahead.extend(reversed(manifests.items(manifests.member(document, "items"))))
            continue
        groups, way = _KINDS.get(kind, (frozenset[str](), ()))
        if _last(document.node, "apiVersion").rpartition("/")[0] in groups:
            one = _read(manifests, document, kind, way)
            found += [one] if one else []
    return found


def meaning(manifests: Manifests, found: list[ManifestWorkload], table: dict[object, int]) -> list[int]:
    """Return what the documents hold, apart from the pull secrets of these workloads, as numbers to be compared.

    Numbers that come of one `table` are equal where the documents are.
    """
    cut = frozenset(id(spot.node) for one in found for spot in (one.pull_secrets, one.annotation) if spot)
    pruned = frozenset(id(spot.node) for one in found for spot in (one.metadata, one.annotations) if spot)
    return [fingerprint(root.node, table, cut, pruned) for root in manifests.roots]


def _read(manifests: Manifests, document: Spot, kind: str, way: tuple[str, ...]) -> ManifestWorkload | None:
    template: Spot | None = document
    for key in way:
        template = manifests.member(template, key) if template else None
    spec = manifests.member(template, "spec") if template else None
    if template is None or spec is None:
        return None
    containers = [
        _container(manifests, container)
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
            kind=kind,
            namespace=_name(manifests, document, "namespace"),
            name=_name(manifests, document, "name"),
            template=PodTemplate(
                containers=tuple(containers),
                pull_secrets=tuple(_required(manifests, item, "name") for item in manifests.items(pull_secrets)),
                annotation=_text(annotation),
            ),
        ),
        line=document.line,
        template=template,
        spec=spec,
        pull_secrets=pull_secrets,
        metadata=metadata,
        annotations=annotations,
        annotation=annotation,
    )


def _container(manifests: Manifests, spot: Spot) -> PodContainer:
    image = manifests.member(spot, "image")
    return PodContainer(name=_required(manifests, spot, "name"), image=(image.string or "") if image else "")


def _required(manifests: Manifests, spot: Spot, key: str) -> str:
    member = manifests.member(spot, key)
    if member is None or not member.string or not member.string.isprintable():
        raise FormatError((member or spot).line, f"'{key}' should be here and be text")
    return member.string


def _text(annotation: Spot | None) -> str | None:
    if annotation is None or annotation.is_null:
        return None
    if annotation.string is None:
        raise FormatError(annotation.line, f"the annotation '{PULL_SECRETS_ANNOTATION}' is not text: it lacks quotes")
    return annotation.string


def _name(manifests: Manifests, document: Spot, key: str) -> str:
    metadata = manifests.member(document, "metadata")
    member = manifests.member(metadata, key) if metadata else None
    name = (member.string or "") if member else ""
    if member and not name.isprintable():
        raise FormatError(member.line, f"'{key}' holds control characters")
    return name


def _last(mapping: MappingNode, key: str) -> str:
    """Return the text of a key, of several the last, as kubectl does; "" where there is none."""
    values = [value.value for name, value in mapping.value if name.value == key and isinstance(value, ScalarNode)]
    return values[-1] if values else ""
