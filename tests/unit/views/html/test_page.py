"""The page as text: what it says, in which order, that it loads nothing, and that no text of a node is markup."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import replace
from typing import TYPE_CHECKING

from lxml import html

from harbor_agent.errors import ExitCode, Problem
from harbor_agent.views.html.render import render_html
from harbor_agent.views.outline.error import outline_error
from harbor_agent.views.outline.value import Kind, Outline, Verdict
from tests.unit.views.html.pages import PARTS, build_plan
from tests.unit.views.values import DIFF, HOSTILE, REFUSED, SILENT, build_fleet, build_hostile_outline, build_item

if TYPE_CHECKING:
    from lxml.html import HtmlElement

    from harbor_agent.views.outline.value import Item

# What a browser would load.
LOADING = "//@src | //@srcset | //link | //iframe | //object | //embed | //img | //base | //meta[@http-equiv='refresh']"


def parse(outline: Outline) -> HtmlElement:
    return html.document_fromstring(render_html(outline, PARTS).encode(), parser=html.HTMLParser(encoding="utf-8"))


def texts(page: HtmlElement, path: str) -> list[str]:
    return [" ".join(element.text_content().split()) for element in page.xpath(path)]


def plan(*items: Item, **rest: object) -> Outline:
    return Outline(command="plan", summary="Plan: 2 to change", items=items, exit_code=5, **rest)  # type: ignore[arg-type]


def test_failures_come_first_and_the_same_diff_is_there_once() -> None:
    page = parse(plan(*build_fleet(200), build_item("node300"), build_item("node301", Verdict.SKIPPED, "skipped")))
    assert texts(page, "//h1") == ["Plan: 2 to change"]
    assert texts(page, "//h2") == ["Overview", "Problems", "Pending", "As requested", "Skipped"]
    assert texts(page, "//h3")[:3] == [
        *("1 node: unreachable", "1 node: refused", "198 nodes: change, drop-in, restart"),
    ]
    assert texts(page, "//pre") == [" ".join(DIFF.split())]


def test_nodes_that_are_not_like_the_others_are_before_them() -> None:
    page = parse(build_plan(200))
    assert texts(page, "//h3") == [
        *("2 nodes: change, environment-file, restart", "198 nodes: change, environment-file, restart"),
    ]
    first = page.xpath("//article")[0]
    assert texts(first, "./p")[0] == "Differ from 198 others, which are all alike."
    assert texts(first, ".//li/b") == ["node057", "node143"]
    assert texts(page, "//article")[1].count("all alike") == 0


def test_a_failure_says_what_to_do() -> None:
    (article,) = parse(plan(build_item("node8", Verdict.FAILURE, "refused", problem=REFUSED))).xpath("//article")
    said = texts(article, "./p")
    assert said == [
        *("there is no Docker", "What to do: install docker, then plan again", "harbor-agent explain docker-absent"),
    ]


def test_each_node_has_its_runtime_its_timings_and_its_own_lines() -> None:
    items = [
        build_item(
            f"node{number}",
            Verdict.FAILURE,
            "failed",
            runtime="docker",
            problem=replace(SILENT, message=f"node{number}: {number} of 9 containers stopped"),
            timings=(("plan", 1.25), ("change and verify", 9.0)),
        )
        for number in (1, 2)
    ]
    page = parse(plan(*items))
    assert texts(page, "//li") == [
        *("node1 docker, plan 1.2 s, change and verify 9.0 s 1 of 9 containers stopped",),
        *("node2 docker, plan 1.2 s, change and verify 9.0 s 2 of 9 containers stopped",),
    ]


def test_the_overview_counts_statuses_and_runtimes() -> None:
    page = parse(plan(*build_fleet(200), build_item("shop/s", Verdict.PENDING, "change", kind=Kind.SECRET)))
    counts = zip(texts(page, "//dl[@class='counts']//dt"), texts(page, "//dl[@class='counts']//dd"), strict=True)
    assert list(counts) == [("unreachable", "1"), ("refused", "1"), ("change", "198")]
    facts = dict(zip(texts(page, "//dl[@class='facts']//dt"), texts(page, "//dl[@class='facts']//dd"), strict=True))
    assert facts["runtimes"] == "198 docker, 1 containerd (1 with a problem), 1 not known (1 with a problem)"
    assert facts["exit code"] == "5"
    assert facts["slowest"] == "node0 1.2 s, node1 1.2 s, node2 1.2 s"


def test_words_that_differ_are_marked() -> None:
    page = parse(build_plan(200))
    assert texts(page, "//ins/mark") == ["--insecure-registry=192.168.0.99"] * 2


def test_the_page_loads_nothing_and_allows_only_its_own_script() -> None:
    page = parse(build_hostile_outline())
    assert page.xpath(LOADING) == []
    (policy,) = page.xpath("//meta[@http-equiv='Content-Security-Policy']/@content")
    (script,) = page.xpath("//script/text()")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert policy.split("; ")[:3] == [
        *("default-src 'none'", "style-src 'unsafe-inline'", f"script-src 'sha256-{digest}'"),
    ]
    assert "url(" not in PARTS.style
    assert "@import" not in PARTS.style
    assert page.get("lang") == "en"


def test_text_of_a_node_is_text() -> None:
    text = render_html(build_hostile_outline(), PARTS)
    page = parse(build_hostile_outline())
    assert page.xpath("//img | //code//script | //article//script") == []
    assert "<script>alert(1)</script>" in page.text_content()
    assert not re.search("[\x00\x1b\u202e]", text)
    render_html(plan(build_item("\ud800\u202e")), PARTS).encode()
    assert HOSTILE.partition(" ")[0] in page.text_content()


def test_an_early_end_is_a_page() -> None:
    page = parse(
        outline_error(Problem(code="inventory-missing", message="no such file", hint="give -i"), ExitCode.USAGE)
    )
    assert texts(page, "//h1") == ["Ended early with exit code 2"]
    assert "no such file" in page.text_content()
    assert "What to do: give -i" in page.text_content()


def test_a_run_without_nodes_is_a_page() -> None:
    assert texts(parse(plan()), "//h1") == ["Plan: 2 to change"]


def test_a_thousand_nodes_with_a_diff_each_are_less_than_two_megabytes() -> None:
    fleet = build_plan(1000)
    each = replace(fleet, items=tuple(replace(item, diff=f"{item.diff}+{item.name}\n") for item in fleet.items))
    for outline in (fleet, each):
        assert len(render_html(outline, PARTS).encode()) < 2_000_000
