"""The lock of a cluster, held by a run and renewed while it lasts; a run that died is succeeded by the next one."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from harbor_agent.errors import AgentError, LockedError, Problem
from harbor_agent.local.process import has_ended, identify_process
from harbor_agent.local.user import get_user_name
from harbor_agent.model.runs import Claim
from harbor_agent.planning.rollout.claims import add_claim, find_obstacle, remove_claim

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from harbor_agent.engine.history.waiting import Waiting
    from harbor_agent.kubernetes.cluster import Cluster
    from harbor_agent.kubernetes.leases import LeaseState

_RENEWALS = 4  # in the time that a claim lasts
_POLL_SECONDS = 1.0
_FREE_AGAIN = "wait until it ends; --lock-timeout waits; harbor-agent lock show --kubeconfig FILE prints the holder"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterLock:
    """A run that needs the lock of a cluster. `rollout` and `shard` are those of its claim.

    `seconds` is how long a claim lasts without being renewed. It is longer than an API server needs to restart on a
    node of this run.
    """

    run_id: str
    rollout: str
    shard: str = ""
    seconds: float = 120.0

    def build_claim(self) -> Claim:
        """Return the claim, renewed now."""
        holder = f"{get_user_name()}@{socket.gethostname()}, process {os.getpid()}"
        return Claim(
            run_id=self.run_id,
            holder=holder,
            rollout=self.rollout,
            shard=self.shard,
            renewed=datetime.now(UTC).isoformat(),
            process=identify_process(os.getpid()),
        )


def acquire_cluster_lock(
    kubeconfig: str | None, context: str | None, lock: ClusterLock, waiting: Waiting
) -> HeldClusterLock:
    """Acquire the lock; `HeldClusterLock.renew` releases it.

    Raises LockedError (`run-locked`) naming the holder, UsageError for a wrong kubeconfig, AgentError if the cluster
    does not answer, or its Lease cannot be read or written.
    """
    from harbor_agent.kubernetes.cluster import open_cluster  # noqa: PLC0415 - lightkube is slow to import

    cluster = open_cluster(kubeconfig, context)
    try:
        _acquire(cluster, lock, waiting)
    except BaseException:
        cluster.close()
        raise
    return HeldClusterLock(cluster, lock)


def list_claims(kubeconfig: str | None, context: str | None) -> tuple[Claim, ...]:
    """Return the runs that hold the lock of a cluster, or died with it. Raises as `acquire_cluster_lock`."""
    from harbor_agent.kubernetes.cluster import open_cluster  # noqa: PLC0415 - lightkube is slow to import

    with open_cluster(kubeconfig, context) as cluster:
        return _read(cluster).claims


class HeldClusterLock:
    """The lock of a cluster, with the connection that renews it."""

    def __init__(self, cluster: Cluster, lock: ClusterLock) -> None:
        """Take ownership of the open cluster, in which the claim of `lock` is written."""
        self._cluster, self._lock = cluster, lock

    @contextlib.contextmanager
    def renew(self, lose: Callable[[], None]) -> Iterator[list[Problem]]:
        """Renew the lock while the block lasts, then release it; yields warnings, which get one if the lock is lost.

        If it is lost, `lose` is called in another thread, so that no other node is started.
        """
        warnings: list[Problem] = []
        ended = threading.Event()
        renewal = threading.Thread(target=_renew, args=(self._cluster, self._lock, ended, lose, warnings), daemon=True)
        renewal.start()
        try:
            yield warnings
        finally:
            ended.set()
            renewal.join()
            _release(self._cluster, self._lock)
            self._cluster.close()


class _Watch:
    """The claims of others, and since when each has not changed, by the clock of this process.

    The clocks of two machines differ, so a claim is dead only if it was seen unchanged for as long as it lasts, or if
    its process was one of this machine and has ended.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._seen: dict[str, tuple[str, float]] = {}

    def find_dead(self, claims: tuple[Claim, ...]) -> frozenset[str]:
        now = time.monotonic()
        before = self._seen
        self._seen = {
            claim.run_id: before[claim.run_id]
            if before.get(claim.run_id, ("", 0.0))[0] == claim.renewed
            else (claim.renewed, now)
            for claim in claims
        }
        unchanged = {run for run, (_, since) in self._seen.items() if now - since >= self._seconds}
        return frozenset(unchanged | {claim.run_id for claim in claims if has_ended(claim.process)})


