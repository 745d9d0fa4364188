"""Removes endpoints of a registry by position: what `additions` adds goes without a trace."""

from __future__ import annotations

from typing import TYPE_CHECKING

from yaml.nodes import SequenceNode

from harbor_agent.formats.registries_yaml.additions import START
from harbor_agent.formats.registries_yaml.document import (
    MIRRORS,
    RegistriesFile,
    as_mapping,
    load_values,
    require_editable,
)
from harbor_agent.formats.text import Edit, apply_edits
from harbor_agent.formats.yaml.nodes import NotEditableError, is_in_brackets
from harbor_agent.formats.yaml.style import find_dash, find_end, find_end_of_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from yaml.nodes import MappingNode

    from harbor_agent.formats.registries_yaml.document import Mirror
    from harbor_agent.formats.yaml.nodes import Spot


def remove_endpoints(content: bytes, host: str, urls: Sequence[str], inherited: Sequence[str] = ()) -> bytes:
    """Return the file without these endpoints of a registry; of a mirror that has only `inherited` left nothing stays.

    Raises FormatError if the file cannot be edited so that nothing else changes.
    """
    file = RegistriesFile(content)
    mirror = file.mirrors[host]
    left = [one for one in mirror.urls if one not in urls]
    if not left or left == list(inherited):
        text = apply_edits(file.text, [_remove_mirror(file, mirror)])
        return _require_others_kept(file, "" if text == START else text, host)
    while index := next((number for number, one in enumerate(mirror.urls, 1) if one in urls), 0):
        text = apply_edits(file.text, [_remove_item(file, mirror, index - 1)])
        file = RegistriesFile(_require_others_kept(file, text, host))
        mirror = file.mirrors[host]
    return file.encode(file.text)


def _remove_mirror(file: RegistriesFile, mirror: Mirror) -> Edit:
    """Remove all endpoints of a registry, and as much around them as their form shows to be added with them."""
    text, entry, endpoints, mirrors = file.text, mirror.spot, mirror.endpoints, file.mirrors_spot
    if endpoints is None or mirrors is None or file.root is None:
        raise NotEditableError(entry.line, "there is no endpoint to remove")
    for spot in (mirrors, entry, endpoints):
        require_editable(spot)
    node = as_mapping(entry.node)
    is_alone = len(node.value) == 1
    if is_in_brackets(endpoints.node) and not is_in_brackets(node):
        return empty_brackets(text, endpoints)
    if not is_alone:
        return remove_pair(text, node, endpoints)
    in_lines = not is_in_brackets(mirrors.node)
    if is_in_brackets(node) and in_lines:
        return empty_brackets(text, entry)
    others = as_mapping(mirrors.node)
    if len(others.value) > 1:
        return remove_pair(text, others, entry)
    if not in_lines and not (is_in_brackets(file.root.node) and is_padded(text, mirrors)):
        return empty_brackets(text, mirrors)
    return remove_pair(text, as_mapping(file.root.node), mirrors)


def _remove_item(file: RegistriesFile, mirror: Mirror, index: int) -> Edit:
    """Remove one endpoint of several."""
    if mirror.endpoints is None or not isinstance(mirror.endpoints.node, SequenceNode):
        raise NotEditableError(mirror.spot.line, "there is no endpoint to remove")
    require_editable(mirror.endpoints)
    node, text = mirror.endpoints.node, file.text
    items = node.value
    if node.flow_style:
        if index + 1 < len(items):
            return Edit(start=items[index].start_mark.index, end=items[index + 1].start_mark.index)
        return Edit(start=find_end(items[index - 1]), end=find_end(items[index]))
    if index + 1 < len(items):
        starts = [one.start_mark.index - find_dash(text, one)[1] - 1 for one in items[index : index + 2]]
        return Edit(start=starts[0], end=starts[1])
    end = find_end_of_line(text, find_end(items[index]))
    return Edit(start=find_end_of_line(text, find_end(items[index - 1])), end=end)


def remove_pair(text: str, node: MappingNode, spot: Spot) -> Edit:
    """Remove a key with its value from a mapping."""
    keys = [key for key, _ in node.value]
    index = next(number for number, key in enumerate(keys) if key is spot.key)
    start = keys[index].start_mark.index
    if node.flow_style:
        if index + 1 < len(keys):
            return Edit(start=start, end=keys[index + 1].start_mark.index)
        begin = find_end(node.value[index - 1][1]) if index else start
        return Edit(start=begin, end=find_end(spot.node))
    end = find_end_of_line(text, find_end(spot.node))
    before = len(text[:start].rstrip(" "))
    if not index and len(keys) > 1 and text[before - 1 : before] not in ("", "\n"):
        return Edit(start=start, end=keys[1].start_mark.index)
    if not index:
        return Edit(start=before, end=end + len(_read_line_end(text, end)))
    terminator = 2 if text[:before].endswith("\r\n") else 1
    return Edit(start=before - terminator, end=end)


def is_padded(text: str, spot: Spot) -> bool:
    """Whether a value in brackets has a blank after the first and before the last of them."""
    start, end = spot.node.start_mark.index, find_end(spot.node)
    return text.startswith(("{ ", "[ "), start) and text.endswith((" }", " ]"), start, end)


def _read_line_end(text: str, offset: int) -> str:
    return "\r\n" if text.startswith("\r\n", offset) else text[offset : offset + 1]


def empty_brackets(text: str, spot: Spot) -> Edit:
    """Remove what is in brackets, with them if they are padded: then there was no value."""
    start, end = spot.node.start_mark.index, find_end(spot.node)
    if is_padded(text, spot):
        return Edit(start=start - 1 if text[start - 1 : start] == " " else start, end=end)
    last = spot.node.value[-1]
    inside = find_end(last[1] if isinstance(last, tuple) else last)
    return Edit(start=start + 1, end=end - 1 if text[inside : end - 1].strip() else inside)


def _require_others_kept(file: RegistriesFile, text: str, host: str) -> bytes:
    """Return the bytes of a text in which only this registry may differ. Raises NotEditableError."""

    def drop(values: dict[str, object]) -> dict[str, object]:
        mirrors = values.get(MIRRORS)
        kept = {key: one for key, one in mirrors.items() if key != host} if isinstance(mirrors, dict) else {}
        return {**{key: one for key, one in values.items() if key != MIRRORS}, MIRRORS: kept}

    content = file.encode(text)
    if drop(load_values(RegistriesFile(content))) != drop(load_values(file)):
        raise NotEditableError(1, "an edit would change more than this registry")
    return content
