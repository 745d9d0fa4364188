"""The notification document: how a run ended, its counts, its first failures, and where the rest is.

It names nodes, codes and reasons as the report does, and quotes no file and no diff; passwords in reasons are masked.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from harbor_agent.engine.dns.report import DnsReport
from harbor_agent.engine.drift.secret_corrections import list_states_after
from harbor_agent.errors import ExitCode
from harbor_agent.model.result import Outcome
from harbor_agent.planning.drift import DriftStatus
from harbor_agent.views.json.common import begin_document, mask

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from harbor_agent.engine.drift.detect import DriftReport
    from harbor_agent.engine.reports.report import Report
    from harbor_agent.engine.secrets.report import SecretsReport
    from harbor_agent.errors import Problem
    from harbor_agent.views.json.common import Json

NOTIFICATION_SCHEMA = "harbor-agent/notification/2"
_NAMED = 5
_LONGEST_REASON = 300
_EXPLAINED = 4
_FINE = frozenset({Outcome.CHANGED, Outcome.UNCHANGED, Outcome.SKIPPED, Outcome.PENDING})
_IN_ORDER = frozenset({DriftStatus.IN_SYNC, DriftStatus.SKIPPED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where a run was started: the command, the user and machine (`user@host`), and the inventories it was given."""

    command: str
    controller: str
    inventories: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Finding:
    """A node, secret or DNS server that is not as requested, and why."""

    subject: str
    status: str
    reason: str = ""
    code: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _End:
    """How a run ended: `counts` by outcome or status, and why it halted, if it did."""

    event: str
    code: ExitCode
    counts: Counter[str] = field(default_factory=Counter)
    findings: Sequence[_Finding] = ()
    run_id: str | None = None
    halted: str | None = None
    note: str = ""


def build_run_notification(report: Report, origin: Origin) -> Json:
    """Return the notification of an apply, a rollback or a verification."""
    event = "done" if report.exit_code is ExitCode.DONE else "failed"
    event = "halted" if report.halted or report.exit_code >= ExitCode.BUG else event
    end = _End(
        event=event,
        code=report.exit_code,
        counts=Counter(result.outcome.value for result in report.results),
        findings=[*_list_run_findings(report)],
        run_id=report.run_id,
        halted=report.halted,
        note=report.note,
    )
    return _build(origin, end)


def build_drift_notification(
    report: DriftReport, code: ExitCode, ended: Report | None, blocked_by: Problem | None, origin: Origin
) -> Json | None:
    """Return the notification of a drift check; None if all was in order and nothing was corrected."""
    if code is ExitCode.DONE and ended is None:
        return None
    event = {ExitCode.DONE: "corrected", ExitCode.PENDING: "drift", ExitCode.STOPPED: "halted"}.get(code, "failed")
    done = ended.changed_nodes if ended else frozenset()
    halted = blocked_by.message if blocked_by else None
    end = _End(
        event=event,
        code=code,
        counts=Counter("corrected" if node.name in done else node.status.value for node in report.nodes),
        findings=[*(_list_run_findings(ended) if ended else ()), *_list_drift_findings(report, ended)],
        run_id=ended.run_id if ended else None,
        halted=ended.halted or halted if ended else halted,
        note=report.request.note,
    )
    return _build(origin, end)


def build_cluster_notification(part: DnsReport | SecretsReport, code: ExitCode, origin: Origin) -> Json:
    """Return the notification of a command that changed the cluster's DNS or pull secrets, and no node."""
    if isinstance(part, DnsReport):
        counts = Counter(server.outcome.value for server in part.servers)
        findings, run_id = [*_list_dns_findings(part)], part.run_id or None
    else:
        counts = Counter(item.result.outcome.value for item in part.items)
        findings, run_id = [*_list_secret_findings(part)], None
    event = "done" if code is ExitCode.DONE else "failed"
    return _build(origin, _End(event=event, code=code, counts=counts, findings=findings, run_id=run_id))


def build_error_notification(problem: Problem, code: ExitCode, origin: Origin) -> Json:
    """Return the notification of a run that ended before it had a report."""
    finding = _Finding(subject="run", status="failed", reason=problem.message, code=problem.code)
    return _build(origin, _End(event="failed", code=code, findings=[finding]))


def _list_run_findings(report: Report) -> Iterator[_Finding]:
    yield from _list_dns_findings(report.dns)
    for result in report.results:
        if result.outcome not in _FINE or result.verified is False:
            code = result.problem.code if result.problem else None
            yield _Finding(subject=result.node, status=result.outcome.value, reason=result.reason, code=code)
    yield from _list_secret_findings(report.secrets)


