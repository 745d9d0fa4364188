"""A report as JUnit XML: valid for the schema that CI systems use, a case for each node, any text in it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from lxml import etree

from harbor_agent.errors import ExitCode
from harbor_agent.views.junit.render import render_junit
from harbor_agent.views.outline.error import outline_error
from harbor_agent.views.outline.value import Outline, Verdict
from tests.unit.views.values import DIFF, REFUSED, SILENT, build_fleet, build_hostile_outline, build_item

if TYPE_CHECKING:
    from harbor_agent.errors import Problem

# Jenkins' xUnit plugin has this schema, and so has pytest for its own reports.
SCHEMA = etree.XMLSchema(etree.parse(Path(__file__).with_name("junit-10.xsd")))


def parse(outline: Outline) -> etree._Element:
    root = etree.fromstring(render_junit(outline).encode())
    SCHEMA.assertValid(root)
    return root


def plan(*items: object, counts_pending: bool = False, **rest: object) -> Outline:
    return Outline(
        command="plan",
        summary="Plan: 2 to change",
        items=items,  # type: ignore[arg-type]
        exit_code=5,
        counts_pending=counts_pending,
        **rest,  # type: ignore[arg-type]
    )


def case(root: etree._Element, name: str) -> etree._Element:
    (found,) = [one for one in root.iter("testcase") if one.get("name") == name]
    return found


def test_each_node_is_a_case_and_the_counts_are_right() -> None:
    root = parse(plan(*build_fleet(200), build_item("node10000", Verdict.SKIPPED, "skipped", reason="runs Harbor")))
    suite = root.find("testsuite")
    assert len(list(root.iter("testcase"))) == 201
    assert {name: suite.get(name) for name in ("tests", "failures", "errors", "skipped")} == {
        "tests": "201",
        "failures": "1",
        "errors": "1",
        "skipped": "1",
    }
    assert suite.get("time") == "247.500"
    assert case(root, "node10000").find("skipped").get("message") == "runs Harbor"
    assert case(root, "node0").get("classname") == "harbor-agent.plan.node"


@pytest.mark.parametrize(
    ("name", "element", "problem"), [("node8000", "failure", REFUSED), ("node9000", "error", SILENT)]
)
def test_a_failure_has_code_message_and_hint(name: str, element: str, problem: Problem) -> None:
    found = case(parse(plan(*build_fleet(4))), name).find(element)
    assert (found.get("type"), found.get("message")) == (problem.code, problem.message)
    assert problem.hint in found.text


def test_the_diff_is_the_output_of_a_case() -> None:
    assert DIFF in case(parse(plan(*build_fleet(4))), "node0").findtext("system-out")


def test_what_is_pending_fails_only_if_the_exit_code_counts_it() -> None:
    for counts, element in ((False, None), (True, "failure")):
        found = case(parse(plan(*build_fleet(4), counts_pending=counts)), "node0")
        assert [child.tag for child in found if child.tag != "system-out"] == ([element] if element else [])


def test_any_text_is_valid_and_shown() -> None:
    root = parse(build_hostile_outline())
    (failed,) = root.iter("failure")
    assert "<script>alert(1)</script>" in failed.text
    assert "\ufffd[31m" in failed.text
    assert "\x00" not in render_junit(build_hostile_outline())
    render_junit(plan(build_item("\ud800\ufffe"))).encode()


def test_an_early_end_is_an_error() -> None:
    root = parse(outline_error(REFUSED, ExitCode.USAGE))
    assert [error.get("type") for error in root.iter("error")] == ["docker-absent"]


def test_warnings_are_on_the_error_output() -> None:
    item = build_item("node1", warnings=(REFUSED,))
    root = parse(plan(item, warnings=(SILENT,)))
    assert "warning: there is no Docker [docker-absent]" in case(root, "node1").findtext("system-err")
    assert "no answer" in root.find("testsuite").findtext("system-err")
