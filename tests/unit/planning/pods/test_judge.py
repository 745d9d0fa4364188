"""What a pod proves: kubelet pulls before it creates the container, so anything after that proves the pull."""

from __future__ import annotations

import pytest

from harbor_agent.model.address import Address
from harbor_agent.model.policy import Registry
from harbor_agent.model.result import PullVerdict
from harbor_agent.model.workloads.pod import ContainerPhase, ContainerState
from harbor_agent.planning.pods.judge import judge_container
from harbor_agent.planning.pods.manifest import ProofImage

ENTRY = "192.0.2.9:5000"
IMAGE = ProofImage(name="image-0", registry=Registry(address=Address.parse(ENTRY), verify_image="library/pause:3.9"))
# As kubelet 1.20 reported them.
BY_DOCKER = (
    'rpc error: code = Unknown desc = Error response from daemon: Get "https://192.0.2.9:5000/v2/": '
    "http: server gave HTTP response to HTTPS client"
)
BY_CONTAINERD = (
    'rpc error: code = Unknown desc = failed to pull and unpack image "192.0.2.9:5000/library/pause:3.9": failed to '
    'resolve reference "192.0.2.9:5000/library/pause:3.9": pulling from host 192.0.2.9:5000 failed with status code '
    "[manifests 3.9]: 401 Unauthorized"
)


@pytest.mark.parametrize("reason", ["", "ContainerCreating", "PodInitializing"])
def test_a_container_that_is_not_created_yet_proves_nothing(reason: str) -> None:
    assert judge_container(ContainerState(name="image-0", reason=reason), IMAGE) is None


@pytest.mark.parametrize(
    ("phase", "reason"),
    [
        (ContainerPhase.WAITING, "CreateContainerConfigError"),
        (ContainerPhase.WAITING, "CreateContainerError"),
        (ContainerPhase.WAITING, "RunContainerError"),
        (ContainerPhase.WAITING, "CrashLoopBackOff"),
        (ContainerPhase.RUNNING, ""),
        (ContainerPhase.TERMINATED, "Completed"),
        (ContainerPhase.TERMINATED, "ContainerCannotRun"),
    ],
)
def test_a_container_that_was_created_proves_the_pull_even_if_its_program_fails(
    phase: ContainerPhase, reason: str
) -> None:
    state = ContainerState(name="image-0", phase=phase, reason=reason, image_id="docker-pullable://x@sha256:1")
    report = judge_container(state, IMAGE)
    assert report
    assert report.verdict is PullVerdict.PULLED


def test_an_end_without_an_image_proves_nothing() -> None:
    evicted = ContainerState(name="image-0", phase=ContainerPhase.TERMINATED, reason="ContainerStatusUnknown")
    assert judge_container(evicted, IMAGE) is None


@pytest.mark.parametrize(
    ("message", "verdict"),
    [
        (BY_DOCKER, PullVerdict.INSECURE_REFUSED),
        (BY_CONTAINERD, PullVerdict.UNAUTHORIZED),
        ("manifest for 192.0.2.9:5000/library/pause:3.9 not found: manifest unknown", PullVerdict.NOT_FOUND),
    ],
)
def test_a_failed_pull_is_judged_by_what_the_runtime_said_to_kubelet(message: str, verdict: PullVerdict) -> None:
    report = judge_container(ContainerState(name="image-0", reason="ErrImagePull", message=message), IMAGE)
    assert report
    assert (report.verdict, report.image) == (verdict, f"{ENTRY}/library/pause:3.9")
    assert report.detail == f"ErrImagePull: {message}"
