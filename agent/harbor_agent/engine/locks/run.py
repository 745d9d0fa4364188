"""Both locks, held together while a run changes something."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harbor_agent.engine.history.lock import find_lock_file, hold_lock
from harbor_agent.errors import AgentError, LockedError, Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from harbor_agent.engine.history.waiting import Waiting
    from harbor_agent.model.inventory import Shard


@dataclass(frozen=True, slots=True, kw_only=True)
class LockRequest:
    """A run that needs its locks.

    `inventories` are the sources that it names; two runs that share one exclude each other. With `uses_cluster`, the
    cluster of `kubeconfig` and `context` is locked too; shards with the same `subject` hold its lock together. `lose`
    is called in another thread if that lock is lost.
    """

    run_id: str
    waiting: Waiting
    inventories: tuple[str, ...] = ()
    uses_cluster: bool = False
    kubeconfig: str | None = None
    context: str | None = None
    shard: Shard | None = None
    subject: str = ""
    lose: Callable[[], None] = lambda: None


@contextmanager
def hold_locks(request: LockRequest) -> Iterator[list[Problem]]:
    """Hold both locks while the block lasts, and report an earlier run that was killed; yields warnings.

    Raises LockedError. A cluster whose lock cannot be used is a warning; for a shard it raises AgentError, because
    other machines work on the same cluster at that time.
    """
    with ExitStack() as stack:
        names = sorted({find_lock_file(source): source for source in request.inventories or ("",)}.items())
        killed = [stack.enter_context(hold_lock(request.run_id, source, request.waiting)) for _, source in names]
        for holder in dict.fromkeys(filter(None, killed)):
            request.waiting.report(f"an earlier run was killed: {holder}; its nodes finished on their own")
        if not request.uses_cluster:
            yield []
            return
        with _hold_cluster_lock(request) as warnings:
            yield warnings


@contextmanager
def _hold_cluster_lock(request: LockRequest) -> Iterator[list[Problem]]:
    from harbor_agent.engine.locks.cluster import ClusterLock, acquire_cluster_lock  # noqa: PLC0415 - rarely needed

    shard = request.shard
    rollout = f"{request.subject} of {shard.count}" if shard else request.run_id
    lock = ClusterLock(run_id=request.run_id, rollout=rollout, shard=str(shard or ""))
    try:
        held = acquire_cluster_lock(request.kubeconfig, request.context, lock, request.waiting)
    except LockedError:
        raise
    except AgentError as error:
        if shard:
            raise
        yield [_describe_unlocked(error.problem)]
        return
    with held.renew(request.lose) as warnings:
        yield warnings


def _describe_unlocked(problem: Problem) -> Problem:
    return Problem(
        code="cluster-lock-unavailable",
        message=f"runs of other machines on this cluster are not kept apart: {problem.message}",
        hint=problem.hint,
    )
