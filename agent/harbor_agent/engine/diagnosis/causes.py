"""What a failed pull means for an operator: the problem in a sentence, and which command fixes it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from harbor_agent.engine.proof.meanings import MEANINGS, find_hint
from harbor_agent.errors import Problem
from harbor_agent.model.result import CertificateFault, PullVerdict

if TYPE_CHECKING:
    from harbor_agent.engine.diagnosis.subject import PullSubject
    from harbor_agent.model.address import Address
    from harbor_agent.model.result import PullReport


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pull:
    """A failed pull and its names in sentences; `named` and `limit` are registry and node as options take them."""

    report: PullReport
    subject: PullSubject
    is_known: bool
    named: str
    registry: str
    image: str
    place: str
    limit: str


def describe_cause(report: PullReport, subject: PullSubject, node: str, known: Address | None) -> Problem | None:
    """Return the problem of a failed pull; None if its cause was not recognised.

    `report.detail` is the text that shows it. `node` is "" if it is not known. `known` is the registry if settings or
    options name it, and so its scheme.
    """
    pull = _Pull(
        report=report,
        subject=subject,
        is_known=known is not None,
        named=name_registry(subject.registry, known),
        registry=subject.registry or "the registry",
        image=subject.image or "the image",
        place=f"node {node}" if node else "the node",
        limit=node or "NODE",
    )
    if describe := _DESCRIBERS.get(report.verdict):
        return describe(pull)
    return _describe_as_verify_does(pull) if report.verdict in MEANINGS else None


def name_registry(host: str, known: Address | None) -> str:
    """Return the registry as options take it: an https:// one with its scheme; REGISTRY if the text names none."""
    return known.url if known and known.scheme == "https" and not known.is_docker_hub else host or "REGISTRY"


def describe_unclear(message: str) -> Problem:
    """Return the problem of a pull whose cause is not recognised."""
    return Problem(
        code="diagnosis-unclear",
        message=message,
        hint="read the text, and the log of the runtime on the node; harbor-agent diagnose IMAGE -i INVENTORY has the "
        "nodes pull the image",
    )


def _describe_insecure(pull: _Pull) -> Problem:
    server = pull.subject.server
    if pull.subject.is_sent_elsewhere:
        return Problem(
            code="pull-insecure-refused",
            message=f"{pull.registry} sends the runtime to {server}, which {pull.place} does not trust",
            hint="correct the address at the registry (Harbor: hostname and external_url in harbor.yml), or trust "
            f"that one too: harbor-agent plan -i INVENTORY --registry {server} --limit {pull.limit}",
        )
    return Problem(
        code="pull-insecure-refused",
        message=f"{pull.place} does not trust {pull.registry}: its runtime asks by https, and the registry speaks http",
        hint="show what is missing, then apply it: "
        f"harbor-agent plan -i INVENTORY --registry {pull.named} --limit {pull.limit}",
    )


def _describe_certificate(pull: _Pull) -> Problem:
    fault, server = pull.report.fault or CertificateFault.OTHER, pull.subject.server or pull.registry
    message = f"{pull.place} does not accept the certificate of {server}"
    hint = find_hint(pull.report)
    if fault is CertificateFault.FOLDER_BROKEN:
        message = f"a file in the folder of {pull.place} for the certificates of {server} makes every pull from it fail"
    elif fault is CertificateFault.CA_MISSING:
        named = server if pull.subject.registry else "REGISTRY"
        hint = (
            f"give the nodes the CA of the registry: harbor-agent plan -i INVENTORY --registry https://{named} "
            f"--ca-file FILE --limit {pull.limit}, then apply"
        )
    return Problem(code=fault, message=message, hint=hint)


def _describe_as_verify_does(pull: _Pull, hint: str = "") -> Problem:
    """Return the problem in the words of a verification, with names; `hint` instead of the usual."""
    meaning = MEANINGS[pull.report.verdict]
    message = meaning.clause.format(
        registry=pull.registry, server=pull.subject.server or pull.registry, image=pull.image, place=pull.place
    )
    return Problem(code=pull.report.code, message=message, hint=hint or meaning.hint)


def _describe_refused_login(pull: _Pull) -> Problem:
    return _describe_as_verify_does(
        pull,
        f"check the login: harbor-agent secret validate --registry {pull.named} --username USER "
        "--password-file FILE --verify-image REPO:TAG; harbor-agent secret apply writes it into a namespace",
    )


def _describe_unresolved(pull: _Pull) -> Problem:
    return _describe_as_verify_does(
        pull,
        "add the name to the DNS of the nodes, or to /etc/hosts with resolve.nodes of the registry in "
        f"harbor-agent.yaml, and run harbor-agent plan -i INVENTORY --limit {pull.limit}",
    )


def _describe_unreachable(pull: _Pull) -> Problem:
    hint = (
        "check that the registry is up and that its port is open for the nodes: harbor-agent plan -i INVENTORY "
        f"--registry {pull.named} --limit {pull.limit} shows what the node reaches"
    )
    if not pull.is_known and "https://" in pull.report.detail:
        hint = f"if the registry speaks plain HTTP, repeat this with --registry {pull.named}; otherwise {hint}"
    return _describe_as_verify_does(pull, hint)


_DESCRIBERS = {
    PullVerdict.INSECURE_REFUSED: _describe_insecure,
    PullVerdict.CERTIFICATE_REFUSED: _describe_certificate,
    PullVerdict.UNAUTHORIZED: _describe_refused_login,
    PullVerdict.NAME_UNRESOLVED: _describe_unresolved,
    PullVerdict.UNREACHABLE: _describe_unreachable,
    PullVerdict.TIMEOUT: _describe_unreachable,
}
