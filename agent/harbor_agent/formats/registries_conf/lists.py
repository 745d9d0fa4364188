"""Edits of the list of insecure registries in a registries.conf of version 1, by position and proven.

What is written shows where it came from, so that its removal gives back the same bytes: a list that is added has a line
for each registry, with a comma after the last one if its table was added too.
"""

from __future__ import annotations

import copy
import re
from typing import TYPE_CHECKING, Any

from harbor_agent.formats.registries_conf.places import append_block, cut_block, prove
from harbor_agent.formats.text import FormatError, find_line_end
from harbor_agent.formats.toml.style import find_indent_in, find_quote, write_value

if TYPE_CHECKING:
    from harbor_agent.formats.toml.document import Statement, TomlFile

_PATH = ("registries", "insecure", "registries")
_ITEM = re.compile(r"""#[^\n]*|"(?:[^"\\\n]|\\.)*"|'[^'\n]*'""")
_COMMA = re.compile(r"[ \t]*,")


def add_to_list(toml: TomlFile, entry: str) -> bytes:
    """Return a file of version 1 with one more insecure registry, written like those before it."""
    there, end = toml.find(_PATH), find_line_end(toml.text)
    wanted = [*_list(toml), entry]
    item = write_value(entry, find_quote(toml))
    if there is None:
        header = toml.find(_PATH[:-1])
        if header is None:
            return _prove(toml, append_block(toml, _render_list(item)), wanted)
        line = f"{find_indent_in(toml, header)}registries = [{end}  {item}{end}]"
        before = toml.text[: header.end]
        line = f"{line}{end}" if before.endswith("\n") else f"{end}{line}"
        return _prove(toml, before + line + toml.text[header.end :], wanted)
    items = _read_items(toml, there)
    if not items:
        at = there.value_start + 1
        return _prove(toml, toml.text[:at] + item + toml.text[at:], wanted)
    last = items[-1]
    # in a list of several lines, each item has its line
    lead = re.search(r"\n[ \t]*\Z", toml.text[there.value_start : last.start()])
    separator = "," + (end + lead[0][1:] if lead else " ")
    text = toml.text[: last.end()] + separator + write_value(entry, last[0][0]) + toml.text[last.end() :]
    return _prove(toml, text, wanted)


def remove_from_list(toml: TomlFile, entry: str) -> bytes:
    """Return a file of version 1 without one registry; a list that `add_to_list` added goes with its last one."""
    there = toml.find(_PATH)
    if there is None:
        raise FormatError(1, "the list of insecure registries is not written as one value")
    texts = _list(toml)
    kept = [one for one in texts if one.rstrip("/") != entry]
    items = _read_items(toml, there)
    if not kept and len(items) == 1:
        return _remove_last(toml, there, items[0])
    text = toml.text
    for index in range(len(items) - 1, -1, -1):
        if texts[index].rstrip("/") != entry:
            continue
        if index:
            text = text[: items[index - 1].end()] + text[items[index].end() :]
        elif len(items) > 1:
            text = text[: items[0].start()] + text[items[1].start() :]
    if not kept:
        text = toml.text[: there.value_start] + "[]" + toml.text[there.value_end :]
    return _prove(toml, text, kept)


def _render_list(item: str) -> str:
    """Return the table that `add_to_list` adds."""
    return f"[registries.insecure]\nregistries = [\n  {item},\n]\n"


def _remove_last(toml: TomlFile, there: Statement, item: re.Match[str]) -> bytes:
    end = find_line_end(toml.text)
    text = cut_block(toml, _render_list(item[0]))
    if text is not None:
        return _prove(toml, text, None)
    if toml.text[there.value_start : there.value_end] == f"[{end}  {item[0]}{end}]":
        # the line end before the statement goes if the file does not end with one
        ends = toml.text[there.start : there.end].endswith("\n")
        start = there.start if ends else len(toml.text[: there.start].rstrip("\r\n"))
        return _prove(toml, toml.text[:start] + toml.text[there.end :], None)
    comma = _COMMA.match(toml.text, item.end(), there.value_end)
    text = toml.text[: item.start()] + toml.text[comma.end() if comma else item.end() :]
    return _prove(toml, text, [])


def _prove(toml: TomlFile, text: str, entries: list[str] | None) -> bytes:
    """Return the content of a text with these insecure registries; None: without the list."""
    wanted: dict[str, Any] = copy.deepcopy(dict(toml.values))
    insecure = wanted.setdefault("registries", {}).setdefault("insecure", {})
    if entries is None:
        del insecure["registries"]
    else:
        insecure["registries"] = entries
    return prove(toml, text, wanted)


def _list(toml: TomlFile) -> list[str]:
    entries: Any = toml.values
    for key in _PATH:
        entries = entries.get(key, {})
    return list(entries)


def _read_items(toml: TomlFile, there: Statement) -> list[re.Match[str]]:
    """Return the items of the list in the text."""
    found = _ITEM.finditer(toml.text, there.value_start, there.value_end)
    return [one for one in found if not one[0].startswith("#")]
