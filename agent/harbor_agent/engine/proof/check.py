"""The result of proving a pull on a node."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from harbor_agent.engine.proof.meanings import describe_failure
from harbor_agent.model.result import CertificateFault, Proof, PullVerdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harbor_agent.engine.plan.nodes import PlannedNode
    from harbor_agent.errors import Problem
    from harbor_agent.model.result import PullReport

_FAULTS_OF_A_CA = {CertificateFault.CA_MISSING, CertificateFault.CA_CANNOT_SIGN}


@dataclass(frozen=True, slots=True, kw_only=True)
class PullCheck:
    """The pulls of one node: `verified` is missing without an image to pull, or if the wait for it was stopped.

    `problem` is that of the first failure. `is_unreachable`: no pull was tried, because the node does not answer.
    """

    proof: Proof = Proof.PULL
    verified: bool | None = None
    pulls: tuple[PullReport, ...] = ()
    seconds: float = 0.0
    problem: Problem | None = None
    is_unreachable: bool = False

    def shows_failed_change(self, removed: Sequence[str], replaced: Sequence[str] = ()) -> bool:
        """Whether a pull shows that the change itself failed, so that it must be rolled back.

        `removed` are the entries that the change removed: with such an entry any certificate was accepted. `replaced`
        are the registries whose CA it replaced: the runtime may know the issuer by the CA from before.
        """
        return any(
            pull.verdict is PullVerdict.INSECURE_REFUSED
            or (pull.verdict is PullVerdict.CERTIFICATE_REFUSED and pull.image.startswith(_list_places(removed)))
            or (pull.fault in _FAULTS_OF_A_CA and pull.image.startswith(_list_places(replaced)))
            for pull in self.pulls
        )

    def add_pull(self, pull: PullReport, seconds: float = 0.0, *, hint: str = "") -> PullCheck:
        """Return the check with one more pull; `hint` is what to do if it failed, instead of the usual."""
        pulled = pull.verdict is PullVerdict.PULLED
        problem = self.problem
        if not pulled and problem is None:
            problem = describe_failure(pull, hint=hint)
        return replace(
            self,
            verified=pulled and self.verified is not False,
            pulls=(*self.pulls, pull),
            seconds=self.seconds + seconds,
            problem=problem,
        )


def _list_places(entries: Sequence[str]) -> tuple[str, ...]:
    return tuple(f"{entry}/" for entry in entries)


class Prover(Protocol):
    """Proves that nodes pull."""

    def __call__(self, planned: Sequence[PlannedNode]) -> dict[str, PullCheck]:
        """Have each node pull the image of each of its registries that has one. Keys are node names."""
        ...
