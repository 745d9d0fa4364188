"""The report of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harbor_agent.model.result import Outcome
from harbor_agent.views.json.common import begin_document, count_outcomes, describe_problem, explain
from harbor_agent.views.json.dns import describe_dns
from harbor_agent.views.json.secrets import describe_secrets

if TYPE_CHECKING:
    from harbor_agent.engine.reports.report import Report
    from harbor_agent.model.inventory import NodeSet, Scope
    from harbor_agent.model.result import NodeResult
    from harbor_agent.views.json.common import Json

RUN_SCHEMA = "harbor-agent/run/2"


def build_run_document(report: Report) -> Json:
    """Return the object that `apply -o json`, `verify -o json` and `rollback -o json` print."""
    return {
        **begin_document(RUN_SCHEMA),
        "run_id": report.run_id,
        "kind": report.kind,
        "ended": report.ended,
        "after": report.after,
        "rolls_back": report.rolls_back,
        "exit_code": int(report.exit_code),
        "note": report.note,
        "registries": [{"url": url, "state": presence} for url, presence in report.registries],
        **describe_scope(report.scope),
        "summary": count_outcomes(
            (result.outcome for result in report.results), [outcome.value for outcome in Outcome]
        ),
        "dns": describe_dns(report.dns),
        "nodes": [describe_result(result) for result in report.results],
        "secret": describe_secrets(report.secrets),
        "halted": report.halted,
        "warnings": [describe_problem(problem) for problem in report.warnings],
    }


def describe_scope(scope: Scope | None) -> Json:
    """Return `inventory`, `fleet` and `shard`: null for a tree, and `shard` for a run of all nodes."""
    shard = scope.shard if scope else None
    return {
        "inventory": describe_node_set(scope.inventory) if scope else None,
        "fleet": describe_node_set(scope.fleet) if scope else None,
        "shard": {"index": shard.index, "count": shard.count} if shard else None,
    }


def describe_node_set(node_set: NodeSet | None) -> Json | None:
    """Return number and digest of a list of machines."""
    return {"nodes": node_set.nodes, "digest": node_set.digest} if node_set else None


def describe_result(result: NodeResult) -> Json:
    """Return the result of a node as an object."""
    return {
        "node": result.node,
        "outcome": result.outcome.value,
        "action": result.action.value,
        "transaction": result.transaction,
        "verified": result.verified,
        "proof": result.proof.value if result.proof else None,
        "logged_in": result.logged_in,
        **explain(result.problem, result.reason),
        "seconds": round(result.seconds, 3),
        "steps": [{"step": one.step.name.lower(), "seconds": round(one.seconds, 3)} for one in result.steps],
    }
