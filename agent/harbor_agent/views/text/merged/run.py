"""The reports of all shards as text: failures first, then a line for each shard, then all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harbor_agent.language.current import translate
from harbor_agent.views.text.common import count_nodes
from harbor_agent.views.text.run import count_results, failures_text, summarize_run
from harbor_agent.views.text.style import render_warnings

if TYPE_CHECKING:
    from harbor_agent.engine.reports.merge import MergedReport


def merged_text(report: MergedReport) -> str:
    """Return the nodes that are not as requested, the result of each shard, and the sum."""
    results = report.results
    lines = list(render_warnings(report.warnings)) if report.warnings else []
    if failures := failures_text(results):
        lines.append(failures)
    for shard in report.shards:
        own = [node.build_result() for node in shard.nodes]
        lines.append(translate(f"shard {shard.shard}: {summarize_run(own, shard.halted, shard.run_id)}"))
    return "\n".join([*lines, translate(summarize_merged(report))])


def summarize_merged(report: MergedReport) -> str:
    """Return one line about all shards."""
    halted = sum(1 for shard in report.shards if shard.halted)
    total = f"{len(report.shards)} shards, {count_nodes(len(report.results))}: {count_results(report.results)}"
    return total + (f"; {halted} of the shards halted" if halted else "")
