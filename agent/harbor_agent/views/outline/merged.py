"""The outline of the reports of all shards."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harbor_agent.engine.reports.report import VERIFY
from harbor_agent.views.outline.run import outline_halt, outline_result
from harbor_agent.views.outline.value import Outline, list_facts
from harbor_agent.views.text.merged.run import summarize_merged
from harbor_agent.views.text.run import summarize_run

if TYPE_CHECKING:
    from harbor_agent.engine.reports.merge import MergedReport


def outline_merged(report: MergedReport) -> Outline:
    """Return the outline of `merge`: every node, and a fact for each shard."""
    is_check = report.shards[0].kind == VERIFY
    shards = {
        f"shard {shard.shard}": summarize_run([node.build_result() for node in shard.nodes], shard.halted, shard.run_id)
        for shard in report.shards
    }
    return Outline(
        command="merge",
        summary=summarize_merged(report),
        items=(
            *(item for shard in report.shards for item in outline_halt(shard.halted)),
            *(outline_result(result, None, is_check=is_check) for result in report.results),
        ),
        exit_code=int(report.exit_code),
        facts=list_facts(shards),
        warnings=report.warnings,
    )
