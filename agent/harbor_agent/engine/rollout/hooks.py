"""What happens to nodes in the cluster they belong to, around their change on the machine."""

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
    """The cluster, as far as a rollout needs it. Nodes go by their names in the inventory.

    A context manager: where an exception ends the block, it tells what is left undone.
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
        """The nodes that must not be the first to change."""
        ...

    @property
    def warnings(self) -> tuple[Problem, ...]:
        """What is worth telling at the end."""
        ...

    def before(self, wave: Sequence[PlannedNode]) -> Mapping[str, NodeResult]:
        """Make room for the change of a wave; return the nodes that must not be changed, with their results."""
        ...

    def after(self, results: Sequence[NodeResult]) -> Sequence[NodeResult]:
        """Put the nodes of the wave back to work; return their results, worse where one did not come back."""
        ...

    def end(self, results: Sequence[NodeResult]) -> None:
        """Do what remains to be done once no more node changes."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class NoHooks:
    """The surroundings of nodes whose cluster is not known: nothing happens there. `warnings` may say why."""

    unfit_for_canary: frozenset[str] = frozenset()
    warnings: tuple[Problem, ...] = ()

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Do nothing."""

    def before(self, wave: Sequence[PlannedNode]) -> Mapping[str, NodeResult]:  # noqa: ARG002
        """Hold nothing back."""
        return {}

    def after(self, results: Sequence[NodeResult]) -> Sequence[NodeResult]:
        """Return the results as they are."""
        return results

    def end(self, results: Sequence[NodeResult]) -> None:
        """Do nothing."""
