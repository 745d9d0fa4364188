"""The proof: a real pull by the node's own daemon. The live list is necessary, a pull is sufficient."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from harbor_agent.errors import Problem
from harbor_agent.model.result import PullReport, PullVerdict
from harbor_agent.node.wire import programs as wire
from harbor_agent.transport.protocol import Job, decode_answer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from harbor_agent.model.inventory import Node
    from harbor_agent.model.policy import Credentials, Policy, Registry
    from harbor_agent.transport.protocol import Transport

_PULL_TIMEOUT = 300.0

_HINTS = {
    PullVerdict.INSECURE_REFUSED: "the daemon does not trust the registry: the change did not take",
    PullVerdict.CERTIFICATE_REFUSED: "put the CA of the registry on the node, /etc/docker/certs.d/HOST[:PORT]/ca.crt",
    PullVerdict.UNAUTHORIZED: "check the user's right to pull from this project",
    PullVerdict.NOT_FOUND: "verify_image names no image in this registry; push one or name another",
    PullVerdict.UNREACHABLE: "the registry does not answer this node: is it up, and routed from there?",
    PullVerdict.FAILED: "see the message of the daemon",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PullCheck:
    """The pulls of one node: `verified` is None where no image was named. `problem` is that of the first bad pull."""

    verified: bool | None = None
    pulls: tuple[PullReport, ...] = ()
    seconds: float = 0.0
    problem: Problem | None = None

    def shows_failed_change(self, taken_out: Sequence[str]) -> bool:
        """Whether a pull shows that the change itself failed, so that it must be taken back.

        `taken_out` are the entries that it took out: with one of them any certificate was good enough.
        """
        places = tuple(f"{entry}/" for entry in taken_out)
        return any(
            pull.verdict is PullVerdict.INSECURE_REFUSED
            or (pull.verdict is PullVerdict.CERTIFICATE_REFUSED and pull.image.startswith(places))
            for pull in self.pulls
        )


def check_pulls(
    transport: Transport, nodes: Sequence[tuple[Node, Policy]], credentials: Mapping[str, Credentials]
) -> dict[str, PullCheck]:
    """Pull each registry's `verify_image` on each node; `credentials` are by registry entry. Keys are node names."""
    proofs = {node.name: PullCheck() for node, _ in nodes}
    images = dict.fromkeys(registry for _, policy in nodes for registry in _provable(policy))
    for registry in images:
        concerned = [node for node, policy in nodes if registry in _provable(policy)]
        for result in _pull(transport, concerned, registry, credentials.get(registry.address.entry)):
            name, pull, seconds = result
            proofs[name] = _add(proofs[name], pull, seconds)
    return proofs


def _provable(policy: Policy) -> tuple[Registry, ...]:
    return tuple(registry for registry in policy.present if registry.verify_image)


def _pull(
    transport: Transport, nodes: Sequence[Node], registry: Registry, credentials: Credentials | None
) -> list[tuple[str, PullReport, float]]:
    image = f"{registry.address.entry}/{registry.verify_image}"
    program = wire.pull_program(image, credentials, registry.address.config_key)
    reports: list[tuple[str, PullReport, float]] = []
    for result in transport.run([Job(node=node, program=program, timeout=_PULL_TIMEOUT) for node in nodes]):
        pull = decode_answer(result, wire.decode_pull)
        if isinstance(pull, Problem):
            pull = PullReport(image=image, verdict=PullVerdict.FAILED, detail=pull.message)
        reports.append((result.job.node.name, pull, result.seconds))
    return reports


def _add(proof: PullCheck, pull: PullReport, seconds: float) -> PullCheck:
    pulled = pull.verdict is PullVerdict.PULLED
    problem = proof.problem
    if not pulled and problem is None:
        problem = Problem(
            code=f"pull-{pull.verdict.value}",
            message=f"pulling {pull.image} failed: {pull.detail}",
            hint=_HINTS[pull.verdict],
        )
    return PullCheck(
        verified=pulled and proof.verified is not False,
        pulls=(*proof.pulls, pull),
        seconds=proof.seconds + seconds,
        problem=problem,
    )
