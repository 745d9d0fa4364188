"""The files of a node as tests compare them; a comparison that fails shows those that differ and no others."""

from __future__ import annotations

from difflib import unified_diff
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


class Files(frozenset[tuple[str, str]]):
    """Facts about files, each with the path first: type, mode, owner and target of a link, or a sum of the content."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"<{len(self)} facts about files>"


def explain(left: object, right: object) -> list[str] | None:
    """Return the lines that pytest shows for `left == right`; None if no files are compared."""
    leaves = list(_pair("", left, right))
    if not any(isinstance(one, Files) for _, one, _ in leaves):
        return None
    lines = [line for place, one, other in leaves if one != other for line in _compare(place, one, other)]
    return [f"{left!r} == {right!r}", *lines]


def _pair(place: str, left: object, right: object) -> Iterator[tuple[str, object, object]]:
    """Return what is compared in the end, with the index that leads to it."""
    if isinstance(left, list | tuple) and isinstance(right, list | tuple) and len(left) == len(right):
        for index, (one, other) in enumerate(zip(left, right, strict=True)):
            yield from _pair(f"{place}[{index}]", one, other)
    else:
        yield place, left, right


def _compare(place: str, left: object, right: object) -> Iterator[str]:
    if isinstance(left, Files) and isinstance(right, Files):
        for path in sorted({path for path, _ in left ^ right}):
            sides = [sorted(fact for known, fact in side if known == path) for side in (left - right, right - left)]
            yield f"{place} {path}: {' != '.join(', '.join(side) or 'nothing' for side in sides)}".lstrip()
    elif isinstance(left, str) and isinstance(right, str):
        lines = unified_diff(left.splitlines(), right.splitlines(), n=0, lineterm="")
        yield from (f"{place} {line}" for line in lines if line[:3] not in ("---", "+++") and line[0] != "@")
    else:
        yield f"{place} {left!r} != {right!r}"
