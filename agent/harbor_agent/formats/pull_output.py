"""What a runtime prints about a pull: whether it succeeded, and what failed if not.

The texts are Go's (crypto/x509/verify.go, crypto/tls/alert.go), dockerd's (registry/registry.go, ReadCertsDirectory),
and containerd's; tests/cases/pulls.yaml has them as measured. dockerd 23 and later put "tls: failed to verify
certificate: " before "x509: ".
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from harbor_agent.model.result import CertificateFault, PullVerdict

if TYPE_CHECKING:
    from harbor_agent.model.address import Address

TIMED_OUT = 124  # the exit status of timeout(1)

_HTTP_ANSWER = "server gave HTTP response to HTTPS client"
# The first that matches counts: "possibly because of" quotes a cause.
_FAULTS = (
    (CertificateFault.FOLDER_BROKEN, r"for client certificate \S+\.cert\b|use the extension \.crt"),
    (CertificateFault.FOLDER_BROKEN, r"(?i)missing client certificate \S+ for key"),
    (CertificateFault.FOLDER_BROKEN, r"certs\.d/\S+: (?:is a directory|no such file or directory|permission denied)"),
    (CertificateFault.FOLDER_BROKEN, r"private key does not match public key|unable to load CA cert"),
    (CertificateFault.FOLDER_BROKEN, r"tls: failed to find any PEM data"),
    (CertificateFault.CLIENT_MISSING, r"remote error: tls: (?:bad certificate|certificate required)"),
    (CertificateFault.EXPIRED, r"x509: certificate has expired or is not yet valid"),
    (CertificateFault.NO_SAN, r"x509: .*(?:legacy Common Name field|doesn't contain any IP SANs)"),
    (CertificateFault.NAME, r"x509: certificate is (?:valid for|not valid for any names)"),
    (CertificateFault.CA_CANNOT_SIGN, r"x509: .*parent certificate cannot sign this kind of certificate"),
    (CertificateFault.CA_MISSING, r"x509: certificate signed by unknown authority"),
    (CertificateFault.OTHER, r"x509: "),
)
_NOT_RESOLVED = re.compile(r"no such host|server misbehaving|Temporary failure in name resolution")
_NOT_REACHED = re.compile(
    r"connection refused|i/o timeout|no route to host|network is unreachable|Client\.Timeout|context deadline exceeded"
    r"|proxyconnect|TLS handshake timeout|connection reset"
)
_NOT_PERMITTED = re.compile(
    r"unauthorized|access denied|requested access to the resource is denied|no basic auth|authentication required"
    r"|incorrect username or password|401 Unauthorized"
)
# The text of an unreachable registry may match the later patterns too.
_REASONS = (
    (_NOT_RESOLVED, PullVerdict.UNREACHABLE),
    (_NOT_REACHED, PullVerdict.UNREACHABLE),
    (_NOT_PERMITTED, PullVerdict.UNAUTHORIZED),
    (re.compile(r"manifest unknown|not found|name unknown|NAME_UNKNOWN"), PullVerdict.NOT_FOUND),
)


def judge_pull(status: int, output: str, registry: Address) -> PullVerdict:
    """Judge a pull from `registry` by the exit status of its client and by what it printed.

    A runtime that uses plain HTTP reports the last address that it tried, which is http; a registry for plain HTTP of
    which only https was tried is not trusted, also if nothing answers on the port for HTTPS.
    """
    if status == 0:
        return PullVerdict.PULLED
    if _HTTP_ANSWER in output:
        return PullVerdict.INSECURE_REFUSED
    if find_certificate_fault(output):
        return PullVerdict.CERTIFICATE_REFUSED
    if _NOT_REACHED.search(output) and registry.scheme == "http" and _is_only_https_tried(output, registry):
        return PullVerdict.INSECURE_REFUSED
    if status == TIMED_OUT:
        return PullVerdict.UNREACHABLE
    return next((verdict for pattern, verdict in _REASONS if pattern.search(output)), PullVerdict.FAILED)


def find_certificate_fault(output: str) -> CertificateFault | None:
    """Return what is wrong with a certificate, or with the folder of certificates; None if the text names neither."""
    return next((fault for fault, pattern in _FAULTS if re.search(pattern, output)), None)


def is_name_unresolved(output: str) -> bool:
    """Whether the text says that a name was not resolved."""
    return bool(_NOT_RESOLVED.search(output))


def quote_last_line(output: str) -> str:
    """Return the last line that is not empty, which has the reason, cut to 600 characters."""
    lines = [line for line in output.splitlines() if line.strip()]
    return lines[-1][:600] if lines else ""


def _is_only_https_tried(output: str, registry: Address) -> bool:
    """Whether the runtime tried the registry with https and did not fall back to http.

    dockerd with containerd's image store reports the first address that it tried ("failed to do request"): there a
    registry that is down looks like one that is not trusted.
    """
    place = re.escape(registry.entry)
    is_first_try = "failed to do request" in output and "rpc error" not in output
    return not is_first_try and bool(re.search(rf'"?https://{place}(?![\w.:-])', output))
