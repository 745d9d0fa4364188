"""What a runtime prints about a pull: whether it succeeded, and what failed if not.

The texts are those of dockerd, containerd, containers/image (podman, CRI-O), Go and Harbor; tests/cases/pulls.yaml has
them as measured, each with its code. A new wording is a new case there, and a pattern here.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from harbor_agent.model.result import CertificateFault, PullReport, PullVerdict

if TYPE_CHECKING:
    from harbor_agent.model.address import Address

TIMED_OUT = 124  # the exit status of timeout(1)
_NO_CLIENT = 127  # that of a shell: nothing was asked

_HTTP_ANSWER = "server gave HTTP response to HTTPS client"
# crypto/x509/verify.go, crypto/tls/alert.go, dockerd's registry/registry.go (ReadCertsDirectory). The first that
# matches counts: "possibly because of" quotes a cause.
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
# Nothing answered: of a registry for plain HTTP of which only https was tried, it shows that it is not trusted.
_NOT_REACHED = re.compile(
    r"connection refused|i/o timeout|no route to host|network is unreachable|Client\.Timeout|context deadline exceeded"
    r"|proxyconnect|TLS handshake timeout|connection reset"
)
# The first that matches counts: the text of a registry that was not reached may match the later ones too, and so may
# that of an image for another architecture ("no match for platform in manifest: not found").
_REASONS = (
    (PullVerdict.NO_SPACE, r"no space left on device|disk quota exceeded"),
    (PullVerdict.NAME_UNRESOLVED, r"\blookup [\w.-]+(?: on \S+)?: |no such host"),
    (PullVerdict.NAME_UNRESOLVED, r"server misbehaving|Temporary failure in name resolution"),
    (PullVerdict.PROXY_FAILED, r"proxyconnect"),
    (PullVerdict.TIMEOUT, r"i/o timeout|context deadline exceeded|Client\.Timeout|TLS handshake timeout"),
    (PullVerdict.UNREACHABLE, r"connection refused|no route to host|network is unreachable"),
    (PullVerdict.INTERRUPTED, r"connection reset|unexpected EOF|: EOF\b|short read|broken pipe"),
    (PullVerdict.RATE_LIMITED, r"(?i)too ?many ?requests|pull rate limit|pull QPS exceeded"),
    # Harbor: 412 for a policy of the project (server/middleware/vulnerable, contenttrust), without a text to HEAD
    (PullVerdict.BLOCKED, r"due to configured policy|PROJECTPOLICYVIOLATION|is not signed in|412 Precondition Failed"),
    (PullVerdict.REGISTRY_ERROR, r"(?i)\b5\d\d (?:internal server error|bad gateway|service |gateway time)"),
    (PullVerdict.REGISTRY_ERROR, r"(?i)(?:http|status|status code|code from registry):? 5\d\d\b|internal server error"),
    (PullVerdict.UNAUTHORIZED, r"unauthorized|access denied|(?<!permission )\bdenied\b|no basic auth"),
    (
        PullVerdict.UNAUTHORIZED,
        r"authentication required|incorrect username or password|401 Unauthorized|403 Forbidden",
    ),
    (PullVerdict.WRONG_PLATFORM, r"no match for platform in manifest|no matching manifest for"),
    (PullVerdict.WRONG_PLATFORM, r"no image found in (?:manifest list|image index) for architecture"),
    (PullVerdict.LAYER_MISSING, r"unknown blob|blob unknown|fetching blob: .* 404|could not fetch content descriptor"),
    (PullVerdict.PROJECT_MISSING, r"project \S+ not found"),
    (PullVerdict.REPOSITORY_MISSING, r"name unknown|NAME_UNKNOWN|repository name not known|repository \S+ not found"),
    (PullVerdict.NOT_FOUND, r"manifest unknown|not found"),
)
_PAGE = re.compile(r"<(?:!DOCTYPE|html)\b.*?(?:<title>\s*(.*?)\s*</title>.*?)?</html>", re.DOTALL | re.IGNORECASE)


def read_pull(image: str, registry: Address, output: str, *, status: int = 1, detail: str = "") -> PullReport:
    """Return what a pull of `image` from `registry` proved, by its client's exit status and by what it printed.

    `detail` is what people read of it: the line with the reason, unless another text is given.
    """
    verdict = judge_pull(status, output, registry)
    fault = find_certificate_fault(output) if verdict is PullVerdict.CERTIFICATE_REFUSED else None
    return PullReport(image=image, verdict=verdict, detail=detail or quote_last_line(output), fault=fault)


def judge_pull(status: int, output: str, registry: Address) -> PullVerdict:
    """Judge a pull from `registry` by the exit status of its client and by what it printed.

    A runtime that uses plain HTTP reports the last address that it tried, which is http; a registry for plain HTTP of
    which only https was tried is not trusted, also if nothing answers on the port for HTTPS.
    """
    if status == 0:
        return PullVerdict.PULLED
    if status == _NO_CLIENT:
        return PullVerdict.FAILED
    if _HTTP_ANSWER in output:
        return PullVerdict.INSECURE_REFUSED
    if find_certificate_fault(output):
        return PullVerdict.CERTIFICATE_REFUSED
    if _NOT_REACHED.search(output) and registry.scheme == "http" and _is_only_https_tried(output, registry):
        return PullVerdict.INSECURE_REFUSED
    unknown = PullVerdict.TIMEOUT if status == TIMED_OUT else PullVerdict.FAILED
    return next((verdict for verdict, pattern in _REASONS if re.search(pattern, output)), unknown)


def find_certificate_fault(output: str) -> CertificateFault | None:
    """Return what is wrong with a certificate, or with the folder of certificates; None if the text names neither."""
    return next((fault for fault, pattern in _FAULTS if re.search(pattern, output)), None)


def quote_last_line(output: str) -> str:
    """Return the last line that is not empty, which has the reason, cut to 600 characters.

    dockerd prints the page that a proxy answers instead of the registry; only its title is left.
    """
    text = _PAGE.sub(lambda page: page[1] or "a page of HTML", output)
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1][:600] if lines else ""


def _is_only_https_tried(output: str, registry: Address) -> bool:
    """Whether the runtime tried the registry with https and did not fall back to http.

    dockerd with containerd's image store reports the first address that it tried ("failed to do request"): there a
    registry that is down looks like one that is not trusted.
    """
    place = re.escape(registry.entry)
    is_first_try = "failed to do request" in output and "rpc error" not in output
    return not is_first_try and bool(re.search(rf'"?https://{place}(?![\w.:-])', output))
