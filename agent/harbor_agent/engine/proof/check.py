"""The result of proving a pull on a node, and what to do about one that failed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from harbor_agent.errors import Problem
from harbor_agent.model.result import CertificateFault, Proof, PullVerdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harbor_agent.engine.plan.nodes import PlannedNode
    from harbor_agent.model.result import PullReport

_HINTS = {
    PullVerdict.INSECURE_REFUSED: "check why the daemon does not trust the registry: the change has no effect",
    PullVerdict.CERTIFICATE_REFUSED: "issue the registry a certificate that Go accepts",
    PullVerdict.UNAUTHORIZED: "check that the user may pull from this project",
    PullVerdict.NOT_FOUND: "push the image of verify_image to the registry, or name another one",
    PullVerdict.UNREACHABLE: "check that the registry is up and reachable from this node",
    PullVerdict.FAILED: "see the message of the daemon",
}
_FAULT_HINTS = {
    CertificateFault.EXPIRED: "renew the certificate that has expired, or set the clock of the node",
    CertificateFault.NAME: "use a name that is in the certificate, or issue one for the name in the image",
    CertificateFault.NO_SAN: "issue a certificate with the name or the address as subject alternative name",
    CertificateFault.CA_MISSING: "set ca_file of the registry to the file with its CA, and apply again",
    CertificateFault.CA_CANNOT_SIGN: "issue a CA certificate with basicConstraints CA:TRUE, and sign with it",
    CertificateFault.CLIENT_MISSING: "set client_certificate and client_key of the registry, and apply again",
    CertificateFault.FOLDER_BROKEN: "correct or remove the file in the registry's folder below certs.d on the node",
}


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

    def shows_failed_change(self, removed: Sequence[str]) -> bool:
        """Whether a pull shows that the change itself failed, so that it must be rolled back.

        `removed` are the entries that the change removed: with such an entry any certificate was accepted.
        """
        places = tuple(f"{entry}/" for entry in removed)
        return any(
            pull.verdict is PullVerdict.INSECURE_REFUSED
            or (pull.verdict is PullVerdict.CERTIFICATE_REFUSED and pull.image.startswith(places))
            for pull in self.pulls
        )

    def add_pull(self, pull: PullReport, seconds: float = 0.0, *, hint: str = "") -> PullCheck:
        """Return the check with one more pull; `hint` is what to do if it failed, instead of the usual."""
        pulled = pull.verdict is PullVerdict.PULLED
        problem = self.problem
        if not pulled and problem is None:
            problem = Problem(
                code=pull.fault or f"pull-{pull.verdict}",
                message=f"cannot pull {pull.image}: {pull.detail}",
                hint=hint or find_hint(pull),
            )
        return replace(
            self,
            verified=pulled and self.verified is not False,
            pulls=(*self.pulls, pull),
            seconds=self.seconds + seconds,
            problem=problem,
        )


class Prover(Protocol):
    """Proves that nodes pull."""

    def __call__(self, planned: Sequence[PlannedNode]) -> dict[str, PullCheck]:
        """Have each node pull the image of each of its registries that has one. Keys are node names."""
        ...


def find_hint(report: PullReport) -> str:
    """Return what to do about a pull or login that failed."""
    return _FAULT_HINTS.get(report.fault or CertificateFault.OTHER, _HINTS[report.verdict])
