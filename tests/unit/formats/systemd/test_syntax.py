"""systemd's words: quotes, escapes, specifiers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harbor_agent.formats.systemd.syntax import (
    Escapes,
    WordError,
    expand_specifiers,
    find_unknown_specifier,
    parse_whole_variable,
    replace_variables,
    split_words,
)


def split(text: str, escapes: Escapes = Escapes.STRICT, *, lenient: bool = False) -> list[str]:
    return [word.text for word in split_words(text, escapes=escapes, lenient=lenient)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a b\tc", ["a", "b", "c"]),
        ('"A=b c" d', ["A=b c", "d"]),
        ("A='b c'", ["A=b c"]),
        ("'a'\"b\"c", ["abc"]),
        (r"a\x41\101\s\t", ["aAA \t"]),
        (r'"a\"b"', ['a"b']),
        ('""', [""]),
        ("", []),
    ],
)
def test_words_are_split_and_unquoted(text: str, expected: list[str]) -> None:
    assert split(text) == expected


@pytest.mark.parametrize("text", ['"open', "'open", "end\\", r"\d"])
def test_broken_words_are_an_error_where_systemd_is_strict(text: str) -> None:
    with pytest.raises(WordError):
        split(text)


def test_a_variable_splits_leniently_and_loses_one_backslash_level() -> None:
    assert split('"a b', Escapes.LITERAL, lenient=True) == ["a b"]
    assert split(r"a\ b \\c", Escapes.LITERAL, lenient=True) == ["a b", r"\c"]
    assert split(r"a\d", Escapes.RELAXED) == [r"a\d"]


def test_each_character_knows_its_place() -> None:
    (word,) = split_words(r'"a\x41" ')
    assert (word.text, word.places, word.closing_quote) == ("aA", ((1, 2), (2, 6)), 6)


def test_specifiers_of_the_machine_and_unknown_ones_stay() -> None:
    assert expand_specifiers("%n 50%% 50%-full %H", "docker.service") == "docker.service 50% 50%-full %H"


def test_an_unknown_letter_is_told_and_other_characters_are_not() -> None:
    assert find_unknown_specifier("a%x") == "%x"
    assert find_unknown_specifier("%%x %H 50%- 50% %") is None


def test_variables_in_words() -> None:
    assert parse_whole_variable("$OPTS") == "OPTS"
    assert parse_whole_variable("${OPTS}") is None
    assert parse_whole_variable("$$") is None
    assert parse_whole_variable("--x=$OPTS") is None
    assert replace_variables("--x=${A}${B} $$C $D", {"A": "1"}) == "--x=1 $C $D"


@given(st.text(alphabet="ab \t\\\"'$%x0\n"))
def test_words_never_raise_anything_else(text: str) -> None:
    for escapes in Escapes:
        for lenient in (False, True):
            try:
                found = list(split_words(text, escapes=escapes, lenient=lenient))
            except WordError:
                continue
            assert all(len(word.text) == len(word.places) for word in found)
            assert [word.start for word in found] == sorted(word.start for word in found)
