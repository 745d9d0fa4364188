"""What the registry itself says about an image, asked from this machine without a login, and what it adds to a pull."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from harbor_agent.engine.request.expiry import find_addresses, find_client_files
from harbor_agent.formats.pull_output import judge_pull
from harbor_agent.model.result import PullVerdict
from harbor_agent.registry.anonymous.answer import Shown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harbor_agent.model.policy import Registry
    from harbor_agent.model.result import PullReport
    from harbor_agent.registry.anonymous.answer import AnonymousAnswer

# In seconds: this machine may be in another network than the nodes.
_TIMEOUT = 5.0
_NOT_REACHED = frozenset(
    {PullVerdict.UNREACHABLE, PullVerdict.TIMEOUT, PullVerdict.NAME_UNRESOLVED, PullVerdict.INTERRUPTED}
)
_MISSING = frozenset({PullVerdict.NOT_FOUND, PullVerdict.REPOSITORY_MISSING, PullVerdict.PROJECT_MISSING})


def ask_registry(registry: Registry, repository: str, reference: str) -> AnonymousAnswer:
    """Ask for the image of a registry of the settings, with its CA, its address and its client certificate."""
    from harbor_agent.registry.anonymous.ask import ask_anonymously  # noqa: PLC0415 - HTTP is slow to import
    from harbor_agent.registry.http import Connection  # noqa: PLC0415 - as above

    connection = Connection(
        timeout=_TIMEOUT,
        patience=registry.answer_timeout,
        authorities=registry.certificates.authorities.decode() if registry.certificates else "",
        client=find_client_files(registry),
        addresses=find_addresses(registry),
        attempts=1,
    )
    return ask_anonymously(registry.address, repository, reference, connection)


def list_registry_facts(registry: Registry, image: str, answer: AnonymousAnswer) -> Iterator[str]:
    """Yield what the registry answered to this machine, as sentences."""
    entry, scheme = registry.address.entry, registry.address.scheme
    if answer.scheme == scheme:
        yield f"{entry} answers this machine by {answer.scheme}"
    elif answer.scheme:
        yield f"{entry} answers this machine by {answer.scheme}, not by {scheme}"
    match answer.shown:
        case Shown.YES:
            yield f"it has {image}, for everybody"
        case Shown.MISSING:
            yield f"it shows no {image} without a login"
        case Shown.WITHHELD:
            yield f"it does not say without a login whether it has {image}"
        case Shown.REFUSED:
            yield f"it does not serve {image}"
        case Shown.UNKNOWN:
            pass
    if answer.words:
        yield f"it says: {answer.words}"
    if answer.problem:
        yield f"asked from this machine: {answer.problem.message}"


def sharpen(report: PullReport, registry: Registry, answer: AnonymousAnswer) -> PullReport:
    """Return the report of a pull with what only the registry says.

    That is which part of the name is missing: containerd asks by HEAD, and an answer to it has no words. And a
    registry that answers this machine neither is not known to speak plain HTTP, although only https was tried.
    """
    verdict = report.verdict
    if verdict is PullVerdict.NOT_FOUND and answer.words:
        verdict = judge_pull(1, answer.words, registry.address)
        return replace(report, verdict=verdict) if verdict in _MISSING else report
    if verdict is PullVerdict.INSECURE_REFUSED and not answer.scheme:
        secure = replace(registry.address, scheme="https")
        return replace(report, verdict=judge_pull(1, report.detail, secure))
    return report


def list_contrasts(report: PullReport, answer: AnonymousAnswer) -> Iterator[str]:
    """Yield what the answer to this machine means for a node that was not served."""
    if report.verdict in _NOT_REACHED:
        if answer.scheme:
            yield "the registry answers this machine, so the cause is between the node and the registry"
        elif answer.problem:
            yield "the registry does not answer this machine either"
    if report.verdict in _MISSING | {PullVerdict.UNAUTHORIZED} and answer.shown is Shown.YES:
        yield "the registry serves the image to this machine without a login, so the node asks another server"
