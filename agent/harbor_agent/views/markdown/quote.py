"""Text of nodes in Markdown, so that it is shown and never acts: no markup, no mention, no command of the site.

GitHub and GitLab look for mentions and references in what they have rendered, where an escaped `@` is an `@` again.
They leave code alone, so everything that is quoted is code: a span, a fence, or an element of HTML.
"""

from __future__ import annotations

import html
import re

from harbor_agent.views.outline.visible import show_invisible

_LONGEST_QUOTE = 2_000
_FENCE = re.compile("`{3,}")
_DIFF_SIGNS = tuple(" +-@\\")


def quote(text: str, longest: int = _LONGEST_QUOTE) -> str:
    """Return the text as a code span in one line, cut after `longest` characters."""
    line = _shorten(text, longest)
    ticks = "`" * (1 + max(map(len, re.findall("`+", line)), default=0))
    # A blank on both sides is removed again; it is needed beside a backtick.
    pad = " " if line.startswith("`") or line.endswith("`") or not line.strip() else ""
    return f"{ticks}{pad}{line}{pad}{ticks}"


def quote_in_html(text: str) -> str:
    """Return the text as an element for a line of HTML, in which Markdown means nothing."""
    return f"<code>{html.escape(_shorten(text, _LONGEST_QUOTE))}</code>"


def fence(text: str, language: str = "") -> str:
    """Return the text as a block of code, closed by a fence that is longer than any in the text.

    GitLab looks for commands such as `/close` outside of code by lines that start with three backticks, so a line of
    the text never starts with them. Each line of a `diff` starts with one of its signs.
    """
    lines = [_indent_fence(line) for line in show_invisible(text).removesuffix("\n").split("\n")]
    if language == "diff":
        lines = [line if line.startswith(_DIFF_SIGNS) else f" {line}" for line in lines]
    longest = max((len(run) for line in lines for run in _FENCE.findall(line)), default=0)
    ticks = "`" * max(3, longest + 1)
    return "\n".join([f"{ticks}{language}", *lines, ticks])


def _indent_fence(line: str) -> str:
    return f" {line}" if line.startswith("```") else line


def _shorten(text: str, longest: int) -> str:
    line = show_invisible(" ".join(text.split()))
    return line if len(line) <= longest else f"{line[:longest]} …"
