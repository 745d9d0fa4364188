"""A node's answer becomes a value, or a problem that says why there is none."""

from __future__ import annotations

from harbor_agent.errors import Problem
from harbor_agent.model.inventory import Node
from harbor_agent.model.program import Program
from harbor_agent.node.wire import programs as wire
from harbor_agent.transport.protocol import Completed, Job, Lost, decode_answer

JOB = Job(node=Node(name="n", address="192.0.2.1"), program=Program(stdin=b""))


def complete(stdout: bytes, stderr: bytes = b"", rc: int = 0) -> Completed:
    return Completed(job=JOB, rc=rc, stdout=stdout, stderr=stderr, seconds=0.1)


def test_an_answer_is_decoded() -> None:
    assert decode_answer(complete(b"7"), int) == 7


def test_a_lost_connection_is_its_problem() -> None:
    problem = Problem(code="ssh-timeout", message="no answer within 10 s")
    assert decode_answer(Lost(job=JOB, problem=problem, started=False, seconds=10.0), int) is problem


def test_an_answer_in_another_form_is_a_problem_with_the_last_line_of_the_error_output() -> None:
    answer = decode_answer(complete(b"", b"warning: x\nsh: base64: not found\n", rc=127), wire.decode_probe)
    assert isinstance(answer, Problem)
    assert answer.code == "node-answer-unknown"
    assert answer.message.endswith("(exit status 127: sh: base64: not found)")


def test_without_error_output_only_the_exit_status_is_added() -> None:
    answer = decode_answer(complete(b"", rc=2), wire.decode_probe)
    assert isinstance(answer, Problem)
    assert answer.message.endswith("(exit status 2)")


def test_what_a_node_reports_itself_has_no_exit_status_added() -> None:
    answer = decode_answer(complete(b"", rc=0), wire.decode_probe)
    assert isinstance(answer, Problem)
    assert "exit status" not in answer.message
