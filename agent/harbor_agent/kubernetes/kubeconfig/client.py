"""A client from a kubeconfig, or from inside a pod. Errors never quote its content."""

from __future__ import annotations

import os
import ssl
from pathlib import Path
from typing import TYPE_CHECKING, Final

import httpx2
import msgspec
from lightkube import Client, KubeConfig
from lightkube.config.kubeconfig import SingleConfig
from lightkube.config.models import Cluster, Context, User
from lightkube.core.exceptions import ConfigError
from lightkube.core.generic_client import BasicRequest

from harbor_agent.errors import AgentError
from harbor_agent.kubernetes.kubeconfig.expiry import read_id_token, require_current_certificate
from harbor_agent.kubernetes.kubeconfig.files import build_invalid_error, find_files, read_files, require_files
from harbor_agent.kubernetes.kubeconfig.keys import check_keys, read_options
from harbor_agent.kubernetes.kubeconfig.plugin import read_plugin
from harbor_agent.kubernetes.kubeconfig.transport import ConnectionConfig, build_transport

if TYPE_CHECKING:
    from lightkube.core.resource import NamespacedResource

    from harbor_agent.formats.secret_record import ObjectIdentity
    from harbor_agent.kubernetes.kubeconfig.files import Entry, MergedKubeconfig

_POD: Final = "the pod's service account"
_DATA: Final = ("certificate-authority", "client-certificate", "client-key")


