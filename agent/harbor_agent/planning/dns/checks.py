"""The rules by which CoreDNS does not load a Corefile although its parser accepts it (measured on 1.7 to 1.13)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from harbor_agent.formats.corefile.parser import parse_corefile
from harbor_agent.formats.text import FormatError
from harbor_agent.planning.dns.zones import list_addresses, list_zones
from harbor_agent.planning.refusal import RefusedError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harbor_agent.formats.corefile.document import Corefile, ServerBlock

LONGEST: Final = 100_000
_VARIABLES: Final = ("{$", "{%")


def read_valid_corefile(text: str, files: Mapping[str, str], label: str) -> Corefile:
    """Parse a Corefile that CoreDNS loads. Raises RefusedError `corefile-invalid` or `corefile-unclear`."""
    if len(text) > LONGEST:
        raise RefusedError("corefile-invalid", f"{label} has more than {LONGEST // 1000} KB", "shorten it by hand")
    try:
        corefile = parse_corefile(text, files)
        for block in corefile.blocks:
            _check_block(block)
        _check_zones(corefile)
    except FormatError as error:
        raise RefusedError(
            "corefile-invalid",
            f"{label} line {error.line}: {error.reason}",
            "fix it with kubectl edit; CoreDNS keeps the last Corefile that loaded until its pod restarts",
        ) from None
    return corefile


def _check_block(block: ServerBlock) -> None:
    key = block.keys[0]
    for token in block.keys:
        if "{" in token.text and not any(variable in token.text for variable in _VARIABLES):
            raise FormatError(token.line, f"'{token.text}': a blank is missing before '{{'")
    if block.opening is None and block.closing is not None:
        raise FormatError(key.line, f"the block '{key.text}' has a '}}' but no '{{'")
    hosts = block.find("hosts")
    if len(hosts) > 1:
        raise FormatError(hosts[1].tokens[0].line, "hosts can only be used once per server block")


def _check_zones(corefile: Corefile) -> None:
    seen: dict[tuple[object, ...], int] = {}
    for number, block in enumerate(corefile.blocks):
        if block.opening is None and number < len(corefile.blocks) - 1:
            raise FormatError(block.keys[0].line, f"another block follows '{block.keys[0].text}', which has no braces")
        if block.find("view"):
            continue
        for zone in list_zones(block):
            place = (zone, list_addresses(block))
            if place in seen:
                name = f"{zone.name or '.'}:{zone.port}"
                raise FormatError(block.keys[0].line, f"{name} is already defined in line {seen[place]}")
            seen[place] = block.keys[0].line


def find_unclear(corefile: Corefile, block: ServerBlock, folders: tuple[str, ...]) -> str:
    """Return why it cannot be known which block answers, or what it has; "" if it is clear.

    `folders` are those whose files are known.
    """
    for one in corefile.blocks:
        for key in one.keys:
            if any(variable in key.text for variable in _VARIABLES):
                return f"line {key.line}: the zone '{key.text}' depends on a variable"
    for found in (*corefile.imports, *block.imports):
        folder = found.pattern.rpartition("/")[0]
        if found.unseen or (not found.is_snippet and folder not in folders):
            return f"line {found.token.line}: the files of 'import {found.pattern}' are not in a ConfigMap that is read"
    return ""
