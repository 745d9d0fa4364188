"""Unit files: what systemd reads, and what comes back untouched."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harbor_agent.formats.systemd.service import ServiceError, evaluate_service
from harbor_agent.formats.systemd.unit import append_to_service, parse_unit
from harbor_agent.formats.text import FormatError, encode

if TYPE_CHECKING:
    from harbor_agent.formats.systemd.service import Service

UNIT_BYTES = st.lists(
    st.sampled_from(
        [
            b"[Service]", b"[Unit]", b"Environment=", b"ExecStart=", b"EnvironmentFile=-/etc/x", b'"A=b c"', b"A=1",
            b"\\", b"\n", b"\r\n", b"\r", b" ", b"# c", b";", b"'", b'"', b"$A", b"%H", b"\xff", b"=", b"/bin/dockerd",
        ]
    ),
    max_size=40,
).map(b"".join)  # fmt: skip


def evaluated(*texts: str) -> Service:
    return evaluate_service((f"/{index}.conf", parse_unit(text.encode())) for index, text in enumerate(texts))


def environment(*texts: str) -> dict[str, str]:
    return {name: variable.meaning for name, variable in evaluated(*texts).environment.items()}


def test_a_backslash_joins_lines_with_a_blank_and_comments_between_are_dropped() -> None:
    text = '[Service]\nEnvironment="A=1 \\\n# no \\\n; nor this\n2"\n'
    assert environment(text) == {"A": "1  2"}


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_either_line_end_continues(line_end: str) -> None:
    assert environment(f'[Service]{line_end}Environment="A=1 \\{line_end}2"{line_end}') == {"A": "1  2"}


def test_a_blank_behind_the_backslash_ends_the_line_and_loses_the_variable() -> None:
    service = evaluated('[Service]\nEnvironment="A=1 \\ \n2"\n')
    assert not service.environment
    assert [(one.name, one.assignment.line) for one in service.broken] == [("A", 2)]


def test_a_later_assignment_replaces_and_an_empty_one_wipes() -> None:
    assert environment("[Service]\nEnvironment=A=1 B=2\n", "[Service]\nEnvironment=A=3\n") == {"A": "3", "B": "2"}
    assert environment("[Service]\nEnvironment=A=1\n", "[Service]\nEnvironment=\nEnvironment=B=2\n") == {"B": "2"}


def test_words_that_are_no_assignment_are_dropped_and_told() -> None:
    service = evaluated("[Service]\nEnvironment=A=--a --b\n")
    assert service.environment["A"].meaning == "--a"
    assert [(path, fault.line) for path, fault in service.faults] == [("/0.conf", 2)]


def test_words_before_an_open_quote_count() -> None:
    service = evaluated('[Service]\nEnvironment=A=1 "B=2\n')
    assert set(service.environment) == {"A"}
    assert [one.name for one in service.broken] == ["B"]


def test_only_the_service_section_counts() -> None:
    assert environment("Environment=A=1\n[Unit]\nEnvironment=B=2\n[Service]\nEnvironment = C=3\n") == {"C": "3"}


def test_exec_start_is_reset_by_an_empty_one_and_prefixes_are_cut_off() -> None:
    service = evaluated(
        "[Service]\nExecStart=/bin/a x\n", "[Service]\nExecStart=\nExecStart=-@/bin/b zero '1 2' \\\n 3\n"
    )
    (command,) = service.commands
    assert [word.text for word in command.placed] == ["zero", "1 2", "3"]


def test_exec_start_keeps_a_backslash_that_escapes_nothing() -> None:
    (command,) = evaluated("[Service]\nExecStart=/bin/a \\d b\\ \n").commands
    assert [word.text for word in command.placed] == ["/bin/a", "\\d", "b\\"]


def test_an_exec_start_that_cannot_be_read_is_an_error_unless_it_may_fail() -> None:
    with pytest.raises(ServiceError, match="line 2: the quote is not closed"):
        evaluated('[Service]\nExecStart=/bin/a "b\n')
    assert evaluated('[Service]\nExecStart=/bin/a\nExecStart=-/bin/b "c\n').commands[0].placed[0].text == "/bin/a"


def test_an_environment_file_must_be_an_absolute_path() -> None:
    service = evaluated('[Service]\nEnvironmentFile=x\nEnvironmentFile=-/y\nEnvironmentFile="/z"\n')
    assert service.environment_files == ["-/y"]
    assert [fault.line for _, fault in service.faults] == [2, 4]


def test_a_broken_section_header_is_an_error_with_its_line() -> None:
    with pytest.raises(FormatError, match="line 2: the section header"):
        parse_unit(b"[Service]\n[Unit\n")


def test_a_byte_order_mark_is_skipped() -> None:
    assert parse_unit(b"\xef\xbb\xbf[Service]\nA=1\n").assignments[0].section == "Service"


def test_lines_are_added_to_the_section_in_the_files_own_line_ends() -> None:
    assert append_to_service(parse_unit(b"[Service]\r\nA=1"), "B=2\n") == "[Service]\r\nA=1\r\nB=2\r\n"
    assert append_to_service(parse_unit(b"A=1\n"), "B=2\n") == "A=1\n[Service]\nB=2\n"


@pytest.mark.parametrize(
    ("text", "closed"),
    [
        ("[Service]\nA=1 \\", "[Service]\nA=1 \\\n\n"),
        ("[Service]\nA=1 \\\n", "[Service]\nA=1 \\\n\n"),
        ("[Service]\nA=1 \\\n# c", "[Service]\nA=1 \\\n# c\n\n"),
        ("[Service]\n# c \\", "[Service]\n# c \\\n"),
        ("[Service]\nA=1\\\\", "[Service]\nA=1\\\\\n"),
        ("[Service]\nA=1 \\\r", "[Service]\nA=1 \\\r\n\n"),
    ],
)
def test_a_last_line_that_would_continue_ends_before_the_new_lines(text: str, closed: str) -> None:
    assert append_to_service(parse_unit(text.encode()), "B=2\n") == f"{closed}B=2\n"


@given(UNIT_BYTES)
def test_lines_that_are_added_leave_every_other_line_as_it_was(content: bytes) -> None:
    try:
        before = parse_unit(content)
    except FormatError:
        return
    after = parse_unit(append_to_service(before, "B=2\n").encode("latin-1"))
    *kept, added = [(one.section, one.key, one.value) for one in after.assignments]
    assert kept == [(one.section, one.key, one.value) for one in before.assignments]
    assert added == ("Service", "B", "2")
    assert after.faults == before.faults


@given(UNIT_BYTES)
def test_any_bytes_are_read_or_refused_by_line(content: bytes) -> None:
    try:
        unit = parse_unit(content)
    except FormatError:
        return
    assert encode(unit.text) == content
    try:
        service = evaluate_service([("/x", unit)])
    except ServiceError:
        return
    for variable in service.environment.values():
        for (start, end), character in zip(variable.value.places, variable.value.text, strict=True):
            assert 0 <= start < end <= len(content)
            assert end - start > 1 or content[start:end] in (encode(character), b"\\")
