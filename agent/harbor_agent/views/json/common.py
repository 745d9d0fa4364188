"""What several documents have in common."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from harbor_agent.planning.files.diff import masked_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from harbor_agent.errors import Problem
    from harbor_agent.model.result import Outcome

Json = dict[str, object]


def counts(outcomes: Iterable[Outcome], names: Sequence[str]) -> dict[str, int]:
    """Return how many there are of each, all names present, in their order."""
    found = [outcome.value for outcome in outcomes]
    return {name: found.count(name) for name in names}


def problem_document(problem: Problem) -> Json:
    """Return a problem with all that it says."""
    return {"code": problem.code, "message": problem.message, "hint": problem.hint}


def optional_problem(problem: Problem | None) -> Json:
    """Return the members that say what was wrong, null where nothing was."""
    return {
        "code": problem.code if problem else None,
        "reason": problem.message if problem else None,
        "hint": problem.hint if problem else None,
    }


def masked(text: str | None) -> str | None:
    """Return the text with what is secret in it masked."""
    return None if text is None else masked_text(text.encode(errors="backslashreplace"))


def alike(nodes: Iterable[tuple[object, Json]]) -> list[list[Json]]:
    """Return the documents of nodes with the same key (plain values) together, the largest group first."""
    groups: dict[str, list[Json]] = {}
    for key, node in nodes:
        groups.setdefault(json.dumps(key), []).append(node)
    return sorted(groups.values(), key=len, reverse=True)
