"""How a run ended, as a value that every kind of run has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from harbor_agent.model.result import Outcome
from harbor_agent.model.runs import RunKind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harbor_agent.engine.dns.report import DnsReport
    from harbor_agent.engine.secrets.report import SecretsReport
    from harbor_agent.errors import ExitCode, Problem
    from harbor_agent.model.inventory import Scope
    from harbor_agent.model.policy import Policy
    from harbor_agent.model.result import NodeResult

VERIFY = "verify"


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """How a run ended. `dns` is None if the cluster's DNS was not part of it.

    `warnings` are about the run as a whole; a node's own are in its plan. `kind` is that of the history, or `verify`.
    `registries` are URL and presence of what the nodes should have, `scope` what they were selected from (None: a
    tree), `ended` the time of the end, ISO 8601 in UTC, `after` the run that was the canary of this one,
    `rolls_back` the target of a rollback.
    """

    run_id: str
    results: tuple[NodeResult, ...]
    secrets: SecretsReport | None
    halted: str | None
    exit_code: ExitCode
    warnings: tuple[Problem, ...] = ()
    note: str = ""
    dns: DnsReport | None = None
    kind: str = RunKind.APPLY.value
    registries: tuple[tuple[str, str], ...] = ()
    scope: Scope | None = None
    ended: str = ""
    after: str | None = None
    rolls_back: str | None = None

    @property
    def changed_nodes(self) -> frozenset[str]:
        """The nodes that keep their change."""
        return frozenset(result.node for result in self.results if result.outcome is Outcome.CHANGED)


def list_registries(policies: Sequence[Policy]) -> tuple[tuple[str, str], ...]:
    """Return URL and presence of each registry of these policies, sorted."""
    return tuple(sorted({(one.address.url, one.presence) for policy in policies for one in policy.registries}))
