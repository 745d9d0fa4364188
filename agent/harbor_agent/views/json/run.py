"""How a run ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harbor_agent import __version__
from harbor_agent.model.result import Outcome
from harbor_agent.views.json.common import counts, problem_document
from harbor_agent.views.json.secrets import secrets_document

if TYPE_CHECKING:
    from harbor_agent.engine.rollout.run import Report
    from harbor_agent.model.result import NodeResult
    from harbor_agent.views.json.common import Json

RUN_SCHEMA = "harbor-agent/run/1"


def run_document(report: Report) -> Json:
    """Return the object that `apply -o json` and `verify -o json` print."""
    return {
        "schema": RUN_SCHEMA,
        "tool": f"harbor-agent {__version__}",
        "run_id": report.run_id,
        "exit_code": int(report.exit_code),
        "note": report.note,
        "summary": counts((result.outcome for result in report.results), [outcome.value for outcome in Outcome]),
        "nodes": [_result(result) for result in report.results],
        "secret": secrets_document(report.secrets),
        "halted": report.halted,
        "warnings": [problem_document(problem) for problem in report.warnings],
    }


def _result(result: NodeResult) -> Json:
    return {
        "node": result.node,
        "outcome": result.outcome.value,
        "action": result.action.value,
        "transaction": result.transaction,
        "verified": result.verified,
        "reason": result.reason,
        "code": result.problem.code if result.problem else None,
        "hint": result.problem.hint if result.problem else None,
        "seconds": round(result.seconds, 3),
    }
