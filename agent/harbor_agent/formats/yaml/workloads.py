"""Finds workloads in manifests: the places of their pod templates and of the pull secrets in them."""

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
# For each kind: its API groups, and the keys that lead to the pod template.
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
    """A workload in a text that begins at `line` (from 1), and the parts of its pod template, None if absent.

    `pull_secrets` is in `spec`; `annotation` is in `annotations`, in `metadata`.
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
    """Return the workloads with containers, including those inside lists; patches without containers do not count.

    Raises FormatError for a workload that the API server would reject, NotEditableError for a duplicate key.
    """
    found = []
    ahead = list(reversed(manifests.roots))
    while ahead:
        document = ahead.pop()
        if not isinstance(document.node, MappingNode):
            continue
        kind = _read_last(document.node, "kind")
        if kind == "List" or kind in _LISTS:
            ahead.extend(reversed(manifests.items(manifests.member(document, "items"))))
            continue
        groups, keys = _KINDS.get(kind, (frozenset[str](), ()))
        if _read_last(document.node, "apiVersion").rpartition("/")[0] in groups:
            one = _read_workload(manifests, document, kind, keys)
            found += [one] if one else []
    return found


def fingerprint_documents(manifests: Manifests, found: list[ManifestWorkload], table: dict[object, int]) -> list[int]:
    """Return a number for each document, which does not depend on the pull secrets of these workloads.

    Two numbers from one `table` are equal if the documents are.
    """
    cut = frozenset(id(spot.node) for one in found for spot in (one.pull_secrets, one.annotation) if spot)
    pruned = frozenset(id(spot.node) for one in found for spot in (one.metadata, one.annotations) if spot)
    return [fingerprint(root.node, table, cut, pruned) for root in manifests.roots]


def _read_workload(manifests: Manifests, document: Spot, kind: str, keys: tuple[str, ...]) -> ManifestWorkload | None:
    template: Spot | None = document
    for key in keys:
        template = manifests.member(template, key) if template else None
    spec = manifests.member(template, "spec") if template else None
    if template is None or spec is None:
        return None
    containers = [
        _read_container(manifests, container)
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
            namespace=_read_name(manifests, document, "namespace"),
            name=_read_name(manifests, document, "name"),
            template=PodTemplate(
                containers=tuple(containers),
                pull_secrets=tuple(_read_required(manifests, item, "name") for item in manifests.items(pull_secrets)),
                annotation=_read_annotation(annotation),
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


def _read_container(manifests: Manifests, spot: Spot) -> PodContainer:
    image = manifests.member(spot, "image")
    return PodContainer(name=_read_required(manifests, spot, "name"), image=(image.string or "") if image else "")


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


def _read_last(mapping: MappingNode, key: str) -> str:
    """Return the text of a key, or ""; of several equal keys the last counts, as in kubectl."""
    values = [value.value for name, value in mapping.value if name.value == key and isinstance(value, ScalarNode)]
    return values[-1] if values else ""
