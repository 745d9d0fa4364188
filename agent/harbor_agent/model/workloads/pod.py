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
