"""Login plugins (exec) as client-go runs them: plugin/pkg/client/auth/exec/exec.go."""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast

from lightkube.core.exceptions import ConfigError

from harbor_agent.kubernetes.kubeconfig.files import build_invalid_error

if TYPE_CHECKING:
    from harbor_agent.kubernetes.kubeconfig.files import Entry

_VERSIONS: Final = ("client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1")
_SECONDS_UNTIL_NOTICE: Final = 5.0
_CLUSTER_EXTENSION: Final = "client.authentication.k8s.io/exec"
_CLUSTER_KEYS: Final = ("server", "tls-server-name", "insecure-skip-tls-verify", "proxy-url", "disable-compression")


class PluginMissingError(FileNotFoundError):
    """The plugin's program does not exist; `install_hint` is the kubeconfig's."""

    def __init__(self, command: str, install_hint: str) -> None:
        """Keep both, the hint without escape sequences."""
        super().__init__(f"{command} does not exist")
        self.filename = command
        self.install_hint = install_hint


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """What a plugin returned: a token, a client certificate with its key (PEM), or both."""

    token: str = field(default="", repr=False)
    certificate: str = field(default="", repr=False)
    key: str = field(default="", repr=False)
    expires: datetime | None = None

    @property
    def is_current(self) -> bool:
        """Whether it has not expired."""
        return self.expires is None or datetime.now(UTC) < self.expires


@dataclass(frozen=True, slots=True, kw_only=True)
class Plugin:
    """A login plugin of a user; `info` goes to it as KUBERNETES_EXEC_INFO."""

    command: tuple[str, ...]
    environment: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    info: str = field(default="", repr=False)
    install_hint: str = ""
    is_interactive: bool = False

    def fetch(self, *, is_rejected: bool = False) -> Credential:
        """Return the plugin's credential, run again only if the last one expired or `is_rejected`.

        A person may have to answer it, so a process runs the same plugin once for all its connections. Its standard
        error is ours. Raises PluginMissingError, and ConfigError if the plugin fails.
        """
        with _LOCK:
            found = _CREDENTIALS.get(self)
            if found is None or is_rejected or not found.is_current:
                found = _CREDENTIALS[self] = _parse_credential(self.command[0], self._run())
            return found

    def _run(self) -> bytes:
        environment = os.environ | dict(self.environment) | {"KUBERNETES_EXEC_INFO": self.info}
        stdin = None if self.is_interactive else subprocess.DEVNULL
        notice = threading.Timer(_SECONDS_UNTIL_NOTICE, _show_notice, (self.command[0],))
        notice.daemon = True
        notice.start()
        try:
            done = subprocess.run(self.command, stdin=stdin, stdout=subprocess.PIPE, env=environment, check=False)  # noqa: S603 - the user's own kubeconfig names it
        except FileNotFoundError:
            raise PluginMissingError(self.command[0], self.install_hint) from None
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise ConfigError(f"login plugin {self.command[0]} cannot be run: {reason}") from None
        finally:
            notice.cancel()
        if done.returncode:
            message = f"login plugin {self.command[0]} ended with exit code {done.returncode}; its messages are above"
            raise ConfigError(message)
        return done.stdout


def _show_notice(command: str) -> None:
    """Say what the program waits for, on standard error as the plugin itself."""
    print(f"waiting for the login plugin {command}", file=sys.stderr, flush=True)  # noqa: T201 - beside its own messages


_LOCK = threading.Lock()
_CREDENTIALS: dict[Plugin, Credential] = {}


def read_plugin(source: str, name: str, exec_: Entry, cluster: Entry) -> Plugin:
    """Return the plugin of user `name`. Raises UsageError `kubeconfig-invalid`."""

    def refuse(reason: str) -> Exception:
        return build_invalid_error(source, f"exec of user '{name}' {reason}")

    version, command, arguments = exec_.get("apiVersion"), exec_.get("command"), exec_.get("args") or []
    variables, mode = exec_.get("env") or [], exec_.get("interactiveMode") or "IfAvailable"
    if version not in _VERSIONS:
        raise refuse(f"has an apiVersion that is not supported (supported: {', '.join(_VERSIONS)})")
    if not isinstance(command, str) or not command:
        raise refuse("has no command")
    if not isinstance(arguments, list) or not isinstance(variables, list):
        raise refuse("has args or env that are no list")
    if not all(isinstance(one, dict) and {"name", "value"} <= one.keys() for one in variables):
        raise refuse("has an env entry without name and value")
    if mode not in ("Never", "IfAvailable", "Always"):
        raise refuse("has an interactiveMode that is not Never, IfAvailable or Always")
    has_terminal = sys.stdin is not None and sys.stdin.isatty()
    if mode == "Always" and not has_terminal:
        raise refuse("has interactiveMode Always, and standard input is not a terminal")
    is_interactive = has_terminal and mode != "Never"
    spec: Entry = {"interactive": is_interactive}
    if exec_.get("provideClusterInfo"):
        spec["cluster"] = _describe_cluster(cluster)
    return Plugin(
        command=(command, *(str(argument) for argument in arguments)),
        environment=tuple((str(one["name"]), str(one["value"])) for one in variables),
        info=json.dumps({"apiVersion": version, "kind": "ExecCredential", "spec": spec}),
        install_hint=re.sub(r"\x1b\[[0-9;]*[A-Za-z]|[^\n\t -~\u00a0-\uffff]", "", str(exec_.get("installHint") or "")),
        is_interactive=is_interactive,
    )


def _describe_cluster(cluster: Entry) -> Entry:
    """Return what a plugin with provideClusterInfo is given, as ExecCredential's spec.cluster."""
    found = {key: cluster[key] for key in _CLUSTER_KEYS if cluster.get(key)}
    if cluster.get("certificate-authority-data"):
        found["certificate-authority-data"] = cluster["certificate-authority-data"]
    elif path := cluster.get("certificate-authority"):
        found["certificate-authority-data"] = base64.b64encode(Path(str(path)).read_bytes()).decode()
    for extension in cast("list[Entry]", cluster.get("extensions") or []):
        if extension.get("name") == _CLUSTER_EXTENSION:
            found["config"] = extension.get("extension")
    return found


def _parse_credential(command: str, output: bytes) -> Credential:
    try:
        status = json.loads(output)["status"]
        values = [status.get(key) or "" for key in ("token", "clientCertificateData", "clientKeyData")]
        stamp = status.get("expirationTimestamp")
        expires = datetime.fromisoformat(stamp) if stamp else None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise ConfigError(f"login plugin {command} returned no ExecCredential") from None
    token, certificate, key = values
    if not token and not (certificate and key):
        raise ConfigError(f"login plugin {command} returned neither a token nor a certificate with its key")
    return Credential(token=token, certificate=certificate, key=key, expires=expires)
