"""A client from a kubeconfig, or from inside a pod. Errors never quote its content."""

from __future__ import annotations

import json
import os
import ssl
from pathlib import Path
from typing import TYPE_CHECKING

import httpx2
import msgspec
import yaml
from lightkube import Client, KubeConfig
from lightkube.config.client_adapter import verify_cluster
from lightkube.config.models import NameValue, User
from lightkube.core.exceptions import ConfigError

from harbor_agent.errors import UsageError
from harbor_agent.local.proxy import find_proxy

if TYPE_CHECKING:
    from lightkube.config.kubeconfig import SingleConfig

_DEFAULT = "~/.kube/config"
_PLUGIN_V1 = "client.authentication.k8s.io/v1"
_PLUGIN_V1BETA1 = "client.authentication.k8s.io/v1beta1"


def open_client(kubeconfig: str | None, context: str | None, *, timeout: float) -> Client:
    """Return a client for `kubeconfig`, else $KUBECONFIG, else ~/.kube/config, else the pod that this runs in.

    That is kubectl's order. Sends no request yet. Raises UsageError `kubeconfig-missing` or `kubeconfig-invalid`.
    """
    path = _find_file(kubeconfig)
    source = f"kubeconfig {path}" if path else "the pod's service account"
    try:
        config = _read(path) if path else KubeConfig.from_service_account()
        chosen = _choose_context(config, context, source)
        return Client(
            config=chosen,
            timeout=httpx2.Timeout(timeout),
            field_manager="harbor-agent",
            transport=build_transport(chosen),
        )
    except yaml.YAMLError as error:
        # the error's own text would quote the file
        raise _build_invalid_error(source, _describe_yaml_error(error)) from None
    except httpx2.InvalidURL:
        raise _build_invalid_error(source, "the cluster's server is not a URL") from None
    except (ConfigError, OSError, ssl.SSLError) as error:
        raise _build_invalid_error(source, str(error)) from None
    except (msgspec.MsgspecError, KeyError, TypeError, AttributeError, ValueError) as error:
        raise _build_invalid_error(source, _describe_shape_error(error)) from None


def build_transport(config: SingleConfig) -> httpx2.HTTPTransport:
    """Return the transport to the cluster, through the proxy that kubectl would use rather than httpx2's choice.

    kubectl reads HTTP_PROXY, HTTPS_PROXY and NO_PROXY (golang.org/x/net/http/httpproxy), not ALL_PROXY. Raises
    UsageError `kubeconfig-invalid` for a proxy that cannot be used.
    """
    known = {name: value for name, value in os.environ.items() if name.lower() != "all_proxy"}
    proxy = find_proxy(config.cluster.server, known)
    trust = verify_cluster(config.cluster, config.user or User(), config.abs_file)
    try:
        return httpx2.HTTPTransport(verify=trust, proxy=proxy)
    except (httpx2.InvalidURL, ImportError, ValueError):  # their text would quote the proxy's password
        raise UsageError.of(
            "kubeconfig-invalid",
            "cannot use the proxy from the environment to reach the cluster",
            "correct or unset HTTP_PROXY and HTTPS_PROXY (http://HOST:PORT), or add the server to NO_PROXY",
        ) from None


def _find_file(kubeconfig: str | None) -> Path | None:
    if kubeconfig:
        path = Path(kubeconfig).expanduser()
        if not path.is_file():
            raise _build_missing_error(f"kubeconfig {path} does not exist")
        return path
    named = [Path(name).expanduser() for name in os.environ.get("KUBECONFIG", "").split(os.pathsep) if name]
    present = [path for path in named if path.is_file()]
    if len(present) > 1:
        raise _build_invalid_error(
            "$KUBECONFIG", "it lists several files, which harbor-agent does not merge; choose one with --kubeconfig"
        )
    if named and not present:
        raise _build_missing_error(f"KUBECONFIG names {named[0]}, which does not exist")
    default = Path(_DEFAULT).expanduser()
    if present or default.is_file():
        return present[0] if present else default
    if "KUBERNETES_SERVICE_HOST" in os.environ:
        return None
    raise _build_missing_error(f"no kubeconfig was given, and {default} does not exist")


def _read(path: Path) -> KubeConfig:
    with path.open(encoding="utf-8") as stream:
        return KubeConfig.from_dict(yaml.safe_load(stream), fname=path.absolute())


def _choose_context(config: KubeConfig, context: str | None, source: str) -> SingleConfig:
    name = context or config.current_context
    if not name:
        raise _build_invalid_error(source, "it has no current-context; choose one with --context")
    if name not in config.contexts:
        known = ", ".join(sorted(config.contexts)) or "none"
        raise _build_invalid_error(source, f"it has no context '{name}' (available: {known})")
    wanted = config.contexts[name]
    if wanted.cluster not in config.clusters:
        raise _build_invalid_error(
            source, f"context '{name}' refers to cluster '{wanted.cluster}', which it does not define"
        )
    if not wanted.user or wanted.user not in config.users:
        raise _build_invalid_error(
            source, f"context '{name}' refers to no user that it defines, so there are no credentials"
        )
    chosen = config.get(name)
    if chosen is None or chosen.user is None:
        raise _build_invalid_error(source, f"context '{name}' cannot be used")
    return chosen._replace(user=_complete_plugin(_strip_token(chosen.user)))


def _strip_token(user: User) -> User:
    """Remove blanks and line breaks after a token, as Go does: an HTTP header cannot contain them."""
    return msgspec.structs.replace(user, token=user.token.rstrip()) if user.token else user


def _complete_plugin(user: User) -> User:
    """Pass KUBERNETES_EXEC_INFO to a login plugin as client-go does; lightkube 1.0 does not.

    lightkube also refuses v1 of that interface, whose answer has the token in the same place as v1beta1's.
    """
    plugin = user.exec
    if not plugin or plugin.apiVersion not in {_PLUGIN_V1, _PLUGIN_V1BETA1}:
        return user
    request = {"apiVersion": plugin.apiVersion, "kind": "ExecCredential", "spec": {"interactive": False}}
    variable = NameValue(name="KUBERNETES_EXEC_INFO", value=json.dumps(request))
    changed = msgspec.structs.replace(plugin, apiVersion=_PLUGIN_V1BETA1, env=[*(plugin.env or []), variable])
    return msgspec.structs.replace(user, exec=changed)


def _build_missing_error(message: str) -> UsageError:
    return UsageError.of(
        "kubeconfig-missing", message, "specify one with --kubeconfig, or with `kubeconfig:` in harbor-agent.yaml"
    )


def _build_invalid_error(source: str, reason: str) -> UsageError:
    return UsageError.of(
        "kubeconfig-invalid",
        f"cannot use {source}: {reason}",
        "compare with `kubectl config view`, and try `kubectl version` with the same file",
    )


def _describe_yaml_error(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    line = f" (line {mark.line + 1})" if mark else ""
    return f"it is not valid YAML{line}"


def _describe_shape_error(error: Exception) -> str:
    if isinstance(error, KeyError):
        return f"'{error.args[0]}' is missing"
    if isinstance(error, msgspec.ValidationError):
        return str(error)  # names types and the path, never values
    return "its structure is not that of a kubeconfig"
