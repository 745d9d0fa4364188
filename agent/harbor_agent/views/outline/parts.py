"""The outline of the plans of all shards, or of their drift checks, from their merged document."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from harbor_agent.errors import ExitCode, Problem
from harbor_agent.model.result import Outcome
from harbor_agent.planning.drift import DriftStatus
from harbor_agent.views.json.merged.parts import build_merged_document
from harbor_agent.views.outline.drift import judge_drift
from harbor_agent.views.outline.value import VERDICTS, Item, Kind, Outline, Verdict, list_facts
from harbor_agent.views.text.merged.parts import count_statuses, summarize_parts

if TYPE_CHECKING:
    from harbor_agent.engine.reports.merge import MergedParts
    from harbor_agent.views.json.common import Json


def outline_parts(merged: MergedParts) -> Outline:
    """Return the outline of `merge`: every node, DNS server and pull secret, and a fact for each shard."""
    document = build_merged_document(merged)
    blocks = [shard.document["blocked_by"] for shard in merged.shards if shard.document.get("blocked_by")]
    dns, secrets = (cast("Json", document.get(name) or {}) for name in ("dns", "secrets"))
    secrets = secrets or cast("Json", document.get("secret") or {})
    facts = {f"shard {shard.shard}": count_statuses(shard.document["summary"]) for shard in merged.shards}
    is_drift = merged.shards[0].kind == "drift"
    return Outline(
        command="merge",
        summary=summarize_parts(merged, document),
        items=(
            *(_outline_block(cast("Json", block)) for block in blocks),
            *(_outline_entry(node, Kind.NODE) for node in cast("list[Json]", document["nodes"])),
            *(_outline_entry(server, Kind.DNS_SERVER) for server in cast("list[Json]", dns.get("servers", []))),
            *(_outline_entry(secret, Kind.SECRET) for secret in cast("list[Json]", secrets.get("secrets", []))),
        ),
        exit_code=int(merged.exit_code),
        facts=list_facts(facts),
        warnings=tuple(_read_problem(one) for one in cast("list[Json]", document["warnings"])),
        counts_pending=is_drift or any(shard.exit_code == ExitCode.PENDING for shard in merged.shards),
    )


def _outline_block(block: Json) -> Item:
    problem = _read_problem(block)
    return Item(name="correction", kind=Kind.COMMAND, verdict=Verdict.FAILURE, status="not started", problem=problem)


def _outline_entry(entry: Json, kind: Kind) -> Item:
    """Return one entry of the document; `reason` is the message of its problem, if it has one."""
    status, reason = str(entry.get("status") or entry.get("outcome")), str(entry.get("reason") or "")
    files = cast("list[Json]", entry.get("files") or [])
    problem = _read_problem({**entry, "message": entry.get("message") or reason}) if entry.get("code") else None
    return Item(
        name=str(entry.get("node") or "/".join(str(entry[key]) for key in ("namespace", "name") if key in entry)),
        kind=kind,
        verdict=_judge(status),
        status=status.replace("_", " "),
        reason="" if problem and problem.message == reason else reason,
        problem=problem,
        diff="".join(str(file.get("diff", "")) for file in files),
        runtime=str(entry.get("runtime") or ""),
    )


def _judge(status: str) -> Verdict:
    return judge_drift(DriftStatus(status)) if status in set(DriftStatus) else VERDICTS[Outcome(status)]


def _read_problem(found: Json) -> Problem:
    return Problem(code=str(found["code"]), message=str(found["message"]), hint=str(found.get("hint") or ""))
