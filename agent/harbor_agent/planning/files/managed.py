"""Files that say of themselves that something else writes them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from harbor_agent.errors import Problem
from harbor_agent.formats.text import LINE_END, decode
from harbor_agent.planning.refusal import RefusedError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from harbor_agent.model.plan import FileChange

# What configuration management and generators write at the top; "Ansible managed" is what Ansible fills in by default.
_REWRITTEN = re.compile(
    r"do(?:\s+not|n't)\s+(?:edit|modify|change|touch)|(?:edits?|changes?|modifications?|file)\s+(?:\w+\s+){0,3}"
    r"(?:overwritten|lost|reverted)|auto(?:matically|-|\s)?\s*generated|ansible[\s_-]+managed",
    re.IGNORECASE,
)
_MANAGED = re.compile(r"\b(?:managed|generated|maintained)\s+by\b", re.IGNORECASE)
_LONGEST_HEADER = 4096


def find_announced_owner(content: bytes) -> str | None:
    """Return the comment in which a file names who writes it, None where it has none."""
    return next((line for _, line in _read_header(content) if _REWRITTEN.search(line) or _MANAGED.search(line)), None)


def require_unmanaged(changes: Iterable[FileChange]) -> None:
    """Raise RefusedError where a file to be changed announces that it is written anew."""
    for change in changes:
        for number, line in _read_header(change.before.content or b""):
            if _REWRITTEN.search(line):
                raise RefusedError(
                    "file-managed",
                    f"{change.path} line {number} says '{line}': whatever writes it would undo the change",
                    "set the registry where that file comes from, or use another --route",
                )


def find_manager_warnings(changes: Iterable[FileChange]) -> Iterator[Problem]:
    """Yield the files to be changed that name somebody who looks after them, which may be a person or a program."""
    for change in changes:
        for number, line in _read_header(change.before.content or b""):
            if _MANAGED.search(line):
                yield Problem(
                    code="file-may-be-managed",
                    message=f"{change.path} line {number} says '{line}'",
                    hint="if a program writes the file, set the registry there too, or its next run undoes this",
                )
                break


def _read_header(content: bytes) -> Iterator[tuple[int, str]]:
    """Yield the comments before the first line that is none, with their numbers."""
    text = decode(content[:_LONGEST_HEADER])
    for number, line in enumerate(LINE_END.split(text), 1):
        stripped = line.strip()
        if stripped and not stripped.startswith(("#", ";")):
            return
        # a marked block is one part of a file that is otherwise free
        if stripped and "BLOCK" not in stripped:
            yield number, stripped.lstrip("#; ").rstrip()
