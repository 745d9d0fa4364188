"""Terminal styles: colors as ANSI escapes, written by hand because importing a library for them costs every start."""

from __future__ import annotations

import enum
import re
from typing import TYPE_CHECKING

from harbor_agent.language.current import translate
from harbor_agent.model.result import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterable

    from harbor_agent.errors import Problem


class Color(enum.IntEnum):
    """Foreground colors by their SGR parameter (ECMA-48)."""

    RED = 31
    GREEN = 32
    YELLOW = 33
    CYAN = 36


_SHA256_DIGITS = 64
_BOLD, _DIM, _RESET = "\x1b[1m", "\x1b[2m", "\x1b[0m"
_PROBLEM_CODE = re.compile(re.escape(_DIM) + r"\[([a-z0-9-]+)\]" + re.escape(_RESET))
_OUTCOMES = {
    Outcome.PENDING: Color.YELLOW,
    Outcome.CHANGED: Color.GREEN,
    Outcome.UNCHANGED: Color.GREEN,
    Outcome.SKIPPED: None,
}
DIFF_LINES = {"+": Color.GREEN, "-": Color.RED, "@": Color.CYAN}


def style(text: str, color: Color | None = None, *, bold: bool = False, dim: bool = False) -> str:
    """Return `text` in escape sequences; the console removes them if its stream is not a terminal."""
    start = f"\x1b[{color}m" if color else ""
    return f"{start}{_BOLD if bold else ''}{_DIM if dim else ''}{text}{_RESET}"


def style_outcome(outcome: Outcome) -> str:
    """Return the outcome's word in its color: red unless it is fine or pending."""
    return style(translate(outcome.value.replace("_", " ")), _OUTCOMES.get(outcome, Color.RED), bold=True)


def style_diff(diff: str) -> str:
    """Return a unified diff with colored lines and bold file names."""
    # A file may have line ends of other kinds, and styles that would hide text.
    return "\n".join(map(_style_diff_line, diff.removesuffix("\n").replace("\x1b", "\\x1b").split("\n")))


def _style_diff_line(line: str) -> str:
    if line.startswith(("+++", "---")):
        return style(line, bold=True)
    color = DIFF_LINES.get(line[:1])
    return style(line, color) if color else line


def shorten_digest(text: str) -> str:
    """Return the first 12 digits of a SHA-256.

    A file's fingerprint (KIND MODE UID GID SHA256) is shortened to its digest, or to its kind if it has no content.
    Any other text is returned unchanged.
    """
    digest = text.rpartition(" ")[2]
    if digest == "-":
        return text.partition(" ")[0]
    return digest[:12] if len(digest) == _SHA256_DIGITS else text


def render_problem(problem: Problem) -> list[str]:
    """Return a problem as indented lines: message and code, then the hint, which may be a block to copy."""
    first, *more = translate(problem.hint).splitlines() or [""]
    hint = [f"  -> {first}", *(f"     {line}" if line else "" for line in more)] if first else []
    return [f"  {translate(problem.message)} {style(f'[{problem.code}]', dim=True)}", *hint]


def find_problem_codes(text: str) -> list[str]:
    """Return the codes of the problems that `render_problem` put into `text`, in order."""
    return _PROBLEM_CODE.findall(text)


def render_warnings(warnings: Iterable[Problem]) -> list[str]:
    """Return warnings as indented lines, each with its hint."""
    lines: list[str] = []
    for warning in warnings:
        message, *hint = render_problem(warning)
        lines += [f"  {translate('warning: ')}{message.strip()}", *hint]
    return lines


def indent(text: str) -> str:
    """Return the lines of `text` two columns further right."""
    return "\n".join(f"  {line}" for line in text.removesuffix("\n").split("\n"))
