"""The proof that every pod of a DNS server loaded the new Corefile: its own metrics of the plugin reload."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harbor_agent.errors import Problem
from harbor_agent.kubernetes.dns.metrics import read_reload_states
from harbor_agent.model.result import Unanswered
from harbor_agent.planning.dns.facts import find_metrics_port, has_reload

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from harbor_agent.errors import ExitCode
    from harbor_agent.kubernetes.cluster import Cluster
    from harbor_agent.kubernetes.dns.metrics import ReloadState
    from harbor_agent.kubernetes.dns.servers import DnsWorkload
    from harbor_agent.model.dns import DnsServer

_MOST_REASONS = 3
STOPPED = Unanswered(reason="a stop was requested before it was known")


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """Seconds to wait for the pods, between two looks, and for the right answers once the pods have read the text.

    A kubelet updates a mounted ConfigMap within about 90 s, and reload reads it every 30 s ± 15 s. A cache in front
    may keep an older answer for 30 s. Once `stop` returns an exit code, nothing is waited for.
    """

    limit: float = 150.0
    interval: float = 1.0
    answers: float = 45.0
    stop: Callable[[], ExitCode | None] = lambda: None


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """Whether a server uses its new text. `failure`: it does not. `unproven`: why that is not known, nothing if it is.

    `proven` says what was seen.
    """

    failure: Problem | None = None
    unproven: tuple[Unanswered, ...] = ()
    proven: tuple[str, ...] = ()


States = tuple["ReloadState", ...]


def observe_server(cluster: Cluster, server: DnsServer, workloads: Sequence[DnsWorkload]) -> States | Problem:
    """Return the state of every pod of the server, or why it cannot be known."""
    if not has_reload(server):
        return Problem(
            code="dns-not-proven", message="its Corefile has no reload, so its pods read it when they restart"
        )
    states: list[ReloadState] = []
    for workload in workloads:
        found = read_reload_states(cluster.client, workload, find_metrics_port(server))
        if isinstance(found, Problem):
            return found
        states += found
    return tuple(states) or Problem(code="dns-not-proven", message="its workload is gone")


def prove_reload(
    cluster: Cluster,
    server: DnsServer,
    workloads: Sequence[DnsWorkload],
    before: States | Problem,
    patience: Patience,
) -> Proof:
    """Wait until every pod has read the new Corefile, and check that none failed to load it."""
    if isinstance(before, Problem):
        return Proof(unproven=(Unanswered(reason=before.message, hint=before.hint),))
    known = {state.pod: state for state in before}
    deadline = time.monotonic() + patience.limit
    is_confirmed = False
    reason = ""
    while time.monotonic() < deadline:
        if patience.stop():
            return Proof(unproven=(STOPPED,))
        time.sleep(patience.interval)
        states = observe_server(cluster, server, workloads)
        if isinstance(states, Problem):
            reason, is_confirmed = states.message, False
            continue
        failed = [
            state.pod for state in states if state.failed > (known[state.pod].failed if state.pod in known else 0)
        ]
        if failed:
            return Proof(failure=_describe_failure(server, failed))
        waiting = [state.pod for state in states if state.pod in known and state.version == known[state.pod].version]
        reason = f"{', '.join(waiting)} did not read it within {patience.limit:g} s"
        # The hash changes after a failed reload too, before that is counted: a second look has to agree.
        if not waiting and is_confirmed:
            return Proof(proven=(f"{len(states)} pod{'s' if len(states) > 1 else ''} loaded the new Corefile",))
        is_confirmed = not waiting
    return Proof(unproven=(Unanswered(reason=reason),))


def describe_unproven(server: DnsServer, reasons: Sequence[Unanswered]) -> Problem:
    """Return the problem of a change whose effect is not known."""
    texts = "; ".join(one.reason for one in reasons[:_MOST_REASONS])
    more = f"; and {len(reasons) - _MOST_REASONS} more" if len(reasons) > _MOST_REASONS else ""
    hint = next((one.hint for one in reasons if one.hint), "check it from a pod")
    return Problem(
        code="dns-not-proven",
        message=f"ConfigMap {server.config.full_name} was changed, but it is not proven that its pods use it: "
        f"{texts}{more}",
        hint=hint if "\n" in hint else f"{hint}; --accept-unproven ends such a run with exit code 0",
    )


def _describe_failure(server: DnsServer, pods: list[str]) -> Problem:
    return Problem(
        code="dns-reload-failed",
        message=f"{', '.join(pods)} did not load the new Corefile of {server.config.full_name}",
        hint=f"read the reason: kubectl -n {server.config.namespace} logs {pods[0]} --since=10m",
    )
