"""What to say of a node's answer that cannot be used."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harbor_agent.errors import AgentError, Problem
    from harbor_agent.transport.protocol import Completed


def unusable(result: Completed, error: AgentError) -> Problem:
    """Return the problem of an answer that could not be decoded, with how its program ended and what it said last."""
    said = result.stderr.decode(errors="replace").strip().splitlines()
    detail = f"; it said: {said[-1]}" if said else ""
    return replace(error.problem, message=f"{error.problem.message} (exit status {result.rc}{detail})")
