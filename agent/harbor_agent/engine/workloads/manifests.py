"""Adding the pull secret to manifests in files or on standard input, each file on its own."""

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
from harbor_agent.planning.files.diff import render_diff
from harbor_agent.planning.secrets.manifests import AnnotationSpec, annotate

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harbor_agent.model.address import Address
    from harbor_agent.planning.secrets.manifests import AnnotatedWorkload

STANDARD_INPUT = "-"
_MARK = "\ufeff".encode()


@dataclass(frozen=True, slots=True, kw_only=True)
class ManifestFile:
    """A file and its outcome: UNCHANGED, PENDING, CHANGED (in place), REFUSED or FAILED (to be written).

    `path` is "-" for standard input. If it was refused, `after` is `before` and there are no workloads.
    """

    path: str
    before: FileState
    after: FileState
    outcome: Outcome
    workloads: tuple[AnnotatedWorkload, ...] = ()
    problem: Problem | None = None
    warnings: tuple[Problem, ...] = ()

    @property
    def diff(self) -> str:
        """The change as a unified diff, "" if nothing changes."""
        change = FileChange(before=self.before, after=self.after, reason="")
        return render_diff(change) if self.before != self.after else ""


def build_annotation_spec(secret: str, registries: Sequence[Address], *, all_kinds: bool) -> AnnotationSpec:
    """Return the request. Raises UsageError for an invalid secret name."""
    if problem := check_names(secret=secret):
        raise UsageError(problem)
    return AnnotationSpec(secret=secret, registries=tuple(registries), all_kinds=all_kinds)


def annotate_manifests(paths: Sequence[str], spec: AnnotationSpec, *, in_place: bool) -> list[ManifestFile]:
    """Add the pull secret to each file; with `in_place`, write the files.

    Reads all files before it writes any. Raises UsageError if one cannot be read.
    """
    read = [_read_file(path, in_place=in_place) for path in paths]
    files = [_annotate_file(path, state, spec) for path, state in zip(paths, read, strict=True)]
    return [_write_file(file) if in_place and file.outcome is Outcome.PENDING else file for file in files]


def join_documents(files: Sequence[ManifestFile]) -> bytes:
    """Return the texts as one stream of documents; a single text byte for byte."""
    parts: list[bytes] = []
    for content in (file.after.content or b"" for file in files):
        if not parts:
            parts.append(content)
            continue
        text = content.removeprefix(_MARK)
        is_ended = parts[-1].endswith((b"\n", b"\r")) or not parts[-1]
        separator = b"" if text.startswith(b"---") else b"...\n" if text.startswith(b"%") else b"---\n"
        parts += [b"" if is_ended else b"\n", separator, text]
    return b"".join(parts)


def find_exit_code(files: Sequence[ManifestFile]) -> ExitCode:
    """Return the exit code of the command."""
    outcomes = {file.outcome for file in files}
    if Outcome.FAILED in outcomes:
        return ExitCode.FAILED
    return ExitCode.REFUSED if Outcome.REFUSED in outcomes else ExitCode.DONE


def _read_file(path: str, *, in_place: bool) -> FileState:
    """Return a file with its mode and owner. In place it must be a regular file; otherwise it may be a pipe."""
    if path == STANDARD_INPUT:
        return FileState(path="standard input", kind=FileKind.REGULAR, content=sys.stdin.buffer.read())
    try:
        facts = os.lstat(path) if in_place else os.stat(path)  # noqa: PTH116 - pathlib would read "" as "."
        if in_place and not stat.S_ISREG(facts.st_mode):
            kind = "a symbolic link" if stat.S_ISLNK(facts.st_mode) else "not a regular file"
            raise _build_unreadable_error(
                path, f"it is {kind}, and --in-place writes only regular files", "name the file itself"
            )
        content = Path(path).read_bytes()
    except OSError as error:
        raise _build_unreadable_error(
            path, (error.strerror or str(error)).lower(), "check the name; it must not be a directory"
        ) from None
    return FileState(
        path=path,
        kind=FileKind.REGULAR,
        content=content,
        mode=stat.S_IMODE(facts.st_mode),
        uid=facts.st_uid,
        gid=facts.st_gid,
    )


def _annotate_file(path: str, state: FileState, spec: AnnotationSpec) -> ManifestFile:
    try:
        text = (state.content or b"").decode("utf-8")
    except UnicodeDecodeError as error:
        line = (state.content or b"").count(b"\n", 0, error.start) + 1
        problem = Problem(
            code="manifest-invalid", message=f"{state.path} line {line}: it is not UTF-8", hint="save it as UTF-8"
        )
        return ManifestFile(path=path, before=state, after=state, outcome=Outcome.REFUSED, problem=problem)
    result = annotate(state.path, text, spec)
    if isinstance(result, Problem):
        return ManifestFile(path=path, before=state, after=state, outcome=Outcome.REFUSED, problem=result)
    after = replace(state, content=result.text.encode())
    outcome = Outcome.UNCHANGED if after == state else Outcome.PENDING
    return ManifestFile(
        path=path,
        before=state,
        after=after,
        outcome=outcome,
        workloads=result.workloads,
        warnings=result.warnings,
    )


def _write_file(file: ManifestFile) -> ManifestFile:
    """Replace the file in one step; it keeps its mode, owner and attributes."""
    path = Path(file.path)
    try:
        if path.is_symlink() or path.read_bytes() != file.before.content:
            return _fail(file, "it was changed in the meantime")
        rewrite_file(file.path, file.after.content or b"")
    except OSError as error:
        return _fail(file, (error.strerror or str(error)).lower())
    return replace(file, outcome=Outcome.CHANGED)


def _fail(file: ManifestFile, reason: str) -> ManifestFile:
    problem = Problem(
        code="manifest-unwritable",
        message=f"cannot write {file.path}: {reason}",
        hint="the file is unchanged; omit --in-place to print the result instead",
    )
    return replace(file, outcome=Outcome.FAILED, problem=problem)


def _build_unreadable_error(path: str, reason: str, hint: str) -> UsageError:
    return UsageError.of("manifest-unreadable", f"cannot read {path}: {reason}", hint)
