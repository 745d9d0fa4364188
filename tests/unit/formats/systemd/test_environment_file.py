"""Environment files as systemd reads them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harbor_agent.formats.systemd.environment_file import parse_environment_file
from harbor_agent.formats.text import FormatError, decode, encode, is_utf8

FILE_BYTES = st.lists(
    st.sampled_from(
        [b"A", b"B_1", b"=", b'"', b"'", b"\\", b"\n", b"\r\n", b" ", b"\t", b"#", b";", b"$A", b"--x", b"\xc3\xa9",
     b"\xff"]
    ),
    max_size=40,
).map(b"".join)  # fmt: skip


def values(text: str, *, comment_continues: bool = True) -> dict[str, str]:
    document = parse_environment_file(text.encode(), comment_continues=comment_continues)
    return {line.name: line.value.text for line in document.variables}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A=1\nA=2\n", {"A": "2"}),
        ("  A = b c  \n", {"A": "b c"}),
        ('A="b c" d\n', {"A": "b cd"}),
        ("A='b\\\nc'\n", {"A": "b\\\nc"}),
        ('A="b \\\nc"\n', {"A": "b c"}),
        ("A=b\\\nc\n", {"A": "bc"}),
        ('A="\\$x \\d"\n', {"A": "$x \\d"}),
        ("A=$B\n", {"A": "$B"}),
        ("A=\n", {"A": ""}),
        ("A=1", {"A": "1"}),
        ("A='open", {"A": "open"}),
        ("A=b  ", {"A": "b"}),
        ("A=b \\\n\n", {"A": "b "}),
        ("A=b\\ \n", {"A": "b "}),
        ("A=1\r\nB=2\r\n", {"A": "1", "B": "2"}),
        ("if [ -z x ]; then\n  A=1\nfi\n", {"A": "1"}),
    ],
)
def test_values(text: str, expected: dict[str, str]) -> None:
    assert values(text) == expected


def test_export_is_no_assignment_and_is_told() -> None:
    document = parse_environment_file(b"# c\nexport A=1\n")
    assert not document.variables
    assert [(fault.line, "export A" in fault.reason) for fault in document.faults] == [(2, True)]


def test_a_comment_with_a_backslash_swallows_the_next_line_before_254() -> None:
    text = "# c \\\nA=1\n"
    assert values(text) == {}
    assert values(text, comment_continues=False) == {"A": "1"}


def test_a_line_ends_behind_its_line_end() -> None:
    content = b"# c\r\nA=1\r\nB=2\n"
    first, second = parse_environment_file(content).variables
    assert content[first.start : first.end] == b"A=1\r\n"
    assert content[second.start : second.end] == b"B=2\n"


def test_a_nul_byte_is_an_error_with_its_line() -> None:
    with pytest.raises(FormatError, match="line 2: contains a NUL byte"):
        parse_environment_file(b"A=1\n\0")


@given(FILE_BYTES)
def test_any_bytes_are_read_and_places_are_true(content: bytes) -> None:
    try:
        document = parse_environment_file(content)
    except FormatError:
        assert not is_utf8(decode(content))
        return
    assert encode(document.text) == content
    for line in document.variables:
        for (start, end), character in zip(line.value.places, line.value.text, strict=True):
            assert line.start <= start < end <= line.end
            assert end - start > 1 or content[start:end] == encode(character)


@pytest.mark.parametrize(
    ("text", "comment_continues", "closed"),
    [
        ("A=1", True, "A=1\n"),
        ("A=1\n", True, "A=1\n"),
        ("A=1\r\n", True, "A=1\r\n"),
        ("A=1\\", True, "A=1\\\n\n"),
        ("A=1\\\n", True, "A=1\\\n\n"),
        ("# c\\", True, "# c\\\n\n"),
        ("# c\\", False, "# c\\\n"),
        ("nothing", True, "nothing\n"),
    ],
)
def test_a_last_line_that_would_continue_ends_before_a_new_one(
    text: str,
    comment_continues: bool,  # noqa: FBT001
    closed: str,
) -> None:
    document = parse_environment_file(text.encode(), comment_continues=comment_continues)
    line_end = "\r\n" if "\r\n" in text else "\n"
    assert document.append("B=2") == f"{closed}B=2{line_end}"


@given(FILE_BYTES, st.booleans())
def test_a_line_that_is_added_leaves_every_other_one_as_it_was(content: bytes, comment_continues: bool) -> None:  # noqa: FBT001
    try:
        before = parse_environment_file(content, comment_continues=comment_continues)
        after = parse_environment_file(encode(before.append("B=2")), comment_continues=comment_continues)
    except FormatError:
        return
    *kept, added = [(line.name, line.value.text) for line in after.variables] or [("", "")]
    if added == ("B", "2"):
        assert kept == [(line.name, line.value.text) for line in before.variables]
        assert after.faults == before.faults
    else:  # only a quote that is not closed takes it in
        assert b"'" in content or b'"' in content
