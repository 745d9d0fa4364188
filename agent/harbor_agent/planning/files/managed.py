"""Files whose comments say that a program writes them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from harbor_agent.errors import Problem
from harbor_agent.formats.text import LINE_END, decode
from harbor_agent.planning.refusal import RefusedError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from harbor_agent.model.plan import FileChange

# Comments that configuration management and generators put at the top; "Ansible managed" is Ansible's default,
# and k0s writes its containerd.toml as long as that says k0s_managed=true.
_REWRITTEN = re.compile(
    r"do(?:\s+not|n't)\s+(?:edit|modify|change|touch)|(?:edits?|changes?|modifications?|file)\s+(?:\w+\s+){0,3}"
    r"(?:overwritten|lost|reverted)|auto(?:matically|-|\s)?\s*generated|ansible[\s_-]+managed|"
    r"\bk0s_managed\s*=\s*true",
    re.IGNORECASE,
)
_MANAGED = re.compile(r"\b(?:managed|generated|maintained)\s+by\b", re.IGNORECASE)
_LONGEST_HEADER = 4096


def find_announced_owner(content: bytes) -> str | None:
    """Return the comment in which a file names the program that writes it, None if it has no such comment."""
    return next((line for _, line in _read_header(content) if _REWRITTEN.search(line) or _MANAGED.search(line)), None)


def require_unmanaged(changes: Iterable[FileChange]) -> None:
    """Raise RefusedError if a file to change says that a program overwrites it."""
    for change in changes:
        for number, line in _read_header(change.before.content or b""):
            if _REWRITTEN.search(line):
                raise RefusedError(
                    "file-managed",
                    f"{change.path} line {number} says '{line}': the program that writes it would undo the change",
                    "set the registry in the source of that file, or use another --route",
                )


def find_manager_warnings(changes: Iterable[FileChange]) -> Iterator[Problem]:
    """Yield a warning for each file to change that names its maintainer, which may be a person or a program."""
    for change in changes:
        for number, line in _read_header(change.before.content or b""):
            if _MANAGED.search(line):
                yield Problem(
                    code="file-may-be-managed",
                    message=f"{change.path} line {number} says '{line}'",
                    hint="if a program writes the file, set the registry there too; its next run undoes this otherwise",
                )
                break


def _read_header(content: bytes) -> Iterator[tuple[int, str]]:
    """Yield the comments at the top of a file, with their line numbers."""
    text = decode(content[:_LONGEST_HEADER])
    for number, line in enumerate(LINE_END.split(text), 1):
        stripped = line.strip()
        if stripped and not stripped.startswith(("#", ";")):
            return
        # a marked block is only one part of the file
        if stripped and "BLOCK" not in stripped:
            yield number, stripped.lstrip("#; ").rstrip()
