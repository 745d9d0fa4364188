"""Whether a node is still as it was left: what is there against what the node remembers, and that against the wish."""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Literal

from harbor_agent.model.state import FileKind
from harbor_agent.planning.docker.effective import evaluate
from harbor_agent.planning.docker.matching import LOOPBACK, as_listed
from harbor_agent.planning.docker.startup import docker_version
from harbor_agent.planning.files.managed import announced_owner
from harbor_agent.planning.refusal import RefusedError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from harbor_agent.model.policy import DriftLimits
    from harbor_agent.model.runs import PastCorrection
    from harbor_agent.model.state import FileState, NodeState, Record
    from harbor_agent.planning.docker.matching import Version

ABSENT = "absent"
# "Corrected 3 times in 24 hours" is a fight, whatever the file held.
FIGHT_CORRECTIONS = 3
FIGHT_SECONDS = 24 * 3600.0
# Two nodes of a small cluster may drift at once without making the input suspect, whatever share of it they are.
_FEW = 2


class DriftStatus(StrEnum):
    """How a node stands. The last four say why that is not known; a busy one has a transaction under way."""

    IN_SYNC = "in_sync"
    DRIFT = "drift"
    PENDING = "pending"
    UNMANAGED = "unmanaged"
    BUSY = "busy"
    UNREACHABLE = "unreachable"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True, kw_only=True)
class FileDrift:
    """A file that is not as recorded: SHA-256 (hex), "absent", or what there is in place of a regular file.

    `owner` is what the file says of who writes it, None where it says nothing.
    """

    path: str
    recorded: str
    found: str
    owner: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryDrift:
    """A registry that should be trusted and is not, or the other way round.

    `where` is "file" where the files say so, "runtime" where they are right and the daemon has not read them.
    """

    entry: str
    where: Literal["file", "runtime"]
    wanted: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeDrift:
    """What differs on one node. Arguments are those of the running dockerd against the recorded ones."""

    status: DriftStatus
    reason: str
    files: tuple[FileDrift, ...] = ()
    entries: tuple[EntryDrift, ...] = ()
    missing_arguments: tuple[str, ...] = ()
    added_arguments: tuple[str, ...] = ()

    @property
    def in_files(self) -> bool:
        """Whether files differ."""
        return bool(self.files) or any(entry.where == "file" for entry in self.entries)

    @property
    def at_runtime(self) -> bool:
        """Whether the running daemon differs from the record although the files may be right."""
        return bool(self.missing_arguments or self.added_arguments) or any(e.where == "runtime" for e in self.entries)


def classify(state: NodeState, digest: str | None) -> NodeDrift:
    """Compare a node with its record, and the record with today's policy (its digest; None: none is named)."""
    record = state.record
    if record is None:
        return NodeDrift(status=DriftStatus.UNMANAGED, reason="no run of this tool has left a record on the node")
    files = tuple(_files(record.file_hashes, state.files))
    entries, doubt = _entries(record, state)
    missing, added = _arguments(record, state)
    found = NodeDrift(
        status=DriftStatus.DRIFT,
        reason="",
        files=files,
        entries=entries,
        missing_arguments=missing,
        added_arguments=added,
    )
    if found.in_files or found.at_runtime:
        return _with_reason(found, doubt)
    if digest is not None and digest != record.policy_digest:
        reason = f"as recorded by run {record.run_id}, but something else is wanted today"
        return NodeDrift(status=DriftStatus.PENDING, reason=reason)
    return NodeDrift(status=DriftStatus.IN_SYNC, reason=f"as recorded by run {record.run_id}")


def digest_of(state: FileState) -> str:
    """Return the SHA-256 (hex) of a file's content, "absent" where there is no file."""
    return hashlib.sha256(state.content or b"").hexdigest() if state.exists else ABSENT


def find_reverted_file(found: Mapping[str, str], past: Sequence[PastCorrection]) -> tuple[str, str] | None:
    """Return the file that somebody else keeps rewriting, and why that is clear; None where nobody does.

    `found` maps what is to be corrected now to what it holds (`digest_of`); {"": ""} where it is the daemon only.
    """
    for path, digest in found.items():
        earlier = [correction for correction in past if correction.path == path]
        if digest and any(correction.found == digest for correction in earlier):
            return path, "it went back to the very content that was corrected before"
        recent = sum(1 for correction in earlier if correction.seconds_ago < FIGHT_SECONDS)
        if recent >= FIGHT_CORRECTIONS:
            return path, f"it was corrected {recent} times within 24 hours"
    return None


