"""What was planned or done with the pull secrets of a run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from harbor_agent.model.result import Outcome

if TYPE_CHECKING:
    from harbor_agent.errors import Problem
    from harbor_agent.model.secret import SecretPlan, SecretResult


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretItem:
    """One secret in one namespace, planned or applied. `registry` is its entry."""

    registry: str
    result: SecretPlan | SecretResult


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretsReport:
    """All secrets of a run, and warnings about them and their registries. `cluster` is `Cluster.server`."""

    items: tuple[SecretItem, ...] = ()
    warnings: tuple[Problem, ...] = ()
    cluster: str = ""

    @property
    def status(self) -> Literal["failed", "changed", "change", "unchanged", "skipped"]:
        """The most severe status of all secrets and service accounts."""
        outcomes = {item.result.outcome for item in self.items}
        outcomes |= {account.outcome for item in self.items for account in item.result.service_accounts}
        if outcomes & {Outcome.FAILED, Outcome.REFUSED}:
            return "failed"
        if Outcome.CHANGED in outcomes:
            return "changed"
        if Outcome.PENDING in outcomes:
            return "change"
        return "skipped" if outcomes == {Outcome.SKIPPED} else "unchanged"
