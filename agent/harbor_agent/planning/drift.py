"""Drift: compares a node with its record of the last run, and that record with the current policy."""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Literal

from harbor_agent.model.state import FileKind
from harbor_agent.planning.config.digest import is_rollback_digest
from harbor_agent.planning.files.managed import find_announced_owner
from harbor_agent.planning.names.hosts_file import PATH as HOSTS
from harbor_agent.planning.names.hosts_file import describe_own_part
from harbor_agent.planning.node import find_runtime
from harbor_agent.planning.refusal import RefusedError
from harbor_agent.planning.runtime import normalize_range

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from harbor_agent.model.policy import DriftLimits
    from harbor_agent.model.runs import PastCorrection
    from harbor_agent.model.state import FileState, NodeState, Record
    from harbor_agent.planning.runtime import ProcessState, Runtime

ABSENT = "absent"
_NOT_READ = "no longer read by the runtime"
_DESCRIPTIONS = {
    ABSENT: "is missing",
    _NOT_READ: f"is {_NOT_READ}",
    FileKind.SYMLINK: "is now a symlink",
    FileKind.DIRECTORY: "is now a directory",
    FileKind.OTHER: "is no longer a regular file",
    FileKind.UNREADABLE: "cannot be read",
    FileKind.TOO_LARGE: "is too large to read",
}
# A file that was corrected this often in this time is being rewritten by something else.
FIGHT_CORRECTIONS = 3
FIGHT_SECONDS = 24 * 3600.0
# So many nodes may drift at once in a small cluster, even if they exceed the percentage.
_FEW = 2


class DriftStatus(StrEnum):
    """The state of a node. The last four leave open whether it drifted; BUSY means that a transaction is under way."""

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
    """A file that differs from the record.

    `recorded` and `found` are SHA-256 (hex) or "absent"; `found` can also be the kind of file that has replaced a
    regular one, or "no longer read by the runtime". `owner` is the tool that manages the file, if the file names one.
    """

    path: str
    recorded: str
    found: str
    owner: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryDrift:
    """A registry that should be trusted and is not, or the other way round.

    `where` is "file" if the files are wrong, "runtime" if they are correct and the daemon has not loaded them.
    """

    entry: str
    where: Literal["file", "runtime"]
    wanted: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeDrift:
    """The differences on one node: files, entries, and the running daemon's arguments compared with the record."""

    status: DriftStatus
    reason: str
    files: tuple[FileDrift, ...] = ()
    entries: tuple[EntryDrift, ...] = ()
    missing_arguments: tuple[str, ...] = ()
    added_arguments: tuple[str, ...] = ()

    @property
    def in_files(self) -> bool:
        """Whether any file differs."""
        return bool(self.files) or any(entry.where == "file" for entry in self.entries)

    @property
    def at_runtime(self) -> bool:
        """Whether the running daemon differs from the record; the files may be correct."""
        return bool(self.missing_arguments or self.added_arguments) or any(e.where == "runtime" for e in self.entries)


def classify(state: NodeState, digest: str | None) -> NodeDrift:
    """Compare a node with its record, and the record with the policy's `digest` (None: no policy is known)."""
    runtime = find_runtime(state)
    record = state.records.get(runtime.NAME)
    if record is None:
        return NodeDrift(status=DriftStatus.UNMANAGED, reason="the node has no record of a harbor-agent run")
    files = tuple(_compare_files(record.file_hashes, state.files))
    process = runtime.describe_process(state)
    entries, doubt = _compare_entries(record, state, runtime, process)
    missing, added = _compare_arguments(record, process)
    found = NodeDrift(
        status=DriftStatus.DRIFT,
        reason="",
        files=files,
        entries=entries,
        missing_arguments=missing,
        added_arguments=added,
    )
    if found.in_files or found.at_runtime:
        return replace(found, reason=_describe_differences(found, doubt, runtime.DAEMON))
    if is_rollback_digest(record.policy_digest):
        reason = f"rolled back in run {record.run_id}, and unchanged since; harbor-agent apply configures it again"
        return NodeDrift(status=DriftStatus.IN_SYNC, reason=reason)
    if digest is not None and digest != record.policy_digest:
        reason = f"matches the record of run {record.run_id}, but the settings have changed since"
        return NodeDrift(status=DriftStatus.PENDING, reason=reason)
    return NodeDrift(status=DriftStatus.IN_SYNC, reason=f"matches the record of run {record.run_id}")


