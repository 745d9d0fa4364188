"""The address of a registry, as dockerd and kubelet compare it.

dockerd matches an `insecure-registries` entry against the exact `host[:port]` of an image name (moby
registry/config.go, isSecureIndex), and kubelet matches a pull secret's key in the same way (credentialprovider,
URLsMatch). So `harbor.lan`, `harbor.lan:80` and `Harbor.lan` are three addresses, and each stays as it is written.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import Literal

from harbor_agent.errors import UsageError

# No underscore: to dockerd such a host is not valid, and such an image name has no host.
_LABEL = "[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_HOSTNAME = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(?:\.{_LABEL})*\Z")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_HIGHEST_PORT = 65535

DOCKER_HUB_NAMES = frozenset({"docker.io", "index.docker.io", "registry-1.docker.io", "registry.hub.docker.com"})
# Names of Docker's web pages and servers, and of Docker Hub as people remember it; no image name begins with them.
_NOT_DOCKER_HUB = re.compile(r"(?:.+\.)?docker\.(?:io|com)|(?:.+\.)?docker-?hub\.(?:io|com|org|net)", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """`scheme`, `host` as it is written (IPv6 without brackets) and the port that was written, if any.

    `literal` is the text of an entry that is not an address, such as `harbor.lan/project`; it can only be removed.
    """

    host: str
    port: int | None = None
    scheme: Literal["http", "https"] = "http"
    literal: str | None = None

    @property
    def is_docker_hub(self) -> bool:
        """Whether this is Docker Hub, which every runtime trusts as it is."""
        return self.host.lower() in DOCKER_HUB_NAMES

    @property
    def is_ip(self) -> bool:
        """Whether the host is an IP address, not a name."""
        try:
            ipaddress.ip_address(self.host)
        except ValueError:
            return False
        return True

    @property
    def needs_node_change(self) -> bool:
        """Whether a node needs an entry to speak plain HTTP to it."""
        return self.scheme == "http" and not self.is_docker_hub

    @property
    def entry(self) -> str:
        """`host[:port]`: what an image name starts with and what `insecure-registries` holds."""
        if self.literal is not None:
            return self.literal
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port is None else f"{host}:{self.port}"

    @property
    def url(self) -> str:
        """The root URL, without a trailing slash."""
        return "https://index.docker.io" if self.is_docker_hub else f"{self.scheme}://{self.entry}"

    @property
    def config_key(self) -> str:
        """The key of this registry in docker's own config.json."""
        return "https://index.docker.io/v1/" if self.is_docker_hub else self.entry

    def __str__(self) -> str:
        """Return the entry."""
        return self.entry

    @classmethod
    def parse(cls, text: str) -> Address:
        """Parse `[http[s]://]host[:port][/]`; http is implied.

        Raises UsageError with the reason for a path, user information, a CIDR range, a port outside
        1-65535, another scheme, or anything that is not a host name.
        """
        rest, scheme = _split_scheme(text)
        if "@" in rest:
            raise _refused(text, "it holds a user or password", "give credentials separately")
        rest = rest.removesuffix("/")
        if "/" in rest:
            raise _path_refused(text, rest)
        host, port = _split_port(text, rest)
        address = cls(host=host, port=port, scheme=scheme)
        if address.is_docker_hub:
            return cls(host="docker.io", scheme="https")
        if _NOT_DOCKER_HUB.fullmatch(host):
            raise _refused(text, f"{host} is not a registry: Docker Hub is docker.io", "write docker.io")
        return address

    @classmethod
    def parse_removal(cls, text: str) -> Address:
        """Parse the registry of an entry to remove: an address, or the text of an entry that is not one.

        Raises UsageError for user information and for a CIDR range.
        """
        try:
            return cls.parse(text)
        except UsageError:
            if "@" in text or _is_range(text):
                raise
            return cls(host="", literal=text)


def _split_scheme(text: str) -> tuple[str, Literal["http", "https"]]:
    text = text.strip()
    match = _SCHEME.match(text)
    if not match:
        return text, "http"
    match match[1].lower():
        case "http":
            return text[match.end() :], "http"
        case "https":
            return text[match.end() :], "https"
        case other:
            raise _refused(text, f"the scheme {other} is neither http nor https", "write host[:port]")


def _split_port(text: str, rest: str) -> tuple[str, int | None]:
    if not rest:
        raise _refused(text, "it is empty", "write host[:port], such as 192.168.0.99 or harbor.lan:8080")
    if rest.startswith("["):
        host, closed, tail = rest[1:].partition("]")
        if not closed or (tail and not tail.startswith(":")):
            raise _refused(text, "the brackets of an IPv6 address are not closed", "write [address]:port")
        return _ipv6(text, host), _port(text, tail[1:]) if tail else None
    if rest.count(":") > 1:
        return _ipv6(text, rest), None
    host, colon, port = rest.partition(":")
    if "_" in host:
        reason = f"'{host}' has an underscore, and no dockerd starts with such an entry or pulls such an image"
        raise _refused(text, reason, "give the registry a name without an underscore, or use its IP address")
    if not _HOSTNAME.match(host):
        raise _refused(text, f"'{host}' is not a host name", "write host[:port]")
    if re.fullmatch(r"[0-9.]+", host):
        _ipv4(text, host)
    return host, _port(text, port) if colon else None


def _ipv4(text: str, host: str) -> None:
    try:
        ipaddress.IPv4Address(host)
    except ValueError:
        raise _refused(text, f"'{host}' is not an IPv4 address", "write four numbers from 0 to 255") from None


def _ipv6(text: str, host: str) -> str:
    if "%" in host:
        raise _refused(text, "it has a zone, which no runtime takes", "write the address without it")
    try:
        ipaddress.IPv6Address(host)
    except ValueError:
        raise _refused(text, f"'{host}' is not an IPv6 address", "write [address]:port") from None
    return host


def _port(text: str, port: str) -> int:
    if not re.fullmatch(r"[0-9]{1,5}", port) or not 1 <= int(port) <= _HIGHEST_PORT:
        raise _refused(text, f"the port '{port}' is not a number from 1 to 65535", "write host:port")
    return int(port)


def _path_refused(text: str, rest: str) -> UsageError:
    if _is_range(rest):
        return _refused(text, "it is a range of addresses, not a registry", "name each registry by its own host[:port]")
    host = rest.partition("/")[0]
    return _refused(
        text, "an address has no path: runtimes match host[:port] only", f"write {host}; projects belong to images"
    )


def _is_range(text: str) -> bool:
    try:
        ipaddress.ip_network(text.strip(), strict=False)
    except ValueError:
        return False
    return "/" in text


def _refused(text: str, reason: str, hint: str) -> UsageError:
    # a password may hold any of the letters that part an address
    text = re.sub(r"\A([A-Za-z]+://)?.*@", r"\1***@", text, flags=re.DOTALL)
    return UsageError.of("registry-address-invalid", f"registry address '{text}' is refused: {reason}", hint)
