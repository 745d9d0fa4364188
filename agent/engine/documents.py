"""What `-o json` prints, as plain values; docs/schemas/ holds the JSON Schema of each document."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

from agent import __version__
from agent.engine.history import state_of
from agent.model.plan import Plan, Refusal
from agent.model.result import Outcome
from agent.model.secret import SecretPlan
from agent.planning.diff import masked_text, unified_diff
from agent.planning.drift import DriftStatus

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from agent.engine.drift import DriftedNode, DriftReport
    from agent.engine.fleet import PlannedNode
    from agent.engine.pull_secrets import ShownSecret
    from agent.engine.runs import Report
    from agent.engine.schedule import Installed
    from agent.engine.secrets import SecretsReport
    from agent.errors import ExitCode, Problem
    from agent.model.history import PastNode, PastRun
    from agent.model.plan import FileChange
    from agent.model.result import NodeResult
    from agent.model.state import FileState

PLAN_SCHEMA = "harbor-agent/plan/1"
RUN_SCHEMA = "harbor-agent/run/1"
SECRET_SCHEMA = "harbor-agent/secret/1"  # noqa: S105 - a name, not a password
SECRETS_SCHEMA = "harbor-agent/secrets/1"
DRIFT_SCHEMA = "harbor-agent/drift/1"
SCHEDULES_SCHEMA = "harbor-agent/schedules/1"
RUNS_SCHEMA = "harbor-agent/runs/1"
ERROR_SCHEMA = "harbor-agent/error/1"

Json = dict[str, object]
_PLAN_STATUSES = ("change", "unchanged", "refused", "unreachable", "failed", "skipped")


def plan_document(
    nodes: Sequence[PlannedNode], secrets: SecretsReport | None, findings: Sequence[Problem] = ()
) -> Json:
    """Return the object that `plan -o json` prints."""
    documents = [_planned(node) for node in nodes]
    return {
        "schema": PLAN_SCHEMA,
        "tool": f"harbor-agent {__version__}",
        "summary": counts((node.outcome for node in nodes), _PLAN_STATUSES),
        "nodes": documents,
        "groups": _groups(documents),
        "secret": secrets_document(secrets),
        "findings": [_problem(problem) for problem in findings],
    }


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
        "findings": [_problem(problem) for problem in report.findings],
    }


def secrets_run_document(secrets: SecretsReport, exit_code: int) -> Json:
    """Return the object that `secret apply -o json` and `secret remove -o json` print."""
    return {
        "schema": SECRET_SCHEMA,
        "tool": f"harbor-agent {__version__}",
        "exit_code": exit_code,
        "secret": secrets_document(secrets),
    }


def runs_document(runs: Sequence[PastRun]) -> Json:
    """Return the object that `history -o json`, `history show -o json` and `history node -o json` print."""
    return {"schema": RUNS_SCHEMA, "tool": f"harbor-agent {__version__}", "runs": [_past_run(run) for run in runs]}


def shown_secrets_document(secrets: Sequence[ShownSecret]) -> Json:
    """Return the object that `secret show -o json` prints."""
    return {
        "schema": SECRETS_SCHEMA,
        "tool": f"harbor-agent {__version__}",
        "secrets": [
            {
                "namespace": secret.namespace,
                "name": secret.name,
                "registry": secret.registry,
                "username": secret.username,
                "service_accounts": list(secret.service_accounts),
            }
            for secret in secrets
        ],
    }


def drift_document(report: DriftReport, exit_code: int, ended: Report | None, stopped: Problem | None) -> Json:
    """Return the object that `drift -o json` prints.

    `ended` is the run that corrected nodes, `stopped` why none did although it was asked for.
    """
    return {
        "schema": DRIFT_SCHEMA,
        "tool": f"harbor-agent {__version__}",
        "exit_code": exit_code,
        "summary": {status.value: sum(node.status is status for node in report.nodes) for status in DriftStatus},
        "nodes": [_drifted(node) for node in report.nodes],
        "run": run_document(ended) if ended else None,
        "stopped": _problem(stopped) if stopped else None,
        "findings": [_problem(problem) for problem in report.findings],
    }


def schedules_document(schedules: Sequence[Installed]) -> Json:
    """Return the object that `schedule show -o json` prints."""
    return {
        "schema": SCHEDULES_SCHEMA,
        "tool": f"harbor-agent {__version__}",
        "schedules": [
            {
                "unit": one.unit,
                "enabled": one.is_enabled,
                "active": one.is_active,
                "running": one.is_running,
                "when": one.when,
                "user": one.user,
                "command": one.command,
                "next_run": one.next_run,
                "last_run": {
                    "ended": one.last_run.moment,
                    "exit_code": one.last_run.exit_code,
                    "result": one.last_run.result,
                }
                if one.last_run
                else None,
            }
            for one in schedules
        ],
    }


def error_document(problem: Problem, code: ExitCode) -> Json:
    """Return the object that an early end prints."""
    return {"schema": ERROR_SCHEMA, "error": {**_problem(problem), "exit_code": int(code)}}


def counts(outcomes: Iterable[Outcome], names: Sequence[str]) -> dict[str, int]:
    """Return how many there are of each, all names present, in their order."""
    found = [outcome.value for outcome in outcomes]
    return {name: found.count(name) for name in names}


def secrets_document(secrets: SecretsReport | None) -> Json | None:
    """Return the `secret` member: every secret in every namespace, or null where none was asked for."""
    if secrets is None:
        return None
    return {
        "status": secrets.status,
        "secrets": [
            {
                "name": item.result.name,
                "namespace": item.result.namespace,
                "registry": item.registry,
                "status": item.result.outcome.value,
                "action": item.result.action.value,
                "differences": list(item.result.differences) if isinstance(item.result, SecretPlan) else [],
                "service_accounts": [
                    {"name": account.name, "status": account.outcome.value, **_optional(account.problem)}
                    for account in item.result.service_accounts
                ],
                **_optional(item.result.problem),
            }
            for item in secrets.items
        ],
        "findings": [_problem(problem) for problem in secrets.findings],
    }


def _drifted(node: DriftedNode) -> Json:
    drift, quarantine = node.drift, node.quarantine
    record = node.planned.state.record if node.planned.state else None
    return {
        "node": node.name,
        "status": node.status.value,
        "in_files": bool(drift and drift.in_files),
        "at_runtime": bool(drift and drift.at_runtime),
        "files": [
            {"path": file.path, "recorded": file.recorded, "found": file.found, "owner": _masked(file.owner)}
            for file in (drift.files if drift else ())
        ],
        "entries": [
            {"entry": entry.entry, "where": entry.where, "wanted": entry.wanted}
            for entry in (drift.entries if drift else ())
        ],
        "arguments": {
            "missing": [_masked(argument) for argument in (drift.missing_arguments if drift else ())],
            "added": [_masked(argument) for argument in (drift.added_arguments if drift else ())],
        },
        "recorded_by": record.run_id if record else None,
        "quarantined_since": quarantine.since if quarantine else None,
        "reason": node.reason,
        "code": node.problem.code if node.problem else None,
        "message": node.problem.message if node.problem else None,
        "hint": node.problem.hint if node.problem else None,
        "seconds": round(node.planned.seconds, 3),
    }


def _masked(text: str | None) -> str | None:
    return None if text is None else masked_text(text.encode(errors="backslashreplace"))


def _past_run(run: PastRun) -> Json:
    return {
        "run_id": run.run_id,
        "kind": run.kind.value,
        "state": state_of(run).value,
        "started": run.started,
        "ended": run.ended,
        "who": run.who,
        "tool": run.tool,
        "note": run.note,
        "resumes": run.resumes,
        "takes_back": run.takes_back,
        "options": json.loads(run.options),
        "config": run.config or None,
        "config_digest": run.config_digest or None,
        "exit_code": run.exit_code,
        "halted": run.halted,
        "nodes": [_past_node(node) for node in run.nodes],
    }


def _past_node(node: PastNode) -> Json:
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


def _groups(nodes: Iterable[Json]) -> list[Json]:
    """Return which nodes have the same status and the same diffs, the largest group first."""
    groups: dict[str, list[Json]] = {}
    for node in nodes:
        alike = [node[name] for name in ("status", "route", "action", "code", "files")]
        groups.setdefault(json.dumps(alike), []).append(node)
    return [
        {
            **{name: group[0][name] for name in ("status", "route", "action", "code")},
            "files": [file["path"] for file in json.loads(key)[-1]],
            "nodes": [node["node"] for node in group],
        }
        for key, group in sorted(groups.items(), key=lambda item: -len(item[1]))
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
        "findings": [_problem(problem) for problem in (decision.findings if decision else ())],
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


def _problem(problem: Problem) -> Json:
    return {"code": problem.code, "message": problem.message, "hint": problem.hint}


def _optional(problem: Problem | None) -> Json:
    return {
        "code": problem.code if problem else None,
        "reason": problem.message if problem else None,
        "hint": problem.hint if problem else None,
    }
