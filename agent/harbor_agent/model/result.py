"""The results on nodes: one outcome type for plans and runs."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from harbor_agent.model.plan import Action

if TYPE_CHECKING:
    from harbor_agent.errors import Problem


class Outcome(StrEnum):
    """The state of a node after a plan or a run."""

    UNCHANGED = "unchanged"
    PENDING = "change"
    CHANGED = "changed"
    ROLLED_BACK = "rolled_back"
    ROLLBACK_FAILED = "rollback_failed"
    FAILED = "failed"
    REFUSED = "refused"
    UNREACHABLE = "unreachable"
    UNKNOWN = "unknown"
    SKIPPED = "skipped"


class TransactionPhase(StrEnum):
    """The phase of a transaction on a node; all but RUNNING are final."""

    RUNNING = "running"
    COMMITTED = "committed"
    ROLLED_BACK = "rolled_back"
    ROLLBACK_FAILED = "rollback_failed"
    REFUSED = "refused"
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class TransactionReport:
    """A node's report on one transaction.

    `step` is the last step in its journal, `detail` the evidence (an error message of the daemon, the file that
    changed); `code` is a problem code in every phase but COMMITTED. `containers_lost` ran before and no longer run.
    """

    transaction: str
    phase: TransactionPhase
    step: str = ""
    code: str = ""
    detail: str = ""
    containers_lost: tuple[str, ...] = ()


class PullVerdict(StrEnum):
    """The result of a pull by the node's own daemon; all but PULLED are the ends of problem codes.

    INSECURE_REFUSED means that the change failed; so does CERTIFICATE_REFUSED if the change removed the entry that made
    the daemon accept any certificate, or replaced the CA that it wants. No other one does (docs/decisions/0004). FAILED
    is a cause that is not known.
    """

    PULLED = "pulled"
    INSECURE_REFUSED = "insecure-refused"
    CERTIFICATE_REFUSED = "certificate-refused"
    UNAUTHORIZED = "unauthorized"
    BLOCKED = "blocked"
    NOT_FOUND = "not-found"
    REPOSITORY_MISSING = "repository-missing"
    PROJECT_MISSING = "project-missing"
    LAYER_MISSING = "layer-missing"
    WRONG_PLATFORM = "wrong-platform"
    RATE_LIMITED = "rate-limited"
    REGISTRY_ERROR = "registry-error"
    NAME_UNRESOLVED = "name-unresolved"
    UNREACHABLE = "unreachable"
    TIMEOUT = "timeout"
    INTERRUPTED = "interrupted"
    PROXY_FAILED = "proxy-failed"
    NO_SPACE = "no-space"
    FAILED = "failed"


class CertificateFault(StrEnum):
    """What a runtime has against a registry's certificate; each is a problem code with a page of its own.

    FOLDER_BROKEN is a file in the runtime's folder for this registry that makes every pull from it fail.
    """

    EXPIRED = "certificate-expired"
    NAME = "certificate-name"
    NO_SAN = "certificate-no-san"
    CA_MISSING = "certificate-ca-missing"
    CA_CANNOT_SIGN = "certificate-ca-cannot-sign"
    CLIENT_MISSING = "certificate-client-missing"
    FOLDER_BROKEN = "certificate-folder-broken"
    OTHER = "pull-certificate-refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class PullReport:
    """The result of pulling an image as proof that a node trusts the registry.

    `fault` is set if the verdict is CERTIFICATE_REFUSED.
    """

    image: str
    verdict: PullVerdict
    detail: str = ""
    fault: CertificateFault | None = None

    @property
    def code(self) -> str:
        """The problem code of a pull that failed."""
        return self.fault or f"pull-{self.verdict}"


class Proof(StrEnum):
    """By what a node proved its pull: the runtime alone, or kubelet for a pod."""

    PULL = "pull"
    POD = "pod"


class Step(StrEnum):
    """A step of the work on one node, in words for people; documents have its name.

    CHANGE and those with it are a whole transaction, as long as its node does not report how far it is.
    """

    PROBE = "probe"
    DRAIN = "drain"
    CHANGE = "change files"
    CHANGE_AND_RELOAD = "change files, reload"
    CHANGE_AND_RESTART = "change files, restart"
    VALIDATE = "validate"
    WRITE = "write files"
    RELOAD = "reload"
    RESTART = "restart"
    HEALTH = "wait until healthy"
    COMMIT = "commit"
    CHECK = "check the result of the change"
    PULL = "pull"
    POD = "pull by a pod"
    ROLL_BACK = "roll back"
    READY = "wait until Ready"
    WAIT = "wait for the other nodes"


@dataclass(frozen=True, slots=True, kw_only=True)
class StepTime:
    """How many seconds a node spent on a step."""

    step: Step
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeResult:
    """The result of a run on one node.

    `verified` says whether the node pulled the image (None: no image to verify with), `proof` by what (None: nothing
    was tried), `logged_in` whether it logged in at every registry that has a login (None: not tried, or one takes any
    login). `seconds` is wall time of change and proof, `steps` are those of the run, such as drain and restart, in the
    order in which they began.
    `containers_lost` names those that ran before and no longer run; `reason` names them too.
    """

    node: str
    outcome: Outcome
    action: Action = Action.NONE
    transaction: str | None = None
    verified: bool | None = None
    proof: Proof | None = None
    logged_in: bool | None = None
    reason: str = ""
    problem: Problem | None = None
    seconds: float = 0.0
    containers_lost: tuple[str, ...] = ()
    steps: tuple[StepTime, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Unanswered:
    """Why a call has no answer. `is_silent`: the server was called; otherwise it could not be, as the reason says."""

    reason: str
    hint: str = ""
    is_silent: bool = False
