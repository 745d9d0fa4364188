"""Rollout hooks: code around each wave for the cluster that the nodes belong to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, Self

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType

    from harbor_agent.engine.plan.nodes import PlannedNode
    from harbor_agent.errors import Problem
    from harbor_agent.model.result import NodeResult


class RolloutHooks(Protocol):
    """Hooks of a rollout. Nodes have their names of the inventory.

    A context manager: if an exception ends the block, the hooks report what they leave undone.
    """

    def __enter__(self) -> Self:
        """Return itself."""
        ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close what is open."""
        ...

    @property
    def unfit_for_canary(self) -> frozenset[str]:
        """The nodes that must not change first."""
        ...

    @property
    def warnings(self) -> tuple[Problem, ...]:
        """The warnings for the end of the run."""
        ...

    def before_wave(self, wave: Sequence[PlannedNode]) -> Mapping[str, NodeResult]:
        """Prepare the nodes of a wave; return those that must not be changed, with their results."""
        ...

    def after_wave(self, results: Sequence[NodeResult]) -> Sequence[NodeResult]:
        """Return the nodes of a wave to service; return their results, not verified for a node that is not Ready."""
        ...

    def finish(self, results: Sequence[NodeResult]) -> None:
        """Clean up when no more nodes change."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class NoHooks:
    """The hooks of a run without a cluster: they do nothing. `warnings` may say why there is no cluster."""

    unfit_for_canary: frozenset[str] = frozenset()
    warnings: tuple[Problem, ...] = ()

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Do nothing."""

    def before_wave(self, wave: Sequence[PlannedNode]) -> Mapping[str, NodeResult]:  # noqa: ARG002
        """Exclude no node."""
        return {}

    def after_wave(self, results: Sequence[NodeResult]) -> Sequence[NodeResult]:
        """Return the results unchanged."""
        return results

    def finish(self, results: Sequence[NodeResult]) -> None:
        """Do nothing."""
