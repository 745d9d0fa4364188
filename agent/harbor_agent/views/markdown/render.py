"""A report in Markdown as GitHub and GitLab render it, short enough for a comment of either."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harbor_agent.language.current import translate
from harbor_agent.views.markdown.quote import fence, quote, quote_in_html
from harbor_agent.views.outline.value import TOOL, Verdict
from harbor_agent.views.outline.words import list_messages, list_objections, list_remarks, list_warnings, title_group
from harbor_agent.views.text.common import join_clauses

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from harbor_agent.errors import Problem
    from harbor_agent.views.outline.value import Item, Outline

# A comment of GitHub has at most 65,536 characters, one of GitLab 1,000,000. The rest is for the script that posts it.
LIMIT = 60_000
_LAST_LINE = 500
_MOST_FACTS, _LONGEST_FACT = 30, 500
_SHOWN_FIRST = frozenset({Verdict.ERROR, Verdict.FAILURE})
# What a group keeps of its names and of the lines of its diff, if it does not fit.
_SHORTENED = ((None, None), (50, 200), (10, 20))


def render_markdown(outline: Outline) -> str:
    """Return the report: its summary in the first line, then failures, then the rest in blocks to open.

    It has at most 60,000 characters; the last line says what was left out.
    """
    facts = "".join(
        f"\n- {translate(name)}: {quote(value, _LONGEST_FACT)}" for name, value in outline.facts[:_MOST_FACTS]
    )
    origin = join_clauses((TOOL, outline.command, f"exit code {outline.exit_code}"))
    parts = [f"**{translate(outline.summary)}**", f"{origin}{facts}"]
    room = LIMIT - _LAST_LINE - sum(len(part) + 2 for part in parts)
    left_out: list[str] = []
    for group in outline.groups:
        text, is_whole = _fit_group(group, room)
        room -= len(text) + 2
        parts += [text] if text else []
        left_out += [] if is_whole else [title_group(group)]
    warnings = _render_warnings(("", warning) for warning in outline.warnings)
    if len(warnings) > room:
        left_out.append(translate(f"{len(outline.warnings)} warnings"))
    elif warnings:
        parts.append(warnings)
    if left_out:
        parts.append(_describe_rest(left_out))
    return "\n\n".join(parts) + "\n"


def _describe_rest(left_out: Sequence[str]) -> str:
    named = "; ".join(left_out)
    named = named if len(named) < _LAST_LINE // 2 else translate(f"{len(left_out)} groups of nodes")
    return translate(
        f"_Cut after {LIMIT:,} characters. Left out, or not whole: {named}. The whole report: `-o html`, `-o json`._"
    )


def _fit_group(group: Sequence[Item], room: int) -> tuple[str, bool]:
    """Return as much of a group as there is room for ("" for none), and whether that is all of it."""
    for names, lines in _SHORTENED:
        text = _render_group(group, names, lines)
        if len(text) + 2 <= room:
            return text, names is None
    return "", False


def _render_group(group: Sequence[Item], names: int | None, lines: int | None) -> str:
    title = title_group(group)
    body = "\n\n".join(_describe_group(group, names, lines))
    if group[0].verdict in _SHOWN_FIRST:
        return f"#### {title}\n\n{body}"
    name = f" ({quote_in_html(group[0].name)})" if len(group) == 1 else ""
    return f"<details><summary>{title}{name}</summary>\n\n{body}\n\n</details>"


def _describe_group(group: Sequence[Item], names: int | None, lines: int | None) -> Iterator[str]:
    """Yield the paragraphs of a group, with at most so many names and lines of its diff (None: all)."""
    first, shown = group[0], group[:names]
    yield ", ".join(quote(item.name) for item in shown) + _count_more(len(group) - len(shown))
    if first.reason:
        yield quote(translate(first.reason))
    if first.problem:
        yield _list_quotes(list_messages(shown))
        yield _render_advice(first.problem)
    if first.objection:
        yield _list_quotes(list_objections(shown))
        yield _render_advice(first.objection)
    if remarks := list_remarks(shown):
        yield _list_quotes(remarks)
    if warnings := list_warnings(shown):
        yield _render_warnings(warnings)
    if first.diff:
        whole = first.diff.removesuffix("\n").split("\n")
        yield fence("\n".join(whole[:lines]), "diff")
        if lines and len(whole) > lines:
            yield translate(f"and {len(whole) - lines} more lines")


def _list_quotes(lines: Iterable[tuple[str, str]]) -> str:
    return "\n".join(f"- {quote(name)}: {quote(text)}" if name else f"- {quote(text)}" for name, text in lines)


def _count_more(count: int) -> str:
    return translate(f" and {count} more") if count > 0 else ""


def _render_advice(problem: Problem) -> str:
    """Return code and hint; a hint of several lines is a block to copy. The code may be of another machine's report."""
    code = quote(f"harbor-agent explain {problem.code}")
    hint = translate(problem.hint)
    if "\n" in hint:
        return f"{translate('What to do:')} {code}\n\n{fence(hint)}"
    return f"{translate('What to do:')} {quote(hint)} ({code})" if hint else f"{translate('More:')} {code}"


def _render_warnings(warnings: Iterable[tuple[str, Problem]]) -> str:
    return "\n".join(
        f"- {f'{quote(name)}: ' if name else ''}{translate('warning: ')}{quote(translate(warning.message))}"
        f"{f'; {quote(translate(warning.hint))}' if warning.hint else ''}"
        for name, warning in warnings
    )
