"""The files that an import directive of a Corefile names."""

from __future__ import annotations

import posixpath
import re
from typing import TYPE_CHECKING, Final

from harbor_agent.formats.text import FormatError

if TYPE_CHECKING:
    from collections.abc import Collection

FOLDER: Final = "/etc/coredns"  # of the Corefile in CoreDNS's and node-cache's manifests
_WILDCARDS: Final = re.compile(r"[*?\[\]]")
_DANGLING: Final = re.compile(r"(?<!\\)(?:\\\\)*\\\Z")
_PARTS: Final = re.compile(r"\\(.)|.", re.DOTALL)


def resolve_pattern(pattern: str, file: str, line: int) -> str:
    """Return the absolute form of an import's pattern, which is relative to the file that it is written in.

    Raises FormatError for patterns that CoreDNS rejects.
    """
    folder = posixpath.dirname(file) if file else FOLDER
    path = pattern if pattern.startswith("/") else posixpath.normpath(posixpath.join(folder, pattern))
    if path.count("*") > 1 or path.count("?") > 1 or ("[" in path and "]" in path):
        raise FormatError(line, f"'{path}' has more than one wildcard")
    if "[" in path or _DANGLING.search(path):
        raise FormatError(line, f"'{path}' is not a valid pattern")
    return path


def is_pattern(path: str) -> bool:
    """Whether an import may match no file at all; a plain file has to exist."""
    return bool(_WILDCARDS.search(path))


def match_files(path: str, known: Collection[str]) -> tuple[str, ...]:
    """Return the known files that a path or pattern of `resolve_pattern` matches, in the order of their names."""
    pattern = "".join(map(_translate, _PARTS.finditer(path)))
    return tuple(sorted(name for name in known if re.fullmatch(pattern, name)))


def _translate(part: re.Match[str]) -> str:
    return {"*": "[^/]*", "?": "[^/]"}.get(part.group()) or re.escape(part[1] or part.group())
