"""Proof by pods: kubelet of each node pulls for a short-lived pod, with the pull secret that users' pods get."""

from __future__ import annotations

import socket
import time
from collections import deque
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Self

from harbor_agent.engine.events import Message, NodeStep
from harbor_agent.engine.plan.matching import find_node
from harbor_agent.engine.proof.check import PullCheck
from harbor_agent.engine.proof.nodes import list_nodes
from harbor_agent.engine.proof.trial import (
    Trial,
    describe_end,
    describe_left,
    describe_silence,
    describe_unready,
    describe_wait,
    fail,
    is_unauthorized,
)
from harbor_agent.errors import Problem
from harbor_agent.local.user import get_user_name
from harbor_agent.model.result import Proof, PullVerdict, Step
from harbor_agent.planning.pods.judge import BACK_OFF, judge_container
from harbor_agent.planning.pods.manifest import build_proof_pod, choose_login, list_images

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import TracebackType

    from harbor_agent.engine.events import Listener
    from harbor_agent.engine.plan.nodes import PlannedNode
    from harbor_agent.errors import ExitCode
    from harbor_agent.kubernetes.cluster import Cluster
    from harbor_agent.kubernetes.nodes import ClusterNodes
    from harbor_agent.kubernetes.pods.proof import ProofPods
    from harbor_agent.model.result import PullReport
    from harbor_agent.model.workloads.pod import ContainerState, ProofPod

_POLL_SECONDS = 0.2
_ASK_SECONDS = 3.0  # between two questions whether a node whose kubelet is silent is still Ready
_SECRET_SECONDS = 2.0  # between a pull that was refused and the pod that tries it again
_PULL_FAILED = "Failed to pull image"  # how kubelet's event about it begins


@dataclass(frozen=True, slots=True, kw_only=True)
class Deadlines:
    """The seconds for a node to become Ready, for kubelet to begin a pod, for its pulls, and without the API server."""

    ready: float = 0.0
    begin: float = 60.0
    pull: float = 120.0
    server: float = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ProverOptions:
    """The options of a prover. `controller` names this user and machine, `forks` is the number of pods at a time."""

    run_id: str
    forks: int
    listener: Listener
    stop: Callable[[], ExitCode | None] = lambda: None
    deadlines: Deadlines = field(default_factory=Deadlines)
    controller: str = field(default_factory=lambda: f"{get_user_name()}@{socket.gethostname()}")


