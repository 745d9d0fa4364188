"""Edits of `[[registry]]` tables by position. Each is proven: the values are those before with the one change.

What is written shows where it came from, so that its removal gives back the same bytes: a value that said `false` keeps
its width (`true `), an added key is the first line of its table, and an added table is the last one of its file.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from harbor_agent.formats.registries_conf.document import find_headers
from harbor_agent.formats.registries_conf.places import append_block, cut_block, prove
from harbor_agent.formats.text import FormatError, find_line_end
from harbor_agent.formats.toml.style import read_indent

if TYPE_CHECKING:
    from harbor_agent.formats.toml.document import Statement, TomlFile

_KEY = "insecure"
_ADDED = "insecure = true"
# as wide as "false"
_REPLACED = "true "


def render_table(entry: str) -> str:
    """Return the table that trusts a registry over plain HTTP."""
    return f'[[registry]]\nprefix = "{entry}"\nlocation = "{entry}"\ninsecure = true\n'


def is_table_alone(content: bytes, entry: str) -> bool:
    """Whether a file is that table and nothing else, also if its value was replaced meanwhile."""
    return content.replace(_REPLACED.encode() + b"\n", b"true\n") == render_table(entry).encode()


def trust_table(toml: TomlFile, index: int) -> bytes:
    """Return the file with `insecure = true` in a table: a value is replaced, or a first line added."""
    header, key = _find(toml, index)
    if key:
        return _prove(toml, index, _replace_value(toml, key, _REPLACED), insecure=True)
    first = next((one for one in toml.statements if one.start >= header.end), None)
    indent = read_indent(toml, first if first and not first.is_header else header)
    end = find_line_end(toml.text)
    text = f"{toml.text[: header.end]}{indent}{_ADDED}{end}{toml.text[header.end :]}"
    return _prove(toml, index, text, insecure=True)


def distrust_table(toml: TomlFile, index: int) -> bytes:
    """Return the file without trust in a table: what `trust_table` wrote is undone, any other value says false."""
    header, key = _find(toml, index)
    if key is None:
        raise FormatError(1, "the table does not say 'insecure'")
    if key.start == header.end and toml.text[key.start : key.end].rstrip("\r\n").lstrip() == _ADDED:
        return _prove(toml, index, toml.text[: key.start] + toml.text[key.end :], insecure=None)
    return _prove(toml, index, _replace_value(toml, key, "false"), insecure=False)


def append_table(toml: TomlFile, entry: str) -> bytes:
    """Return the file with a table for a registry at its end."""
    wanted = copy.deepcopy(dict(toml.values))
    wanted.setdefault("registry", []).append({"prefix": entry, "location": entry, _KEY: True})
    return prove(toml, append_block(toml, render_table(entry)), wanted)


def remove_appended_table(toml: TomlFile, entry: str) -> bytes | None:
    """Return the file as it was before `append_table`, None if such a table is not its end."""
    text = cut_block(toml, render_table(entry))
    if text is None:
        return None
    wanted = copy.deepcopy(dict(toml.values))
    wanted["registry"].pop()
    if not wanted["registry"]:
        del wanted["registry"]
    return prove(toml, text, wanted)


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
    end = key.value_end
    if value == "false" and toml.text[key.value_start : end + 1] == _REPLACED:
        end += 1
    return toml.text[: key.value_start] + value + toml.text[end:]


def _prove(toml: TomlFile, index: int, text: str, *, insecure: bool | None) -> bytes:
    wanted: dict[str, Any] = copy.deepcopy(dict(toml.values))
    name = next(name for name in wanted if name.lower() == "registry")
    table = wanted[name][index]
    key = next((key for key in table if key.lower() == _KEY), _KEY)
    if insecure is None:
        del table[key]
    else:
        table[key] = insecure
    return prove(toml, text, wanted)
