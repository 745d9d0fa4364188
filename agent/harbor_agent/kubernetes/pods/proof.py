"""Pods that prove a pull: created, observed and deleted in one namespace.

Import this module when it is needed: lightkube takes a quarter of a second to import.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from lightkube import ApiError
from lightkube.models.authorization_v1 import ResourceAttributes, SelfSubjectAccessReviewSpec
from lightkube.models.core_v1 import PodSpec, PodStatus
from lightkube.models.meta_v1 import ObjectMeta
from lightkube.resources.authorization_v1 import SelfSubjectAccessReview
from lightkube.resources.core_v1 import Event, Pod

from harbor_agent.errors import Problem
from harbor_agent.kubernetes.errors import Intent, attempt
from harbor_agent.kubernetes.rbac import Rule, build_role_hint, describe_missing_right
from harbor_agent.model.workloads.pod import ContainerPhase, ContainerState, ProofPod

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lightkube import Client
    from lightkube.core.client import FieldSelector
    from lightkube.models.core_v1 import ContainerStatus

_RULES = (
    Rule(resource="pods", verbs=("create", "list", "delete")),
    Rule(resource="events", verbs=("list",)),  # only for kubelet's words
)
_NEEDED = ("create", "list", "delete")
_NOT_FOUND = 404
_EXPIRED = "DeadlineExceeded"
_POD_REFUSED_HINTS = (
    ("exceeded quota", "raise the quota, or name another namespace with -n: kubectl -n {namespace} describe quota"),
    ("must specify", "raise the quota, or name another namespace with -n: kubectl -n {namespace} describe quota"),
    (
        "PodSecurity",
        "the pod fulfils the level restricted: check the namespace's own policies, or name another with -n",
    ),
    ("pod security policy", "grant a policy that allows this pod, or name another namespace with -n"),
    ("error looking up service account", "create the service account, or name another namespace with -n"),
)


class ProofPods:
    """The pods that prove a pull in one namespace. Errors are returned as a `Problem`, never raised.

    `label` and `annotation` are the names under which pods carry their run and its controller.
    """

    def __init__(self, client: Client, namespace: str, *, label: str, annotation: str) -> None:
        """Keep the client, which stays open."""
        self._client, self.namespace = client, namespace
        self._label, self._annotation = label, annotation

    def find_missing_right(self) -> Problem | None:
        """Return the first right that the user lacks in the namespace, with a manifest that grants all of them."""
        for verb in _NEEDED:
            attributes = ResourceAttributes(verb=verb, resource="pods", namespace=self.namespace)
            review = SelfSubjectAccessReview(spec=SelfSubjectAccessReviewSpec(resourceAttributes=attributes))
            intent = Intent(verb="create", resource="selfsubjectaccessreviews")
            answer = attempt(intent, lambda review=review: self._client.create(review))  # type: ignore[misc]
            if isinstance(answer, Problem):
                return answer
            if answer.status and not answer.status.allowed:
                return Problem(
                    code="cluster-forbidden",
                    message=describe_missing_right("", str(self._intend(verb))),
                    hint=build_role_hint("harbor-agent-proof", _RULES, namespace=self.namespace, user="USER"),
                )
        return None

    def create(self, manifest: Mapping[str, object]) -> str | Problem:
        """Create a pod and return its name.

        The problem is `proof-pod-refused` if a quota, a policy or a webhook refuses it, in its words.
        """
        pod = cast("Pod", Pod.from_dict(dict(manifest)))
        made = attempt(self._intend("create"), lambda: self._client.create(pod, namespace=self.namespace))
        if not isinstance(made, Problem):
            return (made.metadata and made.metadata.name) or ""
        return self._describe_refusal(made) if made.code == "cluster-rejected" else made

    def list_all(self) -> tuple[ProofPod, ...] | Problem:
        """Return all such pods of the namespace, of this run and of others."""
        found = attempt(
            self._intend("list"),
            lambda: tuple(self._client.list(Pod, namespace=self.namespace, labels={self._label: None})),
        )
        return found if isinstance(found, Problem) else tuple(self._read(pod) for pod in found)

    def delete(self, name: str) -> Problem | None:
        """Delete a pod without waiting for its kubelet, which ends the program when it can."""

        def send() -> None:
            try:
                self._client.delete(Pod, name, namespace=self.namespace, grace_period=0)
            except ApiError as error:
                if error.status.code != _NOT_FOUND:
                    raise

        return attempt(self._intend("delete", name), send)

    def read_warnings(self, name: str) -> tuple[str, ...]:
        """Return the warnings about a pod, the oldest first; empty if they may not be read: nothing depends on them."""
        fields: FieldSelector = {"involvedObject.name": name, "type": "Warning"}
        found = attempt(
            Intent(verb="list", resource="events", namespace=self.namespace),
            lambda: tuple(self._client.list(Event, namespace=self.namespace, fields=fields)),
        )
        return () if isinstance(found, Problem) else tuple(one.message for one in found if one.message)

    def _intend(self, verb: str, name: str = "") -> Intent:
        return Intent(verb=verb, resource="pods", name=name, namespace=self.namespace)

    def _describe_refusal(self, problem: Problem) -> Problem:
        hint = next((hint for words, hint in _POD_REFUSED_HINTS if words in problem.message), problem.hint)
        return Problem(
            code="proof-pod-refused", message=problem.message, hint=hint.replace("{namespace}", self.namespace)
        )

    def _read(self, pod: Pod) -> ProofPod:
        metadata, spec = pod.metadata or ObjectMeta(), pod.spec or PodSpec(containers=[])
        status = pod.status or PodStatus()
        return ProofPod(
            name=metadata.name or "",
            node=spec.nodeName or "",
            run_id=(metadata.labels or {}).get(self._label, ""),
            controller=(metadata.annotations or {}).get(self._annotation, ""),
            is_seen=status.startTime is not None or bool(status.containerStatuses),
            is_expired=status.reason == _EXPIRED,
            ended=_describe_end(metadata, status),
            containers=tuple(read_container(one) for one in status.containerStatuses or ()),
        )


def _describe_end(metadata: ObjectMeta, status: PodStatus) -> str:
    if metadata.deletionTimestamp is not None:
        return "the pod is being deleted"
    if status.phase != "Failed" or not status.reason:
        return ""
    return f"{status.reason}: {status.message}" if status.message else status.reason


def read_container(status: ContainerStatus) -> ContainerState:
    """Return the state of a container in kubelet's words."""
    state, image = status.state, status.imageID or ""
    if state and state.terminated:
        ended = state.terminated
        return ContainerState(
            name=status.name,
            phase=ContainerPhase.TERMINATED,
            reason=ended.reason or "",
            message=ended.message or "",
            image_id=image,
        )
    if state and state.running:
        return ContainerState(name=status.name, phase=ContainerPhase.RUNNING, image_id=image)
    waiting = state.waiting if state else None
    return ContainerState(
        name=status.name,
        reason=(waiting and waiting.reason) or "",
        message=(waiting and waiting.message) or "",
        image_id=image,
    )
