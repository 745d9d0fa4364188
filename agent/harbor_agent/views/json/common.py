"""Members that several documents share."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from harbor_agent import __version__
from harbor_agent.formats.redact import mask_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from harbor_agent.errors import Problem
    from harbor_agent.model.result import Outcome

Json = dict[str, object]


def begin_document(schema: str) -> Json:
    """Return the members that every document but an error begins with."""
    return {"schema": schema, "tool": f"harbor-agent {__version__}"}


def count_outcomes(outcomes: Iterable[Outcome], names: Sequence[str]) -> dict[str, int]:
    """Return how often each of `names` occurs, zeros included, in the order of `names`."""
    found = [outcome.value for outcome in outcomes]
    return {name: found.count(name) for name in names}


def describe_problem(problem: Problem) -> Json:
    """Return a problem as an object."""
    return {"code": problem.code, "message": problem.message, "hint": problem.hint}


def explain(problem: Problem | None, reason: str | None = None) -> Json:
    """Return `code`, `reason` and `hint`: null if there is no problem, except for a `reason` that is given."""
    return {
        "code": problem.code if problem else None,
        "reason": problem.message if reason is None and problem else reason,
        "hint": problem.hint if problem else None,
    }


def mask(text: str | None) -> str | None:
    """Return the text with passwords and tokens masked."""
    return None if text is None else mask_text(text.encode(errors="backslashreplace"))


def group_alike(nodes: Iterable[tuple[object, Json]]) -> list[list[Json]]:
    """Group the documents of nodes by key (plain values), the largest group first."""
    groups: dict[str, list[Json]] = {}
    for key, node in nodes:
        groups.setdefault(json.dumps(key), []).append(node)
    return sorted(groups.values(), key=len, reverse=True)