def _acquire(cluster: Cluster, lock: ClusterLock, waiting: Waiting) -> None:
    watch = _Watch(lock.seconds)
    started, told = time.monotonic(), ""
    while True:
        state = _read(cluster)
        own, dead = lock.build_claim(), watch.find_dead(state.claims)
        obstacle = find_obstacle(state.claims, own, dead)
        if obstacle is None:
            if _write(cluster, lock, state, add_claim(state.claims, own, dead)):
                return
            continue
        # Whether a claim that seems to be old is dead shows only after a while; a live one renews it meanwhile.
        patience = max(waiting.seconds, lock.seconds * 1.5 if _seems_dead(obstacle, lock.seconds) else 0.0)
        if time.monotonic() - started >= patience or waiting.stop():
            raise LockedError.of("run-locked", f"another run holds the cluster's lock: {obstacle}", _FREE_AGAIN)
        if told != obstacle.run_id:
            waiting.report(f"waiting for the cluster's lock, at most {patience:.0f} seconds: {obstacle}")
            told = obstacle.run_id
        time.sleep(min(_POLL_SECONDS, lock.seconds / _RENEWALS))


def _seems_dead(claim: Claim, seconds: float) -> bool:
    """Whether the claim is old by the clocks of both machines, which may differ; not if it has no time."""
    try:
        return datetime.now(UTC) - datetime.fromisoformat(claim.renewed) > timedelta(seconds=seconds)
    except (ValueError, TypeError):
        return False


def _renew(
    cluster: Cluster, lock: ClusterLock, ended: threading.Event, lose: Callable[[], None], warnings: list[Problem]
) -> None:
    """Renew the claim until the run has ended, or the lock is lost."""
    renewed = time.monotonic()
    while not ended.wait(lock.seconds / _RENEWALS):
        try:
            reason = _renew_once(cluster, lock)
            renewed = time.monotonic()
        except AgentError as error:
            is_late = time.monotonic() - renewed >= lock.seconds
            late = f"it could not be renewed for {lock.seconds:.0f} seconds: {error.problem.message}"
            reason = late if is_late else None
        if reason:
            warnings.append(_describe_loss(reason))
            lose()
            return


def _renew_once(cluster: Cluster, lock: ClusterLock) -> str | None:
    """Renew the claim; return why the lock is lost, if another run removed it. Raises AgentError."""
    while True:
        state = _read(cluster)
        if all(claim.run_id != lock.run_id for claim in state.claims):
            return f"another run took it over: {', '.join(map(str, state.claims)) or 'it has ended already'}"
        if _write(cluster, lock, state, add_claim(state.claims, lock.build_claim())):
            return None


def _describe_loss(reason: str) -> Problem:
    return Problem(
        code="lock-lost",
        message=f"the run lost the cluster's lock and started no other node: {reason}",
        hint="wait until the other run ends, then resume this one: harbor-agent apply --resume RUN",
    )


def _release(cluster: Cluster, lock: ClusterLock) -> None:
    """Remove the claim; if the cluster does not answer, it ends on its own."""
    with contextlib.suppress(AgentError):
        while True:
            state = _read(cluster)
            left = remove_claim(state.claims, lock.run_id)
            if left == state.claims or _write(cluster, lock, state, left):
                return


def _read(cluster: Cluster) -> LeaseState:
    from harbor_agent.kubernetes.leases import read_lease  # noqa: PLC0415 - lightkube is slow to import

    state = read_lease(cluster.client)
    if isinstance(state, Problem):
        raise AgentError(state)
    return state


def _write(cluster: Cluster, lock: ClusterLock, before: LeaseState, claims: tuple[Claim, ...]) -> bool:
    """Write the claims; False if another run wrote meanwhile."""
    from harbor_agent.kubernetes.leases import write_lease  # noqa: PLC0415 - lightkube is slow to import

    problem = write_lease(cluster.client, before, claims, lock.seconds)
    if problem is None:
        return True
    if problem.code == "cluster-conflict":
        return False
    raise AgentError(problem)
