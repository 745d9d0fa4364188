"""Blocks at the end of a TOML file, and the proof of an edit."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from harbor_agent.formats.text import FormatError, find_line_end
from harbor_agent.formats.toml.document import parse_values

if TYPE_CHECKING:
    from harbor_agent.formats.toml.document import TomlFile

_LINE_END = re.compile(r"\r?\n\Z")


def append_block(toml: TomlFile, block: str) -> str:
    """Return the text with a block at its end, after a blank line; it ends with a line end if it did so before."""
    end, text = find_line_end(toml.text), toml.text
    block = block.replace("\n", end)
    if not text.strip():
        return text + block if not text or text.endswith("\n") else text + end + block.removesuffix(end)
    return f"{text}{end}{block}" if text.endswith("\n") else f"{text}{end}{end}{block.removesuffix(end)}"


def cut_block(toml: TomlFile, block: str) -> str | None:
    """Return the text as it was before `append_block`, None if it does not end with the block."""
    end, text = find_line_end(toml.text), toml.text
    block = block.replace("\n", end)
    if not text.endswith((block, block.removesuffix(end))):
        return None
    is_ended = text.endswith("\n")
    before = text.removesuffix(block if is_ended else block.removesuffix(end))
    if not before:
        return before
    if not is_ended:
        before = _LINE_END.sub("", before)
    return _LINE_END.sub("", before) if before.strip() else before


def prove(toml: TomlFile, text: str, wanted: dict[str, Any]) -> bytes:
    """Return the content of an edited text. Raises FormatError if its values are not those wanted."""
    try:
        found = parse_values(text)
    except FormatError as error:
        raise FormatError(error.line, "it cannot be added: write each table with a header of its own") from None
    if _drop_empty(found) != _drop_empty(wanted):
        raise FormatError(1, "the setting cannot be written without changing another one")
    return toml.encode(text)


def _drop_empty(values: Any) -> Any:  # noqa: ANN401 - any TOML value
    """Return the values without empty tables: a header that holds nothing sets nothing."""
    if not isinstance(values, dict):
        return values
    kept = {key: _drop_empty(one) for key, one in values.items()}
    return {key: one for key, one in kept.items() if one != {}}
