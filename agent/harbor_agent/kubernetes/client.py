"""From a kubeconfig, or from inside a pod, to a client; what is wrong with it is said without its content."""

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

    That is kubectl's order. Nothing is asked of the server yet. Raises UsageError `kubeconfig-missing` or
    `kubeconfig-invalid`.
    """
    path = _find(kubeconfig)
    source = str(path) if path else "the pod's service account"
    try:
        config = _read(path) if path else KubeConfig.from_service_account()
        chosen = _choose(config, context, source)
        return Client(
            config=chosen, timeout=httpx2.Timeout(timeout), field_manager="harbor-agent", transport=transport_to(chosen)
        )
    except yaml.YAMLError as error:
        raise _invalid(source, _yaml_reason(error)) from None  # the error's text would quote the file
    except httpx2.InvalidURL:
        raise _invalid(source, "its cluster's server is no URL") from None
    except (ConfigError, OSError, ssl.SSLError) as error:
        raise _invalid(source, str(error)) from None
    except (msgspec.MsgspecError, KeyError, TypeError, AttributeError, ValueError) as error:
        raise _invalid(source, _shape_reason(error)) from None


def transport_to(config: SingleConfig) -> httpx2.HTTPTransport:
    """Return what carries requests to the cluster, past the proxies that httpx2 itself would read and kubectl does not.

    kubectl knows HTTP_PROXY, HTTPS_PROXY and NO_PROXY (golang.org/x/net/http/httpproxy), and no ALL_PROXY. Raises
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
            "the cluster is behind a proxy of the environment that cannot be used",
            "unset HTTP_PROXY and HTTPS_PROXY or correct them (http://HOST:PORT), or name the server in NO_PROXY",
        ) from None


def _find(kubeconfig: str | None) -> Path | None:
    if kubeconfig:
        path = Path(kubeconfig).expanduser()
        if not path.is_file():
            raise _missing(f"there is no kubeconfig {path}")
        return path
    named = [Path(name).expanduser() for name in os.environ.get("KUBECONFIG", "").split(os.pathsep) if name]
    present = [path for path in named if path.is_file()]
    if len(present) > 1:
        raise _invalid("$KUBECONFIG", "it names several files, which are not merged here; give one with --kubeconfig")
    if named and not present:
        raise _missing(f"KUBECONFIG names {named[0]}, and there is no such file")
    default = Path(_DEFAULT).expanduser()
    if present or default.is_file():
        return present[0] if present else default
    if "KUBERNETES_SERVICE_HOST" in os.environ:
        return None
    raise _missing(f"no kubeconfig was given, and there is no {default}")


def _read(path: Path) -> KubeConfig:
    with path.open(encoding="utf-8") as stream:
        return KubeConfig.from_dict(yaml.safe_load(stream), fname=path.absolute())


def _choose(config: KubeConfig, context: str | None, source: str) -> SingleConfig:
    name = context or config.current_context
    if not name:
        raise _invalid(source, "it has no current-context; choose one with --context")
    if name not in config.contexts:
        known = ", ".join(sorted(config.contexts)) or "none"
        raise _invalid(source, f"it has no context '{name}' (it has: {known})")
    wanted = config.contexts[name]
    if wanted.cluster not in config.clusters:
        raise _invalid(source, f"context '{name}' names the cluster '{wanted.cluster}', which is not in it")
    if not wanted.user or wanted.user not in config.users:
        raise _invalid(source, f"context '{name}' names no user that is in it, so there is nothing to log in with")
    chosen = config.get(name)
    if chosen is None or chosen.user is None:
        raise _invalid(source, f"context '{name}' cannot be used")
    return chosen._replace(user=_with_plugin(_with_bare_token(chosen.user)))


def _with_bare_token(user: User) -> User:
    """Take blanks and line ends behind a token away, as Go does from what it sends; no header can carry them."""
    return msgspec.structs.replace(user, token=user.token.rstrip()) if user.token else user


def _with_plugin(user: User) -> User:
    """Tell a login plugin what kubectl tells it (client-go: KUBERNETES_EXEC_INFO), which lightkube 1.0 does not.

    lightkube also refuses v1 of that interface, whose answer has the token in the same place as v1beta1's.
    """
    plugin = user.exec
    if not plugin or plugin.apiVersion not in {_PLUGIN_V1, _PLUGIN_V1BETA1}:
        return user
    request = {"apiVersion": plugin.apiVersion, "kind": "ExecCredential", "spec": {"interactive": False}}
    told = NameValue(name="KUBERNETES_EXEC_INFO", value=json.dumps(request))
    spoken = msgspec.structs.replace(plugin, apiVersion=_PLUGIN_V1BETA1, env=[*(plugin.env or []), told])
    return msgspec.structs.replace(user, exec=spoken)


def _missing(message: str) -> UsageError:
    return UsageError.of(
        "kubeconfig-missing", message, "give one with --kubeconfig, or `kubeconfig:` in harbor-agent.yaml"
    )


def _invalid(source: str, reason: str) -> UsageError:
    return UsageError.of(
        "kubeconfig-invalid",
        f"the kubeconfig {source} cannot be used: {reason}",
        "compare with `kubectl config view`, and try `kubectl version` with the same file",
    )


def _yaml_reason(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    where = f" in line {mark.line + 1}" if mark else ""
    return f"it is not YAML{where}"


def _shape_reason(error: Exception) -> str:
    if isinstance(error, KeyError):
        return f"'{error.args[0]}' is missing"
    if isinstance(error, msgspec.ValidationError):
        return str(error)  # names types and the path, never values
    return "it does not have the shape of a kubeconfig"