def is_suspect(drifted: int, recorded: int, limits: DriftLimits) -> bool:
    """Whether so many of the nodes with a record drifted at once that the input is likelier wrong than they are."""
    if isinstance(limits.max_drifted, int):
        return drifted > limits.max_drifted
    share = math.floor(recorded * int(limits.max_drifted.removesuffix("%")) / 100)
    return drifted > max(_FEW, share)


def _files(recorded: Mapping[str, str], files: Mapping[str, FileState]) -> Iterator[FileDrift]:
    for path, digest in recorded.items():
        state = files.get(path)
        if state is None:
            yield FileDrift(path=path, recorded=digest, found="not read by dockerd any more")
        elif state.kind not in (FileKind.REGULAR, FileKind.ABSENT):
            yield FileDrift(path=path, recorded=digest, found=state.kind.value)
        elif (now := digest_of(state)) != digest:
            yield FileDrift(path=path, recorded=digest, found=now, owner=announced_owner(state.content or b""))


def _entries(record: Record, state: NodeState) -> tuple[tuple[EntryDrift, ...], str]:
    """Return the registries that differ, and why the files could not be judged ("" where they could)."""
    version = docker_version(state)
    live = state.docker.live if state.docker else None
    in_force = (*live.insecure_entries, *live.insecure_cidrs) if live else None
    try:
        in_files: tuple[str, ...] | None = evaluate(state).entries
        doubt = ""
    except RefusedError as error:
        in_files, doubt = None, error.problem.message
    if live is None:
        doubt = doubt or "dockerd does not answer, so what it trusts is not known"
    found: list[EntryDrift] = []
    wanted = [(entry, True) for entry in record.expected_entries if entry != LOOPBACK]
    for entry, is_wanted in (*wanted, *((entry, False) for entry in record.unexpected_entries)):
        if in_files is not None and _has(entry, in_files, version) is not is_wanted:
            found.append(EntryDrift(entry=entry, where="file", wanted=is_wanted))
        elif in_force is None or _has(entry, in_force, version) is not is_wanted:
            found.append(EntryDrift(entry=entry, where="runtime", wanted=is_wanted))
    return tuple(found), doubt


def _has(entry: str, entries: Sequence[str], version: Version | None) -> bool:
    """Whether dockerd takes the entry for one of these: a range may be written in several ways."""
    return as_listed(entry, version) in {as_listed(one, version) for one in entries}


def _arguments(record: Record, state: NodeState) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the arguments that are gone and those that are new; their order means nothing."""
    now = state.docker.argv if state.docker else None
    if not record.argv or now is None:
        return (), ()
    before, after = Counter(record.argv), Counter(now)
    return tuple((before - after).elements()), tuple((after - before).elements())


def _with_reason(found: NodeDrift, doubt: str) -> NodeDrift:
    files = [_file_clause(file) for file in found.files]
    in_files = [_entry_clause(entry) for entry in found.entries if entry.where == "file"]
    runtime = [_entry_clause(entry) for entry in found.entries if entry.where == "runtime"]
    clauses = files + [f"{clause} by what is in the files" for clause in in_files]
    clauses += [f"the files are right, but {clause} by the running dockerd" for clause in runtime]
    if found.missing_arguments or found.added_arguments:
        clauses.append("dockerd runs with other arguments")
    reason = "; ".join([*clauses, *([doubt] if doubt else [])])
    return NodeDrift(
        status=found.status,
        reason=reason,
        files=found.files,
        entries=found.entries,
        missing_arguments=found.missing_arguments,
        added_arguments=found.added_arguments,
    )


def _file_clause(file: FileDrift) -> str:
    what = {ABSENT: "is gone"}.get(file.found, "was edited")
    if file.recorded == ABSENT:
        what = "is there again"
    elif not _is_digest(file.found) and file.found != ABSENT:
        what = f"is {file.found}"
    owner = f" (it says '{file.owner}')" if file.owner else ""
    return f"{file.path} {what}{owner}"


def _entry_clause(entry: EntryDrift) -> str:
    return f"{entry.entry} is {'not ' if entry.wanted else 'still '}trusted"


def _is_digest(text: str) -> bool:
    return len(text) == hashlib.sha256().digest_size * 2
