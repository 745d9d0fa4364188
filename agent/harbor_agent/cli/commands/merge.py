"""harbor-agent merge."""

from __future__ import annotations

from typing import Annotated

import typer

from harbor_agent.cli.command import command
from harbor_agent.cli.console import print_json, print_result
from harbor_agent.cli.help import command_app, format_examples
from harbor_agent.cli.reports import ReportFormat, ReportOutput, print_outline
from harbor_agent.errors import ExitCode

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

    Refuses reports of different rollouts, two of the same shard, and reports that do not have every node of the fleet.
    """
    from harbor_agent.engine.reports.file import read_run_file
    from harbor_agent.engine.reports.merge import merge_reports

    merged = merge_reports([read_run_file(path) for path in reports])
    if output is ReportFormat.JSON:
        from harbor_agent.views.json.merged_run import build_merged_document

        print_json(build_merged_document(merged))
    elif output is ReportFormat.TEXT:
        from harbor_agent.views.text.merged_run import merged_text

        print_result(merged_text(merged))
    else:
        from harbor_agent.views.outline.merged import outline_merged

        print_outline(outline_merged(merged), output)
    return merged.exit_code