def _list_dns_findings(dns: DnsReport | None) -> Iterator[_Finding]:
    if dns is None:
        return
    if dns.problem:
        yield _describe("the cluster's DNS", "failed", dns.problem)
    for server in dns.servers:
        if server.outcome not in _FINE:
            yield _describe(server.name, server.outcome.value, server.problem)
        elif server.unproven:
            yield _describe(server.name, "unproven", server.unproven)


def _list_secret_findings(secrets: SecretsReport | None) -> Iterator[_Finding]:
    for item in secrets.items if secrets else ():
        if item.result.outcome not in _FINE:
            subject = f"secret {item.result.namespace}/{item.result.name}"
            yield _describe(subject, item.result.outcome.value, item.result.problem)
        for account in item.result.service_accounts:
            if account.outcome not in _FINE:
                subject = f"service account {item.result.namespace}/{account.name}"
                yield _describe(subject, account.outcome.value, account.problem)


def _list_drift_findings(report: DriftReport, ended: Report | None) -> Iterator[_Finding]:
    """Yield what is not in order and was not part of a correction."""
    for part, subject in ((report.dns, "the cluster's DNS"), (report.secrets, "pull secrets")):
        if part and part.problem:
            yield _describe(subject, "failed", part.problem)
    seen = {result.node for result in ended.results} if ended else set()
    for node in report.nodes:
        if node.status not in _IN_ORDER and node.name not in seen:
            code = node.problem.code if node.problem else None
            status = "quarantine" if node.quarantine else node.status.value
            yield _Finding(subject=node.name, status=status, reason=node.reason, code=code)
    for server in report.dns.servers if report.dns and not (ended and ended.dns) else ():
        if server.status not in _IN_ORDER:
            yield _describe(server.server.name, server.status.value, server.problem, server.reason)
    if report.secrets and not report.secrets.problem:
        states = list_states_after(report.secrets, ended.secrets if ended else None)
        for secret, status in zip(report.secrets.secrets, states, strict=True):
            if status not in _IN_ORDER:
                yield _describe(f"secret {secret.namespace}/{secret.name}", status.value, secret.problem)


def _describe(subject: str, status: str, problem: Problem | None, reason: str = "") -> _Finding:
    text = problem.message if problem else reason
    return _Finding(subject=subject, status=status, reason=text, code=problem.code if problem else None)


def _build(origin: Origin, end: _End) -> Json:
    named = [
        {
            "subject": mask(one.subject),
            "status": one.status,
            "reason": (mask(one.reason) or "")[:_LONGEST_REASON],
            "code": one.code,
        }
        for one in end.findings[:_NAMED]
    ]
    codes = list(dict.fromkeys(one.code for one in end.findings if one.code))[:_EXPLAINED]
    document: Json = {
        **begin_document(NOTIFICATION_SCHEMA),
        "event": end.event,
        "command": origin.command,
        "controller": origin.controller,
        "inventories": [mask(source) for source in origin.inventories],
        "run_id": end.run_id,
        "exit_code": int(end.code),
        "counts": dict(end.counts),
        "findings": named,
        "more": len(end.findings) - len(named),
        "halted": mask(end.halted),
        "note": mask(end.note),
        "explain": f"harbor-agent explain {' '.join(codes)}" if codes else None,
        "title": f"harbor-agent {origin.command}: {end.event} (exit code {int(end.code)})",
    }
    return document | {"text": "\n".join(_list_lines(document))}


def _list_lines(document: Json) -> Iterator[str]:
    yield ", ".join(map(str, (document["controller"], *_as_list(document["inventories"]))))
    counts = document["counts"]
    if isinstance(counts, dict) and counts:
        yield ", ".join(f"{number} {word.replace('_', ' ')}" for word, number in counts.items())
    if document["halted"]:
        yield f"halted: {document['halted']}"
    for one in _as_list(document["findings"]):
        assert isinstance(one, dict)  # noqa: S101 - built by `_build`
        code = f" [{one['code']}]" if one["code"] else ""
        reason = f": {one['reason']}" if one["reason"] else ""
        yield f"{one['subject']}  {str(one['status']).replace('_', ' ')}{reason}{code}"
    if document["more"]:
        yield f"and {document['more']} more"
    if document["note"]:
        yield f"note: {document['note']}"
    commands = [f"harbor-agent history show {document['run_id']}"] if document["run_id"] else []
    commands += [str(document["explain"])] if document["explain"] else []
    if commands:
        yield f"more: {'; '.join(commands)}"


def _as_list(value: object) -> Iterable[object]:
    return value if isinstance(value, list) else ()
