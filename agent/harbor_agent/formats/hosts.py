"""/etc/hosts by position (hosts(5)): its lines, and one block between marks that belongs to this tool."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

BEGIN: Final = "# BEGIN harbor-agent"
END: Final = "# END harbor-agent"
_BLOCK: Final = re.compile(rf"^{BEGIN}[ \t]*\n(?P<body>.*?)^{END}[ \t]*(?:\n|\Z|(?=#))", re.DOTALL | re.MULTILINE)
_LINE: Final = re.compile(r"[^\n]*\n?")


@dataclass(frozen=True, slots=True, kw_only=True)
class HostsLine:
    """A line with an address: its names in lower case, its place, and whether it is in the block of this tool."""

    address: str
    names: tuple[str, ...]
    start: int
    is_ours: bool = False


def read_lines(text: str) -> Iterator[HostsLine]:
    """Yield the lines that have an address and a name; resolvers skip all others."""
    block = _BLOCK.search(text)
    for match in _LINE.finditer(text):
        address, *names = match.group().partition("#")[0].split() or [""]
        if names and (normal := normalize_address(address)):
            is_ours = bool(block and block.start() <= match.start() < block.end())
            folded = tuple(name.lower().removesuffix(".") for name in names)
            yield HostsLine(address=normal, names=folded, start=match.start(), is_ours=is_ours)


def normalize_address(text: str) -> str | None:
    """Return an IP address in its usual form; None for other text."""
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return None


def replace_block(text: str, entries: Iterable[tuple[str, str]]) -> str:
    """Return the text with these (address, name) entries in the block, which is at the end if it is new.

    Without entries the block is removed. A text without a last line end has none afterwards either, so that adding
    and removing the block leads back to the same bytes. A comment that another program appends to such a last line
    stays.
    """
    body = "".join(f"{address} {name}\n" for address, name in entries)
    block = f"{BEGIN}\n{body}{END}\n" if body else ""
    if found := _BLOCK.search(text):
        is_last_line = not found.group().endswith("\n")
        before, after = text[: found.start()], text[found.end() :]
        if is_last_line:
            return (before + block[:-1] if block else before.removesuffix("\n")) + after
        return before + block + after
    if block and text and not text.endswith("\n"):
        return f"{text}\n{block[:-1]}"
    return text + block
