"""Manifests in files or on standard input, and the pull secret in them; each file stands for itself."""

from __future__ import annotations

import os
import stat
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from harbor_agent.errors import ExitCode, Problem, UsageError
from harbor_agent.formats.object_names import check_names
from harbor_agent.local.files import rewrite_file
from harbor_agent.model.plan import FileChange
from harbor_agent.model.result import Outcome
from harbor_agent.model.state import FileKind, FileState
from harbor_agent.planning.files.diff import unified_diff
from harbor_agent.planning.secrets.manifests import AnnotationSpec, annotate

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harbor_agent.model.address import Address
    from harbor_agent.planning.secrets.manifests import AnnotatedWorkload

STANDARD_INPUT = "-"
_MARK = "\ufeff".encode()


@dataclass(frozen=True, slots=True, kw_only=True)
class ManifestFile:
    """A file and what became of it: UNCHANGED, PENDING, CHANGED (in place), REFUSED or FAILED (to be written).

    `path` is "-" for standard input. Where it was refused, `after` is `before` and there are no workloads.
    """

    path: str
    before: FileState
    after: FileState
    outcome: Outcome
    workloads: tuple[AnnotatedWorkload, ...] = ()
    problem: Problem | None = None

    @property
    def diff(self) -> str:
        """The change as a unified diff, "" for none."""
        change = FileChange(before=self.before, after=self.after, reason="")
        return unified_diff(change) if self.before != self.after else ""


def annotation_wish(secret: str, registries: Sequence[Address]) -> AnnotationSpec:
    """Return what is wanted. Raises UsageError for a name that no secret can have."""
    if problem := check_names(secret=secret):
        raise UsageError(problem)
    return AnnotationSpec(secret=secret, registries=tuple(registries))


def annotate_manifests(paths: Sequence[str], wish: AnnotationSpec, *, in_place: bool) -> list[ManifestFile]:
    """Return each file with the pull secret in it, written where `in_place` says so.

    All are read before any is written. Raises UsageError where one cannot be read.
    """
    read = [_read(path, in_place=in_place) for path in paths]
    files = [_annotated(path, state, wish) for path, state in zip(paths, read, strict=True)]
    return [_written(file) if in_place and file.outcome is Outcome.PENDING else file for file in files]


def joined(files: Sequence[ManifestFile]) -> bytes:
    """Return the texts as one stream of documents; a single one byte for byte."""
    parts: list[bytes] = []
    for content in (file.after.content or b"" for file in files):
        if not parts:
            parts.append(content)
            continue
        text = content.removeprefix(_MARK)
        ended = parts[-1].endswith((b"\n", b"\r")) or not parts[-1]
        begins = b"" if text.startswith(b"---") else b"...\n" if text.startswith(b"%") else b"---\n"
        parts += [b"" if ended else b"\n", begins, text]
    return b"".join(parts)


def manifests_exit_code(files: Sequence[ManifestFile]) -> ExitCode:
    """Return what the command ends with."""
    outcomes = {file.outcome for file in files}
    if Outcome.FAILED in outcomes:
        return ExitCode.FAILED
    return ExitCode.REFUSED if Outcome.REFUSED in outcomes else ExitCode.DONE


def _read(path: str, *, in_place: bool) -> FileState:
    """Return a file with its mode and owner; what is no regular file, such as a pipe, only where it is not written."""
    if path == STANDARD_INPUT:
        return FileState(path="standard input", kind=FileKind.REGULAR, content=sys.stdin.buffer.read())
    try:
        facts = os.lstat(path) if in_place else os.stat(path)  # noqa: PTH116 - pathlib would read "" as "."
        if in_place and not stat.S_ISREG(facts.st_mode):
            what = "a symbolic link" if stat.S_ISLNK(facts.st_mode) else "no regular file"
            raise _unreadable(path, f"it is {what}, which is not written in place", "name the file itself")
        content = Path(path).read_bytes()
    except OSError as error:
        raise _unreadable(
            path, (error.strerror or str(error)).lower(), "check the name; folders are not read"
        ) from None
    return FileState(
        path=path,
        kind=FileKind.REGULAR,
        content=content,
        mode=stat.S_IMODE(facts.st_mode),
        uid=facts.st_uid,
        gid=facts.st_gid,
    )


def _annotated(path: str, state: FileState, wish: AnnotationSpec) -> ManifestFile:
    try:
        text = (state.content or b"").decode("utf-8")
    except UnicodeDecodeError as error:
        line = (state.content or b"").count(b"\n", 0, error.start) + 1
        problem = Problem(
            code="manifest-invalid", message=f"{state.path} line {line}: it is not UTF-8", hint="save it as UTF-8"
        )
        return ManifestFile(path=path, before=state, after=state, outcome=Outcome.REFUSED, problem=problem)
    result = annotate(state.path, text, wish)
    if isinstance(result, Problem):
        return ManifestFile(path=path, before=state, after=state, outcome=Outcome.REFUSED, problem=result)
    after = replace(state, content=result.text.encode())
    outcome = Outcome.UNCHANGED if after == state else Outcome.PENDING
    return ManifestFile(path=path, before=state, after=after, outcome=outcome, workloads=result.workloads)


def _written(file: ManifestFile) -> ManifestFile:
    """Put the text in the file's place in one step, with its mode, owner and attributes."""
    path = Path(file.path)
    try:
        if path.is_symlink() or path.read_bytes() != file.before.content:
            return _failed(file, "it was changed by somebody else meanwhile")
        rewrite_file(file.path, file.after.content or b"")
    except OSError as error:
        return _failed(file, (error.strerror or str(error)).lower())
    return replace(file, outcome=Outcome.CHANGED)


def _failed(file: ManifestFile, reason: str) -> ManifestFile:
    problem = Problem(
        code="manifest-unwritable",
        message=f"{file.path} cannot be written: {reason}",
        hint="it is as it was; take the result from standard output, without --in-place",
    )
    return replace(file, outcome=Outcome.FAILED, problem=problem)


def _unreadable(path: str, reason: str, hint: str) -> UsageError:
    return UsageError.of("manifest-unreadable", f"{path} cannot be read: {reason}", hint)
