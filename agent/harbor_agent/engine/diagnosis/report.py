"""What a diagnosis found: one image on one node, and all of them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from harbor_agent.errors import ExitCode

if TYPE_CHECKING:
    from harbor_agent.errors import Problem


class DiagnosisStatus(StrEnum):
    """What is known about one pull.

    FAILED: the cause is known. UNCLEAR: it failed, or was not tried, and the cause is not one that harbor-agent knows.
    WAITING: it has not been tried yet, or is under way. SKIPPED: the inventory excludes the node.
    """

    FAILED = "failed"
    UNCLEAR = "unclear"
    WAITING = "waiting"
    FINE = "fine"
    SKIPPED = "skipped"


class Source(StrEnum):
    """By what the cause was found."""

    MESSAGE = "message"
    POD = "pod"
    IMAGE = "image"


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """One pull. `image`, `registry` (`host[:port]`), `node` and `container` are "" if they are not known.

    `problem` is set if the status is FAILED or UNCLEAR. `said` is the text that shows it, in the words of the runtime,
    kubelet or the cluster. `facts` are clauses about the pod's secrets and the node; none of them holds a password.
    `is_unreachable`: the node does not answer, so nothing is known of its pull.
    """

    status: DiagnosisStatus
    image: str = ""
    registry: str = ""
    node: str = ""
    container: str = ""
    problem: Problem | None = None
    said: str = ""
    facts: tuple[str, ...] = ()
    is_unreachable: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryView:
    """What the registry answered to this machine, without a login.

    `scheme` is "" if it did not answer as a registry; `image` is a value of `registry.anonymous.answer.Shown`.
    """

    registry: str
    scheme: str
    image: str
    facts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DiagnosisReport:
    """All pulls of one question. `subject` is NAMESPACE/NAME of the pod, or the image; "" for a text.

    `registry` is None if it was not asked without a login.
    """

    source: Source
    subject: str = ""
    diagnoses: tuple[Diagnosis, ...]
    warnings: tuple[Problem, ...] = ()
    registry: RegistryView | None = None

    @property
    def exit_code(self) -> ExitCode:
        """FAILED if a pull failed, its cause recognised or not; UNREACHABLE if some nodes did not answer."""
        wrong = [one for one in self.diagnoses if one.status in (DiagnosisStatus.FAILED, DiagnosisStatus.UNCLEAR)]
        if all(one.is_unreachable for one in wrong):
            return ExitCode.UNREACHABLE if wrong else ExitCode.DONE
        return ExitCode.FAILED
