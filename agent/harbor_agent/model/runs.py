"""What the controller knows of its runs: each node's end, corrections, and nodes in quarantine."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from harbor_agent.model.result import Outcome


class RunKind(StrEnum):
    """What a run was for: a person's wish, the way back, or what a timer may do by itself."""

    APPLY = "apply"
    ROLLBACK = "rollback"
    CORRECT = "correct"


@dataclass(frozen=True, slots=True, kw_only=True)
class PastNode:
    """What became of one node in a past run. `outcome` is None as long as the run has not got that far.

    `seconds` is wall time; `verified` is None where nothing was pulled.
    """

    node: str
    policy_digest: str
    outcome: Outcome | None = None
    action: str = "none"
    transaction: str | None = None
    verified: bool | None = None
    code: str | None = None
    reason: str = ""
    seconds: float = 0.0

    @property
    def is_done(self) -> bool:
        """Whether nothing is left to do here for whoever takes the run up."""
        return self.outcome in (Outcome.CHANGED, Outcome.UNCHANGED) and self.verified is not False


@dataclass(frozen=True, slots=True, kw_only=True)
class PastRun:
    """A run as the controller remembers it.

    Times are ISO 8601 in UTC and for people; `ended` is None where it is under way or did not end by itself. `options`
    is JSON, as a plan file keeps them. `rolls_back` is what a rollback was to take back, `resumes` the run that was
    taken up. `config` and `config_digest` (SHA-256, hex) are "" where no settings file was read.
    """

    run_id: str
    kind: RunKind
    tool: str
    started: str
    who: str
    options: str
    config: str = ""
    config_digest: str = ""
    note: str = ""
    resumes: str | None = None
    rolls_back: str | None = None
    ended: str | None = None
    exit_code: int | None = None
    halted: str | None = None
    nodes: tuple[PastNode, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PastCorrection:
    """A file as it was found when it was last corrected, and how long ago.

    `found` is its SHA-256 (hex) or "absent"; both it and `path` are "" where only the daemon was told again.
    """

    path: str
    found: str
    seconds_ago: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Quarantine:
    """A node on which somebody else keeps undoing what is corrected, so that it is only reported.

    `since` is ISO 8601 in UTC; `path` is the file, "" where it is the daemon; `owner` is what the file says of who
    writes it, None where it says nothing.
    """

    node: str
    since: str
    path: str
    reason: str
    owner: str | None = None
