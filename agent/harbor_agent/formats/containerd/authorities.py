"""hosts.toml: the CA and the client certificate for a registry over HTTPS.

They count in the table of a host only, not at the top level of the file (containerd 1.6 and 1.7). Without a hosts.toml
containerd reads the folder as dockerd does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harbor_agent.formats.containerd.hosts import NEEDED, read_hosts
from harbor_agent.formats.text import FormatError
from harbor_agent.formats.toml.document import parse_toml
from harbor_agent.formats.toml.edits import add_table, remove_key, remove_table, set_value

if TYPE_CHECKING:
    from harbor_agent.formats.toml.edits import Value
    from harbor_agent.model.address import Address

AUTHORITIES, CLIENT, KEY = "harbor-agent.crt", "harbor-agent.cert", "harbor-agent.key"
_PAIR = [[CLIENT, KEY]]


def name_certificates(
    content: bytes, address: Address, version: tuple[int, ...], *, authorities: bool, client: bool
) -> bytes:
    """Return the file with this tool's certificates for the registry, relative to the file.

    Raises FormatError if the file cannot be edited or names other certificates.
    """
    host = _find_host(content, address, version)
    wanted: dict[str, Value] = {}
    if authorities:
        wanted["ca"] = AUTHORITIES
    if client:
        wanted["client"] = _PAIR
    if host is None:
        items: dict[str, Value] = {"capabilities": list(NEEDED), **wanted}
        return add_table(parse_toml(content), ("host", f"https://{address.entry}"), items)
    for key, value in wanted.items():
        file = parse_toml(content)
        there = file.values["host"][host].get(key)
        if there is not None and there != value:
            raise FormatError(file.line(("host", host, key)), f"'{key}' names another certificate")
        content = content if there == value else set_value(file, ("host", host, key), value)
    return content


def forget_certificates(
    content: bytes, address: Address, version: tuple[int, ...], *, authorities: bool, client: bool
) -> bytes | None:
    """Return the file without this tool's certificates that are not kept; None if it then says nothing.

    `authorities` and `client` say which are kept.
    """
    host = _find_host(content, address, version)
    table: dict[str, Any] = parse_toml(content).values["host"][host] if host is not None else {}
    gone = [
        key
        for key, ours, kept in (("ca", AUTHORITIES, authorities), ("client", _PAIR, client))
        if not kept and table.get(key) == ours
    ]
    if host is None or not gone:
        return content
    left = {key: value for key, value in table.items() if key not in gone}
    hosts = read_hosts(content, version)
    is_last = all(one.reaches(address, "https") for one in hosts.attempts if one.key is None)
    if left == {"capabilities": list(NEEDED)} and is_last:
        if all(one.reaches(address, "https") for one in hosts.attempts):
            return None
        return remove_table(hosts.file, ("host", host))
    for key in gone:
        content = remove_key(parse_toml(content), ("host", host, key))
    return content


def _find_host(content: bytes, address: Address, version: tuple[int, ...]) -> str | None:
    """Return the key of the registry's table over HTTPS. Raises FormatError for a file that containerd ignores."""
    hosts = read_hosts(content, version)
    if hosts.fault and hosts.file.values.get("host"):
        raise FormatError(1, hosts.fault)
    return next((one.key for one in hosts.attempts if one.key and one.reaches(address, "https")), None)
