"""What runtimes say about pulls, as they said it: dockerd 20.10 and 26.1, containerd 1.6 to 2.1, podman."""

from __future__ import annotations

import pytest

from harbor_agent.formats.pull_output import find_certificate_fault, judge_pull, quote_last_line
from harbor_agent.model.address import Address
from harbor_agent.model.result import CertificateFault, PullVerdict

H = Address.parse("harbor.lan")
WITH_PORT = Address.parse("10.99.0.1:5000")
HTTPS = Address.parse("https://harbor.lan")
_DO = "rpc error: code = Unknown desc = failed to pull image: failed to resolve reference: failed to do request"
_FOLDER = "/etc/docker/certs.d/harbor.lan"

FAULTS = {
    "certificate signed by unknown authority": CertificateFault.CA_MISSING,
    'certificate signed by unknown authority (possibly because of "x509: ECDSA verification failure" while trying to '
    'verify candidate authority certificate "Lab CA")': CertificateFault.CA_MISSING,
    'certificate signed by unknown authority (possibly because of "x509: invalid signature: parent certificate cannot '
    'sign this kind of certificate" while trying to verify candidate authority certificate "Lab CA")': (
        CertificateFault.CA_CANNOT_SIGN
    ),
    "certificate relies on legacy Common Name field, use SANs instead": CertificateFault.NO_SAN,
    "cannot validate certificate for 10.99.0.1 because it doesn't contain any IP SANs": CertificateFault.NO_SAN,
    "certificate is valid for a.lan, b.lan, not harbor.lan": CertificateFault.NAME,
    "certificate is not valid for any names, but wanted to match harbor.lan": CertificateFault.NAME,
    "certificate has expired or is not yet valid: current time 2026-11-30T01:00:00Z is after 2026-11-29T00:00:00Z": (
        CertificateFault.EXPIRED
    ),
    "certificate specifies an incompatible key usage": CertificateFault.OTHER,
}
FOLDER_FAULTS = (
    "missing key x.key for client certificate x.cert. Note that CA certificates should use the extension .crt",
    "missing key x.key for client certificate x.cert. CA certificates must use the extension .crt",
    "Missing client certificate x.cert for key x.key",
    f"read {_FOLDER}/folder.crt: is a directory",
    f"open {_FOLDER}/gone.crt: no such file or directory",
    "tls: private key does not match public key",
)


@pytest.mark.parametrize("before", ["x509: ", "tls: failed to verify certificate: x509: "])
@pytest.mark.parametrize(("text", "fault"), FAULTS.items())
def test_a_refused_certificate_has_its_fault(before: str, text: str, fault: CertificateFault) -> None:
    output = f'Error response from daemon: Get "https://harbor.lan/v2/": {before}{text}'
    assert judge_pull(1, output, HTTPS) is PullVerdict.CERTIFICATE_REFUSED
    assert find_certificate_fault(output) is fault


@pytest.mark.parametrize("text", FOLDER_FAULTS)
def test_a_file_that_breaks_the_folder_of_certificates(text: str) -> None:
    assert judge_pull(1, f"Error response from daemon: {text}", HTTPS) is PullVerdict.CERTIFICATE_REFUSED
    assert find_certificate_fault(text) is CertificateFault.FOLDER_BROKEN


@pytest.mark.parametrize("text", ["remote error: tls: bad certificate", "remote error: tls: certificate required"])
def test_a_registry_that_wants_a_client_certificate(text: str) -> None:
    output = f'Error response from daemon: Get "https://harbor.lan/v2/": {text}'
    assert judge_pull(1, output, HTTPS) is PullVerdict.CERTIFICATE_REFUSED
    assert find_certificate_fault(output) is CertificateFault.CLIENT_MISSING


@pytest.mark.parametrize(
    ("registry", "said", "verdict"),
    [
        (H, 'Get "https://harbor.lan/v2/": http: server gave HTTP response to HTTPS client', "insecure-refused"),
        (WITH_PORT, "unauthorized: authentication required", "unauthorized"),
        (WITH_PORT, "denied: requested access to the resource is denied", "unauthorized"),
        (WITH_PORT, 'Head "http://10.99.0.1:5000/v2/t/manifests/1": no basic auth credentials', "unauthorized"),
        (WITH_PORT, "manifest for h/p:1 not found: manifest unknown: manifest unknown", "not-found"),
        (
            H,
            'Get "https://harbor.lan/v2/": dial tcp: lookup harbor.lan on 10.0.0.1:53: no such host',
            "name-unresolved",
        ),
        (WITH_PORT, 'Get "http://10.99.0.1:5000/v2/": dial tcp 10.99.0.1:5000: i/o timeout', "timeout"),
        (WITH_PORT, "received unexpected HTTP status: 500 Internal Server Error", "registry-error"),
        # On port 80 nothing answers https, and so no server "gives an HTTP response": only https was tried.
        (H, 'Get "https://harbor.lan/v2/": dial tcp 10.0.0.9:443: connect: connection refused', "insecure-refused"),
        (H, 'Get "http://harbor.lan/v2/": dial tcp 10.0.0.9:80: connect: connection refused', "unreachable"),
        (H, f'{_DO}: Head "https://harbor.lan/v2/p/manifests/1": dial tcp: i/o timeout', "insecure-refused"),
        (H, f'{_DO}: Head "http://harbor.lan/v2/p/manifests/1": dial tcp: i/o timeout', "timeout"),
        # Another host, such as the token service, is not the registry.
        (H, 'Get "https://harbor.lan.example/token": dial tcp 10.0.0.9:443: connection refused', "unreachable"),
        (H, 'Get "https://harbor.lan:8443/token": dial tcp 10.0.0.9:8443: connection refused', "unreachable"),
        # dockerd with containerd's image store reports its first try.
        (H, 'failed to do request: Head "https://harbor.lan/v2/p": dial tcp: connection refused', "unreachable"),
        # A registry for HTTPS is to be tried with https.
        (HTTPS, 'Get "https://harbor.lan/v2/": dial tcp 10.0.0.9:443: connect: connection refused', "unreachable"),
    ],
)
def test_the_verdict_of_a_failed_pull(registry: Address, said: str, verdict: str) -> None:
    assert judge_pull(1, f"Error response from daemon: {said}\n", registry) == verdict


def test_a_pull_that_does_not_end_timed_out_unless_its_words_say_more() -> None:
    assert judge_pull(124, "", H) is PullVerdict.TIMEOUT
    assert judge_pull(124, "Failed, retrying: received unexpected HTTP status: 503", H) is PullVerdict.REGISTRY_ERROR


def test_a_pull_that_succeeds_is_pulled() -> None:
    assert judge_pull(0, "not found", H) is PullVerdict.PULLED


def test_the_last_line_has_the_reason() -> None:
    assert quote_last_line("Pulling\n\nError: " + "x" * 700 + "\n \n") == "Error: " + "x" * 593
    assert not quote_last_line("")


def test_of_a_page_of_a_proxy_the_title_is_left() -> None:
    page = "<html>\n<head><title>429 Too Many Requests</title></head>\n<body>\nnginx</body>\n</html>\n"
    assert quote_last_line(f"Error: toomanyrequests: {page}") == "Error: toomanyrequests: 429 Too Many Requests"
    assert quote_last_line("Error: <!DOCTYPE html><html><body>\nx</body></html>") == "Error: a page of HTML"
