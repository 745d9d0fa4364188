"""A plan."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, cast

from harbor_agent import __version__
from harbor_agent.model.plan import Plan, Refusal
from harbor_agent.planning.files.diff import masked_text, unified_diff
from harbor_agent.views.json.common import alike, counts, problem_document
from harbor_agent.views.json.secrets import secrets_document

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from harbor_agent.engine.plan.nodes import PlannedNode
    from harbor_agent.engine.secrets.secrets import SecretsReport
    from harbor_agent.errors import Problem
    from harbor_agent.model.plan import FileChange
    from harbor_agent.model.state import FileState
    from harbor_agent.views.json.common import Json

PLAN_SCHEMA = "harbor-agent/plan/1"
_STATUSES = ("change", "unchanged", "refused", "unreachable", "failed", "skipped")


def plan_document(
    nodes: Sequence[PlannedNode], secrets: SecretsReport | None, warnings: Sequence[Problem] = ()
) -> Json:
    """Return the object that `plan -o json` prints."""
    documents = [_planned(node) for node in nodes]
    return {
        "schema": PLAN_SCHEMA,
        "tool": f"harbor-agent {__version__}",
        "summary": counts((node.outcome for node in nodes), _STATUSES),
        "nodes": documents,
        "groups": _groups(documents),
        "secret": secrets_document(secrets),
        "warnings": [problem_document(problem) for problem in warnings],
    }


def _groups(nodes: Iterable[Json]) -> list[Json]:
    """Return which nodes have the same status and the same diffs."""
    said = ("status", "route", "action", "code")
    return [
        {
            **{name: group[0][name] for name in said},
            "files": [file["path"] for file in cast("list[Json]", group[0]["files"])],
            "nodes": [node["node"] for node in group],
        }
        for group in alike(([node[name] for name in (*said, "files")], node) for node in nodes)
    ]


def _planned(planned: PlannedNode) -> Json:
    decision = planned.decision
    plan = decision if isinstance(decision, Plan) else None
    return {
        "node": planned.node.name,
        "runtime": decision.runtime if decision else None,
        "status": planned.outcome.value,
        "route": plan.route.value if plan else "none",
        "action": plan.action.value if plan else "none",
        "files": [_change(change) for change in (decision.changes if decision else ())],
        "reason": planned.reason,
        "code": planned.problem.code if planned.problem else None,
        "hint": planned.problem.hint if planned.problem else None,
        "containers_bounced": [
            {"name": c.name, "image": c.image, "restart_policy": c.restart_policy, "kubernetes": c.kubernetes}
            for c in (plan.containers_bounced if plan else ())
        ],
        "live_restore": plan.live_restore.value if plan else "none",
        "warnings": [problem_document(problem) for problem in (decision.warnings if decision else ())],
        "would_be": isinstance(decision, Refusal) and bool(decision.changes),
        "seconds": round(planned.seconds, 3),
    }


def _change(change: FileChange) -> Json:
    return {
        "path": change.path,
        "before": _file(change.before),
        "after": _file(change.after),
        "diff": unified_diff(change),
        "reason": change.reason,
    }


def _file(state: FileState) -> Json | None:
    if not state.exists or state.content is None:
        return None
    return {
        "sha256": hashlib.sha256(state.content).hexdigest(),
        "mode": f"{state.mode:04o}",
        "uid": state.uid,
        "gid": state.gid,
        "text": masked_text(state.content),
    }
