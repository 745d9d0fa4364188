"""Formats of reports about nodes, and how those other than text and JSON are printed."""

from __future__ import annotations

import enum
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated

from harbor_agent.cli.console import print_json, print_utf8
from harbor_agent.cli.help import Panel, build_option
from harbor_agent.errors import ExitCode, OutputError, Problem

if TYPE_CHECKING:
    from harbor_agent.views.outline.value import Outline


class ReportFormat(enum.StrEnum):
    """Formats of a report about nodes."""

    TEXT = "text"
    JSON = "json"
    MARKDOWN = "markdown"
    JUNIT = "junit"


ReportOutput = Annotated[
    ReportFormat,
    build_option(
        Panel.OUTPUT, "-o --output", "Result as text, JSON for programs, a comment in Markdown, or JUnit XML for CI."
    ),
]


def print_outline(outline: Outline, output: ReportFormat) -> None:
    """Print a report as Markdown or as JUnit XML."""
    if output is ReportFormat.JUNIT:
        from harbor_agent.views.junit.render import render_junit

        print_utf8(render_junit(outline))
    else:
        from harbor_agent.views.markdown.render import render_markdown

        print_utf8(render_markdown(outline))


def print_early_end(problem: Problem, code: ExitCode, output: str) -> None:
    """Print the document of an early end in the format that was requested; nothing for text.

    If standard output itself is broken, the exit code remains.
    """
    with suppress(OutputError, ValueError):
        if output == ReportFormat.JSON:
            from harbor_agent.views.json.error import build_error_document

            print_json(build_error_document(problem, code))
        elif output in (ReportFormat.MARKDOWN, ReportFormat.JUNIT):
            from harbor_agent.views.outline.error import outline_error

            print_outline(outline_error(problem, code), ReportFormat(output))
