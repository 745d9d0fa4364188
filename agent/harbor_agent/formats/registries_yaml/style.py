"""How a registry is written into registries.yaml: in the style of the others in the file."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from yaml.nodes import ScalarNode, SequenceNode

from harbor_agent.formats.registries_yaml.document import ENDPOINT, MIRRORS
from harbor_agent.formats.text import find_line_end
from harbor_agent.formats.yaml.nodes import is_in_brackets
from harbor_agent.formats.yaml.style import find_dash

if TYPE_CHECKING:
    from harbor_agent.formats.registries_yaml.document import RegistriesFile


@dataclass(frozen=True, slots=True, kw_only=True)
class Style:
    """The style of a file: spaces per level, spaces before the dash, and whether its endpoints have quotes."""

    line_end: str = "\n"
    indent: int = 2
    dash: int = 2
    quoted: bool = True


def detect_style(file: RegistriesFile) -> Style:
    """Return the style of the first mirror, and of the first list of endpoints."""
    style = Style(line_end=find_line_end(file.text))
    spot = file.mirrors_spot
    if spot is None or spot.key is None or is_in_brackets(spot.node):
        return style
    lists = [one.endpoints for one in file.mirrors.values() if one.endpoints and one.urls]
    indents = [
        one.spot.key.start_mark.column - spot.key.start_mark.column for one in file.mirrors.values() if one.spot.key
    ]
    indent = indents[0] if indents and indents[0] > 0 else style.indent
    for found in lists:
        node = found.node
        if found.key is None or not isinstance(node, SequenceNode) or node.flow_style:
            continue
        item = node.value[0]
        dash = find_dash(file.text, item)[0] - found.key.start_mark.column
        quoted = isinstance(item, ScalarNode) and bool(item.style)
        return Style(line_end=style.line_end, indent=indent, dash=max(dash, 0), quoted=quoted)
    return Style(line_end=style.line_end, indent=indent, dash=indent)


def write_mirrors(host: str, urls: list[str], column: int, style: Style) -> list[str]:
    """Return `mirrors` with one registry, as lines."""
    return [f"{' ' * column}{MIRRORS}:", *write_mirror(host, urls, column + style.indent, style)]


def write_mirror(host: str, urls: list[str], column: int, style: Style) -> list[str]:
    """Return a registry with its endpoints, as lines."""
    return [f"{' ' * column}{json.dumps(host)}:", *write_endpoints(urls, column + style.indent, style)]


def write_endpoints(urls: list[str], column: int, style: Style) -> list[str]:
    """Return `endpoint` with its list, as lines."""
    lines = [f"{' ' * (column + style.dash)}- {write_url(url, style)}" for url in urls]
    return [f"{' ' * column}{ENDPOINT}:", *lines]


def write_url(url: str, style: Style) -> str:
    """Return one endpoint."""
    return json.dumps(url) if style.quoted else url


def write_inline(host: str, urls: list[str]) -> str:
    """Return a registry with its endpoints, as in brackets."""
    return f"{json.dumps(host)}: {{{write_endpoint(urls)}}}"


def write_endpoint(urls: list[str]) -> str:
    """Return `endpoint` with its list, as in brackets."""
    return f'"{ENDPOINT}": [{", ".join(map(json.dumps, urls))}]'
