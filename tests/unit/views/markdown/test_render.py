"""A report as a comment: what fails first, the same once, nothing of a node's text acts, and never too long."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from markdown_it import MarkdownIt

from harbor_agent.errors import Problem
from harbor_agent.views.markdown.render import LIMIT, render_markdown
from harbor_agent.views.outline.value import Outline, Verdict
from tests.unit.views.values import DIFF, HOSTILE, REFUSED, build_fleet, build_hostile_outline, build_item

if TYPE_CHECKING:
    from collections.abc import Iterator

    from markdown_it.token import Token


def plan(*items: object, **rest: object) -> Outline:
    return Outline(command="plan", summary="Plan: 2 to change", items=items, exit_code=5, **rest)  # type: ignore[arg-type]


def tokens(text: str) -> Iterator[Token]:
    for token in MarkdownIt().parse(text):
        yield token
        yield from token.children or []


def test_the_summary_is_first_and_failures_come_before_the_rest() -> None:
    text = render_markdown(plan(*build_fleet(200)))
    assert text.splitlines()[0] == "**Plan: 2 to change**"
    places = [text.index(part) for part in ("1 node: unreachable", "1 node: refused", "198 nodes: change, drop-in")]
    assert places == sorted(places)
    assert re.findall("^#### (.*)$", text, re.MULTILINE) == ["1 node: unreachable", "1 node: refused"]


def test_the_same_diff_is_there_once_below_details() -> None:
    text = render_markdown(plan(*build_fleet(200)))
    assert text.count(DIFF) == 1
    details = text[text.index("<details>") : text.index("</details>")]
    assert f"```diff\n{DIFF}```" in details
    assert "`node0`" in details
    assert "`node197`" in details


def test_a_failure_says_what_to_do() -> None:
    text = render_markdown(plan(build_item("node1", Verdict.FAILURE, "refused", problem=REFUSED)))
    assert "- `there is no Docker`" in text
    assert "What to do: `install docker, then plan again` (`harbor-agent explain docker-absent`)" in text


def test_messages_that_differ_are_shown_with_their_node() -> None:
    items = [
        build_item(f"node{number}", Verdict.ERROR, "unreachable", problem=Problem(code="c", message=f"no {number}"))
        for number in (1, 2)
    ]
    text = render_markdown(plan(*items))
    assert "#### 2 nodes: unreachable" in text
    assert "- `node1`: `no 1`\n- `node2`: `no 2`" in text


def test_a_refusal_of_apply_is_in_the_comment() -> None:
    item = build_item("node1", Verdict.PENDING, "change", objection=Problem(code="c", message="it stops web"))
    assert "- `apply will refuse this change: it stops web`" in render_markdown(plan(item))


def test_text_of_a_node_is_code_and_nothing_else() -> None:
    text = render_markdown(build_hostile_outline())
    found = list(tokens(text))
    visible = " ".join(token.content for token in found if token.type == "text")
    assert not re.search(r"[@#<!\[]", visible)
    assert [token.type for token in found if token.type in ("link_open", "image", "html_inline")] == []
    html = [line for token in found if token.type == "html_block" for line in token.content.split("\n") if line]
    tags = {tag for line in html for tag in re.findall("<[^>]*>", line)}
    assert tags == {"<details>", "</details>", "<summary>", "</summary>", "<code>", "</code>"}
    assert sum(line.count("<details>") for line in html) == sum(line.count("</details>") for line in html) == 2
    assert "alert(1)" in "".join(token.content for token in found if token.type == "fence")
    assert HOSTILE.partition(" ")[0] in "".join(token.content for token in found if token.type == "code_inline")


@pytest.mark.parametrize(
    "items",
    [
        build_fleet(100, "+" + "x" * 70_000 + "\n"),
        build_fleet(100, "+x\n" * 70_000),
        [build_item(f"node{number}", reason=f"reason {number} {'x' * 900}") for number in range(1000)],
        [build_item("x" * 200 + str(number)) for number in range(1000)],
        [
            build_item(f"node{n}", Verdict.ERROR, "failed", problem=Problem(code="c", message=f"{n}" * 500))
            for n in range(999)
        ],
    ],
    ids=["a long line", "many lines", "many groups", "many names", "many messages"],
)
def test_a_comment_is_short_enough_and_says_what_is_left_out(items: list[object]) -> None:
    text = render_markdown(plan(*items))
    assert len(text) <= LIMIT < 65_536
    assert text.splitlines()[-1].startswith("_Cut after 60,000 characters. Left out, or not whole: ")
    assert text.count("<details>") == text.count("</details>")
    assert sum(token.type == "fence" and not token.content.endswith("\n") for token in tokens(text)) == 0


def test_a_long_list_of_facts_and_warnings_is_cut_too() -> None:
    facts = tuple((f"shard {number}", "x" * 900) for number in range(400))
    warnings = tuple(Problem(code="c", message=f"{number}" * 900) for number in range(100))
    text = render_markdown(plan(*build_fleet(3), facts=facts, warnings=warnings))
    assert len(text) <= LIMIT
    assert "100 warnings" in text.splitlines()[-1]


def test_what_is_whole_says_nothing_of_a_limit() -> None:
    assert "Cut after" not in render_markdown(plan(*build_fleet(500)))
