"""Encoding and decoding of what travels: whole or not at all."""

from __future__ import annotations

import base64
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harbor_agent.model.address import Address
from harbor_agent.model.plan import FileChange, Plan
from harbor_agent.model.result import PullVerdict, TransactionPhase, TransactionReport
from harbor_agent.model.state import FileKind, FileState, Record
from harbor_agent.node.wire import programs as wire
from tests.node.transactions import activation

_REGISTRY = Address(host="h")
_WORDS = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Zs", "Zl", "Zp"]), min_size=1)
_TEXTS = st.text(st.characters(codec="utf-8"))


def _encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _report(report: TransactionReport) -> bytes:
    lines = [
        "a login banner without a line feedharbor-agent/transaction/1 begin",
        f"transaction {report.transaction}",
        f"phase {report.phase}",
        f"step {report.step or '-'}",
        f"code {report.code or '-'}",
        f"detail {_encoded(report.detail.encode()) or '-'}",
        *(f"lost {name}" for name in report.containers_lost),
        "harbor-agent/transaction/1 end",
        "bye",
    ]
    return "\n".join(lines).encode()


@given(
    phase=st.sampled_from(TransactionPhase),
    detail=_TEXTS,
    lost=st.lists(_WORDS, max_size=3),
)
def test_a_report_says_what_the_node_said(phase: TransactionPhase, detail: str, lost: list[str]) -> None:
    report = TransactionReport(
        transaction="run-1", phase=phase, step="health", detail=detail, containers_lost=tuple(lost)
    )
    assert wire.decode_report(_report(report)) == report
    assert wire.decode_report(_report(report).replace(b"\n", b"\r\n")) == report


@given(st.data())
def test_a_truncated_report_is_an_error(data: st.DataObject) -> None:
    whole = _report(TransactionReport(transaction="run-1", phase=TransactionPhase.COMMITTED, detail="x" * 40))
    end = whole.index(b"/1 end")
    length = data.draw(st.integers(0, end))
    with pytest.raises(wire.WireError) as caught:
        wire.decode_report(whole[:length])
    assert caught.value.problem.code in ("node-answer-truncated", "node-answer-unknown")


@given(st.binary())
def test_noise_is_an_error_and_never_a_crash(noise: bytes) -> None:
    for schema, decode in (
        ("probe", wire.decode_probe),
        ("transaction", wire.decode_report),
        ("pull", partial(wire.decode_pull, registry=_REGISTRY)),
    ):
        with pytest.raises(wire.WireError):
            decode(noise)
        with pytest.raises(wire.WireError):
            decode(f"harbor-agent/{schema}/1 begin\n".encode() + b"?" + noise + b"\n" + b"\n")


@given(
    record=st.builds(
        Record,
        run_id=_TEXTS,
        tool=_TEXTS,
        policy_digest=_TEXTS,
        entries=st.lists(_TEXTS).map(tuple),
        created_files=st.lists(_TEXTS).map(tuple),
        file_hashes=st.dictionaries(_TEXTS, _TEXTS),
    )
)
def test_a_record_comes_back_as_it_was(record: Record) -> None:
    assert wire.decode_record(wire.encode_record(record), "docker") == record


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b'{"schema":"harbor-agent/record/2"}', b"\xff"])
def test_a_record_of_another_form_is_an_error(content: bytes) -> None:
    with pytest.raises(wire.WireError) as caught:
        wire.decode_record(content, "docker")
    assert caught.value.problem.code == "record-unreadable"
    assert "/var/lib/harbor-agent/record/docker.json" in caught.value.problem.hint


@given(content=st.binary(), mode=st.integers(0, 0o7777))
def test_content_travels_outside_the_arguments(content: bytes, mode: int) -> None:
    after = FileState(path="/etc/x", kind=FileKind.REGULAR, content=content, mode=mode)
    change = FileChange(before=FileState(path="/etc/x"), after=after, reason="a test")
    plan = Plan(node="n", reason="a test", changes=(change,), activation=activation())
    program = wire.build_begin_program(plan, transaction="run-1", record=b"", deadline=0.5)
    assert f"PAYLOAD_CONTENT_1='{_encoded(content)}'\n".encode() in program.stdin
    assert program.arguments == ("begin", "run-1")


@pytest.mark.parametrize("path", ["relative", "/etc/../x", "/etc/a\nb", "/etc//x", "/etc/x/", "/etc/x "])
def test_a_path_that_could_be_misread_is_no_plan(path: str) -> None:
    change = FileChange(before=FileState(path=path), after=FileState(path=path), reason="a test")
    plan = Plan(node="n", reason="a test", changes=(change,), activation=activation())
    with pytest.raises(ValueError, match="not an absolute path"):
        wire.build_begin_program(plan, transaction="run-1", record=b"", deadline=1)


@pytest.mark.parametrize("transaction", ["", "../x", "a b", ".", "$(id)", "x" * 65])
def test_an_id_that_is_no_plain_word_is_refused(transaction: str) -> None:
    with pytest.raises(ValueError, match="not a transaction ID"):
        wire.build_status_program(transaction)


@pytest.mark.parametrize("image", ["", "-v", "a b", "h/p:1;id", "--config"])
def test_an_image_that_is_none_is_refused(image: str) -> None:
    with pytest.raises(ValueError, match="not an image name"):
        wire.build_pull_program("docker", image, None, "h")


@given(detail=_TEXTS)
def test_a_pull_report_says_what_the_node_said(detail: str) -> None:
    lines = [
        "harbor-agent/pull/2 begin",
        "image h/p:1",
        "status 0",
        "seconds 60",
        f"output {_encoded(detail.encode())}",
        "harbor-agent/pull/2 end",
        "",
    ]
    report = wire.decode_pull("\n".join(lines).encode(), _REGISTRY)
    assert (report.image, report.verdict) == ("h/p:1", PullVerdict.PULLED)
    assert report.detail in detail
