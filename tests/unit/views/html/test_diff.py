"""A diff in lines: which words differ is marked in lines that were edited, and not in lines that were replaced."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from harbor_agent.views.html.diff import split_diff
from tests.unit.views.values import DIFF

if TYPE_CHECKING:
    from harbor_agent.views.html.diff import DiffLine


def marked(line: DiffLine) -> list[str]:
    return [text for text, is_marked in line.pieces if is_marked]


def test_each_line_has_its_kind() -> None:
    assert [line.kind for line in split_diff(DIFF)] == ["file", "file", "place", "del", "ins"]
    assert [line.kind for line in split_diff("@@ -1,2 +1,2 @@\n a\n--- b\n-c\n+++ d\n")] == [
        *("place", "same", "del", "del", "ins"),
    ]


def test_the_words_that_differ_are_marked() -> None:
    options = "--debug --log-driver=syslog"
    before, after = split_diff(f'-OPTS="{options}"\n+OPTS="{options} --insecure-registry=h.lan"\n')
    assert marked(before) == []
    assert marked(after) == ["--insecure-registry=h.lan"]


def test_a_line_that_was_replaced_has_no_marks() -> None:
    before, after = split_diff("-# nothing here\n+insecure-registries: h.lan\n")
    assert marked(before) + marked(after) == []


def test_further_lines_have_no_marks() -> None:
    lines = split_diff("-a b c d\n+a b c e\n+x y z\n")
    assert [marked(line) for line in lines] == [["d"], ["e"], []]


def test_a_line_that_is_too_long_is_not_compared() -> None:
    assert [marked(line) for line in split_diff(f"-{'a ' * 2000}b\n+{'a ' * 2000}c\n")] == [[], []]


@given(st.lists(st.text(alphabet="+-@ ab\\", max_size=8), max_size=12))
def test_no_text_is_lost(texts: list[str]) -> None:
    lines = split_diff("\n".join(texts) + "\n")
    shown = ["".join(text for text, _ in line.pieces) for line in lines]
    assert shown == (texts or [""])
