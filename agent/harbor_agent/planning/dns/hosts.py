"""The hosts directive of a server block, and what else in the block answers a name before it."""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING, Final

from harbor_agent.planning.dns.zones import read_zone

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from harbor_agent.formats.corefile.document import Directive, Line, ServerBlock


def parse_address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Return the IP address, None for other text: CoreDNS ignores such a line of hosts without a word."""
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def list_entries(hosts: Directive) -> tuple[Line, ...]:
    """Return the lines of a hosts directive that have an address first."""
    return tuple(line for line in hosts.lines if parse_address(line.texts[0]))


def has_name(line: Line, name: str) -> bool:
    """Whether a line of hosts names the host; case and a last dot do not matter."""
    return any(text.lower().removesuffix(".") == name for text in line.texts[1:])


def find_addresses(hosts: Directive, name: str, files: Mapping[str, str]) -> set[str]:
    """Return the addresses that a hosts directive has for a name, in its body and in its file if that is known."""
    arguments = hosts.arguments
    text = files.get(arguments[0].text, "") if arguments else ""
    rows = [line.partition("#")[0].split() for line in text.splitlines()]
    rows += [list(line.texts) for line in list_entries(hosts)]
    return {
        str(address)
        for row in rows
        if row and (address := parse_address(row[0])) and name in {word.lower().removesuffix(".") for word in row[1:]}
    }


def is_limited_elsewhere(hosts: Directive, name: str) -> bool:
    """Whether the directive lists zones, and none of them has the name."""
    zones = [zone for token in hosts.arguments[1:] if (zone := read_zone(token.text))]
    return bool(zones) and not any(zone.covers(name) for zone in zones)


def find_earlier_answer(block: ServerBlock, name: str) -> Directive | None:
    """Return a template or rewrite of the block that takes the name before hosts sees it (plugin.cfg of CoreDNS)."""
    for template in block.find("template"):
        if _takes_template(template, name):
            return template
    return next((rewrite for rewrite in block.find("rewrite") if _takes_rewrite(rewrite, name)), None)


def _takes_template(template: Directive, name: str) -> bool:
    words = [token.text for token in template.arguments]
    kind, zones = words[1:2], words[2:]
    if kind and kind[0].upper() not in ("ANY", "A", "AAAA"):
        return False
    if zones and not any(zone.covers(name) for zone in map(read_zone, zones) if zone):
        return False
    patterns = [text for line in template.lines if line.texts[0] == "match" for text in line.texts[1:]]
    return not patterns or any(_matches(pattern, f"{name}.") for pattern in patterns)


def _takes_rewrite(rewrite: Directive, name: str) -> bool:
    rules = [[token.text for token in rewrite.arguments], *(list(line.texts) for line in rewrite.lines)]
    return any(_takes_rule(rule, name) for rule in rules)


def _takes_rule(rule: list[str], name: str) -> bool:
    field, *words = rule[1:] if rule[:1] in (["continue"], ["stop"]) else rule or [""]
    if field != "name" or not words:
        return False
    how, pattern = (words[0], words[1]) if words[0] in _MATCHES and words[1:] else ("exact", words[0])
    return _MATCHES[how](pattern, f"{name}.")


def _matches(pattern: str, text: str) -> bool:
    """Whether a pattern of Go matches; one that Python does not read counts as a match."""
    try:
        return re.search(pattern, text) is not None
    except re.error:
        return True


def list_forwards(block: ServerBlock, name: str) -> Iterator[Directive]:
    """Yield the directives of the block that forward the name."""
    for forward in block.find("forward", "proxy"):
        zone = read_zone(forward.arguments[0].text) if forward.arguments else None
        if zone and zone.covers(name):
            yield forward


_MATCHES: Final[dict[str, Callable[[str, str], bool]]] = {
    "exact": lambda pattern, full: pattern.removesuffix(".") + "." == full,
    "prefix": lambda pattern, full: full.startswith(pattern),
    "suffix": lambda pattern, full: full.endswith(pattern.removesuffix(".") + "."),
    "substring": lambda pattern, full: pattern in full,
    "regex": _matches,
}
