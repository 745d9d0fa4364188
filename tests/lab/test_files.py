"""What pytest shows of two states of a node's files that differ."""

from __future__ import annotations

from tests.lab.files import Files, explain

_SAME = {(f"/etc/{number}", "f 644 0:0") for number in range(1000)}
_BEFORE = Files({*_SAME, ("/etc/changed", "f 644 0:0"), ("/etc/changed", "aa"), ("/etc/gone", "l 777 0:0 /dev/null")})
_AFTER = Files({*_SAME, ("/etc/changed", "f 644 0:0"), ("/etc/changed", "bb")})
_FACTS = "/etc/changed: aa != bb", "/etc/gone: l 777 0:0 /dev/null != nothing"


def test_only_files_that_differ_are_shown() -> None:
    assert explain(_BEFORE, _AFTER) == ["<1003 facts about files> == <1002 facts about files>", *_FACTS]


def test_they_are_found_in_lists_and_beside_other_values() -> None:
    summary, *lines = explain([(_BEFORE, "a\nb"), (_BEFORE, "a\nb")], [(_BEFORE, "a\nb"), (_AFTER, "a\nc")]) or []
    assert len(summary) < 200
    assert lines == [*(f"[1][0] {fact}" for fact in _FACTS), "[1][1] -b", "[1][1] +c"]


def test_other_comparisons_are_left_to_pytest() -> None:
    assert explain([1, 2], [1, 3]) is None
