"""Edits of registries.conf by position. Each is proven: the values afterwards are those before, with the one change."""

from __future__ import annotations

import copy
import re
from typing import TYPE_CHECKING, Any

from harbor_agent.formats.registries_conf.document import find_headers
from harbor_agent.formats.text import FormatError, find_line_end
from harbor_agent.formats.toml.document import parse_values
from harbor_agent.formats.toml.edits import set_value
from harbor_agent.formats.toml.style import read_indent, write_value

if TYPE_CHECKING:
    from harbor_agent.formats.toml.document import Statement, TomlFile

V1_PATH = ("registries", "insecure", "registries")
_ITEM = re.compile(r"""#[^\n]*|"(?:[^"\\\n]|\\.)*"|'[^'\n]*'""")
_KEY = "insecure"


def render_table(entry: str) -> str:
    """Return the table that trusts a registry over plain HTTP."""
    return f'[[registry]]\nprefix = "{entry}"\nlocation = "{entry}"\ninsecure = true\n'


def trust_table(toml: TomlFile, index: int) -> bytes:
    """Return the file with `insecure = true` in a table: a value is replaced, or a first line added."""
    header, key = _find(toml, index)
    if key:
        return _prove(toml, index, _replace_value(toml, key, "true"), insecure=True)
    first = next((one for one in toml.statements if one.start >= header.end), None)
    indent = read_indent(toml, first if first and not first.is_header else header)
    end = find_line_end(toml.text)
    before = toml.text[: header.end] + ("" if toml.text[: header.end].endswith("\n") else end)
    return _prove(toml, index, f"{before}{indent}insecure = true{end}{toml.text[header.end :]}", insecure=True)


def distrust_table(toml: TomlFile, index: int) -> bytes:
    """Return the file without trust in a table: the line that `trust_table` adds is removed, any other says false."""
    header, key = _find(toml, index)
    if key is None:
        raise FormatError(1, "the table does not say 'insecure'")
    line = toml.text[key.start : key.end].strip()
    if key.start == header.end and line == "insecure = true":
        return _prove(toml, index, toml.text[: key.start] + toml.text[key.end :], insecure=None)
    return _prove(toml, index, _replace_value(toml, key, "false"), insecure=False)


def add_to_list(toml: TomlFile, entry: str) -> bytes:
    """Return a file of version 1 with one more insecure registry, written like those before it."""
    there = toml.find(V1_PATH)
    if there is None:
        return set_value(toml, V1_PATH, [entry])
    start, items = _read_items(toml, there)
    if not items:
        return set_value(toml, V1_PATH, [entry])
    last = items[-1]
    # in a list of several lines, each item has its line
    lead = re.search(r"\n[ \t]*\Z", toml.text[start : last.start()])
    separator = "," + (find_line_end(toml.text) + lead[0][1:] if lead else " ")
    text = toml.text[: last.end()] + separator + write_value(entry, last[0][0]) + toml.text[last.end() :]
    return _prove_list(toml, text, [*_list(toml), entry])


def remove_from_list(toml: TomlFile, entry: str) -> bytes:
    """Return a file of version 1 without an insecure registry."""
    there = toml.find(V1_PATH)
    kept = [one for one in _list(toml) if one.rstrip("/") != entry]
    if there is None:
        raise FormatError(1, "the list of insecure registries is not written as one value")
    _, items = _read_items(toml, there)
    texts = _list(toml)
    text = toml.text
    for index in range(len(items) - 1, -1, -1):
        if texts[index].rstrip("/") != entry:
            continue
        if index:
            text = text[: items[index - 1].end()] + text[items[index].end() :]
        elif len(items) > 1:
            text = text[: items[0].start()] + text[items[1].start() :]
        else:
            text = text[: there.value_start] + "[]" + text[there.value_end :]
    return _prove_list(toml, text, kept)


def append_table(toml: TomlFile, entry: str) -> bytes:
    """Return the file with a table for a registry at its end."""
    end = find_line_end(toml.text)
    gap = "" if not toml.text.strip() else end if toml.text.endswith("\n") else end + end
    text = toml.text + gap + render_table(entry).replace("\n", end)
    wanted = copy.deepcopy(dict(toml.values))
    wanted.setdefault("registry", []).append({"prefix": entry, "location": entry, _KEY: True})
    if parse_values(text) != wanted:
        raise FormatError(1, "a table cannot be added at the end of the file")
    return toml.encode(text)


def _find(toml: TomlFile, index: int) -> tuple[Statement, Statement | None]:
    """Return the header of a table, and its key `insecure` in any case."""
    headers = find_headers(toml)
    if index >= len(headers):
        raise FormatError(1, "the tables of registries are written on one line: write each with its own header")
    at = toml.statements.index(headers[index])
    for one in toml.statements[at + 1 :]:
        if one.is_header:
            break
        if tuple(key.lower() for key in one.key) == (_KEY,):
            return headers[index], one
    return headers[index], None


def _replace_value(toml: TomlFile, key: Statement, value: str) -> str:
    return toml.text[: key.value_start] + value + toml.text[key.value_end :]


def _prove(toml: TomlFile, index: int, text: str, *, insecure: bool | None) -> bytes:
    wanted = copy.deepcopy(dict(toml.values))
    name = next(name for name in wanted if name.lower() == "registry")
    table = wanted[name][index]
    key = next((key for key in table if key.lower() == _KEY), _KEY)
    if insecure is None:
        del table[key]
    else:
        table[key] = insecure
    return _compare(toml, text, wanted)


def _prove_list(toml: TomlFile, text: str, entries: list[str]) -> bytes:
    wanted = copy.deepcopy(dict(toml.values))
    wanted["registries"]["insecure"]["registries"] = entries
    return _compare(toml, text, wanted)


def _compare(toml: TomlFile, text: str, wanted: dict[str, Any]) -> bytes:
    if parse_values(text) != wanted:
        raise FormatError(1, "the setting cannot be written without changing another one")
    return toml.encode(text)


def _list(toml: TomlFile) -> list[str]:
    entries: Any = toml.values
    for key in V1_PATH:
        entries = entries.get(key, {})
    return list(entries)


def _read_items(toml: TomlFile, there: Statement) -> tuple[int, list[re.Match[str]]]:
    """Return where the list starts, and its items in the text."""
    found = _ITEM.finditer(toml.text, there.value_start, there.value_end)
    return there.value_start, [one for one in found if not one[0].startswith("#")]
