"""The plans of all shards, or their drift checks, as the document of all nodes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, cast

from harbor_agent.views.json.common import begin_document
from harbor_agent.views.json.drift import group_drift
from harbor_agent.views.json.plan import group_plans

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from harbor_agent.engine.reports.merge import MergedParts
    from harbor_agent.engine.reports.part import PartFile
    from harbor_agent.views.json.common import Json


def build_merged_document(merged: MergedParts) -> Json:
    """Return the object that `merge -o json` prints: as of one command for all nodes, and its `shards`."""
    documents = [shard.document for shard in merged.shards]
    first = documents[0]
    nodes = [node for document in documents for node in cast("list[Json]", document["nodes"])]
    found: Json = {
        **first,
        **begin_document(str(first["schema"])),
        "exit_code": int(merged.exit_code),
        "shard": None,
        "summary": _add_counts(cast("dict[str, int]", document["summary"]) for document in documents),
        "nodes": nodes,
        "groups": group_plans(nodes) if merged.shards[0].kind == "plan" else group_drift(nodes),
        "warnings": _list_unique(documents),
        "shards": [_describe_shard(shard) for shard in merged.shards],
    }
    # One shard has what is done once for the cluster.
    for name in ("dns", "secret", "secrets", "blocked_by"):
        if name in first:
            found[name] = next((document[name] for document in documents if document.get(name)), None)
    runs = [document["run"] for document in documents if document.get("run")]
    return found | ({"run": runs[0] if len(runs) == 1 else None} if "run" in first else {})


def _describe_shard(shard: PartFile) -> Json:
    own: Json = {name: shard.document[name] for name in ("run", "blocked_by") if name in shard.document}
    return {"shard": str(shard.shard), "exit_code": shard.exit_code, **own}


def _add_counts(summaries: Iterable[dict[str, int]]) -> dict[str, int]:
    total: dict[str, int] = {}
    for summary in summaries:
        for name, number in summary.items():
            total[name] = total.get(name, 0) + number
    return total


def _list_unique(documents: Sequence[Json]) -> list[Json]:
    warnings = (one for document in documents for one in cast("list[Json]", document["warnings"]))
    return list({json.dumps(one, sort_keys=True): one for one in warnings}.values())
