"""A report as one page of HTML: an overview, failures first, what is the same once, and each node with its timings."""

from __future__ import annotations

import base64
import hashlib
from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from harbor_agent.language.choice import CHINESE, ENGLISH
from harbor_agent.language.current import get_language, translate
from harbor_agent.views.html.diff import split_diff
from harbor_agent.views.outline.value import TOOL, Kind, Verdict
from harbor_agent.views.outline.visible import show_invisible
from harbor_agent.views.outline.words import list_messages, list_objections, list_remarks, list_warnings, title_group
from harbor_agent.views.text.common import get_comma

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from jinja2 import Template

    from harbor_agent.errors import Problem
    from harbor_agent.views.html.diff import DiffLine
    from harbor_agent.views.outline.value import Item, Outline

# BCP 47; browsers choose a font by it.
_LANGUAGES = {ENGLISH: "en", CHINESE: "zh-Hans"}
_SLOWEST = 3
# So many groups of what is pending are open when the page is.
_OPEN_GROUPS = 5
# So many names of a group are shown at once.
_SHOWN_NAMES = 12
# A group is few among many if another one is so many times as large.
_FEW_OF_MANY = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class PageParts:
    """The texts of the page: its template (Jinja2), its style sheet and its script."""

    template: str
    style: str
    script: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Group:
    """Items that say the same, each with the lines that are its own.

    `unlike` says of how many others these differ, "" unless those are alike and most.
    """

    title: str
    items: list[tuple[Item, list[str]]]
    messages: list[str]
    objections: list[str]
    remarks: list[str]
    warnings: list[Problem]
    diff: list[DiffLine]
    unlike: str
    is_open: bool

    @property
    def names(self) -> str:
        """What opens the list of the names, "" for a list that is shown at once."""
        count = len(self.items)
        return translate(f"Show {count} names") if count > _SHOWN_NAMES else ""

    @property
    def first(self) -> Item:
        """The item that stands for all in what is the same."""
        return self.items[0][0]


def render_html(outline: Outline, parts: PageParts) -> str:
    """Return the page. It loads nothing, and its policy allows the one script that it holds by its digest."""
    digest = base64.b64encode(hashlib.sha256(parts.script.encode()).digest()).decode()
    return _compile(parts.template).render(
        outline=outline,
        language=_LANGUAGES[get_language()],
        comma=get_comma(),
        tool=TOOL,
        policy=f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'; "
        "base-uri 'none'; form-action 'none'",
        style=parts.style,
        script=parts.script,
        sections=list(_build_sections(outline)),
        statuses=_count_statuses(outline),
        runtimes=_count_runtimes(outline),
        slowest=sorted((one for one in outline.items if one.seconds), key=lambda one: -one.seconds)[:_SLOWEST],
    )


@lru_cache(maxsize=1)
def _compile(template: str) -> Template:
    # jinja2 takes 30 ms to import: only a report in HTML pays for it
    from jinja2 import Environment, StrictUndefined  # noqa: PLC0415

    environment = Environment(
        keep_trailing_newline=True,
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: show_invisible(value) if type(value) is str else value,
    )
    environment.filters["t"] = translate
    return environment.from_string(template)


def _build_sections(outline: Outline) -> Iterator[tuple[str, list[_Group]]]:
    groups = outline.groups
    sections = {
        translate("Problems"): (Verdict.ERROR, Verdict.FAILURE),
        translate("Pending"): (Verdict.PENDING,),
        translate("As requested"): (Verdict.FINE,),
        translate("Skipped"): (Verdict.SKIPPED,),
    }
    for title, verdicts in sections.items():
        own = [group for group in groups if group[0].verdict in verdicts]
        if own:
            yield title, [_build_group(group, own, position) for position, group in enumerate(own)]


def _build_group(group: Sequence[Item], section: Sequence[Sequence[Item]], position: int) -> _Group:
    first = group[0]
    alike = max((len(other) for other in section if other[0].kind is first.kind), default=0)
    few = first.verdict is Verdict.PENDING and len(group) * _FEW_OF_MANY <= alike
    is_problem = first.verdict in (Verdict.ERROR, Verdict.FAILURE)
    messages, objections, remarks = list_messages(group), list_objections(group), list_remarks(group)
    warnings = list_warnings(group)
    own: dict[str, list[str]] = {}
    described = [(name, _describe_warning(warning)) for name, warning in warnings]
    for name, line in (*messages, *objections, *remarks, *described):
        own.setdefault(name, []).append(line)
    return _Group(
        title=title_group(group),
        items=[(item, own.get(item.name, [])) for item in group],
        messages=_list_common(messages),
        objections=_list_common(objections),
        remarks=_list_common(remarks),
        warnings=[warning for name, warning in warnings if not name],
        diff=split_diff(first.diff),
        unlike=_describe_difference(len(group), alike) if few else "",
        is_open=is_problem or (first.verdict is Verdict.PENDING and position < _OPEN_GROUPS),
    )


def _describe_difference(count: int, others: int) -> str:
    if count == 1:
        return translate(f"Differs from {others} others, which are all alike.")
    return translate(f"Differ from {others} others, which are all alike.")


def _describe_warning(problem: Problem) -> str:
    return f"{translate('warning: ')}{translate(problem.message)} [{problem.code}]"


def _list_common(lines: Sequence[tuple[str, str]]) -> list[str]:
    """Return the lines of all items."""
    return [line for name, line in lines if not name]


def _count_statuses(outline: Outline) -> list[tuple[str, Verdict, int]]:
    """Return the statuses of nodes with their verdicts and numbers, in the order of the page."""
    order = tuple(Verdict)
    found = Counter((order.index(item.verdict), item.status) for item in outline.items if item.kind is Kind.NODE)
    return [(status, order[index], count) for (index, status), count in sorted(found.items())]


def _count_runtimes(outline: Outline) -> list[str]:
    """Return the runtimes with the number of their nodes, and of those with a problem."""
    nodes = [item for item in outline.items if item.kind is Kind.NODE]
    found = Counter(item.runtime or "not known" for item in nodes)
    bad = Counter(item.runtime or "not known" for item in nodes if item.verdict in (Verdict.ERROR, Verdict.FAILURE))
    return [
        f"{count} {translate(runtime)}" + (translate(f" ({bad[runtime]} with a problem)") if bad[runtime] else "")
        for runtime, count in found.most_common()
    ]
