"""Lines are wrapped by the columns that a terminal takes for them."""

from __future__ import annotations

from harbor_agent.views.text.layout.cells import measure_text, wrap_text


def test_a_chinese_character_takes_two_columns() -> None:
    assert measure_text("节点 a") == 6


def test_a_line_ends_between_chinese_characters_and_never_in_a_word() -> None:
    text = "从 FILE 读取密码，再用 --password-stdin 登录。"
    lines = wrap_text(text, 20)
    assert max(map(measure_text, lines)) <= 20
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")
    assert any("--password-stdin" in line for line in lines)


def test_punctuation_does_not_begin_a_line() -> None:
    for width in range(8, 30):
        lines = wrap_text("甲乙丙丁，戊己庚辛。（壬癸）子丑寅卯：辰巳", width)
        assert not any(line.startswith(tuple("，。：）")) for line in lines)
        assert not any(line.endswith("（") for line in lines)


def test_a_long_word_has_its_own_line() -> None:
    assert wrap_text("见 https://example.com/a/very/long/path 一节", 10) == [
        "见",
        "https://example.com/a/very/long/path",
        "一节",
    ]


def test_nothing_is_no_line() -> None:
    assert wrap_text("", 10) == []
