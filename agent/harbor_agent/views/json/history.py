"""The runs in the history."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from harbor_agent.engine.history.query import find_state
from harbor_agent.views.json.common import begin_document

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harbor_agent.model.runs import PastConfigMap, PastNode, PastRun
    from harbor_agent.views.json.common import Json

RUNS_SCHEMA = "harbor-agent/runs/2"


def build_runs_document(runs: Sequence[PastRun]) -> Json:
    """Return the object that `history -o json`, `history show -o json` and `history node -o json` print."""
    return {**begin_document(RUNS_SCHEMA), "runs": [_describe_run(run) for run in runs]}


def _describe_run(run: PastRun) -> Json:
    return {
        "run_id": run.run_id,
        "kind": run.kind.value,
        "state": find_state(run).value,
        "started": run.started,
        "ended": run.ended,
        "who": run.who,
        "tool": run.tool,
        "note": run.note,
        "resumes": run.resumes,
        "rolls_back": run.rolls_back,
        "options": json.loads(run.options),
        "config": run.config or None,
        "config_digest": run.config_digest or None,
        "exit_code": run.exit_code,
        "halted": run.halted,
        "nodes": [_describe_node(node) for node in run.nodes],
        "config_maps": [_describe_config_map(one) for one in run.config_maps],
    }


def _describe_config_map(one: PastConfigMap) -> Json:
    return {
        "server": one.server,
        "config_map": f"{one.namespace}/{one.name}",
        "cluster": one.cluster or None,
        "before": one.before,
        "after": one.after,
        "outcome": one.outcome.value if one.outcome else None,
    }


def _describe_node(node: PastNode) -> Json:
    return {
        "node": node.node,
        "outcome": node.outcome.value if node.outcome else None,
        "action": node.action,
        "transaction": node.transaction,
        "verified": node.verified,
        "reason": node.reason,
        "code": node.code,
        "seconds": node.seconds,
        "policy_digest": node.policy_digest,
    }
