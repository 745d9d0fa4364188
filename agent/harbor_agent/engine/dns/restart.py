"""Restarts the pods of a DNS server whose Corefile has no reload, and waits until all of them are new."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from harbor_agent.engine.dns.prove import STOPPED, Proof
from harbor_agent.errors import Problem
from harbor_agent.kubernetes.dns.restart import is_rolled_out, restart_workload

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harbor_agent.engine.dns.prove import Patience
    from harbor_agent.kubernetes.cluster import Cluster
    from harbor_agent.kubernetes.dns.servers import DnsWorkload


def restart_pods(cluster: Cluster, workloads: Sequence[DnsWorkload]) -> Problem | None:
    """Begin the rolling restart of every workload; return why one could not be begun."""
    moment = datetime.now(UTC).isoformat(timespec="seconds")
    problems = [restart_workload(cluster.client, workload, moment) for workload in workloads]
    return next((problem for problem in problems if problem), None)


def prove_restart(cluster: Cluster, workloads: Sequence[DnsWorkload], patience: Patience) -> Proof:
    """Restart the pods and wait until every one is new and available: it does not become so with a wrong Corefile."""
    if problem := restart_pods(cluster, workloads):
        return Proof(failure=problem)
    deadline = time.monotonic() + patience.limit
    waiting = list(workloads)
    while waiting:
        if patience.stop():
            return Proof(unproven=(STOPPED,))
        if time.monotonic() > deadline:
            return Proof(failure=_describe_failure(waiting[0], patience))
        time.sleep(patience.interval)
        waiting = [workload for workload in waiting if is_rolled_out(cluster.client, workload) is not True]
    names = ", ".join(map(str, workloads))
    return Proof(proven=(f"every pod of {names} was replaced and is available",))


def _describe_failure(workload: DnsWorkload, patience: Patience) -> Problem:
    kubectl = f"kubectl -n {workload.namespace}"
    return Problem(
        code="dns-reload-failed",
        message=f"the pods of {workload} were not replaced by available ones within {patience.limit:g} s",
        hint=f"read the reason: {kubectl} rollout status {workload}; {kubectl} logs {workload}",
    )
