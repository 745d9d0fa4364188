"""Pods as kubelet reports them, as far as they matter for a pull."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class ContainerPhase(StrEnum):
    """The state of a container, by the names of the API."""

    WAITING = "waiting"
    RUNNING = "running"
    TERMINATED = "terminated"


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerState:
    """One container in kubelet's words. `image_id` is what kubelet pulled, "" if it has not said."""

    name: str
    phase: ContainerPhase = ContainerPhase.WAITING
    reason: str = ""
    message: str = ""
    image_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProofPod:
    """A pod that proves a pull. `run_id` and `controller` are the run that created it and the machine of that run.

    `is_seen`: its kubelet has begun with it. `ended` is why it ended before its time, in the words of the cluster
    (evicted, rejected, deleted), "" if it has not. `is_expired`: kubelet ended it at its own deadline.
    """

    name: str
    node: str
    run_id: str
    controller: str = ""
    is_seen: bool = False
    is_expired: bool = False
    ended: str = ""
    containers: tuple[ContainerState, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PulledContainer:
    """A container of a pod, the image that its pod names, and what events say about its pull, the newest first."""

    state: ContainerState
    image: str
    events: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ObservedPod:
    """A pod, init containers first. `node` is "" until the scheduler has found one; `unscheduled` is why it has not.

    `pull_secrets` are the names in its imagePullSecrets, those of its service account included. `events` are warnings
    about the pod as a whole (its volumes, its sandbox), the newest first.
    """

    namespace: str
    name: str
    uid: str = ""
    node: str = ""
    unscheduled: str = ""
    service_account: str = ""
    pull_secrets: tuple[str, ...] = ()
    containers: tuple[PulledContainer, ...] = ()
    events: tuple[str, ...] = ()