class PodProver:
    """A prover (see `Prover`) by pods in one namespace; a context manager that deletes what is left of its pods."""

    def __init__(self, options: ProverOptions, cluster: Cluster, nodes: ClusterNodes, pods: ProofPods) -> None:
        """Take over the open cluster; `nodes` and `pods` are of it."""
        self._options, self._cluster, self._nodes, self._pods = options, cluster, nodes, pods
        self._left: set[str] = set()
        self._has_begun = False
        self._silent_since: float | None = None
        self.warnings: tuple[Problem, ...] = ()

    def __enter__(self) -> Self:
        """Delete the pods that killed runs left in the namespace, and return itself."""
        found = self._pods.list_all()
        for pod in () if isinstance(found, Problem) else found:
            is_orphan = pod.controller == self._options.controller or pod.is_expired
            if is_orphan and pod.run_id != self._options.run_id and self._pods.delete(pod.name) is None:
                self._report(f"deleted pod {pod.name}, which run {pod.run_id} left in namespace {self._pods.namespace}")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Delete the pods that are left and close the cluster; after a second Ctrl-C only name them."""
        if kind is not KeyboardInterrupt:
            self._delete_left()
        if self._left:
            problem = describe_left(self._left, self._pods.namespace, self._options.run_id)
            self.warnings = (*self.warnings, problem)
            if kind:
                self._report(str(problem))
        self._cluster.close()

    def __call__(self, planned: Sequence[PlannedNode]) -> dict[str, PullCheck]:
        """Have kubelet of each node pull the image of each of its registries that has one. Keys are node names."""
        checks = {one.node.name: PullCheck(proof=Proof.POD) for one in planned}
        known = list_nodes(self._nodes, self._options.deadlines.server) if planned else ()
        waiting: deque[Trial] = deque()
        for one in planned:
            images = list_images(one.policy)
            found = known if isinstance(known, Problem) else find_node(one, known)
            if isinstance(found, Problem):
                checks[one.node.name] = fail(found)
            elif images:
                waiting.append(Trial(node=one.node.name, in_cluster=found, images=images, since=time.monotonic()))
        self._silent_since = None
        active: list[Trial] = []
        while (waiting or active) and not self._options.stop():
            while waiting and len(active) < self._options.forks:
                active.append(waiting.popleft())
            ended = self._advance(active)
            active = [trial for trial in active if trial.node not in ended]
            checks |= ended
            if active:
                time.sleep(_POLL_SECONDS)
        for trial in active:
            self._delete(trial.pod, trial.refused)
        return checks

    def _advance(self, active: Sequence[Trial]) -> dict[str, PullCheck]:
        """Create the pods that are missing and check the others; return the nodes that are done, their pods deleted."""
        ended = {}
        for trial in active:
            if not trial.pod and (check := self._begin(trial)):
                ended[trial.node] = check
        begun = [trial for trial in active if trial.pod]
        found = self._pods.list_all() if begun else ()
        if isinstance(found, Problem):
            return ended | self._wait_for_server(begun, found)
        self._silent_since = None
        by_name = {pod.name: pod for pod in found}
        for trial in begun:
            check = self._judge(trial, by_name.get(trial.pod))
            if check is None:
                continue
            if is_unauthorized(check) and not trial.refused:
                trial.refused, trial.pod = trial.pod, ""
                trial.not_before = time.monotonic() + _SECRET_SECONDS
            else:
                self._delete(trial.pod, trial.refused)
                self._options.listener(NodeStep(node=trial.node, step=Step.WAIT))
                ended[trial.node] = replace(check, seconds=time.monotonic() - trial.since)
        return ended

    def _begin(self, trial: Trial) -> PullCheck | None:
        """Create the pod of a node that is Ready; return the check if there will be none."""
        node = trial.in_cluster
        if time.monotonic() < trial.not_before:
            return None
        if not node.ready:
            if time.monotonic() - trial.since >= self._options.deadlines.ready:
                return fail(describe_unready(node), is_unreachable=True)
            now = self._nodes.get(node.name)
            trial.in_cluster = node if isinstance(now, Problem) else now
            return None
        manifest = build_proof_pod(
            trial.images,
            node=node.name,
            node_uid=node.uid,
            run_id=self._options.run_id,
            controller=self._options.controller,
        )
        self._has_begun = True
        name = self._pods.create(manifest)
        if isinstance(name, Problem):
            return fail(name)
        trial.pod, trial.since = name, time.monotonic()
        trial.asked = trial.since
        self._options.listener(NodeStep(node=trial.node, step=Step.POD))
        self._left.add(name)
        return None

    def _judge(self, trial: Trial, pod: ProofPod | None) -> PullCheck | None:
        """Return what the pod proves, None while it proves nothing."""
        seconds = time.monotonic() - trial.since
        if pod is None:
            return fail(describe_end(trial.in_cluster.name, "another client deleted the pod"))
        states = {state.name: state for state in pod.containers}
        reports = [judge_container(states[image.name], image) for image in trial.images if image.name in states]
        done = [report for report in reports if report]
        if len(done) == len(trial.images):
            return self._build_check(trial, states)
        if pod.ended:
            return fail(describe_end(trial.in_cluster.name, pod.ended))
        if not pod.is_seen:
            return self._judge_silence(trial)
        return self._judge_wait(trial) if seconds > self._options.deadlines.pull else None

    def _build_check(self, trial: Trial, states: dict[str, ContainerState]) -> PullCheck:
        check = PullCheck(proof=Proof.POD)
        for image in trial.images:
            report = judge_container(self._complete(trial, states[image.name]), image)
            if report:
                check = check.add_pull(report, hint=self._find_hint(trial, report))
        return check

    def _complete(self, trial: Trial, state: ContainerState) -> ContainerState:
        """Return the state of a failed pull with what only events have: its reason between two attempts."""
        if state.reason != BACK_OFF:
            return state
        words = [text for text in self._pods.read_warnings(trial.pod) if text.startswith(_PULL_FAILED)]
        return replace(state, message=words[-1]) if words else state

    def _find_hint(self, trial: Trial, report: PullReport) -> str:
        if report.verdict is not PullVerdict.UNAUTHORIZED:
            return ""
        login = choose_login(trial.images)
        return f"check {login} in namespace {self._pods.namespace}, which the pod pulled with: harbor-agent secret diff"

    def _judge_silence(self, trial: Trial) -> PullCheck | None:
        """Return the check if kubelet was silent for too long, or if the cluster says meanwhile that it is gone."""
        now, name = time.monotonic(), trial.in_cluster.name
        is_over = now - trial.since > self._options.deadlines.begin
        if not is_over and now - trial.asked < _ASK_SECONDS:
            return None
        trial.asked = now
        node = self._nodes.get(name)
        if not isinstance(node, Problem) and not node.ready:
            return fail(describe_unready(node), is_unreachable=True)
        silence = describe_silence(name, self._options.deadlines.begin)
        return fail(silence, is_unreachable=True) if is_over else None

    def _judge_wait(self, trial: Trial) -> PullCheck:
        warnings = self._pods.read_warnings(trial.pod)
        return fail(describe_wait(trial.in_cluster.name, self._options.deadlines.pull, warnings))

    def _wait_for_server(self, begun: Sequence[Trial], problem: Problem) -> dict[str, PullCheck]:
        """Return the check of each node once the API server has not answered for too long."""
        self._silent_since = self._silent_since or time.monotonic()
        if time.monotonic() - self._silent_since < self._options.deadlines.server:
            return {}
        lost = replace(problem, message=f"the API server went away before the pod was checked: {problem.message}")
        return {trial.node: fail(lost) for trial in begun}

    def _delete(self, *names: str) -> None:
        for name in names:
            if name and self._pods.delete(name) is None:
                self._left.discard(name)

    def _delete_left(self) -> None:
        """Delete what is left, also a pod whose creation was not confirmed."""
        found = self._pods.list_all() if self._has_begun else ()
        own = [] if isinstance(found, Problem) else [pod.name for pod in found if pod.run_id == self._options.run_id]
        self._delete(*{*self._left, *own})

    def _report(self, text: str) -> None:
        self._options.listener(Message(text=text))
