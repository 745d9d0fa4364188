"""Runs: the controller's memory of the past ones, with corrections and quarantine, and those that hold a lock."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from harbor_agent.model.result import Outcome

PRISTINE = "pristine"  # the target of a rollback to the state before the first change


class RunKind(StrEnum):
    """The purpose of a run: a person's request, one for the cluster's DNS only, a rollback, an automatic correction."""

    APPLY = "apply"
    DNS = "dns"
    ROLLBACK = "rollback"
    CORRECT = "correct"


@dataclass(frozen=True, slots=True, kw_only=True)
class PastNode:
    """The result of one node in a past run; `outcome` is None until the run has reached the node.

    `seconds` is wall time; `verified` says whether a pull succeeded (None: nothing was pulled).
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
        """Whether a run that resumes this one has nothing to do on the node."""
        return self.outcome in (Outcome.CHANGED, Outcome.UNCHANGED) and self.verified is not False


@dataclass(frozen=True, slots=True, kw_only=True)
class PastConfigMap:
    """A ConfigMap of the cluster's DNS in a past run; `outcome` is None until the run has reached it.

    `before` and `after` are hashes of its texts (`ConfigMapChange`), `record_before` and `record_after` the annotation
    with the entries of ours, "" without any. So it can be rolled back without its text in the history, which may hold
    the credentials of a plugin. `cluster` is `Cluster.server`, "" if an earlier version wrote the run.
    """

    server: str
    namespace: str
    name: str
    before: str
    after: str
    record_before: str = ""
    record_after: str = ""
    outcome: Outcome | None = None
    cluster: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PastRun:
    """A run in the history.

    Times are ISO 8601 in UTC, for people; `ended` is None if the run is under way or was killed. `options` is JSON, as
    in a plan file. `rolls_back` is the target of a rollback, `resumes` the run that this one resumed. `config` and
    `config_digest` (SHA-256, hex) are "" if no settings file was read.
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
    config_maps: tuple[PastConfigMap, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PastCorrection:
    """A correction of a file: its content before, and how long ago it was.

    `found` is the SHA-256 (hex) or "absent"; `found` and `path` are "" if only the daemon was reloaded or restarted.
    """

    path: str
    found: str
    seconds_ago: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Quarantine:
    """A node on which another program keeps undoing corrections, so that its drift is only reported.

    `since` is ISO 8601 in UTC; `path` is the file, "" for the daemon; `owner` is the comment in which the file names
    the program that writes it, if it has one. `place` is where the node is, which distinguishes it from others of its
    name; "" is any.
    """

    node: str
    since: str
    path: str
    reason: str
    owner: str | None = None
    place: str = ""

    @property
    def full_name(self) -> str:
        """The name with the place, if it is known: `node1@192.168.1.2:22`."""
        return f"{self.node}@{self.place}" if self.place else self.node


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A run that holds the lock of a cluster.

    `holder` names its process for people. Runs of one `rollout` hold the lock together, each with its own `shard`; a
    run of all nodes has a rollout of its own, and the shard "". `renewed` is ISO 8601 by the clock of the holder.
    `process` is its process as `harbor_agent.local.process` names it, "" if unknown.
    """

    run_id: str
    holder: str
    rollout: str
    shard: str
    renewed: str
    process: str = ""

    def __str__(self) -> str:
        """Return the run as it is named in messages."""
        return f"{self.holder} (run {self.run_id}{f', shard {self.shard}' if self.shard else ''})"
