"""Formats of reports about nodes, and how those other than text and JSON are printed."""

from __future__ import annotations

import enum
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated

from harbor_agent.cli.console import print_json, print_result, print_utf8
from harbor_agent.cli.help import Panel, build_option
from harbor_agent.errors import ExitCode, OutputError, Problem

if TYPE_CHECKING:
    from collections.abc import Callable

    from harbor_agent.views.html.render import PageParts
    from harbor_agent.views.outline.value import Outline


class ReportFormat(enum.StrEnum):
    """Formats of a report about nodes."""

    TEXT = "text"
    JSON = "json"
    MARKDOWN = "markdown"
    JUNIT = "junit"
    HTML = "html"


ReportOutput = Annotated[
    ReportFormat,
    build_option(
        Panel.OUTPUT, "-o --output", "Result as text, JSON, a comment in Markdown, JUnit XML for CI, or a page of HTML."
    ),
]


def print_in_format(
    output: ReportFormat,
    *,
    document: Callable[[], object],
    text: Callable[[], str],
    outline: Callable[[], Outline],
) -> None:
    """Print a report in the requested format; only the view of that format is built."""
    if output is ReportFormat.JSON:
        print_json(document())
    elif output is ReportFormat.TEXT:
        print_result(text())
    else:
        print_outline(outline(), output)


def print_outline(outline: Outline, output: ReportFormat) -> None:
    """Print a report as Markdown, as JUnit XML or as HTML."""
    if output is ReportFormat.HTML:
        from harbor_agent.views.html.render import render_html

        print_utf8(render_html(outline, load_page_parts()))
    elif output is ReportFormat.JUNIT:
        from harbor_agent.views.junit.render import render_junit

        print_utf8(render_junit(outline))
    else:
        from harbor_agent.views.markdown.render import render_markdown

        print_utf8(render_markdown(outline))


def load_page_parts() -> PageParts:
    """Return the template of a page, its style sheet and its script."""
    from harbor_agent.resources import read_template
    from harbor_agent.views.html.render import PageParts

    return PageParts(
        template=read_template("report.html.j2"), style=read_template("report.css"), script=read_template("report.js")
    )


def print_early_end(problem: Problem, code: ExitCode, output: str) -> None:
    """Print the document of an early end in the format that was requested; nothing for text.

    If standard output itself is broken, the exit code remains.
    """
    with suppress(OutputError, ValueError):
        if output == ReportFormat.JSON:
            from harbor_agent.views.json.error import build_error_document

            print_json(build_error_document(problem, code))
        elif output in (ReportFormat.MARKDOWN, ReportFormat.JUNIT, ReportFormat.HTML):
            from harbor_agent.views.outline.error import outline_error

            print_outline(outline_error(problem, code), ReportFormat(output))
