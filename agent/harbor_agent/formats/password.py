"""The form of a password, as any editor or shell can spoil it; never its value."""

from __future__ import annotations

# A byte order mark, decoded as UTF-8 and as bytes that a C locale passes on (PEP 383).
_BYTE_ORDER_MARKS = ("\ufeff", "\udcef\udcbb\udcbf")
_INVISIBLE = frozenset("\ufeff\u200b\u200c\u200d\u2060\u00ad")


def remove_byte_order_mark(text: str) -> str:
    """Return the text without the byte order mark that Windows programs write before it."""
    for mark in _BYTE_ORDER_MARKS:
        text = text.removeprefix(mark)
    return text


def describe_unusual(password: str) -> str:
    """Return what is unusual about a password's form, as the rest of a sentence; "" for a usual one."""
    quoted = len(password) > 1 and password[0] == password[-1] and password[0] in "\"'`"
    found = (
        (password.endswith(("\n", "\r")), "ends with a line end"),
        ("\n" in password or "\r" in password, "has several lines"),
        (password[:1].isspace(), "begins with a blank"),
        (password[-1:].isspace(), "ends with a blank"),
        (quoted, "is in quotes"),
        (bool(_INVISIBLE & set(password)), "contains an invisible character"),
    )
    return next((text for applies, text in found if applies), "")
