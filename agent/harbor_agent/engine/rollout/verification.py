"""Verification of a node by a real pull of its own daemon."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from harbor_agent.errors import Problem
from harbor_agent.model.result import CertificateFault, PullReport, PullVerdict
from harbor_agent.node.wire import programs as wire
from harbor_agent.transport.protocol import Job, decode_answer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from harbor_agent.model.inventory import Node
    from harbor_agent.model.policy import Credentials, Policy, Registry
    from harbor_agent.transport.protocol import Transport

_PULL_TIMEOUT = 300.0

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
    """The pulls of one node: `verified` is missing without an image to pull. `problem` is that of the first failure."""

    verified: bool | None = None
    pulls: tuple[PullReport, ...] = ()
    seconds: float = 0.0
    problem: Problem | None = None

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


def check_pulls(
    transport: Transport, nodes: Sequence[tuple[Node, Policy, str]], credentials: Mapping[str, Credentials]
) -> dict[str, PullCheck]:
    """Pull each registry's `verify_image` on each node, with the runtime named; `credentials` are by registry entry.

    Keys are node names.
    """
    checks = {node.name: PullCheck() for node, _, _ in nodes}
    images = dict.fromkeys(registry for _, policy, _ in nodes for registry in _list_verifiable(policy))
    for registry in images:
        concerned = [(node, runtime) for node, policy, runtime in nodes if registry in _list_verifiable(policy)]
        for result in _pull_image(transport, concerned, registry, credentials.get(registry.address.entry)):
            name, pull, seconds = result
            checks[name] = _add_pull(checks[name], pull, seconds)
    return checks


def _list_verifiable(policy: Policy) -> tuple[Registry, ...]:
    return tuple(registry for registry in policy.present if registry.verify_image)


def _pull_image(
    transport: Transport, nodes: Sequence[tuple[Node, str]], registry: Registry, credentials: Credentials | None
) -> list[tuple[str, PullReport, float]]:
    image = f"{registry.address.entry}/{registry.verify_image}"
    programs = {
        runtime: wire.build_pull_program(runtime, image, credentials, registry.address.config_key)
        for runtime in {runtime for _, runtime in nodes}
    }
    jobs = [Job(node=node, program=programs[runtime], timeout=_PULL_TIMEOUT) for node, runtime in nodes]
    reports: list[tuple[str, PullReport, float]] = []
    for result in transport.run(jobs):
        pull = decode_answer(result, partial(wire.decode_pull, registry=registry.address))
        if isinstance(pull, Problem):
            pull = PullReport(image=image, verdict=PullVerdict.FAILED, detail=pull.message)
        reports.append((result.job.node.name, pull, result.seconds))
    return reports


def find_hint(report: PullReport) -> str:
    """Return what to do about a pull or login that failed."""
    return _FAULT_HINTS.get(report.fault or CertificateFault.OTHER, _HINTS[report.verdict])


def _add_pull(check: PullCheck, pull: PullReport, seconds: float) -> PullCheck:
    pulled = pull.verdict is PullVerdict.PULLED
    problem = check.problem
    if not pulled and problem is None:
        problem = Problem(
            code=pull.fault or f"pull-{pull.verdict}",
            message=f"cannot pull {pull.image}: {pull.detail}",
            hint=find_hint(pull),
        )
    return PullCheck(
        verified=pulled and check.verified is not False,
        pulls=(*check.pulls, pull),
        seconds=check.seconds + seconds,
        problem=problem,
    )