class ApiClient(Client):
    """lightkube's client, which can also read what is not an object of a known type."""

    def read_document(self, path: str) -> object:
        """Return the JSON document at a path such as `apis/apps/v1`. Raises what other requests raise."""
        return self._read(path).json()

    def read_text(self, path: str) -> str:
        """Return the text at a path, such as that of a pod's metrics through the proxy. Raises as `read_document`."""
        return str(self._read(path).text)

    def _read(self, path: str) -> httpx2.Response:
        request = self._client.build_adapter_request(BasicRequest(method="GET", url=path))
        response: httpx2.Response = self._client.send(request)
        self._client.raise_for_status(response)  # type: ignore[no-untyped-call]
        return response

    def delete_exactly(self, resource: type[NamespacedResource], identity: ObjectIdentity, version: str = "") -> None:
        """Delete an object if it is still the one with this uid and this resource version, if one is given.

        Else the server answers 409.
        """
        request = self._client.prepare_request(
            "delete", resource, name=identity.name, namespace=identity.namespace, headers={}
        )
        preconditions = {"uid": identity.uid, **({"resourceVersion": version} if version else {})}
        request.data = {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": preconditions}
        response = self._client.send(self._client.build_adapter_request(request))
        self._client.raise_for_status(response)  # type: ignore[no-untyped-call]


def open_client(kubeconfig: str | None, context: str | None, *, timeout: float) -> ApiClient:
    """Return a client for `kubeconfig`, else $KUBECONFIG, else ~/.kube/config, else the pod that this runs in.

    That is kubectl's order. Sends no request yet. Raises UsageError `kubeconfig-missing` or `kubeconfig-invalid`,
    AgentError `kubeconfig-login-failed` for a login that has expired.
    """
    paths = find_files(kubeconfig)
    source = f"kubeconfig {os.pathsep.join(str(path) for path in paths)}" if paths else _POD
    try:
        chosen = _choose(read_files(paths), context) if paths else _read_pod()
        return ApiClient(
            config=chosen,
            timeout=httpx2.Timeout(timeout),
            field_manager="harbor-agent",
            transport=build_transport(chosen),
        )
    except AgentError:
        raise
    except httpx2.InvalidURL:
        raise build_invalid_error(source, "the cluster's server is not a URL") from None
    except (ConfigError, OSError, ssl.SSLError) as error:
        raise build_invalid_error(source, str(error)) from None
    except (msgspec.MsgspecError, KeyError, TypeError, AttributeError, ValueError) as error:
        raise build_invalid_error(source, _describe_shape_error(error)) from None


def _read_pod() -> ConnectionConfig:
    config = KubeConfig.from_service_account().get()
    if config is None:
        raise build_invalid_error(_POD, "it cannot be used")
    chosen = ConnectionConfig(*config)
    chosen.source = _POD
    return chosen


def _choose(merged: MergedKubeconfig, context: str | None) -> ConnectionConfig:
    """Return the connection of a context, with every key of it obeyed or refused."""
    source = merged.source
    name, wanted = merged.choose_context(context)
    check_keys(source, "context", name, wanted)
    chosen = msgspec.convert(wanted, Context)
    if chosen.cluster not in merged.clusters:
        raise build_invalid_error(
            source, f"context '{name}' refers to cluster '{chosen.cluster}', which it does not define"
        )
    if chosen.user and chosen.user not in merged.users:
        raise build_invalid_error(source, f"context '{name}' refers to user '{chosen.user}', which it does not define")
    cluster, user = merged.clusters[chosen.cluster], merged.users.get(chosen.user or "", {})
    check_keys(source, "cluster", chosen.cluster, cluster)
    check_keys(source, "user", chosen.user or "", user)
    if cluster.get("insecure-skip-tls-verify") and (
        cluster.get("certificate-authority") or cluster.get("certificate-authority-data")
    ):
        reason = (
            f"cluster '{chosen.cluster}' has a certificate authority and insecure-skip-tls-verify; kubectl allows one"
        )
        raise build_invalid_error(source, reason)
    require_files(source, "cluster", chosen.cluster, cluster)
    require_files(source, "user", chosen.user or "", user)
    config = ConnectionConfig(
        *SingleConfig(
            context_name=name,
            context=chosen,
            cluster=msgspec.convert(_add_scheme(_prefer_data(cluster)), Cluster),
            user=_strip_token(msgspec.convert(_prefer_data(_resolve_login(source, chosen.user or "", user)), User)),
            fname=Path.cwd() / "kubeconfig",  # the paths are absolute already
        )
    )
    config.source = source
    config.options = read_options(source, cluster, user)
    user_name = chosen.user or ""
    require_current_certificate(source, user_name, user)
    plugin = user.get("exec")
    if isinstance(plugin, dict):
        config.plugin = read_plugin(source, user_name, plugin, cluster)
    return config


def _add_scheme(cluster: Entry) -> Entry:
    """Return the cluster with a scheme: without one it is https if TLS is configured (client-go, rest/url_utils.go)."""
    server = cluster.get("server")
    if not isinstance(server, str) or not server or "://" in server:
        return cluster
    is_tls = any(
        cluster.get(key) for key in ("certificate-authority", "certificate-authority-data", "insecure-skip-tls-verify")
    )
    return cluster | {"server": f"{'https' if is_tls else 'http'}://{server}"}


def _prefer_data(content: Entry) -> Entry:
    """Return the entry without a file whose content is given too: the content counts."""
    return {key: value for key, value in content.items() if key not in _DATA or not content.get(f"{key}-data")}


def _resolve_login(source: str, name: str, user: Entry) -> Entry:
    """Return the user without login plugins; the token of `oidc` counts if there is no other, as in kubectl.

    Raises UsageError `kubeconfig-invalid`, AgentError `kubeconfig-login-failed`.
    """
    kept = {key: value for key, value in user.items() if key not in ("exec", "auth-provider") and value != ""}
    provider = user.get("auth-provider")
    if not provider:
        return kept
    if user.get("exec"):
        raise build_invalid_error(source, f"user '{name}' has exec and auth-provider; kubectl allows one")
    if any(user.get(key) for key in ("token", "tokenFile", "username")):
        return kept
    return kept | {"token": read_id_token(source, name, provider)}


def _strip_token(user: User) -> User:
    """Remove blanks and line breaks after a token, as Go does: an HTTP header cannot contain them."""
    return msgspec.structs.replace(user, token=user.token.rstrip()) if user.token else user


def _describe_shape_error(error: Exception) -> str:
    if isinstance(error, KeyError):
        return f"'{error.args[0]}' is missing"
    if isinstance(error, msgspec.ValidationError):
        return str(error)  # names types and the path, never values
    return "its structure is not that of a kubeconfig"
