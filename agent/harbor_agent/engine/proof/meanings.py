"""What each verdict on a pull means and what to do about it: the words that verify, apply and diagnose share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from harbor_agent.errors import Problem
from harbor_agent.model.result import CertificateFault, PullVerdict

if TYPE_CHECKING:
    from harbor_agent.model.result import PullReport


@dataclass(frozen=True, slots=True, kw_only=True)
class Meaning:
    """A cause as a clause, with `{registry}`, `{image}` and `{place}` (the node), and the next step.

    `proves_nothing`: the pull says nothing about the node's settings, for better or worse, because it ended before
    the registry served anything, or for a reason of the node's own.
    """

    clause: str
    hint: str
    proves_nothing: bool = False


MEANINGS = {
    PullVerdict.NO_SPACE: Meaning(
        clause="the disk of {place} is full",
        hint="free space where the runtime keeps its images, such as /var/lib/docker, /var/lib/containerd or "
        "/var/lib/containers, then verify again",
        proves_nothing=True,
    ),
    PullVerdict.NAME_UNRESOLVED: Meaning(
        clause="{place} cannot resolve the name {server}",
        hint="add the name to the DNS of the nodes, or to /etc/hosts with resolve.nodes of the registry in "
        "harbor-agent.yaml",
        proves_nothing=True,
    ),
    PullVerdict.PROXY_FAILED: Meaning(
        clause="the runtime of {place} sends the pull to a proxy, which does not answer",
        hint="correct the proxy of the runtime, or add the registry to its NO_PROXY",
        proves_nothing=True,
    ),
    PullVerdict.TIMEOUT: Meaning(
        clause="{server} did not answer {place} in time",
        hint="check firewalls and routes between the node and the registry; verify with a small image",
        proves_nothing=True,
    ),
    PullVerdict.UNREACHABLE: Meaning(
        clause="{place} does not reach {server}",
        hint="check that the registry is up and reachable from this node",
        proves_nothing=True,
    ),
    PullVerdict.INTERRUPTED: Meaning(
        clause="the connection of {place} to {server} broke during the pull",
        hint="check what is between the node and the registry, such as proxies and load balancers, then verify again",
        proves_nothing=True,
    ),
    PullVerdict.RATE_LIMITED: Meaning(
        clause="{registry} has limited how much may be pulled",
        hint="wait, then verify again; if the image is in a proxy cache of Harbor, give its endpoint a login at the "
        "upstream registry",
        proves_nothing=True,
    ),
    PullVerdict.REGISTRY_ERROR: Meaning(
        clause="{registry} answered with an internal error",
        hint="check the parts of the registry and their logs (Harbor: docker compose ps, docker compose logs), then "
        "verify again",
        proves_nothing=True,
    ),
    PullVerdict.BLOCKED: Meaning(
        clause="a policy of {registry} blocks {image}",
        hint="have the image scanned or signed, or ask an administrator of the project to exempt it",
    ),
    PullVerdict.UNAUTHORIZED: Meaning(
        clause="{registry} refuses to serve {image}: without a login, with a wrong one, or with one that may not pull "
        "it",
        hint="check that the user may pull from this project",
    ),
    PullVerdict.WRONG_PLATFORM: Meaning(
        clause="{registry} has {image}, but not for the CPU architecture of {place}",
        hint="push the image for that architecture too, or have the pod run on nodes of another one",
    ),
    PullVerdict.LAYER_MISSING: Meaning(
        clause="{registry} lacks a layer of {image}",
        hint="push the image again; check the storage and the garbage collection of the registry",
    ),
    PullVerdict.PROJECT_MISSING: Meaning(
        clause="{registry} has no such project as that of {image}",
        hint="create the project, or correct its name in the image",
    ),
    PullVerdict.REPOSITORY_MISSING: Meaning(
        clause="{registry} has no such repository as that of {image}",
        hint="push the image, or correct its project or name in the workload or in verify_image",
    ),
    PullVerdict.NOT_FOUND: Meaning(
        clause="{registry} has no image {image}",
        hint="push the image, or correct its project, name or tag in the workload or in verify_image",
    ),
}
_HINTS = {
    PullVerdict.INSECURE_REFUSED: "check why the daemon does not trust the registry: the change has no effect",
    PullVerdict.CERTIFICATE_REFUSED: "issue the registry a certificate that Go accepts",
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


def describe_failure(report: PullReport, *, hint: str = "") -> Problem:
    """Return the problem of a pull that failed: what it means, and the runtime's words; `hint` instead of the usual."""
    return Problem(code=report.code, message=_write_sentence(report), hint=hint or find_hint(report))


def _write_sentence(report: PullReport) -> str:
    image, detail = report.image, report.detail
    meaning = MEANINGS.get(report.verdict)
    if meaning is None:
        return f"cannot pull {image}: {detail}"
    registry = image.partition("/")[0]
    clause = meaning.clause.format(registry=registry, server=registry, image=image, place="the node")
    if meaning.proves_nothing:
        return f"cannot pull {image}: unproven, because {clause}: {detail}"
    return f"cannot pull {image}: {clause}: {detail}"


def find_hint(report: PullReport) -> str:
    """Return what to do about a pull or login that failed."""
    if report.fault in _FAULT_HINTS:
        return _FAULT_HINTS[report.fault]
    meaning = MEANINGS.get(report.verdict)
    return meaning.hint if meaning else _HINTS[report.verdict]
