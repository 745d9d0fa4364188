"""The transport to a cluster: TLS, proxy, impersonation, login plugin, and a busy server's Retry-After.

lightkube has no fields for these, so they are added where it takes a transport of httpx2.
"""

from __future__ import annotations

import itertools
import os
import ssl
import tempfile
import threading
import time
from typing import TYPE_CHECKING, Final

import httpx2
from lightkube.config.client_adapter import verify_cluster
from lightkube.config.kubeconfig import SingleConfig
from lightkube.config.models import User
from lightkube.core.exceptions import ConfigError

from harbor_agent.errors import UsageError
from harbor_agent.kubernetes.kubeconfig.files import build_invalid_error
from harbor_agent.kubernetes.kubeconfig.keys import ConnectionOptions
from harbor_agent.local.proxy import find_proxy

if TYPE_CHECKING:
    from collections.abc import Callable

    from harbor_agent.kubernetes.kubeconfig.plugin import Credential, Plugin

_TOO_MANY_REQUESTS: Final = 429
_SERVER_ERRORS: Final = range(500, 600)
_UNAUTHORIZED: Final = 401
# client-go tries 10 times (rest/with_retry.go), which a server that is busy for a quarter of a minute outlasts.
_QUICK_RETRIES: Final = 10
_LONGEST_WAIT: Final = 60.0
_SHORTEST_PAUSE: Final = 1.0


class ConnectionConfig(SingleConfig):
    """A configuration of lightkube with what it has no fields for; `_replace` would lose them."""

    source: str = "kubeconfig"
    options: ConnectionOptions = ConnectionOptions()
    plugin: Plugin | None = None


def build_transport(config: SingleConfig) -> httpx2.BaseTransport:
    """Return the transport to the cluster, as kubectl would connect.

    Raises UsageError `kubeconfig-invalid` for a proxy that cannot be used.
    """
    connected = config if isinstance(config, ConnectionConfig) else ConnectionConfig(*config)
    proxy = _find_proxy(connected)

    def connect(credential: Credential | None) -> httpx2.HTTPTransport:
        return httpx2.HTTPTransport(verify=_build_trust(connected, credential), proxy=proxy)

    try:
        return ClusterTransport(connect, connected.options, connected.plugin)
    except (httpx2.InvalidURL, ImportError, ValueError):  # their text would quote the proxy's password
        raise _describe_proxy(connected) from None


def _find_proxy(config: ConnectionConfig) -> str | None:
    """Return `proxy-url`, else the proxy of the environment (as golang.org/x/net/http/httpproxy: no ALL_PROXY)."""
    known = {name: value for name, value in os.environ.items() if name.lower() != "all_proxy"}
    return config.options.proxy_url or find_proxy(config.cluster.server, known)


def _describe_proxy(config: ConnectionConfig) -> UsageError:
    if config.options.proxy_url.startswith("socks"):
        return UsageError.of(
            "kubeconfig-invalid",
            f"cannot use {config.source}: proxy-url is a SOCKS proxy, and the Python package socksio is not installed",
            "install it beside harbor-agent: pip install socksio",
        )
    if config.options.proxy_url:
        return build_invalid_error(config.source, "proxy-url is not the URL of a proxy")
    return UsageError.of(
        "kubeconfig-invalid",
        "cannot use the proxy from the environment to reach the cluster",
        "correct or unset HTTP_PROXY and HTTPS_PROXY (http://HOST:PORT), or add the server to NO_PROXY",
    )


def _build_trust(config: SingleConfig, credential: Credential | None) -> ssl.SSLContext:
    """Return the TLS settings; kubectl accepts certificates without key identifiers, which Python 3.13 would not."""
    context = verify_cluster(config.cluster, config.user or User(), config.abs_file)
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if credential and credential.certificate:
        with tempfile.NamedTemporaryFile("w", encoding="utf-8") as file:  # 0600
            file.write(f"{credential.certificate}\n{credential.key}\n")
            file.flush()
            try:
                context.load_cert_chain(file.name)
            except ssl.SSLError:
                raise ConfigError("the login plugin returned a certificate or key that cannot be read") from None
    return context


class ClusterTransport(httpx2.BaseTransport):
    """Sends each request as the kubeconfig says, and waits for a server that asks to come back later."""

    def __init__(
        self,
        connect: Callable[[Credential | None], httpx2.HTTPTransport],
        options: ConnectionOptions,
        plugin: Plugin | None,
    ) -> None:
        """Connect with `connect`, again if the plugin returns another certificate. Raises what `connect` raises."""
        self._connect = connect
        self._options = options
        self._plugin = plugin
        self._certificate = ""
        self._inner = connect(None)
        self._lock = threading.Lock()

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send the request; again for a login that has expired, and for 429 and 5xx with Retry-After."""
        response = self._send(request)
        if response.status_code == _UNAUTHORIZED and self._plugin and "Authorization" not in request.headers:
            response.close()
            response = self._send(request, is_rejected=True)
        deadline = time.monotonic() + _LONGEST_WAIT
        for attempt in itertools.count():
            pause = _read_pause(request, response)
            if pause is None:
                break
            if attempt >= _QUICK_RETRIES:
                pause = max(pause, _SHORTEST_PAUSE)
            if time.monotonic() + pause > deadline:
                break
            response.close()
            time.sleep(pause)
            response = self._send(request)
        return response

    def close(self) -> None:
        """Close the connections."""
        self._inner.close()

    def _send(self, request: httpx2.Request, *, is_rejected: bool = False) -> httpx2.Response:
        headers = [*request.headers.multi_items(), *self._options.headers]
        inner = self._inner
        if self._plugin and "Authorization" not in request.headers:  # as client-go: other credentials come first
            credential = self._plugin.fetch(is_rejected=is_rejected)
            headers += [("Authorization", f"Bearer {credential.token}")] if credential.token else []
            inner = self._reconnect(credential)
        extensions = dict(request.extensions)
        if self._options.server_name:
            extensions["sni_hostname"] = self._options.server_name
        sent = httpx2.Request(
            request.method, request.url, headers=headers, stream=request.stream, extensions=extensions
        )
        return inner.handle_request(sent)

    def _reconnect(self, credential: Credential) -> httpx2.HTTPTransport:
        """Return the transport with the plugin's certificate."""
        with self._lock:
            if credential.certificate != self._certificate:
                self._inner.close()
                self._inner = self._connect(credential)
                self._certificate = credential.certificate
            return self._inner


def _read_pause(request: httpx2.Request, response: httpx2.Response) -> float | None:
    """Return the seconds after which the server asks to be asked again, None if it does not.

    An eviction that a disruption budget does not allow is 429, too: the drain waits for that itself.
    """
    status = response.status_code
    if request.url.path.endswith("/eviction") or (status != _TOO_MANY_REQUESTS and status not in _SERVER_ERRORS):
        return None
    stated = response.headers.get("Retry-After", "").strip()
    if stated.isdecimal():
        return float(stated)
    return 1.0 if status == _TOO_MANY_REQUESTS else None
