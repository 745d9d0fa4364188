"""A report as JUnit XML: one suite, a test case for each subject. It is English: CI systems compare its texts."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from harbor_agent.views.outline.value import TOOL, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable

    from harbor_agent.errors import Problem
    from harbor_agent.views.outline.value import Item, Outline

# https://www.w3.org/TR/xml/#charsets
_NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_ELEMENTS = {Verdict.ERROR: "error", Verdict.FAILURE: "failure", Verdict.SKIPPED: "skipped"}


def render_junit(outline: Outline) -> str:
    """Return the report as the JUnit schema of Jenkins' xUnit plugin (junit-10.xsd) has it.

    What is pending is a failure if it counts for the exit code. A diff is the output of its case.
    """
    counts = {"tests": len(outline.items)} | {
        name: sum(_choose_element(item, outline) == element for item in outline.items)
        for name, element in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped"))
    }
    numbers = {name: str(count) for name, count in counts.items()}
    numbers["time"] = _format_seconds(sum(item.seconds for item in outline.items))
    name = f"harbor-agent {outline.command}"
    whole = {key: value for key, value in numbers.items() if key != "skipped"}
    root = ET.Element("testsuites", {"name": name, **whole})
    suite = ET.SubElement(root, "testsuite", {"name": name, **numbers})
    properties = ET.SubElement(suite, "properties")
    for key, value in (
        ("tool", TOOL),
        ("summary", outline.summary),
        ("exit code", str(outline.exit_code)),
        *outline.facts,
    ):
        ET.SubElement(properties, "property", {"name": key, "value": _clean(value)})
    for item in outline.items:
        _add_case(suite, item, outline)
    _add_text(suite, "system-err", _list_warnings(outline.warnings))
    ET.indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ET.tostring(root, encoding="unicode")}\n'


def _choose_element(item: Item, outline: Outline) -> str | None:
    if item.verdict is Verdict.PENDING:
        return "failure" if outline.counts_pending else None
    return _ELEMENTS.get(item.verdict)


def _add_case(suite: ET.Element, item: Item, outline: Outline) -> None:
    place = f"harbor-agent.{outline.command}.{item.kind.value.replace(' ', '-')}"
    time = _format_seconds(item.seconds)
    case = ET.SubElement(suite, "testcase", {"name": _clean(item.name), "classname": place, "time": time})
    if element := _choose_element(item, outline):
        problem = item.problem
        message = problem.message if problem else item.reason or ", ".join(item.title) or item.status
        kind = problem.code if problem else item.status
        result = ET.SubElement(case, element, {"type": _clean(kind), "message": _clean(message)})
        result.text = _clean(_describe_problem(problem) if problem else message)
    _add_text(case, "system-out", _describe_item(item))
    _add_text(case, "system-err", _list_warnings(item.warnings))


def _describe_item(item: Item) -> str:
    """Return what is said of an item, and its diff as the last part."""
    status = ", ".join((item.status, *item.title))
    objection = f"apply will refuse this change: {_describe_problem(item.objection)}" if item.objection else ""
    lines = (status, item.reason, objection, *item.remarks, item.diff)
    return "\n".join(line for line in lines if line)


def _describe_problem(problem: Problem) -> str:
    """Return message and hint of a problem as lines."""
    return f"{problem.message} [{problem.code}]" + (f"\n-> {problem.hint}" if problem.hint else "")


def _list_warnings(warnings: Iterable[Problem]) -> str:
    return "\n".join(f"warning: {_describe_problem(warning)}" for warning in warnings)


def _add_text(parent: ET.Element, tag: str, text: str) -> None:
    if text:
        ET.SubElement(parent, tag).text = _clean(text)


def _format_seconds(seconds: float) -> str:
    return f"{seconds:.3f}"


def _clean(text: str) -> str:
    """Return the text with U+FFFD for each character that XML 1.0 does not have."""
    return _NOT_IN_XML.sub("\ufffd", text)
