"""Markdown on a terminal: rich draws headings, emphasis and lists, in the terminal's own colors."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, ClassVar

from rich.console import Console
from rich.markdown import CodeBlock, Heading, Markdown
from rich.text import Text
from rich.theme import Theme

from harbor_agent.views.screen.glyphs import parse_glyphs, remove_styles, render_glyphs
from harbor_agent.views.screen.wrap import strip_end, wrap_prose

if TYPE_CHECKING:
    from rich.console import ConsoleOptions, RenderResult
    from rich.markdown import MarkdownElement

# rich's own theme has backgrounds, and colors that cannot be read on each of the terminal's backgrounds.
_THEME = Theme(
    {
        "markdown.code": "cyan",
        "markdown.code_block": "cyan",
        "markdown.h1": "bold",
        "markdown.h2": "bold",
        "markdown.h3": "bold",
        "markdown.item.bullet": "none",
        "markdown.item.number": "none",
        "markdown.list": "none",
        "markdown.table.border": "none",
        "markdown.table.header": "bold",
    }
)
_CODE_INDENT = "    "
# rich breaks no line of this width.
_UNBROKEN = 100_000
# What rich puts before the text of a list's item.
_START = re.compile(r" *(?:• |\d+ )?")
_LINE_END_IN_CHINESE = re.compile(r"([\u3000-\u9fff\uff00-\uffef])\n *(?=[\u3000-\u9fff\uff00-\uffef])")


class _LeftHeading(Heading):
    """A heading without a frame, on the left."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield its text."""
        del console, options
        self.text.justify = "left"
        yield self.text


class _CopiedCode(CodeBlock):
    """Lines to copy, which stay whole."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield each line, indented."""
        del console, options
        for line in str(self.text).rstrip("\n").split("\n"):
            yield Text(_CODE_INDENT + line, style="markdown.code_block", no_wrap=True, overflow="ignore")


class _Page(Markdown):
    elements: ClassVar[dict[str, type[MarkdownElement]]] = {
        **Markdown.elements,
        "heading_open": _LeftHeading,
        "fence": _CopiedCode,
        "code_block": _CopiedCode,
    }


def render_markdown(text: str, width: int) -> str:
    """Return the text for a terminal of `width` columns; the targets of links are left out."""
    console = Console(
        width=_UNBROKEN,
        force_terminal=True,
        color_system="standard",
        theme=_THEME,
        legacy_windows=False,
    )
    # Within Chinese text a line end is no blank.
    joined = _LINE_END_IN_CHINESE.sub(r"\1", text)
    with console.capture() as captured:
        console.print(_Page(joined, hyperlinks=False), crop=False)
    lines = captured.get().rstrip("\n").split("\n")
    return "\n".join(part for line in lines for part in _break_line(line, width))


def _break_line(line: str, width: int) -> list[str]:
    """Break a line where rich would break words of scripts without blanks; lines to copy stay whole."""
    plain = remove_styles(line)
    start = _START.match(plain)
    hang = start.end() if start else 0
    if plain.startswith(_CODE_INDENT):
        return [line.rstrip()]
    return [render_glyphs(part) for part in wrap_prose(strip_end(parse_glyphs(line)), width, hang)]
