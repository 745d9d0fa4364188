"""One node that should prove its pulls by a pod, and the ways in which it does not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from harbor_agent.engine.proof.check import PullCheck
from harbor_agent.errors import Problem
from harbor_agent.model.result import Proof, PullVerdict
from harbor_agent.planning.pods.manifest import PROOF_LABEL

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from harbor_agent.kubernetes.nodes import ClusterNode
    from harbor_agent.planning.pods.manifest import ProofImage


@dataclass(slots=True, kw_only=True)
class Trial:
    """One node that should prove its pulls. `pod` is the name of its pod, "" before there is one.

    `refused` is a first pod that was refused the pull; it stays while a second one tries. `since` is when the wait
    began, `asked` when the cluster was last asked about the node, `not_before` when the pod may begin (all in
    monotonic seconds).
    """

    node: str
    in_cluster: ClusterNode
    images: tuple[ProofImage, ...]
    since: float
    asked: float = 0.0
    pod: str = ""
    refused: str = ""
    not_before: float = 0.0


def fail(problem: Problem, *, is_unreachable: bool = False) -> PullCheck:
    """Return the check of a node that proved nothing."""
    return PullCheck(proof=Proof.POD, verified=False, problem=problem, is_unreachable=is_unreachable)


def is_unauthorized(check: PullCheck) -> bool:
    """Whether a pull was refused, which a second pod must confirm.

    A kubelet may read the secrets of a pod only once the Node authorizer knows the pod. One that is too early pulls
    without them (pkg/kubelet/kubelet_pods.go, getPullSecretsForPod), and has them a second or two later, as long as a
    pod needs them (client-go, tools/cache/reflector.go).
    """
    return any(pull.verdict is PullVerdict.UNAUTHORIZED for pull in check.pulls)


def describe_unready(node: ClusterNode) -> Problem:
    """Return the problem of a node that is NotReady, in the cluster's words."""
    why = f": {node.unready_reason}" if node.unready_reason else ""
    message = f"node {node.name} is NotReady, so its kubelet starts no pod{why}"
    return Problem(code="kubelet-silent", message=message, hint=_hint_at_kubelet(node.name))


def describe_silence(node: str, seconds: float) -> Problem:
    """Return the problem of a kubelet that has not begun with the pod, on a node that is Ready as far as is known."""
    message = f"kubelet of node {node} has not begun with the pod within {seconds:g} s"
    return Problem(code="kubelet-silent", message=message, hint=_hint_at_kubelet(node))


def describe_wait(node: str, seconds: float, warnings: Sequence[str]) -> Problem:
    """Return the problem of a pod that kubelet has begun and whose image it has not pulled; quotes the last warning."""
    why = f": {warnings[-1]}" if warnings else ""
    message = f"kubelet of node {node} has not pulled within {seconds:g} s{why}"
    return Problem(code="proof-pod-waiting", message=message, hint=_hint_at_kubelet(node))


def describe_end(node: str, why: str) -> Problem:
    """Return the problem of a pod that ended before its time."""
    return Problem(
        code="proof-pod-ended",
        message=f"the pod on node {node} ended before its image was pulled: {why}",
        hint=f"run it again; if it ends again, check kubectl describe node {node}",
    )


def describe_left(names: Iterable[str], namespace: str, run_id: str) -> Problem:
    """Return the warning about pods that could not be deleted."""
    return Problem(
        code="proof-pods-left",
        message=f"pods of this run stay in namespace {namespace}: {', '.join(sorted(names))}",
        hint="the next run with --pod in this namespace deletes them, or: "
        f"kubectl -n {namespace} delete pod -l {PROOF_LABEL}={run_id}",
    )


def _hint_at_kubelet(name: str) -> str:
    return f"check kubectl describe node {name}, and journalctl -u kubelet on the node"
