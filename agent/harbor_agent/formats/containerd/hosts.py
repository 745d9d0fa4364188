"""hosts.toml: how containerd reaches a registry (docs/hosts.md, core/remotes/docker/config/hosts.go)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harbor_agent.formats.text import FormatError, find_line_number
from harbor_agent.formats.toml.document import parse_toml
from harbor_agent.formats.toml.edits import add_table, remove_table, set_value

if TYPE_CHECKING:
    from harbor_agent.formats.toml.document import TomlFile
    from harbor_agent.model.address import Address

PULL, RESOLVE = "pull", "resolve"
# rule CD-28
NEEDED = (PULL, RESOLVE)
_KNOWN = frozenset({PULL, RESOLVE, "push"})
_DEFAULT_PORTS = {"http": 80, "https": 443}
# Before 2.0 a file without a host table is refused as a whole, and a table on one line counts.
HOST_TABLE_OPTIONAL_SINCE = (2, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One server that containerd tries; `url` is as it is written, `key` that of its table (None: `server`)."""

    url: str
    key: str | None
    capabilities: tuple[str, ...]

    def reaches(self, address: Address, scheme: str) -> bool:
        """Whether it is this registry, by this scheme."""
        found, host = _split_url(self.url)
        name, _, port = host.partition("/")[0].rpartition(":") if _has_port(host) else (host.partition("/")[0], "", "")
        wanted = f"[{address.host}]" if ":" in address.host else address.host
        default = _DEFAULT_PORTS.get(found)
        own = address.port if address.port is not None else default
        return found == scheme and name == wanted and (int(port) if port.isdigit() else default) == own


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A server to write into a hosts.toml; `client` is a certificate and its key."""

    url: str
    skip_verify: bool = False
    ca: str = ""
    client: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HostsFile:
    """A hosts.toml as a containerd of one version reads it; `fault` says why it ignores the whole file, "" if not."""

    file: TomlFile
    attempts: tuple[Attempt, ...]
    fault: str = ""

    def is_plain(self, address: Address) -> bool:
        """Whether containerd resolves and pulls from this registry over HTTP."""
        if self.fault:
            return False
        return all(
            any(capability in one.capabilities and one.reaches(address, "http") for one in self.attempts)
            for capability in NEEDED
        )

    def has_https_fallback(self, address: Address) -> bool:
        """Whether this registry is tried over HTTPS too: then errors name HTTPS, also after plain HTTP was tried."""
        is_named = any(one.reaches(address, "https") for one in self.attempts)
        return is_named or all(one.key is not None for one in self.attempts)


def read_hosts(content: bytes, version: tuple[int, ...]) -> HostsFile:
    """Read the file as a containerd of this version does. Raises FormatError if it is not valid TOML."""
    file = parse_toml(content)
    attempts, fault = [], ""
    hosts = file.values.get("host", {})
    inline = file.find(("host",))
    is_newer = version >= HOST_TABLE_OPTIONAL_SINCE
    if not isinstance(hosts, dict) or not all(isinstance(one, dict) for one in hosts.values()):
        hosts, fault = {}, "'host' is not a table of tables"
    # rule CD-25
    if file.has_mark and is_newer:
        fault = "it starts with a byte order mark"
    if not is_newer:
        fault = fault or find_header_fault(file)
    # rule CD-23
    if not hosts and not is_newer:
        fault = fault or "it has no [host] table, which containerd before 2.0 requires"
    if inline and not inline.is_header and is_newer:
        # rule CD-24
        hosts = {}  # ignored by 2.x
    for key, table in hosts.items():
        attempts.append(Attempt(url=key, key=key, capabilities=_read_capabilities(table)))
    server = file.values.get("server")
    if isinstance(server, str) and server:
        attempts.append(Attempt(url=server, key=None, capabilities=_read_capabilities(file.values)))
    elif server is not None and not isinstance(server, str):
        fault = fault or "'server' is not a string"
    # rule CD-26
    if unknown := next((one for a in attempts for one in a.capabilities if one not in _KNOWN), ""):
        fault = fault or f"the capability '{unknown}' is unknown"
    return HostsFile(file=file, attempts=tuple(attempts), fault=fault)


def render_hosts(address: Address) -> str:
    """Return the file that reaches a registry over plain HTTP on every version."""
    url = f"http://{address.entry}"
    return render_servers(url, [Server(url=url)])


def render_servers(server: str, hosts: list[Server]) -> str:
    """Return a file that tries these hosts in order, and `server` last ("": none is named)."""
    blocks = [f"server = {_quote(server)}\n"] if server else []
    bracketed = [host for host in hosts if needs_key(host.url)]
    if bracketed:
        lines = [f"  {_quote(host.url)} = {{ {', '.join(_list_settings(host))} }}\n" for host in bracketed]
        blocks.append("[host]\n" + "".join(lines))
    blocks += [
        "".join([f"[host.{_quote(host.url)}]\n", *(f"  {line}\n" for line in _list_settings(host))])
        for host in hosts
        if host not in bracketed
    ]
    return "\n".join(blocks)


def needs_key(name: str) -> bool:
    """Whether containerd before 2.0 reads a table of this name only as a key with its value, and not as a header.

    So it is with an IPv6 address (go-toml 1: "table key cannot contain ']'").
    """
    # rule CD-29
    return "]" in name


def find_header_fault(file: TomlFile) -> str:
    """Return why containerd before 2.0 rejects a whole file, "" if it does not for the names in its headers."""
    name = next((word for one in file.statements if one.is_header for word in one.words if needs_key(word)), "")
    return f"containerd before 2.0 reads no table {name}, because its name has a bracket" if name else ""


def _list_settings(host: Server) -> list[str]:
    settings = ['capabilities = ["pull", "resolve"]']
    settings += ["override_path = true"] if host.url.partition("://")[2].partition("/")[2] else []
    settings += ["skip_verify = true"] if host.skip_verify else []
    settings += [f"ca = {_quote(host.ca)}"] if host.ca else []
    return settings + ([f"client = [[{', '.join(map(_quote, host.client))}]]"] if host.client else [])


def render_with_hosts_of(own: str, other: TomlFile) -> str:
    """Return the file `own` of one server with the hosts of another file before it, which are tried first."""
    header = next((one for one in other.statements if one.is_header), None)
    blocks = [other.text[header.start :].replace("\r\n", "\n").rstrip()] if header else []
    last = other.values.get("server")
    # the last server of the other file is not the last one here
    blocks += [render_servers("", [Server(url=last)]).rstrip()] if isinstance(last, str) and last else []
    server, _, table = own.partition("\n\n")
    return "\n\n".join([server, *blocks, table])


def trust(content: bytes, address: Address, version: tuple[int, ...]) -> bytes:
    """Return the file with this registry reached over plain HTTP. Raises FormatError if it cannot be edited."""
    url = f"http://{address.entry}"
    hosts = read_hosts(content, version)
    inline = hosts.file.find(("host",))
    if inline and not inline.is_header and version >= HOST_TABLE_OPTIONAL_SINCE:
        line = find_line_number(hosts.file.text, inline.start)
        raise FormatError(line, "'host' is written on one line: write each host as a table with a header")
    server = next((one for one in hosts.attempts if one.key is None), None)
    if server is None or server.reaches(address, "https"):
        content = set_value(parse_toml(content), ("server",), url)
    own = next((one for one in hosts.attempts if one.key is not None and one.reaches(address, "http")), None)
    if own is None or own.key is None:
        secure = next((one.key for one in hosts.attempts if one.key and one.reaches(address, "https")), None)
        before = ("host", secure) if secure else None
        file, items = parse_toml(content), {"capabilities": list(NEEDED)}
        return (
            set_value(file, ("host", url), items) if needs_key(url) else add_table(file, ("host", url), items, before)
        )
    missing = [one for one in NEEDED if one not in own.capabilities]
    if missing:
        content = set_value(parse_toml(content), ("host", own.key, "capabilities"), [*own.capabilities, *missing])
    return content


def distrust(content: bytes, address: Address, version: tuple[int, ...], *, keeps_file: bool = False) -> bytes | None:
    """Return the file without plain HTTP to this registry.

    None if nothing is left that says how to reach it, unless `keeps_file`: the file is not this tool's.
    """
    hosts = read_hosts(content, version)
    plain = [one for one in hosts.attempts if one.reaches(address, "http")]
    is_bare = all(one in plain or one.key is None for one in hosts.attempts) and _is_ours_alone(hosts, address)
    if is_bare and not keeps_file:
        return None
    for one in plain:
        if one.key is None:
            content = set_value(parse_toml(content), ("server",), f"https://{address.entry}")
        else:
            content = remove_table(parse_toml(content), ("host", one.key))
    return content


def _is_ours_alone(hosts: HostsFile, address: Address) -> bool:
    """Whether the file only says how to reach this registry, with nothing that a person would miss."""
    tables = hosts.file.values.get("host", {})
    known = all(set(table) <= {"capabilities"} for table in tables.values())
    return known and all(one.reaches(address, "http") or one.reaches(address, "https") for one in hosts.attempts)


def _read_capabilities(table: Any) -> tuple[str, ...]:  # noqa: ANN401 - any TOML table
    given = table.get("capabilities")
    if not isinstance(given, list) or not given:
        return (PULL, RESOLVE, "push")
    return tuple(str(one) for one in given)


def _quote(text: str) -> str:
    return json.dumps(text)


def _split_url(url: str) -> tuple[str, str]:
    """Return the scheme, which is https if none is given, and the rest."""
    scheme, separator, rest = url.partition("://")
    # rule CD-27
    return (scheme, rest) if separator else ("https", url)


def _has_port(host: str) -> bool:
    return ":" in host.partition("/")[0].rpartition("]")[2]
