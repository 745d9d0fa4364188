"""harbor-agent merge."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from harbor_agent.cli.command import command
from harbor_agent.cli.help import command_app, format_examples
from harbor_agent.cli.reports import ReportFormat, ReportOutput, print_in_format
from harbor_agent.errors import ExitCode

if TYPE_CHECKING:
    from harbor_agent.engine.reports.merge import MergedParts, MergedReport

app = command_app()

Reports = Annotated[
    list[str], typer.Argument(help="Reports (-o json) of all shards, in any order.", metavar="RUN.json...")
]


@app.command(
    epilog=format_examples(
        "harbor-agent merge shard1.json shard2.json shard3.json",
        "harbor-agent merge shard1.json shard2.json shard3.json -o json",
    )
)
@command
def merge(reports: Reports, *, output: ReportOutput = ReportFormat.TEXT) -> ExitCode:
    """Merge the reports of shards into one, with one exit code.

    The reports are of runs, of plans, or of drift checks. Refuses reports of different rollouts, two of the same shard,
    and reports that do not have every node of the fleet.
    """
    from harbor_agent.engine.reports.file import read_report_file
    from harbor_agent.engine.reports.merge import MergedReport, merge_reports

    merged = merge_reports([read_report_file(path) for path in reports])
    if isinstance(merged, MergedReport):
        _print_runs(merged, output)
    else:
        _print_parts(merged, output)
    return merged.exit_code


def _print_runs(merged: MergedReport, output: ReportFormat) -> None:
    from harbor_agent.views.json.merged.run import build_merged_document
    from harbor_agent.views.outline.merged import outline_merged
    from harbor_agent.views.text.merged.run import merged_text

    print_in_format(
        output,
        document=lambda: build_merged_document(merged),
        text=lambda: merged_text(merged),
        outline=lambda: outline_merged(merged),
    )


def _print_parts(merged: MergedParts, output: ReportFormat) -> None:
    from harbor_agent.views.json.merged.parts import build_merged_document
    from harbor_agent.views.outline.parts import outline_parts
    from harbor_agent.views.text.merged.parts import merged_parts_text

    print_in_format(
        output,
        document=lambda: build_merged_document(merged),
        text=lambda: merged_parts_text(merged),
        outline=lambda: outline_parts(merged),
    )
