"""hosts.toml as it may have been before this tool edited it: a recorded hash says which of these it was."""

from __future__ import annotations

import re
from contextlib import suppress
from itertools import product
from typing import TYPE_CHECKING

from harbor_agent.formats.containerd.authorities import AUTHORITIES, CLIENT, KEY
from harbor_agent.formats.containerd.hosts import NEEDED
from harbor_agent.formats.text import FormatError
from harbor_agent.formats.toml.document import parse_toml
from harbor_agent.formats.toml.edits import remove_key, remove_table, set_value

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from harbor_agent.formats.toml.edits import Path, Value
    from harbor_agent.model.address import Address

    Edit = Callable[[bytes], bytes]

_BLANK_LINE = re.compile(r"\A[ \t]*\r?\n")


def list_earlier_forms(content: bytes, address: Address) -> Iterator[bytes]:
    """Yield what a file may have been before this tool edited it: each of its edits undone, in every combination."""
    yield b""
    plain, secure = f"http://{address.entry}", f"https://{address.entry}"
    server: list[Edit] = [
        _keep,
        _set(("server",), secure),
        _set(("server",), address.entry),
        _remove_server(blank=False),
        _remove_server(blank=True),
    ]
    hosts: list[Edit] = [_keep, _remove_host(plain)]
    hosts += [_set(("host", plain, "capabilities"), [one]) for one in NEEDED]
    certificates: list[Edit] = [_keep, _remove_host(secure), _remove_certificates(("host", secure))]
    for edits in product(hosts, certificates, server):
        with suppress(FormatError):
            yield _apply(content, edits)


def _apply(content: bytes, edits: Sequence[Edit]) -> bytes:
    for edit in edits:
        content = edit(content)
    return content


def _keep(content: bytes) -> bytes:
    return content


def _set(path: Path, value: Value) -> Edit:
    def edit(content: bytes) -> bytes:
        file = parse_toml(content)
        return content if file.find(path) is None else set_value(file, path, value)

    return edit


def _remove_server(*, blank: bool) -> Edit:
    """Return the edit that removes `server`, with the blank line after it if `blank`."""

    def edit(content: bytes) -> bytes:
        file = parse_toml(content)
        there = file.find(("server",))
        if there is None:
            return content
        rest = file.text[there.end :]
        return file.encode(file.text[: there.start] + (_BLANK_LINE.sub("", rest) if blank else rest))

    return edit


def _remove_host(url: str) -> Edit:
    return lambda content: remove_table(parse_toml(content), ("host", url))


def _remove_certificates(table: Path) -> Edit:
    def edit(content: bytes) -> bytes:
        for key, value in (("ca", AUTHORITIES), ("client", [[CLIENT, KEY]])):
            file = parse_toml(content)
            if file.values.get("host", {}).get(table[-1], {}).get(key) == value:
                content = remove_key(file, (*table, key))
        return content

    return edit
