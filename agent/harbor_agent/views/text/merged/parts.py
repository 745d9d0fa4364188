"""The plans of all shards, or their drift checks, as text: what was found, a line for each shard, then all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from harbor_agent.language.current import translate
from harbor_agent.views.json.merged.parts import build_merged_document
from harbor_agent.views.text.common import count_nodes

if TYPE_CHECKING:
    from harbor_agent.engine.reports.merge import MergedParts
    from harbor_agent.views.json.common import Json

_FINE = frozenset({"unchanged", "in_sync", "skipped"})


def merged_parts_text(merged: MergedParts) -> str:
    """Return the nodes that are not as requested, in groups of the same change, the shards, and the sum."""
    document = build_merged_document(merged)
    reasons = {one["node"]: one["reason"] for one in cast("list[Json]", document["nodes"])}
    lines = [f"warning: {one['message']} [{one['code']}]" for one in cast("list[Json]", document["warnings"])]
    for group in cast("list[Json]", document["groups"]):
        if group["status"] not in _FINE:
            lines += _describe_group(group, reasons)
    lines += [f"shard {shard.shard}: {count_statuses(shard.document['summary'])}" for shard in merged.shards]
    return "\n".join(map(translate, [*lines, summarize_parts(merged, document)]))


def summarize_parts(merged: MergedParts, document: Json) -> str:
    """Return one line about all shards; `document` is the merged one."""
    nodes = count_nodes(len(cast("list[Json]", document["nodes"])))
    return f"{len(merged.shards)} shards, {nodes}: {count_statuses(document['summary'])}"


def count_statuses(summary: object) -> str:
    """Return a member `summary` as words, without zeros."""
    counts = cast("dict[str, int]", summary)
    return ", ".join(f"{number} {name.replace('_', ' ')}" for name, number in counts.items() if number) or "no nodes"


def _describe_group(group: Json, reasons: dict[object, object]) -> list[str]:
    names = cast("list[str]", group["nodes"])
    status = translate(str(group["status"]))
    if group["code"]:
        return [f"{name}: {status}: {translate(str(reasons[name]))} [{group['code']}]" for name in names]
    files = cast("list[str]", group["files"])
    return [f"{', '.join(names)}: {status}{': ' if files else ''}{', '.join(files)}"]
