"""The keys of a kubeconfig: each is obeyed, or known to mean nothing here, or the file is refused by the key's name."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, urlsplit

from harbor_agent.kubernetes.kubeconfig.files import build_invalid_error

if TYPE_CHECKING:
    from harbor_agent.kubernetes.kubeconfig.files import Entry

# `extensions` are notes of other programs; the last two are of Kubernetes 1.0, and kubectl does not read them.
_HARMLESS: Final = frozenset({"extensions", "api-version", "LocationOfOrigin"})
_KEYS: Final = {
    "cluster": {
        "server", "tls-server-name", "insecure-skip-tls-verify", "certificate-authority", "certificate-authority-data",
        "proxy-url", "disable-compression",
    },
    "user": {
        "client-certificate", "client-certificate-data", "client-key", "client-key-data", "token", "tokenFile", "as",
        "as-uid", "as-groups", "as-user-extra", "username", "password", "exec", "auth-provider",
    },
    "context": {"cluster", "user", "namespace"},
    "exec": {"apiVersion", "command", "args", "env", "installHint", "provideClusterInfo", "interactiveMode"},
}  # fmt: skip
# What a header's name may have besides letters and digits (RFC 9110), without %.
_IN_HEADERS: Final = "!#$&'*+-.^_`|~"
_PROXIES: Final = ("http", "https", "socks5")


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionOptions:
    """What lightkube has no field for: how to reach the server and as whom to act.

    `headers` impersonate, one pair for each value, on every request.
    """

    proxy_url: str = field(default="", repr=False)
    server_name: str = ""
    headers: tuple[tuple[str, str], ...] = ()


def check_keys(source: str, member: str, name: str, content: Entry) -> None:
    """Raise UsageError `kubeconfig-invalid` for a key that is not supported."""
    for key, value in content.items():
        if key not in _KEYS[member] | _HARMLESS and value not in (None, "", {}, []):
            raise build_invalid_error(source, f"key '{key}' of {member} '{name}' is not supported")
    plugin = content.get("exec")
    if member == "user" and isinstance(plugin, dict):
        check_keys(source, "exec", name, plugin)


def read_options(source: str, cluster: Entry, user: Entry) -> ConnectionOptions:
    """Return the options of a cluster and a user. Raises UsageError `kubeconfig-invalid`."""
    return ConnectionOptions(
        proxy_url=_read_proxy(source, _read_text(source, cluster, "proxy-url")),
        server_name=_read_text(source, cluster, "tls-server-name"),
        headers=_build_impersonation(source, user),
    )


def _read_text(source: str, content: Entry, key: str) -> str:
    value = content.get(key) or ""
    if not isinstance(value, str):
        raise build_invalid_error(source, f"'{key}' is not a string")
    return value


def _read_proxy(source: str, url: str) -> str:
    if not url:
        return ""
    try:
        parts = urlsplit(url)
        is_usable = parts.scheme in _PROXIES and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_usable = False
    if not is_usable:  # the URL may hold a password
        raise build_invalid_error(
            source, f"proxy-url is not a URL that begins with {', '.join(_PROXIES[:-1])} or socks5"
        )
    return url


def _build_impersonation(source: str, user: Entry) -> tuple[tuple[str, str], ...]:
    """Return the headers of client-go (transport/round_trippers.go, NewImpersonatingRoundTripper)."""
    name = _read_text(source, user, "as")
    uid = _read_text(source, user, "as-uid")
    groups = user.get("as-groups") or []
    extra = user.get("as-user-extra") or {}
    if not isinstance(groups, list) or not isinstance(extra, dict):
        raise build_invalid_error(source, "'as-groups' is not a list, or 'as-user-extra' is not a map of lists")
    if not name:
        given = [key for key in ("as-uid", "as-groups", "as-user-extra") if user.get(key)]
        if given:
            raise build_invalid_error(source, f"'{given[0]}' needs 'as', the user to impersonate")
        return ()
    headers = [("Impersonate-User", name)]
    headers += [("Impersonate-Uid", uid)] if uid else []
    headers += [("Impersonate-Group", str(group)) for group in groups]
    for key, values in extra.items():
        if not isinstance(values, list):
            raise build_invalid_error(source, f"'as-user-extra' has no list under '{key}'")
        headers += [(f"Impersonate-Extra-{quote(str(key).lower(), safe=_IN_HEADERS)}", str(value)) for value in values]
    return tuple(headers)
