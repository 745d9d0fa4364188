"""Adds the endpoint of a registry by position.

The form of an addition shows what was there before, so that a removal gives back the same bytes: a value that was
missing is written in padded brackets, empty brackets are filled without blanks, and a key of our own is written on
lines of its own, or in a file of brackets with padded ones.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from yaml.nodes import SequenceNode

from harbor_agent.formats.registries_yaml.document import (
    ENDPOINT,
    MIRRORS,
    RegistriesFile,
    as_mapping,
    load_values,
    require_editable,
)
from harbor_agent.formats.registries_yaml.style import (
    Style,
    detect_style,
    write_endpoint,
    write_endpoints,
    write_inline,
    write_mirror,
    write_mirrors,
    write_url,
)
from harbor_agent.formats.text import Edit, apply_edits
from harbor_agent.formats.yaml.nodes import NotEditableError, is_in_brackets
from harbor_agent.formats.yaml.style import find_dash, find_end, find_end_of_line, insert_in_brackets

if TYPE_CHECKING:
    from collections.abc import Sequence

    from yaml.nodes import Node

    from harbor_agent.formats.registries_yaml.document import Mirror
    from harbor_agent.formats.yaml.nodes import Spot

# What an empty file gets before the registry, so that a removal leaves it empty and does not delete it.
START = "---\n"


def render_registries(host: str, url: str) -> str:
    """Return a file with nothing but the endpoint of a registry."""
    return "".join(f"{line}\n" for line in write_mirrors(host, [url], 0, Style()))


def add_endpoint(content: bytes, host: str, url: str, inherited: Sequence[str] = ()) -> bytes:
    """Return the file with `url` as the first endpoint of a registry; one without mirrors gets `inherited` before it.

    Raises FormatError if the file cannot be edited so that nothing else changes.
    """
    file = RegistriesFile(content)
    mirror = file.mirrors.get(host)
    is_new = mirror is None or not mirror.urls
    urls = [*inherited, url] if is_new else [url, *(mirror.urls if mirror else ())]
    text = _add(file, mirror, host, urls if is_new else [url])
    values = load_values(file)
    values[MIRRORS] = dict(values.get(MIRRORS) or {})
    values[MIRRORS][host] = {**(values[MIRRORS].get(host) or {}), ENDPOINT: urls}
    changed = RegistriesFile(file.encode(text))
    if load_values(changed) != values:
        raise NotEditableError(1, "an edit would change more than this registry")
    return file.encode(text)


def _add(file: RegistriesFile, mirror: Mirror | None, host: str, urls: list[str]) -> str:
    style = detect_style(file)
    if file.root is None:
        lines = style.line_end.join([*write_mirrors(host, urls, 0, style), ""])
        return (lines if file.text else START + lines) + file.text
    if file.root.is_null:
        raise NotEditableError(file.root.line, "the document holds no mapping")
    if file.mirrors_spot is None:
        return apply_edits(file.text, [_add_mirrors(file.text, file.root, host, urls, style)])
    require_editable(file.mirrors_spot)
    if mirror is None:
        return apply_edits(file.text, [_add_mirror(file.text, file.mirrors_spot, host, urls, style)])
    return apply_edits(file.text, [_extend_mirror(file.text, mirror, urls, style)])


def _extend_mirror(text: str, mirror: Mirror, urls: list[str], style: Style) -> Edit:
    """Add endpoints to a registry that the file names."""
    require_editable(mirror.spot)
    if mirror.spot.is_null:
        return fill(mirror.spot, f"{{ {write_endpoint(urls)} }}")
    if mirror.endpoints is None:
        return _add_endpoints(text, mirror.spot.node, urls, style)
    require_editable(mirror.endpoints)
    if mirror.endpoints.is_null:
        return fill(mirror.endpoints, f"[ {', '.join(map(json.dumps, urls))} ]")
    return _add_items(text, mirror.endpoints.node, urls, style)


def _add_mirrors(text: str, root: Spot, host: str, urls: list[str], style: Style) -> Edit:
    """Insert `mirrors` before the first key of the file."""
    if is_in_brackets(root.node):
        return insert_in_brackets(text, as_mapping(root.node), f'"{MIRRORS}": {{ {write_inline(host, urls)} }}')
    first = as_mapping(root.node).value[0][0].start_mark
    lines = write_mirrors(host, urls, first.column, style)
    lines[0] = lines[0].lstrip()
    return Edit(start=first.index, end=first.index, text=style.line_end.join([*lines, " " * first.column]))


def _add_mirror(text: str, mirrors: Spot, host: str, urls: list[str], style: Style) -> Edit:
    """Append a registry to `mirrors`."""
    if mirrors.is_null:
        return fill(mirrors, f"{{ {write_inline(host, urls)} }}")
    node = as_mapping(mirrors.node)
    if node.flow_style:
        return insert_in_brackets(text, node, write_inline(host, urls), after=True)
    column = node.value[0][0].start_mark.column
    at = find_end_of_line(text, find_end(node))
    lines = write_mirror(host, urls, column, style)
    return Edit(start=at, end=at, text="".join(f"{style.line_end}{line}" for line in lines))


def _add_endpoints(text: str, node: Node, urls: list[str], style: Style) -> Edit:
    """Insert `endpoint` before the first key of a mirror."""
    mapping = as_mapping(node)
    if mapping.flow_style:
        return insert_in_brackets(text, mapping, write_endpoint(urls))
    first = mapping.value[0][0].start_mark
    lines = write_endpoints(urls, first.column, style)
    lines[0] = lines[0].lstrip()
    return Edit(start=first.index, end=first.index, text=style.line_end.join([*lines, " " * first.column]))


def _add_items(text: str, node: Node, urls: list[str], style: Style) -> Edit:
    """Insert endpoints before those of a list."""
    if not isinstance(node, SequenceNode) or node.flow_style:
        return insert_in_brackets(text, node, ", ".join(map(json.dumps, urls)))  # type: ignore[arg-type]
    column, gap = find_dash(text, node.value[0])
    start = node.value[0].start_mark.index - gap - 1
    between = f"{style.line_end}{' ' * column}"
    written = "".join(f"-{' ' * gap}{write_url(url, style)}{between}" for url in urls)
    return Edit(start=start, end=start, text=written)


def fill(spot: Spot, written: str) -> Edit:
    """Write the value of a key that has none. Raises NotEditableError for a written null."""
    start = spot.node.start_mark.index
    if start < spot.node.end_mark.index or spot.key is None:
        raise NotEditableError(spot.line, "the value is null: leave it empty, or write a mapping or list")
    at = spot.key.end_mark.index
    # libyaml has the mark of a value that is missing behind the colon
    return Edit(start=max(at, start), end=max(at, start), text=f" {written}")
