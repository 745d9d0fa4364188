"""A plan."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, cast

from harbor_agent.formats.redact import mask_text
from harbor_agent.model.plan import Action, Plan, Refusal
from harbor_agent.planning.files.diff import render_diff
from harbor_agent.views.json.common import (
    begin_document,
    count_outcomes,
    describe_problem,
    explain,
    group_alike,
)
from harbor_agent.views.json.dns import describe_dns
from harbor_agent.views.json.run import describe_scope
from harbor_agent.views.json.secrets import describe_secrets

if TYPE_CHECKING:
    from collections.abc import Iterable

    from harbor_agent.engine.plan.nodes import PlannedNode
    from harbor_agent.engine.plan.run_plan import RunPlan
    from harbor_agent.model.plan import Activation, FileChange
    from harbor_agent.model.state import FileState
    from harbor_agent.views.json.common import Json

PLAN_SCHEMA = "harbor-agent/plan/2"
_STATUSES = ("change", "unchanged", "refused", "unreachable", "failed", "skipped")


def build_plan_document(run_plan: RunPlan, exit_code: int) -> Json:
    """Return the object that `plan -o json` prints."""
    documents = [_describe_node(node) for node in run_plan.nodes]
    return {
        **begin_document(PLAN_SCHEMA),
        "exit_code": exit_code,
        **describe_scope(run_plan.scope),
        "summary": count_outcomes((node.outcome for node in run_plan.nodes), _STATUSES),
        "dns": describe_dns(run_plan.dns),
        "nodes": documents,
        "groups": group_plans(documents),
        "secret": describe_secrets(run_plan.secrets),
        "warnings": [describe_problem(problem) for problem in run_plan.warnings],
    }


def group_plans(nodes: Iterable[Json]) -> list[Json]:
    """Group the nodes with the same status and the same diffs."""
    said = ("status", "route", "action", "code")
    return [
        {
            **{name: group[0][name] for name in said},
            "files": [file["path"] for file in cast("list[Json]", group[0]["files"])],
            "nodes": [node["node"] for node in group],
        }
        for group in group_alike(([node[name] for name in (*said, "files")], node) for node in nodes)
    ]


def _describe_node(planned: PlannedNode) -> Json:
    decision = planned.decision
    plan = decision if isinstance(decision, Plan) else None
    return {
        "node": planned.node.name,
        "runtime": decision.runtime if decision else None,
        "status": planned.outcome.value,
        "route": plan.route.value if plan else "none",
        "action": plan.activation.action.value if plan else "none",
        "activation": _describe_activation(plan.activation) if plan else None,
        "files": [_describe_change(change) for change in (decision.changes if decision else ())],
        **explain(planned.problem, planned.reason),
        "containers_stopped": [
            {"name": c.name, "image": c.image, "restart_policy": c.restart_policy, "kubernetes": c.kubernetes}
            for c in (plan.activation.stops if plan else ())
        ],
        "live_restore": plan.activation.live_restore.value if plan else "none",
        "apply_refuses": describe_problem(planned.objection) if planned.objection else None,
        "warnings": [describe_problem(problem) for problem in (decision.warnings if decision else ())],
        "hypothetical": isinstance(decision, Refusal) and bool(decision.changes),
        "seconds": round(planned.seconds, 3),
    }


def _describe_activation(activation: Activation) -> Json | None:
    if activation.action is Action.NONE:
        return None
    return {"runtime": activation.runtime, "unit": activation.unit, "action": activation.action.value}


def _describe_change(change: FileChange) -> Json:
    return {
        "path": change.path,
        "before": _describe_file(change.before),
        "after": _describe_file(change.after),
        "diff": render_diff(change),
        "reason": change.reason,
    }


def _describe_file(state: FileState) -> Json | None:
    if not state.exists or state.content is None:
        return None
    return {
        "sha256": hashlib.sha256(state.content).hexdigest(),
        "mode": f"{state.mode:04o}",
        "uid": state.uid,
        "gid": state.gid,
        "text": mask_text(state.content),
    }
