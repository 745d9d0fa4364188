"""Pod templates in one document: at the paths of a known kind, or found by their form in any other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from yaml.nodes import MappingNode, ScalarNode, SequenceNode

from harbor_agent.formats.text import FormatError
from harbor_agent.model.workloads.kinds import ANY

if TYPE_CHECKING:
    from collections.abc import Iterator

    from yaml.nodes import Node

    from harbor_agent.formats.yaml.nodes import Manifests, Spot
    from harbor_agent.model.workloads.kinds import Path

# Lists of containers, and the container of an Argo Workflow's template.
_LISTS = frozenset({"containers", "initContainers", "steps"})
_CONTAINER = "container"


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundContainers:
    """Containers with images in a document of an unknown kind.

    `path` leads to the pod template, with numbers for items of lists; None if they are not in a pod template.
    """

    path: Path | None
    images: tuple[str, ...]


def resolve_path(manifests: Manifests, spot: Spot, path: Path) -> Iterator[tuple[Path, Spot]]:
    """Yield the values at a path, each with its own path, in the order of the text.

    Raises FormatError for a value that is neither a mapping nor a list where the path goes on.
    """
    if not path:
        yield (), spot
        return
    for step, below in _list_children(manifests, spot, path[0]):
        for rest, found in resolve_path(manifests, below, path[1:]):
            yield (step, *rest), found


def render_path(path: Path) -> str:
    """Return a path as people write it, such as `spec.tasks[0].template`."""
    return "".join(f"[{step}]" if step.isdecimal() else f".{step}" for step in path).removeprefix(".")


def find_containers(document: Node) -> list[FoundContainers]:
    """Return the containers with images in a document, those of each mapping that has some in one piece."""
    return list(_walk(document, (), set()))


def _list_children(manifests: Manifests, spot: Spot, step: str) -> Iterator[tuple[str, Spot]]:
    if isinstance(spot.node, SequenceNode):
        items = manifests.items(spot)
        yield from ((str(n), item) for n, item in enumerate(items) if step in (ANY, str(n)))
        return
    keys = [step]
    if step == ANY:
        if not isinstance(spot.node, MappingNode):
            if spot.is_null:
                return
            raise FormatError(spot.line, "expected a mapping or a list")
        keys = [key.value for key, _ in spot.node.value if isinstance(key, ScalarNode)]
    for key in dict.fromkeys(keys):
        below = manifests.member(spot, key)
        if below:
            yield key, below


def _walk(node: Node, path: Path, seen: set[int]) -> Iterator[FoundContainers]:
    if id(node) in seen:
        return
    seen.add(id(node))
    if isinstance(node, SequenceNode):
        for number, item in enumerate(node.value):
            yield from _walk(item, (*path, str(number)), seen)
        return
    if not isinstance(node, MappingNode):
        return
    members = [(key.value, value) for key, value in node.value if isinstance(key, ScalarNode)]
    images = tuple(image for key, value in members for image in _list_images(key, value))
    if images:
        # At the top, `spec` is the object's own, as of an operator that starts pods of its own making.
        is_template = path[-1:] == ("spec",) and len(path) > 1 and any(key == "containers" for key, _ in members)
        yield FoundContainers(path=path[:-1] if is_template else None, images=images)
        return
    for key, value in members:
        yield from _walk(value, (*path, key), seen)


def _list_images(key: str, value: Node) -> Iterator[str]:
    """Yield the images of a list of containers, or of a single one."""
    items = value.value if key in _LISTS and isinstance(value, SequenceNode) else [value] if key == _CONTAINER else []
    for item in items:
        pairs = item.value if isinstance(item, MappingNode) else []
        yield from (below.value for name, below in pairs if _is_text(name, "image") and isinstance(below, ScalarNode))


def _is_text(node: Node, text: str) -> bool:
    return isinstance(node, ScalarNode) and node.value == text
