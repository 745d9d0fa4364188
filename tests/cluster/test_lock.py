"""One run at a time for a cluster, from any machine: a Lease in the real API server."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
import threading
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from harbor_agent.engine.history.waiting import Waiting
from harbor_agent.engine.locks.cluster import ClusterLock, acquire_cluster_lock
from harbor_agent.engine.locks.run import LockRequest, hold_locks
from harbor_agent.errors import AgentError, LockedError
from harbor_agent.local.process import identify_process
from harbor_agent.model.inventory import Shard
from tests.lab.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from harbor_agent.engine.locks.cluster import HeldClusterLock
    from harbor_agent.errors import Problem
    from tests.lab.apiserver import RunningApiServer

pytestmark = pytest.mark.needs("apiserver")

LEASE = "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/harbor-agent"
SHORT = 2.0  # seconds that a claim lasts here
NO_WAIT = Waiting()


class Cluster:
    """The cluster as the runs of several machines use it."""

    def __init__(self, server: RunningApiServer) -> None:
        self.server = server

    def acquire(
        self, run: str, waiting: Waiting = NO_WAIT, *, shard: str = "", rollout: str = "", seconds: float = 60.0
    ) -> HeldClusterLock:
        lock = ClusterLock(run_id=run, rollout=rollout or run, shard=shard, seconds=seconds)
        return acquire_cluster_lock(str(self.server.kubeconfig()), None, lock, waiting)

    @contextmanager
    def holding(self, run: str, **options: object) -> Iterator[list[Problem]]:
        with self.acquire(run, **options).renew(lambda: None) as warnings:  # type: ignore[arg-type]
            yield warnings

    def claims(self) -> list[dict[str, str]]:
        return json.loads(self.server.ask("GET", LEASE)["metadata"]["annotations"]["harbor-agent/claims"])

    def write(self, run: str, renewed: str) -> None:
        """Write the claim of a run on another machine, in place of all others."""
        self.patch(json.dumps([{"run_id": run, "holder": "ops@b", "rollout": run, "shard": "", "renewed": renewed}]))

    def patch(self, claims: str) -> None:
        document = {"metadata": {"annotations": {"harbor-agent/claims": claims}}}
        self.server.ask("PATCH", LEASE, document, kind="application/merge-patch+json")

    def runs(self) -> list[str]:
        return [claim["run_id"] for claim in self.claims()]


@pytest.fixture
def shared(apiserver: RunningApiServer) -> Iterator[Cluster]:
    yield Cluster(apiserver)
    apiserver.ask("DELETE", LEASE)


def test_a_second_run_is_refused_and_learns_the_holder(shared: Cluster) -> None:
    with shared.holding("run-1"):
        spec = shared.server.ask("GET", LEASE)["spec"]
        assert "(run run-1)" in spec["holderIdentity"]
        assert spec["leaseDurationSeconds"] == 60
        with pytest.raises(
            LockedError, match=r"holds the cluster's lock: \S+@\S+, process \d+ \(run run-1\)"
        ) as caught:
            shared.acquire("run-2")
        assert caught.value.exit_code == 75
    assert shared.runs() == []
    with shared.holding("run-3"):
        assert shared.runs() == ["run-3"]


def test_a_run_waits_for_another_one_to_end(shared: Cluster) -> None:
    told: list[str] = []
    first = shared.acquire("run-1")
    with first.renew(lambda: None):
        second: list[HeldClusterLock] = []
        waiting = Waiting(seconds=60.0, report=told.append)
        thread = threading.Thread(target=lambda: second.append(shared.acquire("run-2", waiting)))
        thread.start()
        wait_until(lambda: bool(told), "the second run waits", seconds=30)
    thread.join(60)
    assert shared.runs() == ["run-2"]
    assert "at most 60 seconds: " in told[0]
    assert "(run run-1)" in told[0]
    with second[0].renew(lambda: None):
        pass


def test_shards_of_one_rollout_hold_it_together(shared: Cluster) -> None:
    with (
        shared.holding("run-1", rollout="apply canary of 2", shard="1/2"),
        shared.holding("run-2", rollout="apply canary of 2", shard="2/2"),
    ):
        assert shared.runs() == ["run-1", "run-2"]
        for other in (
            {"rollout": "apply canary of 2", "shard": "2/2"},
            {"rollout": "apply other of 2", "shard": "2/2"},
            {},
        ):
            with pytest.raises(LockedError):
                shared.acquire("run-3", **other)
    assert shared.runs() == []


def test_a_holder_that_died_is_succeeded(shared: Cluster) -> None:
    with shared.holding("run-1"):
        pass
    shared.write("dead", "2020-01-01T00:00:00+00:00")
    with shared.holding("run-2", seconds=SHORT):
        assert shared.runs() == ["run-2"]


def test_a_process_of_this_machine_that_ended_is_succeeded_at_once(shared: Cluster) -> None:
    with shared.holding("run-1"):
        pass
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        claim = {
            "run_id": "killed",
            "holder": "ops@a",
            "rollout": "killed",
            "shard": "",
            "renewed": "2999-01-01T00:00Z",
        }
        shared.patch(json.dumps([{**claim, "process": identify_process(other.pid)}]))
        with pytest.raises(LockedError, match=r"\(run killed\)"):
            shared.acquire("run-2")
        other.kill()
    with shared.holding("run-2"):
        assert shared.runs() == ["run-2"]


def test_a_holder_whose_clock_is_late_is_not_taken_for_dead(shared: Cluster) -> None:
    # It renews its claim, so the claim changes, although each of its times is old.
    with shared.holding("run-1"):
        pass
    shared.write("late", "2020-01-01T00:00:00+00:00")
    ended = threading.Event()
    renewal = threading.Thread(target=_renew_late, args=(shared, ended))
    renewal.start()
    try:
        with pytest.raises(LockedError, match=r"\(run late\)"):
            shared.acquire("run-2", seconds=SHORT)
    finally:
        ended.set()
        renewal.join()


def _renew_late(shared: Cluster, ended: threading.Event) -> None:
    for number in itertools.count():
        if ended.wait(0.2):
            return
        shared.write("late", f"2020-01-01T00:{number // 60 % 60:02}:{number % 60:02}+00:00")


def test_a_run_renews_its_claim_and_notices_its_loss(shared: Cluster) -> None:
    lost = threading.Event()
    with shared.acquire("run-1", seconds=SHORT).renew(lost.set) as warnings:
        first = shared.claims()[0]["renewed"]
        wait_until(lambda: shared.claims()[0]["renewed"] != first, "the claim is renewed", seconds=30)
        assert not lost.is_set()
        shared.patch("[]")
        assert lost.wait(30)
    assert [warning.code for warning in warnings] == ["lock-lost"]


def test_a_claim_of_another_version_counts(shared: Cluster) -> None:
    with shared.holding("run-1"):
        shared.patch('[{"new": true}]')
        with pytest.raises(LockedError, match="another version of harbor-agent"):
            shared.acquire("run-2")


def test_without_the_right_a_run_is_warned_and_a_shard_refused(
    apiserver: RunningApiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    request = LockRequest(
        run_id="run-1", waiting=NO_WAIT, uses_cluster=True, kubeconfig=str(apiserver.kubeconfig("limited"))
    )
    with hold_locks(request) as warnings:
        assert [warning.code for warning in warnings] == ["cluster-lock-unavailable"]
        assert "limited is not allowed to get leases in namespace kube-system" in warnings[0].message
        assert "coordination.k8s.io" in warnings[0].hint
    with (
        pytest.raises(AgentError, match="not allowed to get leases"),
        hold_locks(replace(request, shard=Shard(index=1, count=2))),
    ):
        pytest.fail("two shards without a lock")
    # what the hint grants is enough
    apiserver.grant("kube-system", "leases", ("get", "create", "update"), group="coordination.k8s.io")
    with hold_locks(request) as warnings:
        assert Cluster(apiserver).runs() == ["run-1"]
    assert warnings == []
    apiserver.ask("DELETE", LEASE)
