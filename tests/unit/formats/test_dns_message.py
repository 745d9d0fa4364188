"""Questions and answers of DNS over TCP: what a server sends, and what is no answer."""

from __future__ import annotations

import struct
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harbor_agent.formats.dns_message import DnsAnswer, DnsMessageError, build_question, is_complete, parse_answer

QUESTION = build_question("harbor.lan", 4, 7)


def frame(message: bytes) -> bytes:
    return struct.pack("!H", len(message)) + message


def answer(*records: bytes, code: int = 0, identity: int = 7, flags: int = 0x8180) -> bytes:
    header = struct.pack("!6H", identity, flags | code, 1, len(records), 0, 0)
    return frame(header + QUESTION[14:] + b"".join(records))


def record(kind: int, content: bytes, name: bytes = b"\xc0\x0c") -> bytes:
    return name + struct.pack("!HHIH", kind, 1, 30, len(content)) + content


A = record(1, bytes([192, 168, 0, 99]))


def test_a_question_is_as_rfc_1035_has_it() -> None:
    assert QUESTION.hex() == "001c00070100000100000000000006686172626f72036c616e0000010001"
    assert build_question("harbor.lan.", 6, 7)[-4:] == b"\0\x1c\0\1"


@pytest.mark.parametrize("name", ["", "a..b", "x" * 64 + ".lan"])
def test_a_name_that_dns_cannot_carry(name: str) -> None:
    with pytest.raises(ValueError, match="not a name of DNS"):
        build_question(name, 4, 7)


def test_the_addresses_of_an_answer() -> None:
    six = record(28, bytes.fromhex("fd99") + bytes(13) + b"\1")
    alias = record(5, b"\3www\xc0\x0c")
    assert parse_answer(answer(A), 7) == DnsAnswer(code="NOERROR", addresses=frozenset({"192.168.0.99"}))
    assert parse_answer(answer(alias, A, six), 7).addresses == {"192.168.0.99", "fd99::1"}
    assert str(parse_answer(answer(code=3), 7)) == "NXDOMAIN"
    assert str(parse_answer(answer(), 7)) == "no address"
    assert parse_answer(answer(record(1, bytes(4), b"\6harbor\3lan\0")), 7).addresses == {"0.0.0.0"}


def test_an_answer_is_complete_with_its_last_byte() -> None:
    whole = answer(A)
    assert [is_complete(whole[:length]) for length in (0, 1, 2, len(whole) - 1, len(whole))] == [False] * 4 + [True]


@pytest.mark.parametrize(
    "data",
    [answer(A, identity=8), answer(A, flags=0x0180), frame(b"SSH-2.0-x\r\n"), answer(A)[:-1], frame(answer(A)[2:-3])],
    ids=["another question", "a question", "another protocol", "cut", "cut and framed"],
)
def test_what_is_no_answer(data: bytes) -> None:
    with pytest.raises(DnsMessageError):
        parse_answer(data, 7)


@given(st.binary(max_size=80))
def test_any_bytes_are_an_answer_or_an_error(noise: bytes) -> None:
    with suppress(DnsMessageError):
        parse_answer(frame(struct.pack("!HH", 7, 0x8180) + noise), 7)