def hash_content(state: FileState) -> str:
    """Return the SHA-256 (hex) of a file's content, or "absent" if there is no file.

    Of /etc/hosts only the block of this tool counts.
    """
    content = describe_own_part(state.content) if state.path == HOSTS else (state.content or b"")
    return hashlib.sha256(content).hexdigest() if state.exists and content is not None else ABSENT


def find_reverted_file(found: Mapping[str, str], past: Sequence[PastCorrection]) -> tuple[str, str] | None:
    """Return the file that something else keeps rewriting, and the evidence; None if there is no such file.

    `found` maps each path that needs a correction to its `hash_content`; it is {"": ""} if only the daemon needs one.
    """
    for path, digest in found.items():
        earlier = [correction for correction in past if correction.path == path]
        if digest and any(correction.found == digest for correction in earlier):
            return path, "its content is again the one that was corrected before"
        recent = sum(1 for correction in earlier if correction.seconds_ago < FIGHT_SECONDS)
        if recent >= FIGHT_CORRECTIONS:
            return path, f"it was corrected {recent} times within 24 hours"
    return None


def is_suspect(drifted: int, recorded: int, limits: DriftLimits) -> bool:
    """Whether so many of the `recorded` nodes drifted at once that wrong input is more likely than drift."""
    if isinstance(limits.max_drifted, int):
        return drifted > limits.max_drifted
    share = math.floor(recorded * int(limits.max_drifted.removesuffix("%")) / 100)
    return drifted > max(_FEW, share)


def _compare_files(recorded: Mapping[str, str], files: Mapping[str, FileState]) -> Iterator[FileDrift]:
    for path, digest in recorded.items():
        state = files.get(path)
        if state is None:
            yield FileDrift(path=path, recorded=digest, found=_NOT_READ)
        elif state.kind not in (FileKind.REGULAR, FileKind.ABSENT):
            yield FileDrift(path=path, recorded=digest, found=state.kind.value)
        elif (now := hash_content(state)) != digest:
            yield FileDrift(path=path, recorded=digest, found=now, owner=find_announced_owner(state.content or b""))


def _compare_entries(
    record: Record, state: NodeState, runtime: Runtime, process: ProcessState
) -> tuple[tuple[EntryDrift, ...], str]:
    """Return the registries that differ, and why files or daemon could not be checked ("" if they could)."""
    try:
        in_files: tuple[str, ...] | None = runtime.evaluate_files(state).entries
        doubt = ""
    except RefusedError as error:
        in_files, doubt = None, error.problem.message
    if process.entries is None:
        doubt = doubt or f"{runtime.DAEMON} does not respond, so it is unknown which registries it trusts"
    found: list[EntryDrift] = []
    wanted = [(entry, True) for entry in record.expected_entries if entry not in runtime.ALWAYS_TRUSTED]
    for entry, is_wanted in (*wanted, *((entry, False) for entry in record.unexpected_entries)):
        if in_files is not None and (normalize_range(entry) in in_files) is not is_wanted:
            found.append(EntryDrift(entry=entry, where="file", wanted=is_wanted))
        elif process.entries is None or (normalize_range(entry) in process.entries) is not is_wanted:
            found.append(EntryDrift(entry=entry, where="runtime", wanted=is_wanted))
    return tuple(found), doubt


def _compare_arguments(record: Record, process: ProcessState) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the arguments that are missing and those that were added; their order does not count."""
    if not record.argv or process.arguments is None:
        return (), ()
    before, after = Counter(record.argv), Counter(process.arguments)
    return tuple((before - after).elements()), tuple((after - before).elements())


def _describe_differences(found: NodeDrift, doubt: str, daemon: str) -> str:
    clauses = [_describe_file(file) for file in found.files]
    clauses += [_describe_entry(entry, daemon) for entry in sorted(found.entries, key=lambda entry: entry.where)]
    if found.missing_arguments or found.added_arguments:
        clauses.append(f"{daemon} runs with different arguments")
    return "; ".join([*clauses, *([doubt] if doubt else [])])


def _describe_file(file: FileDrift) -> str:
    what = "exists again" if file.recorded == ABSENT else _DESCRIPTIONS.get(file.found, "was edited")
    owner = f" (it says '{file.owner}')" if file.owner else ""
    return f"{'the block in ' * (file.path == HOSTS)}{file.path} {what}{owner}"


def _describe_entry(entry: EntryDrift, daemon: str) -> str:
    if entry.where == "file":
        return f"{entry.entry} is {'not' if entry.wanted else 'still'} trusted according to the files"
    verb = "does not trust" if entry.wanted else "still trusts"
    return f"the files are correct, but the running {daemon} {verb} {entry.entry}"
