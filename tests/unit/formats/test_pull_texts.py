"""What runtimes say about a pull means the same in verify, in the proof by a pod and in diagnose."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from harbor_agent import resources
from harbor_agent.engine.diagnosis.message import diagnose_message
from harbor_agent.engine.proof.check import PullCheck
from harbor_agent.formats.pull_output import read_pull
from harbor_agent.model.address import Address
from harbor_agent.model.plan import FileChange
from harbor_agent.model.policy import Registry
from harbor_agent.model.result import CertificateFault, PullReport, PullVerdict
from harbor_agent.model.state import FileKind, FileState
from harbor_agent.model.workloads.pod import ContainerState
from harbor_agent.planning.files.certificates import list_replaced_authorities
from harbor_agent.planning.pods.judge import judge_container
from harbor_agent.planning.pods.manifest import ProofImage

CASES = yaml.safe_load((Path(__file__).resolve().parents[2] / "cases/pulls.yaml").read_text(encoding="utf-8"))
TEXTS = [(code, case["text"]) for code, cases in CASES.items() for case in cases]
REGISTRY = Address.parse("10.99.0.1:5100")
WITH_IMAGE = Registry(address=REGISTRY, verify_image="fault/box:1")
IMAGE = "10.99.0.1:5100/fault/box:1"
# About a registry that the runtime does not trust: tests of their own.
OF_TRUST = {"pull-insecure-refused", "pull-certificate-refused"}
UNPROVEN = {
    *("pull-no-space", "pull-rate-limited", "pull-registry-error", "pull-name-unresolved", "pull-timeout"),
    *("pull-unreachable", "pull-interrupted", "pull-proxy-failed"),
}


def test_every_code_has_a_case_and_a_page() -> None:
    codes = {f"pull-{verdict}" for verdict in PullVerdict if verdict is not PullVerdict.PULLED}
    assert CASES.keys() == codes - OF_TRUST
    assert codes <= set(resources.list_runbook_codes())


@pytest.mark.parametrize(("code", "text"), TEXTS)
def test_a_text_has_one_code_wherever_it_is_read(code: str, text: str) -> None:
    assert read_pull(IMAGE, REGISTRY, text).code == code
    waiting = ContainerState(name="image0", reason="ErrImagePull", message=text)
    by_pod = judge_container(waiting, ProofImage(name="image0", registry=WITH_IMAGE))
    assert by_pod is not None
    assert by_pod.code == code
    (found,) = diagnose_message(f'Failed to pull image "{IMAGE}": {text}', (REGISTRY,)).diagnoses
    assert found.problem is not None
    assert found.problem.code == ("diagnosis-unclear" if code == "pull-failed" else code)


@pytest.mark.parametrize("verdict", [one for one in PullVerdict if f"pull-{one}" in CASES])
def test_only_a_registry_that_is_not_trusted_rolls_back(verdict: PullVerdict) -> None:
    """docs/decisions/0004"""
    check = PullCheck().add_pull(PullReport(image=IMAGE, verdict=verdict, detail="its words"))
    assert check.verified is False
    assert not check.shows_failed_change(["10.99.0.1:5100"])
    assert check.problem is not None
    assert check.problem.message.startswith(f"cannot pull {IMAGE}: ")
    assert check.problem.message.endswith("its words")
    assert ("unproven, because" in check.problem.message) == (check.problem.code in UNPROVEN)
    assert check.problem.hint
    assert not check.problem.message.count("{")


@pytest.mark.parametrize(
    ("path", "is_rolled_back"),
    [
        ("/etc/docker/certs.d/10.99.0.1:5100/harbor-agent.crt", True),
        ("/etc/rancher/k3s/harbor-agent-10.99.0.1_5100.crt", True),
        ("/etc/docker/certs.d/10.99.0.1/harbor-agent.crt", False),
        ("/etc/docker/certs.d/10.99.0.1:5100/harbor-agent.cert", False),
    ],
)
def test_a_ca_that_replaces_another_one_and_does_not_fit_is_rolled_back(path: str, *, is_rolled_back: bool) -> None:
    """docs/decisions/0004"""
    before = FileState(path=path, kind=FileKind.REGULAR, content=b"one", mode=0o644)
    change = FileChange(before=before, after=replace(before, content=b"two"), reason="")
    replaced = list_replaced_authorities([change], ["10.99.0.1:5100"])
    refused = PullReport(image=IMAGE, verdict=PullVerdict.CERTIFICATE_REFUSED, fault=CertificateFault.CA_MISSING)
    assert PullCheck().add_pull(refused).shows_failed_change([], replaced) is is_rolled_back
    first = replace(change, before=FileState(path=path))
    assert not list_replaced_authorities([first], ["10.99.0.1:5100"])
    expired = replace(refused, fault=CertificateFault.EXPIRED)
    assert not PullCheck().add_pull(expired).shows_failed_change([], replaced)
