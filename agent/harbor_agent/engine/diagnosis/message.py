"""The cause in the text of an error: of an event, of a runtime's client, or of kubelet's log."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harbor_agent.engine.diagnosis.causes import describe_cause, describe_unclear
from harbor_agent.engine.diagnosis.report import Diagnosis, DiagnosisReport, DiagnosisStatus, Source
from harbor_agent.engine.diagnosis.subject import PullSubject, is_about_pull, read_subject
from harbor_agent.errors import UsageError
from harbor_agent.formats.pull_output import quote_last_line, read_pull
from harbor_agent.formats.redact import mask_text
from harbor_agent.model.address import DOCKER_HUB_NAMES, Address
from harbor_agent.model.workloads.template import PodContainer

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_SAYS_NOTHING = "the text is empty"


def diagnose_message(text: str, registries: Sequence[Address]) -> DiagnosisReport:
    """Return the cause in the text; `registries` are those of settings and options. Raises UsageError for no text."""
    if not text.strip():
        raise UsageError.of("usage", _SAYS_NOTHING, "give the message of an event, or of docker pull, after --message")
    found = find_cause(text, registries)
    if found is None:
        problem = describe_unclear("the text shows no cause of a failed pull that harbor-agent knows")
        subject = read_subject(text)
        found = Diagnosis(
            status=DiagnosisStatus.UNCLEAR,
            image=subject.image,
            registry=subject.registry,
            problem=problem,
            said=quote(text),
        )
    return DiagnosisReport(source=Source.MESSAGE, diagnoses=(found,))


def find_cause(text: str, registries: Sequence[Address], *, image: str = "", node: str = "") -> Diagnosis | None:
    """Return the cause that the last line with one shows, None if no line does; `node` is "" if it is not known.

    With an `image`, the text is about its pull; any other text must show that it is about one.
    """
    for line in _list_candidates(text):
        if not image and not is_about_pull(line):
            continue
        subject = _complete(read_subject(line, image), read_subject(text, image))
        known = find_registry(subject.registry, registries)
        address = known or _assume_address(subject.registry)
        report = read_pull(subject.image, address, line.replace('\\"', '"'), detail=line)
        if problem := describe_cause(report, subject, node, known):
            return Diagnosis(
                status=DiagnosisStatus.FAILED,
                image=subject.image,
                registry=subject.registry,
                node=node,
                problem=problem,
                said=quote(line),
                facts=tuple(_list_facts(subject)),
            )
    return None


def find_registry(host: str, registries: Sequence[Address]) -> Address | None:
    """Return the registry at `host[:port]`, None if none of them is; Docker Hub has several names."""
    is_hub = host in DOCKER_HUB_NAMES
    return next((one for one in registries if one.entry == host or (is_hub and one.is_docker_hub)), None)


def quote(text: str) -> str:
    """Return the last line of a text as people may see it: secrets masked, cut to 600 characters."""
    return mask_text(quote_last_line(text).strip().encode(errors="backslashreplace"))


def _list_candidates(text: str) -> Iterator[str]:
    """Yield the lines from the last to the first, and all as one, as a terminal may have broken them."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    yield from reversed(lines)
    if len(lines) > 1:
        yield " ".join(lines)


def _complete(subject: PullSubject, whole: PullSubject) -> PullSubject:
    """Return what the line names, or else the whole text."""
    if subject.image or not whole.image:
        return PullSubject(
            image=subject.image, registry=subject.registry or whole.registry, server=subject.server or whole.server
        )
    return PullSubject(image=whole.image, registry=whole.registry, server=subject.server)


def _assume_address(host: str) -> Address:
    """Return a registry of which only the name is known; https never counts as a sign that it is not trusted."""
    return Address(host=host, literal=host, scheme="https")


def _list_facts(subject: PullSubject) -> Iterator[str]:
    if subject.image and not PodContainer(name="", image=subject.image).names_host:
        yield f"{subject.image} names no registry, so the runtime asks Docker Hub"
    if subject.is_sent_elsewhere:
        yield f"the address that failed is {subject.server}: a mirror, or where {subject.registry} sends clients"
