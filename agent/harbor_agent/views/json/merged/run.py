"""The reports of all shards as one document."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harbor_agent.model.result import Outcome
from harbor_agent.views.json.common import begin_document, count_outcomes, describe_problem
from harbor_agent.views.json.run import describe_node_set, describe_result

if TYPE_CHECKING:
    from harbor_agent.engine.reports.merge import MergedReport
    from harbor_agent.views.json.common import Json

MERGED_SCHEMA = "harbor-agent/merged-run/2"


def build_merged_document(report: MergedReport) -> Json:
    """Return the object that `merge -o json` prints."""
    first, results = report.shards[0], report.results
    return {
        **begin_document(MERGED_SCHEMA),
        "kind": first.kind,
        "exit_code": int(report.exit_code),
        "after": first.after,
        "inventory": describe_node_set(first.inventory),
        "fleet": describe_node_set(first.fleet),
        "shards": [
            {
                "shard": str(shard.shard),
                "run_id": shard.run_id,
                "ended": shard.ended,
                "exit_code": shard.exit_code,
                "halted": shard.halted,
                "note": shard.note,
            }
            for shard in report.shards
        ],
        "summary": count_outcomes((result.outcome for result in results), [outcome.value for outcome in Outcome]),
        "dns": next((shard.dns for shard in report.shards if shard.dns), None),
        "nodes": [describe_result(result) for result in results],
        "secret": next((shard.secret for shard in report.shards if shard.secret), None),
        "warnings": [describe_problem(problem) for problem in report.warnings],
    }
