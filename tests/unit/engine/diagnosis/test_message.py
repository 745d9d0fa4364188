"""The cause in what runtimes and kubelet say: dockerd, containerd, CRI-O, podman, and kubelet of several versions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harbor_agent import resources
from harbor_agent.engine.diagnosis.message import diagnose_message
from harbor_agent.engine.diagnosis.report import DiagnosisStatus
from harbor_agent.errors import ExitCode, UsageError
from harbor_agent.model.address import Address

if TYPE_CHECKING:
    from harbor_agent.engine.diagnosis.report import Diagnosis

H = "192.168.0.99"
IMAGE = f"{H}/library/pause:3.9"
PLAIN_HTTP = (Address.parse(H),)
HTTP = "http: server gave HTTP response to HTTPS client"
X509 = "x509: certificate signed by unknown authority"
REFUSED = f"dial tcp {H}:443: connect: connection refused"
DO = f'failed to resolve reference "{IMAGE}": failed to do request: Head "https://{H}/v2/library/pause/manifests/3.9"'
CONTAINERD = f'failed to pull and unpack image "{IMAGE}": {DO}'
RPC = "rpc error: code = Unknown desc ="
DENIED = (
    "pull access denied, repository does not exist or may require authorization: server message: insufficient_scope"
)
PODMAN = f"Error: initializing source docker://{IMAGE}: pinging container registry {H}"
# Text, cause, and the image that it names ("" if it names none).
TEXTS = {
    "dockerd": (f'Error response from daemon: Get "https://{H}/v2/": {HTTP}', "pull-insecure-refused", ""),
    "dockerd before 20.10": (f"Error response from daemon: Get https://{H}/v2/: {HTTP}", "pull-insecure-refused", ""),
    "dockerd, containerd's store": (f"Error response from daemon: {DO}: {HTTP}", "pull-insecure-refused", IMAGE),
    "containerd": (f'Failed to pull image "{IMAGE}": {RPC} {CONTAINERD}: {HTTP}', "pull-insecure-refused", IMAGE),
    "kubelet 1.31": (
        f'Back-off pulling image "{IMAGE}": ErrImagePull: {CONTAINERD}: {HTTP}',
        "pull-insecure-refused",
        IMAGE,
    ),
    "crictl": (
        f"FATA[0000] pulling image: {RPC} {CONTAINERD}: {HTTP}".replace('"', '\\"'),
        "pull-insecure-refused",
        IMAGE,
    ),
    "podman": (f'Trying to pull {IMAGE}...\n{PODMAN}: Get "https://{H}/v2/": {HTTP}', "pull-insecure-refused", IMAGE),
    "CRI-O": (
        f'Failed to pull image "{IMAGE}": {RPC} pinging container registry {H}: Get "https://{H}/v2/": {HTTP}',
        "pull-insecure-refused",
        IMAGE,
    ),
    "a CA that is missing": (
        f'{PODMAN}: Get "https://{H}/v2/": tls: failed to verify certificate: {X509}',
        "certificate-ca-missing",
        IMAGE,
    ),
    "an expired certificate": (
        f"{CONTAINERD}: x509: certificate has expired or is not yet valid: current time 2026-11-30T01:00:00Z is after",
        "certificate-expired",
        IMAGE,
    ),
    "a folder that is broken": (
        "Error response from daemon: missing key x.key for client certificate x.cert. Note that CA certificates",
        "certificate-folder-broken",
        "",
    ),
    "Harbor without the right": (
        "Error response from daemon: unauthorized: unauthorized to access repository: library/pause, action: pull",
        "pull-unauthorized",
        "",
    ),
    "containerd without a login": (f'failed to resolve reference "{IMAGE}": {DENIED}', "pull-unauthorized", IMAGE),
    "containerd with a wrong login": (
        f'failed to resolve reference "{IMAGE}": failed to authorize: unexpected status: 401 Unauthorized',
        "pull-unauthorized",
        IMAGE,
    ),
    "dockerd, no such tag": (
        f"Error response from daemon: manifest for {IMAGE} not found: manifest unknown: manifest unknown",
        "pull-not-found",
        IMAGE,
    ),
    "containerd, no such tag": (f'failed to resolve reference "{IMAGE}": {IMAGE}: not found', "pull-not-found", IMAGE),
    "podman, no such tag": (
        f"Error: initializing source docker://{IMAGE}: reading manifest 3.9 in {H}/library/pause: manifest unknown",
        "pull-not-found",
        IMAGE,
    ),
    "nothing answers": (f"{CONTAINERD}: {REFUSED}", "pull-unreachable", IMAGE),
    "no such name": (
        'Error response from daemon: Get "https://h.lan/v2/": dial tcp: lookup h.lan on 10.0.0.2:53: no such host',
        "pull-name-unresolved",
        "",
    ),
}


def diagnose(text: str, registries: tuple[Address, ...] = ()) -> Diagnosis:
    report = diagnose_message(text, registries)
    assert report.exit_code is ExitCode.FAILED
    (found,) = report.diagnoses
    return found


@pytest.mark.parametrize(("text", "code", "image"), TEXTS.values(), ids=list(TEXTS))
def test_each_runtime_is_understood(text: str, code: str, image: str) -> None:
    found = diagnose(text)
    assert found.status is DiagnosisStatus.FAILED
    assert found.problem is not None
    assert (found.problem.code, found.image) == (code, image)
    assert code in resources.list_runbook_codes()
    assert found.problem.hint
    assert found.said
    if image:
        assert found.registry == H


@pytest.mark.parametrize(
    "text",
    ["bash: docker: command not found", 'Back-off pulling image "h.lan/a:1"', "Unable to connect: connection refused"],
)
def test_what_is_not_recognised_is_said_so(text: str) -> None:
    found = diagnose(text)
    assert found.status is DiagnosisStatus.UNCLEAR
    assert found.problem is not None
    assert found.problem.code == "diagnosis-unclear"
    assert found.said == text


def test_a_text_that_is_empty_is_a_mistake() -> None:
    with pytest.raises(UsageError):
        diagnose_message(" \n", ())


def test_a_registry_for_plain_http_is_not_down_if_only_https_was_tried() -> None:
    text = f'Failed to pull image "{IMAGE}": {RPC} {CONTAINERD}: {REFUSED}'
    unknown, known = diagnose(text).problem, diagnose(text, PLAIN_HTTP).problem
    assert unknown is not None
    assert known is not None
    assert (unknown.code, known.code) == ("pull-unreachable", "pull-insecure-refused")
    assert f"repeat this with --registry {H}" in unknown.hint


def test_the_last_cause_of_a_whole_description_counts() -> None:
    text = (
        "Events:\n  Type     Reason   Age   From     Message\n"
        f"  Warning  Failed   9m    kubelet  {CONTAINERD}: {HTTP}\n"
        f'  Warning  Failed   1m    kubelet  failed to resolve reference "{IMAGE}": {IMAGE}: not found\n'
        f'  Normal   BackOff  10s   kubelet  Back-off pulling image "{IMAGE}"\n'
    )
    found = diagnose(text)
    assert found.problem is not None
    assert found.problem.code == "pull-not-found"
    assert "1m" in found.said


def test_a_line_that_a_terminal_broke_is_joined() -> None:
    found = diagnose(
        f'Error response from daemon: Get "https://{H}/v2/": http: server gave HTTP\n response to HTTPS client'
    )
    assert found.problem is not None
    assert found.problem.code == "pull-insecure-refused"


def test_another_address_than_the_registry_is_named() -> None:
    text = f'failed to resolve reference "{IMAGE}": failed to do request: Get "https://core.lan/service/token": {HTTP}'
    found = diagnose(text)
    assert found.problem is not None
    assert "core.lan" in found.problem.message
    assert "--registry core.lan" in found.problem.hint
    assert any("core.lan" in fact for fact in found.facts)


def test_an_image_without_a_registry_is_docker_hubs() -> None:
    found = diagnose(
        "Error response from daemon: pull access denied for shop/web, repository does not exist or may require 'docker "
        "login': denied: requested access to the resource is denied"
    )
    assert (found.image, found.registry) == ("shop/web", "docker.io")
    assert any("names no registry" in fact for fact in found.facts)


@pytest.mark.parametrize(
    "text",
    [
        f'failed to pull and unpack image "{IMAGE}": no match for platform in manifest: not found',
        f"$ docker pull {IMAGE}\nno matching manifest for linux/arm64/v8 in the manifest list entries",
        f'Failed to pull image "{IMAGE}": no image found in image index for architecture arm64, variant',
    ],
)
def test_an_image_for_another_architecture_is_not_called_missing(text: str) -> None:
    found = diagnose(text)
    assert found.problem is not None
    assert (found.problem.code, found.image) == ("pull-wrong-platform", IMAGE)
    assert "CPU architecture" in found.problem.message


def test_a_password_in_a_url_is_masked() -> None:
    found = diagnose(f'Error response from daemon: Get "https://robot:Cha0tic@{H}/v2/": {HTTP}')
    assert "Cha0tic" not in repr(found)
