"""Why no answer of a Kubernetes API came: no login, no connection, a certificate, a busy server, another program."""

from __future__ import annotations

import ssl
from http import HTTPStatus

import httpx2
import msgspec
from lightkube.core.exceptions import ConfigError, LoadResourceError

from harbor_agent.errors import Problem
from harbor_agent.kubernetes.kubeconfig.plugin import PluginMissingError

# Besides HTTP errors: OSError for a missing exec plugin or token file; ValueError, KeyError and MsgspecError for an
# answer that is not a Kubernetes object (lightkube decodes it unchecked).
TROUBLE = (
    httpx2.HTTPError,
    httpx2.InvalidURL,
    ConfigError,
    LoadResourceError,
    OSError,
    ValueError,
    KeyError,
    msgspec.MsgspecError,
)
_LONGEST_DETAIL = 500
# X509_V_ERR_… of OpenSSL (x509_vfy.h).
_EXPIRED, _NOT_YET_VALID, _OTHER_NAME, _OTHER_ADDRESS = 10, 9, 62, 64


def is_busy(response: httpx2.Response) -> bool:
    """Whether the server asks to be asked later: 429, or any server error with Retry-After."""
    if response.status_code == HTTPStatus.TOO_MANY_REQUESTS:
        return True
    return response.is_server_error and "Retry-After" in response.headers


def describe_busy(answer: str) -> Problem:
    """Return the problem of a server that was asked again until the limit."""
    return Problem(
        code="cluster-busy",
        message=f"the cluster's API server is too busy to answer within a minute ({answer})",
        hint="run the command again when it has less to do; its limits are set by API priority and fairness",
    )


def describe_unreachable(error: Exception) -> Problem:
    """Return why there is no answer of a Kubernetes API."""
    return _describe_login_fault(error) or _describe_connection_fault(error) or _describe_other_answer(error)


def _describe_login_fault(error: Exception) -> Problem | None:
    if isinstance(error, ConfigError):
        return Problem(
            code="kubeconfig-login-failed",
            message=f"cannot log in with the kubeconfig: {str(error)[:_LONGEST_DETAIL]}",
            hint="try `kubectl version` with the same kubeconfig",
        )
    if isinstance(error, FileNotFoundError):
        return Problem(
            code="kubeconfig-plugin-missing",
            message=f"the kubeconfig's login plugin {error.filename} is not installed here",
            hint=(isinstance(error, PluginMissingError) and error.install_hint)
            or "install it, or use a kubeconfig with a token or certificate",
        )
    if reason := _describe_token_fault(error):
        return Problem(
            code="kubeconfig-login-failed", message=reason, hint="try `kubectl version` with the same kubeconfig"
        )
    return None


def _describe_connection_fault(error: Exception) -> Problem | None:
    if isinstance(error, httpx2.TimeoutException):
        return Problem(
            code="cluster-timeout",
            message="the cluster did not answer in time",
            hint="check that its API server is reachable from here",
        )
    if refused := _find_certificate_fault(error):
        return _describe_certificate(refused)
    if isinstance(error, httpx2.HTTPError | OSError) and not isinstance(error, httpx2.HTTPStatusError):
        return Problem(
            code="cluster-unreachable",
            message=f"cannot reach the cluster: {error}",
            hint="check the server's address in the kubeconfig, and that it is reachable from here",
        )
    return None


def _describe_other_answer(error: Exception) -> Problem:
    status = ""
    if isinstance(error, httpx2.HTTPStatusError):
        if is_busy(error.response):
            return describe_busy(f"HTTP {error.response.status_code}")
        status = f" (HTTP {error.response.status_code})"
    return Problem(
        code="cluster-answer-invalid",
        message=f"the answer is not that of a Kubernetes API{status}",
        hint="check the server's address in the kubeconfig, and proxies on the way",
    )


def _describe_token_fault(error: Exception) -> str:
    """Return what is wrong with the login's token, "" if nothing is; h11's own message would quote it."""
    if isinstance(error, httpx2.LocalProtocolError):
        return "the kubeconfig's token contains a blank or a line break, which an HTTP header cannot contain"
    return ""


def _find_certificate_fault(error: BaseException | None) -> ssl.SSLCertVerificationError | None:
    """Return why the server's certificate was not accepted, out of what httpx2 raised from it."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:  # lightkube raises errors from themselves
        if isinstance(error, ssl.SSLCertVerificationError):
            return error
        seen.add(id(error))
        error = error.__cause__ or error.__context__
    return None


def _describe_certificate(error: ssl.SSLCertVerificationError) -> Problem:
    if error.verify_code in {_EXPIRED, _NOT_YET_VALID}:
        reason = "has expired" if error.verify_code == _EXPIRED else "is not valid yet"
        hint = "renew it on the server (kubeadm certs check-expiration), and check the clock here"
    elif error.verify_code in {_OTHER_NAME, _OTHER_ADDRESS}:
        reason = f"is for another name: {error.verify_message.rstrip('.')}"
        hint = "use a name in the certificate as the server, or set tls-server-name in the kubeconfig to one"
    else:
        reason = f"is signed by an unknown authority: {error.verify_message}"
        hint = "set certificate-authority-data in the kubeconfig to the cluster's CA (/etc/kubernetes/pki/ca.crt)"
    return Problem(code="cluster-certificate", message=f"the API server's certificate {reason}", hint=hint)
