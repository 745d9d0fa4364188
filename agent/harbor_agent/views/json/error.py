"""The error that ends a command early."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harbor_agent.views.json.common import describe_problem

if TYPE_CHECKING:
    from harbor_agent.errors import ExitCode, Problem
    from harbor_agent.views.json.common import Json

ERROR_SCHEMA = "harbor-agent/error/2"


def build_error_document(problem: Problem, code: ExitCode) -> Json:
    """Return the object that a command prints if it ends early."""
    return {"schema": ERROR_SCHEMA, "error": {**describe_problem(problem), "exit_code": int(code)}}
