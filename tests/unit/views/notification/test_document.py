"""A notification says how a run ended and what to do next, holds no secret, and is short."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from harbor_agent.engine.notify.message import Receiver
from harbor_agent.errors import ExitCode, Problem
from harbor_agent.model.policy import ReceiverKind
from harbor_agent.model.result import NodeResult, Outcome
from harbor_agent.model.sensitive import Sensitive
from harbor_agent.planning.drift import DriftStatus
from harbor_agent.views.notification.document import (
    Origin,
    build_drift_notification,
    build_error_notification,
    build_run_notification,
)
from harbor_agent.views.notification.messages import build_message
from tests.unit.views.json.test_documents import DRIFT, RUN

ORIGIN = Origin(command="drift", controller="ops@ctl", inventories=("east.ini", "http://me:canary@cmdb/hosts"))


def test_a_halted_run_names_its_first_failures_and_how_many_more() -> None:
    problem = Problem(code="pull-failed", message="cannot pull: proxy http://u:canary@p refused token=canary")
    results = tuple(
        NodeResult(node=f"node{number}", outcome=Outcome.FAILED, reason=problem.message, problem=problem)
        for number in range(1000)
    )
    document = build_run_notification(replace(RUN, results=results, secrets=None), ORIGIN)
    assert (document["event"], document["counts"], document["more"]) == ("halted", {"failed": 1000}, 995)
    text = str(document["text"])
    assert text.splitlines()[:4] == [
        "ops@ctl, east.ini, http://***@cmdb/hosts",
        "1000 failed",
        "halted: 1 failed",
        "node0  failed: cannot pull: proxy http://***@p refused token=*** [pull-failed]",
    ]
    assert text.splitlines()[-2:] == [
        "and 995 more",
        "more: harbor-agent history show run-1; harbor-agent explain pull-failed",
    ]
    assert "canary" not in str(document)
    for kind in ReceiverKind:
        message = build_message(Receiver(kind=kind, url=Sensitive("https://x/y")), document, 0.0)
        assert len(message.body) < 4096


def test_drift_is_said_by_status_with_its_quarantine() -> None:
    document = build_drift_notification(DRIFT, ExitCode.PENDING, None, None, ORIGIN)
    assert document
    assert (document["event"], document["counts"]) == ("drift", {"drift": 1, "skipped": 1})
    (finding,) = document["findings"]  # type: ignore[misc]
    assert (finding["subject"], finding["status"], finding["reason"]) == ("node1", "quarantine", "a file was edited")


def test_a_correction_is_said_and_a_check_that_found_nothing_is_not() -> None:
    fine = replace(DRIFT, nodes=tuple(replace(node, status=DriftStatus.IN_SYNC) for node in DRIFT.nodes[:1]))
    assert build_drift_notification(fine, ExitCode.DONE, None, None, ORIGIN) is None
    done = replace(RUN, results=(NodeResult(node="node1", outcome=Outcome.CHANGED),), halted=None, secrets=None)
    drifted = replace(DRIFT, nodes=DRIFT.nodes[:1])
    document = build_drift_notification(drifted, ExitCode.DONE, done, None, ORIGIN)
    assert document
    assert (document["event"], document["counts"], document["run_id"]) == ("corrected", {"corrected": 1}, "run-1")
    blocked = Problem(code="drift-suspect", message="4 of 5 nodes drifted")
    halted = build_drift_notification(DRIFT, ExitCode.STOPPED, None, blocked, ORIGIN)
    assert halted
    assert (halted["event"], halted["halted"]) == ("halted", "4 of 5 nodes drifted")


@pytest.mark.parametrize("kind", [ReceiverKind.SLACK, ReceiverKind.FEISHU])
def test_a_reason_cannot_mention_everybody(kind: ReceiverKind) -> None:
    problem = Problem(code="bug", message='<!channel> <at user_id="all">all</at> & more')
    document = build_error_notification(problem, ExitCode.FAILED, ORIGIN)
    body = build_message(Receiver(kind=kind, url=Sensitive("https://x")), document, 0.0).body.decode()
    if kind is ReceiverKind.SLACK:
        assert "&lt;!channel&gt; &lt;at user_id=" in body
        assert "<" not in body
    else:
        assert '"msg_type": "post"' in body  # whose texts are not read for tags


def test_a_signature_is_that_of_the_sample_programs() -> None:
    """The values were computed by the Python samples in the documentation of both chats."""
    document = build_error_notification(Problem(code="bug", message="x"), ExitCode.FAILED, ORIGIN)
    secret = Sensitive("this is secret")
    dingtalk = Receiver(kind=ReceiverKind.DINGTALK, url=Sensitive("https://x/send?access_token=t"), secret=secret)
    url = build_message(dingtalk, document, 1577262236.757).url.reveal()
    assert url == (
        "https://x/send?access_token=t&timestamp=1577262236757&sign=hmPWwU%2B7lVdm3ZZz0r9tSfx0L4Q26jWOZr9%2BGs6EZQM%3D"
    )
    feishu = Receiver(kind=ReceiverKind.FEISHU, url=Sensitive("https://x"), secret=Sensitive("demo"))
    body = json.loads(build_message(feishu, document, 1599360473.9).body)
    assert (body["timestamp"], body["sign"]) == ("1599360473", "l1N0gAcBjdwBvGm1xMjOF0XSyaLRpR7tuO5dHfhAYc8=")
