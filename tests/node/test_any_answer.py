"""Whatever a node answers, it is a value or the problem of that node; no answer ends the run of the others."""

from __future__ import annotations

import base64
import json
from functools import partial
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harbor_agent.model.address import Address
from harbor_agent.model.inventory import Node
from harbor_agent.model.program import Program
from harbor_agent.model.state import Record
from harbor_agent.node.wire import programs as wire
from harbor_agent.transport.protocol import Completed, Job, decode_answer
from harbor_agent.transport.shell.exchange import Exchange

if TYPE_CHECKING:
    from collections.abc import Callable

    from harbor_agent.errors import Problem

pytestmark = pytest.mark.field("attack-2")
DEEP = "[" * 100_000
REGISTRY = {"InsecureRegistryCIDRs": ["127.0.0.0/8"], "IndexConfigs": {"docker.io": {"Secure": True}}, "Mirrors": None}
RECORD = wire.encode_record(Record(tool="1", run_id="run-1", entries=("h:80",), file_hashes={"/etc/x": "ab"}))


def block(name: str, content: bytes | str) -> str:
    raw = content if isinstance(content, bytes) else content.encode("utf-8", "surrogateescape")
    return f"block {name}\n{base64.b64encode(raw).decode()}\n.\n"


def probe(*, daemon: str = "", containers: str = "", record: bytes = RECORD, unit: str = "docker.service") -> str:
    return (
        "harbor-agent/probe/1 begin\nprivileged yes\ninit systemd\nsystemd 252\nboot x\n"
        f"runtime docker {unit}\nfile 81a4 0 0 /etc/docker/daemon.json\n"
        + block("content", "{}")
        + block("docker unit", "LoadState=loaded\nActiveState=active\n")
        + block("docker argv", "dockerd\0-H\0fd://\0")
        + block("docker daemon", daemon or f'{json.dumps(REGISTRY)}\nfalse\n"20.10.24"\n"inactive"\n')
        + block("docker containers", containers or '["/a","image","no",null]\n')
        + block("record docker", record)
        + block("names nsswitch", " files dns\n")
        + block("names cloud-init", "/etc/cloud/cloud.cfg:manage_etc_hosts: true\n")
        + "resolved h 10.0.0.1,\nreach h:80 10.0.0.1 200 ok\nharbor-agent/probe/1 end\n"
    )


