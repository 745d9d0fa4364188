"""What the state of a pod proves about the pull of its images: the pull is judged, not the program."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harbor_agent.formats.pull_output import quote_last_line, read_pull
from harbor_agent.model.result import PullReport, PullVerdict
from harbor_agent.model.workloads.pod import ContainerPhase

if TYPE_CHECKING:
    from harbor_agent.model.workloads.pod import ContainerState
    from harbor_agent.planning.pods.manifest import ProofImage

BACK_OFF = "ImagePullBackOff"
# kubelet pulls an image before it creates the container (kuberuntime_container.go, startContainer): with any other
# reason the image is there.
_NOT_PULLED_YET = frozenset({"", "ContainerCreating", "PodInitializing"})
# pkg/kubelet/images/types.go
_PULL_FAILED = frozenset(
    {
        "ErrImagePull",
        BACK_OFF,
        "ErrImageNeverPull",
        "ImageInspectError",
        "InvalidImageName",
        "RegistryUnavailable",
        "SignatureValidationFailed",
    }
)


def is_waiting_for_image(state: ContainerState) -> bool:
    """Whether kubelet could not pull the container's image, and tries again."""
    return state.phase is ContainerPhase.WAITING and state.reason in _PULL_FAILED


def has_image(state: ContainerState) -> bool:
    """Whether kubelet has the container's image."""
    if state.phase is ContainerPhase.WAITING:
        return not is_waiting_for_image(state) and state.reason not in _NOT_PULLED_YET
    # kubelet also writes an end for a container that never began; it has no image then.
    return bool(state.image_id)


def judge_container(state: ContainerState, image: ProofImage) -> PullReport | None:
    """Return what the container proves about the pull of `image`; None while it proves nothing.

    The detail of a pull that failed is kubelet's message, that of one that worked is the image's ID.
    """
    if is_waiting_for_image(state):
        return _build_failure(state, image)
    if not has_image(state):
        return None
    if state.phase is ContainerPhase.WAITING:
        return PullReport(image=image.reference, verdict=PullVerdict.PULLED, detail=f"pulled, then {state.reason}")
    return PullReport(
        image=image.reference, verdict=PullVerdict.PULLED, detail=f"pulled {_strip_scheme(state.image_id)}"
    )


def _build_failure(state: ContainerState, image: ProofImage) -> PullReport:
    words = quote_last_line(state.message)
    detail = f"{state.reason}: {words}" if words else state.reason
    return read_pull(image.reference, image.registry.address, state.message, detail=detail)


def _strip_scheme(image_id: str) -> str:
    """Return the ID without dockershim's `docker-pullable://`."""
    return image_id.partition("://")[2] or image_id
