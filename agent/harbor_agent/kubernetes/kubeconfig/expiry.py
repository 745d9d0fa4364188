"""Logins of a kubeconfig that have expired, named before any request: the API server would only say Unauthorized."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

from harbor_agent.errors import AgentError
from harbor_agent.kubernetes.kubeconfig.files import build_invalid_error

if TYPE_CHECKING:
    from harbor_agent.kubernetes.kubeconfig.files import Entry

_OTHER_LOGINS: Final = ("token", "tokenFile", "username", "exec", "auth-provider")
_PROVIDER_KEYS: Final = frozenset(
    {
        "client-id", "client-secret", "id-token", "refresh-token", "idp-issuer-url", "idp-certificate-authority",
        "idp-certificate-authority-data", "extra-scopes", "auth-request-extra-params",
    }
)  # fmt: skip
# As client-go (plugin/pkg/client/auth/oidc/oidc.go): a token that expires on the way is of no use.
_LEEWAY: Final = timedelta(seconds=10)


def require_current_certificate(source: str, name: str, user: Entry) -> None:
    """Raise AgentError `kubeconfig-login-failed` if the only login of a user is a client certificate that has expired.

    A certificate that cannot be read is left to the TLS library.
    """
    if any(user.get(key) for key in _OTHER_LOGINS):
        return
    pem = _read_certificate(user)
    if not pem:
        return
    from cryptography import x509  # noqa: PLC0415 - most kubeconfigs have a token

    try:
        ended = x509.load_pem_x509_certificate(pem).not_valid_after_utc
    except ValueError:
        return
    if ended < datetime.now(UTC):
        raise AgentError.of(
            "kubeconfig-login-failed",
            f"cannot log in with {source}: the client certificate of user '{name}' expired on {_format(ended)}",
            "renew it (on a control-plane node: kubeadm certs renew admin.conf, then copy the file again), and check "
            "the clock here",
        )


def read_id_token(source: str, name: str, provider: object) -> str:
    """Return the token of an auth-provider `oidc`, as kubectl sends it while it has not expired.

    It is not renewed: an identity provider may make the refresh-token invalid, and only kubectl writes the new one into
    the file. Raises UsageError `kubeconfig-invalid`, AgentError `kubeconfig-login-failed`.
    """
    kind = provider.get("name") if isinstance(provider, dict) else None
    config = provider.get("config") if isinstance(provider, dict) else None
    if kind != "oidc":
        reason = f"auth-provider '{kind}' of user '{name}' is not supported, and kubectl 1.26 and later do not know it"
        raise build_invalid_error(source, reason)
    settings = config if isinstance(config, dict) else {}
    if unknown := sorted(str(key) for key in settings if key not in _PROVIDER_KEYS):
        raise build_invalid_error(source, f"key '{unknown[0]}' of auth-provider '{name}' is not supported")
    token = settings.get("id-token")
    if not isinstance(token, str) or not token.strip():
        raise _build_oidc_error(source, f"user '{name}' logs in by oidc and has no id-token yet", settings)
    ended = _read_end(token)
    if ended is None:
        raise build_invalid_error(source, f"the id-token of user '{name}' is not a JSON Web Token with an end")
    if ended - _LEEWAY < datetime.now(UTC):
        raise _build_oidc_error(source, f"the id-token of user '{name}' expired on {_format(ended)}", settings)
    return token.strip()


def _build_oidc_error(source: str, reason: str, settings: Entry) -> AgentError:
    renew = "run `kubectl get namespaces` with the same kubeconfig: it gets a new token and writes it into the file"
    log_in = "log in again at your identity provider, so that the kubeconfig gets a new id-token"
    return AgentError.of(
        "kubeconfig-login-failed",
        f"cannot log in with {source}: {reason}",
        renew if settings.get("refresh-token") else log_in,
    )


def _read_end(token: str) -> datetime | None:
    """Return when a JSON Web Token ends (RFC 7519, exp), None if it does not say."""
    try:
        payload = token.strip().split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        return datetime.fromtimestamp(float(claims["exp"]), UTC)
    except (ValueError, LookupError, TypeError, OverflowError, OSError):
        return None


def _read_certificate(user: Entry) -> bytes:
    data, path = user.get("client-certificate-data"), user.get("client-certificate")
    try:
        if isinstance(data, str) and data:
            return base64.b64decode(data)
        return Path(path).read_bytes() if isinstance(path, str) and path else b""
    except (OSError, ValueError):
        return b""


def _format(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M UTC")
