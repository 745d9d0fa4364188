"""Quoted text is code for a parser of CommonMark, whatever it holds, and never anything else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from harbor_agent.views.markdown.quote import fence, quote, quote_in_html
from harbor_agent.views.outline.visible import show_invisible

TEXTS = st.text(alphabet=st.one_of(st.sampled_from("`~ \t\n\r\\<>&@#/-+[]"), st.characters()))


@given(TEXTS)
def test_a_quote_is_one_span_of_code(text: str) -> None:
    (paragraph,) = [token for token in MarkdownIt().parse(f"a {quote(text)} z") if token.type == "inline"]
    assert [token.type for token in paragraph.children or []] == ["text", "code_inline", "text"]
    assert (paragraph.children or [])[1].content.strip() == show_invisible(" ".join(text.split())).strip()


@given(TEXTS, st.sampled_from(["", "diff"]))
def test_a_fence_is_one_block(text: str, language: str) -> None:
    (block,) = MarkdownIt().parse(fence(text, language))
    assert (block.type, block.info) == ("fence", language)


@given(TEXTS)
def test_no_line_of_a_diff_starts_like_a_command_or_the_end_of_code(text: str) -> None:
    _, *lines, _ = fence(text, "diff").split("\n")
    assert [line for line in lines if line[:1] not in tuple(" +-@\\")] == []


def test_a_diff_is_shown_as_it_is() -> None:
    diff = "--- /dev/null\n+++ /etc/a\n@@ -0,0 +1 @@\n+```\n"
    assert fence(diff, "diff") == f"````diff\n{diff}````"


@pytest.mark.parametrize("hidden", ["\u202e", "\u200b", "\x1b", "\x00", "\r", "\u2028", "\ud800", "\ufeff"])
def test_characters_that_nobody_sees_are_shown(hidden: str) -> None:
    for text in (quote(f"a{hidden}b"), quote_in_html(f"a{hidden}b"), fence(f"a{hidden}b")):
        assert hidden not in text
        text.encode()


def test_html_means_nothing_in_a_summary() -> None:
    assert quote_in_html("</code><img src=x>") == "<code>&lt;/code&gt;&lt;img src=x&gt;</code>"


def test_a_long_text_is_cut() -> None:
    assert quote("x" * 3000) == f"`{'x' * 2000} …`"
