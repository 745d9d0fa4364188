"""Where an entry goes: the hosts directive of the answering block, a new one, or a server block of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from harbor_agent.formats.corefile.imports import FOLDER
from harbor_agent.model.dns import CUSTOM_FOLDER, EntryForm, ServerKind
from harbor_agent.planning.dns.additions import (
    add_directive,
    add_to_hosts,
    append_block,
    build_answering_block,
    build_forwarding_block,
)
from harbor_agent.planning.dns.hosts import find_addresses, find_earlier_answer, is_limited_elsewhere, parse_address
from harbor_agent.planning.dns.owner import check_lasting
from harbor_agent.planning.dns.zones import DNS_PORT, list_addresses, list_zones
from harbor_agent.planning.refusal import RefusedError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harbor_agent.formats.corefile.document import Corefile, Directive, ServerBlock
    from harbor_agent.model.dns import DnsEntry, DnsServer

_HOSTS_SINCE: Final = (1, 17)  # node-cache 1.17.0: "no action found for directive 'hosts'" before
_OWN_FILE: Final = "harbor-agent"
_BY_HAND: Final = "add the entry by hand, and set resolve.cluster to false"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """The text that changes: a key of the ConfigMap ("": the Corefile's own), or of the custom one."""

    key: str = ""
    custom: bool = False


def is_answered(
    server: DnsServer, block: ServerBlock, entry: DnsEntry, files: Mapping[str, str], corefile: Corefile
) -> bool:
    """Whether the block answers the name with the address.

    Raises RefusedError if it has another address for it, or answers before hosts is asked.
    """
    if earlier := find_earlier_answer(block, entry.name):
        raise RefusedError(
            "dns-entry-of-somebody-else",
            f"line {earlier.tokens[0].line} ({earlier.name}) already decides the answer for {entry.name}",
            "remove it if it is not needed, or set resolve.cluster to false",
        )
    wanted = str(parse_address(entry.address))
    found = {address for hosts in block.find("hosts") for address in find_addresses(hosts, entry.name, files)}
    if others := sorted(found - {wanted}):
        raise RefusedError(
            "dns-entry-of-somebody-else",
            f"ConfigMap {server.config.full_name} already has {entry.name} with the address {', '.join(others)}",
            f"remove that entry, or set resolve.address to {others[0]}",
        )
    if found:
        return not any(is_limited_elsewhere(hosts, entry.name) for hosts in block.find("hosts"))
    return _lacks_hosts(server) and _is_forwarded_to_cluster(corefile, block, entry)


def has_entry(block: ServerBlock, entry: DnsEntry) -> bool:
    """Whether the block has the entry in its hosts directive, or is the block of the name itself."""
    is_own = [zone.name for zone in list_zones(block)] == [entry.name]
    wanted = str(parse_address(entry.address))
    return is_own or any(wanted in find_addresses(hosts, entry.name, {}) for hosts in block.find("hosts"))


def place_entry(
    server: DnsServer, texts: Mapping[str, str], corefile: Corefile, block: ServerBlock, entry: DnsEntry
) -> tuple[Place, str, EntryForm]:
    """Return where the entry goes, the text afterwards, and in which form it is there. Raises RefusedError."""
    file = block.keys[0].file
    if _lacks_hosts(server):
        return Place(), _forward_to_cluster(server, texts[""], corefile, block, entry), EntryForm.BLOCK
    hosts = block.find("hosts")
    has_own_zone = any(zone.name == entry.name for zone in list_zones(block))
    own = None if file or has_own_zone else _find_own_file(corefile)
    if own:
        lines = build_answering_block(texts[""], block, entry, _find_port(block))
        text = append_block(texts.get(f"{CUSTOM_FOLDER}/{own}", ""), lines, entry.name)
        return Place(key=own, custom=True), text, EntryForm.BLOCK
    if not file:
        check_lasting(server.config)
    if not hosts:
        return _locate(file), add_directive(texts[file], block, entry), EntryForm.DIRECTIVE
    _check_editable(hosts[0], entry)
    source = hosts[0].tokens[0].file
    text, form = add_to_hosts(texts[source], block, hosts[0], entry)
    return _locate(source), text, form


def _locate(file: str) -> Place:
    if not file:
        return Place()
    folder, _, key = file.rpartition("/")
    return Place(key=key, custom=folder != FOLDER)


def _find_own_file(corefile: Corefile) -> str | None:
    """Return the key for additions if the Corefile imports server blocks of the custom ConfigMap."""
    for found in corefile.imports:
        folder, _, pattern = found.pattern.rpartition("/")
        if folder == CUSTOM_FOLDER and "*" in pattern:
            return pattern.replace("*", _OWN_FILE)
    return None


def _check_editable(hosts: Directive, entry: DnsEntry) -> None:
    line = hosts.tokens[0].line
    if any(token.snippet for token in hosts.tokens) or len({token.file for token in hosts.tokens}) > 1:
        raise RefusedError(
            "corefile-unclear",
            f"line {line}: the hosts directive for {entry.name} is imported from a snippet, which other blocks may use",
            _BY_HAND,
        )
    if is_limited_elsewhere(hosts, entry.name):
        zones = " ".join(token.text for token in hosts.arguments[1:])
        raise RefusedError(
            "corefile-unclear",
            f"line {line}: the hosts directive answers {zones} only, and a block can have one hosts directive",
            f"add a zone for {entry.name} to that line, then run the command again",
        )


def _lacks_hosts(server: DnsServer) -> bool:
    if server.kind is not ServerKind.NODE_CACHE:
        return False
    if server.version is None:
        raise RefusedError(
            "corefile-unclear",
            f"the version of node-cache that reads {server.config.full_name} is not known; before 1.17 it has no hosts",
            _BY_HAND,
        )
    return server.version < _HOSTS_SINCE


def _find_cluster_block(corefile: Corefile, block: ServerBlock) -> ServerBlock | None:
    """Return the block of the cluster's domain on the same address: not the root, not a reverse zone."""
    for one in corefile.blocks:
        zones = [zone.name for zone in list_zones(one)]
        is_reverse = any(name.endswith("arpa") or not name for name in zones)
        if one is not block and not is_reverse and list_addresses(one) == list_addresses(block) and one.find("forward"):
            return one
    return None


def _list_upstreams(block: ServerBlock) -> tuple[str, ...]:
    return tuple(token.text for one in block.find("forward", "proxy") for token in one.arguments[1:])


def _is_forwarded_to_cluster(corefile: Corefile, block: ServerBlock, entry: DnsEntry) -> bool:
    cluster = _find_cluster_block(corefile, block)
    is_own = [zone.name for zone in list_zones(block)] == [entry.name]
    return bool(cluster and is_own and _list_upstreams(cluster) == _list_upstreams(block))


def _forward_to_cluster(server: DnsServer, text: str, corefile: Corefile, block: ServerBlock, entry: DnsEntry) -> str:
    cluster = _find_cluster_block(corefile, block)
    if cluster is None or block.keys[0].file or corefile.blocks[-1].closing is None:
        raise RefusedError(
            "corefile-unclear",
            f"ConfigMap {server.config.full_name} has no block for the cluster's domain to copy forward and bind from",
            _BY_HAND,
        )
    _check_circle(server, cluster, entry)
    return append_block(text, build_forwarding_block(text, cluster, entry, _find_port(block)), entry.name)


def _check_circle(server: DnsServer, cluster: ServerBlock, entry: DnsEntry) -> None:
    """Raise RefusedError unless CoreDNS is known to forward elsewhere than back to this cache."""
    own = set(list_addresses(cluster))
    upstreams = server.coredns_upstreams
    nameservers: set[str] | None = None if upstreams is None else set()
    for upstream in upstreams or ():
        found = server.node_resolvers if upstream.startswith("/") else (upstream.rpartition("://")[2].split("%")[0],)
        nameservers = None if nameservers is None or found is None else nameservers | set(found)
    if nameservers is not None and own and not any(_strip_port(one) in own for one in nameservers):
        return
    reason = "is not known to forward elsewhere" if nameservers is None else "forwards back to this cache"
    raise RefusedError(
        "dns-would-circle",
        f"node-cache before 1.17 has to ask CoreDNS for {entry.name}, and CoreDNS {reason}: names below would circle",
        "set CoreDNS's forward to addresses of DNS servers, or update node-cache to 1.17 or later",
    )


def _strip_port(address: str) -> str:
    host, _, port = address.rpartition(":")
    return host if host and port.isdecimal() and ":" not in host else address


def _find_port(block: ServerBlock) -> str:
    return next((zone.port for zone in list_zones(block)), DNS_PORT)
