"""Editors and shells spoil passwords in ways that can be seen."""

from __future__ import annotations

import pytest

from harbor_agent.formats.password import describe_unusual, remove_byte_order_mark


@pytest.mark.parametrize(
    ("password", "expected"),
    [
        ("canary", ""),
        ("a b", ""),
        ("'", ""),
        ("pw\n", "ends with a line end"),
        ("pw\r\n", "ends with a line end"),
        ("a\nb", "has several lines"),
        (" pw", "begins with a blank"),
        ("pw\t", "ends with a blank"),
        ("pw\u00a0", "ends with a blank"),
        ('"pw"', "is in quotes"),
        ("p\u200bw", "contains an invisible character"),
    ],
)
def test_unusual_forms(password: str, expected: str) -> None:
    assert describe_unusual(password) == expected


@pytest.mark.parametrize("text", ["\ufeffpw", "\udcef\udcbb\udcbfpw", "pw"])
def test_a_byte_order_mark_is_removed(text: str) -> None:
    assert remove_byte_order_mark(text) == "pw"