REPORT = (
    "harbor-agent/transaction/1 begin\ntransaction r\nphase committed\nstep -\ncode -\ndetail -\n"
    "harbor-agent/transaction/1 end\n"
)
HISTORY = (
    "harbor-agent/history/1 begin\ntransaction r\nphase committed\nruntime docker\n"
    "file regular 644 0 0 ab regular 644 0 0 cd /etc/x\neA==\n.\nharbor-agent/history/1 end\n"
)
PULL = "harbor-agent/pull/2 begin\nimage i\nstatus 0\nseconds 60\noutput -\nharbor-agent/pull/2 end\n"
RECORDED = "harbor-agent/recorded/1 begin\nproblem no-space eA==\nharbor-agent/recorded/1 end\n"
CLUSTER_DNS = (
    "harbor-agent/cluster-dns/1 begin\nkubelet 7\n"
    + block("flag", "")
    + block("configured", "clusterDNS: [10.96.0.10]\n--\n")
    + block("nameservers", "10.0.0.53\n")
    + "harbor-agent/cluster-dns/1 end\n"
)
DECODERS: dict[str, tuple[Callable[[bytes], object], str]] = {
    "probe": (wire.decode_probe, probe()),
    "report": (wire.decode_report, REPORT),
    "snapshot": (wire.decode_snapshot, HISTORY),
    "pull": (partial(wire.decode_pull, registry=Address(host="h")), PULL),
    "recorded": (wire.decode_recorded, RECORDED),
    "cluster-dns": (wire.decode_cluster_dns, CLUSTER_DNS),
}
SPOILT = st.one_of(
    st.binary(max_size=12),
    st.sampled_from(
        [b"null", b"7", b"-1", b"ffffffffffffffffff", b"9" * 5000, b"\xff\xfe", b"\0", b" ", b"\n", b"\r", b"-"]
    ),
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


def answer(decode: Callable[[bytes], object], stdout: bytes) -> object:
    """Decode as the engine does, which raises nothing; what no decoder expects would show in the message."""
    job = Job(node=Node(name="n", address="n"), program=Program(stdin=b""))
    found = decode_answer(Completed(job=job, rc=0, stdout=stdout, stderr=b"\xff", seconds=0), decode)
    assert "cannot be processed" not in str(found)
    return found


def problem_codes(found: object) -> set[str]:
    problems: tuple[Problem, ...] = (found,) if hasattr(found, "code") else found.unreadable  # type: ignore[attr-defined]
    return {problem.code for problem in problems}


@pytest.mark.parametrize("name", DECODERS)
def test_a_good_answer_is_decoded(name: str) -> None:
    decode, text = DECODERS[name]

    assert not hasattr(decode(text.encode()), "hint") or name == "recorded"


@pytest.mark.parametrize("name", DECODERS)
@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_a_spoilt_answer(name: str, data: st.DataObject) -> None:
    decode, text = DECODERS[name]
    content = text.encode()
    for _ in range(data.draw(st.integers(1, 3))):
        start = data.draw(st.integers(0, len(content)))
        end = min(len(content), start + data.draw(st.integers(0, 10)))
        content = content[:start] + data.draw(SPOILT) + content[end:]

    answer(decode, content)


@pytest.mark.parametrize("name", DECODERS)
@settings(max_examples=50, deadline=None)
@given(content=st.binary(max_size=300))
def test_any_bytes_between_the_markers(name: str, content: bytes) -> None:
    decode, text = DECODERS[name]
    first, *_, last = text.strip().split("\n")

    answer(decode, content)
    answer(decode, f"{first}\n".encode() + content + f"\n{last}\n".encode())


@settings(max_examples=200, deadline=None)
@given(values=st.lists(VALUES, min_size=1, max_size=5), containers=VALUES, record=VALUES)
def test_any_json_where_a_daemon_or_a_record_is_described(
    values: list[object], containers: object, record: object
) -> None:
    text = probe(
        daemon="".join(f"{json.dumps(value)}\n" for value in values),
        containers=f"{json.dumps(containers)}\n",
        record=json.dumps(record).encode(),
    )

    answer(wire.decode_probe, text.encode())


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (probe(daemon=f'{DEEP}\nfalse\n"20"\n"x"\n'), "node-answer-unknown"),
        (probe(daemon='{"Mirrors": [7]}\nfalse\n"20"\n"x"\n'), "node-answer-unknown"),
        (probe(daemon='{"IndexConfigs": {"h": 7}}\nfalse\n"20"\n"x"\n'), "node-answer-unknown"),
        (probe(daemon="7\n"), "node-answer-unknown"),
        (probe(containers=f"{DEEP}\n"), "node-answer-unknown"),
        (probe(containers='[7,"i","no",null]\n'), "node-answer-unknown"),
        (probe(record=DEEP.encode()), "record-unreadable"),
        (probe(record=RECORD.replace(b'"run-1"', b"7")), "record-unreadable"),
        (probe(unit="docker .service"), "node-answer-unknown"),
        (probe(unit=""), "node-answer-unknown"),
        (probe().replace("81a4", "f" * 40), "node-answer-unknown"),
        (probe().replace(" 200 ", " 1_0 "), "node-answer-unknown"),
        (probe().replace("/etc/docker/daemon.json", "daemon.json"), "node-answer-unknown"),
    ],
)
def test_an_answer_of_another_form_is_the_problem_of_its_node(text: str, code: str) -> None:
    assert code in problem_codes(answer(wire.decode_probe, text.encode()))


def test_an_error_that_no_decoder_expects_is_the_problem_of_its_node() -> None:
    def fail(_: bytes) -> object:
        raise RecursionError("too deep")

    job = Job(node=Node(name="n", address="n"), program=Program(stdin=b""))
    found = decode_answer(Completed(job=job, rc=0, stdout=b"", stderr=b"", seconds=0), fail)

    assert problem_codes(found) == {"node-answer-unknown"}
    assert "RecursionError in fail" in str(found)
    assert "too deep" not in str(found), "the text of an error may quote a login"


@pytest.mark.parametrize("begun", [False, True])
def test_a_node_that_prints_without_end_is_given_up(begun: bool) -> None:  # noqa: FBT001 - a case
    exchange = Exchange(Program(stdin=b"", privileged=False), None, user="ops")
    nonce = exchange.command.partition("-begin")[0].rpartition(" ")[2]
    if begun:
        exchange.feed_stderr(f"{nonce}-begin\n".encode())
    assert exchange.marker_seen is begun

    chunk, fed = b"x" * 1024 * 1024, 0
    while exchange.problem is None:
        exchange.feed_stdout(chunk)
        fed += 1
        assert fed < 100

    assert exchange.problem.code == "node-answer-unknown"
    assert (fed > 20) is begun
