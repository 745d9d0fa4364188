"""The promises that every transport keeps."""

from __future__ import annotations

import itertools
import re
import threading
import time
from functools import partial
from typing import TYPE_CHECKING

import pytest

from harbor_agent.model.inventory import Node
from harbor_agent.model.program import Program
from harbor_agent.transport.ansible.transport import AnsibleTransport
from harbor_agent.transport.local import LocalTransport
from harbor_agent.transport.protocol import Completed, Job, Lost
from harbor_agent.transport.ssh.transport import SshTransport
from tests.lab.inside import inside
from tests.transport.ansible_inventory import HOSTS, write_inventory
from tests.transport.sshd import public_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from harbor_agent.transport.protocol import Transport
    from tests.lab.node import LabNode
    from tests.lab.nodes import Lab
    from tests.transport.sshd import Server

FIVE_MEGABYTES = 5_000_000


class Subject:
    """A transport under test and a node that it reaches."""

    def __init__(self, transport: Transport, node: Callable[..., Node]) -> None:
        self.transport = transport
        self.node = node

    def run(self, stdin: bytes, *arguments: str, timeout: float = 20) -> Completed | Lost:
        program = Program(stdin=stdin, arguments=arguments)
        (result,) = self.transport.run([Job(node=self.node(), program=program, timeout=timeout)])
        return result

    def complete(self, stdin: bytes, *arguments: str) -> Completed:
        result = self.run(stdin, *arguments)
        assert isinstance(result, Completed), result
        return result


NEEDS_SSHD = pytest.mark.needs("sshd", "root")


@pytest.fixture(
    params=[
        "local",
        *(pytest.param(name, marks=NEEDS_SSHD) for name in ("ssh", "terminal", "ansible")),
        *(pytest.param(name, marks=pytest.mark.needs("nodes")) for name in ("bookworm", "trixie")),
    ]
)
def subject(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Subject]:
    if request.param in {"bookworm", "trixie"}:
        lab = request.getfixturevalue("releases")
        with inside(lab.name):
            yield _on_a_node(lab, lab.nodes[["bookworm", "trixie"].index(request.param)])
    elif request.param == "local":
        yield Subject(LocalTransport(forks=4), lambda: Node(name="here", address="127.0.0.1", connection="local"))
    else:
        yield _on_loopback(request.param, request.getfixturevalue("server"), tmp_path)


def _on_loopback(name: str, server: Server, tmp_path: Path) -> Subject:
    if name == "ansible":
        names = itertools.cycle(HOSTS)
        transport = AnsibleTransport(sources=[str(write_inventory(tmp_path, server))], forks=4)
        return Subject(transport, lambda: server.node(name=next(names), user="nopasswd"))
    user = "ttyonly" if name == "terminal" else "nopasswd"
    return Subject(SshTransport(forks=4, known_hosts=[server.known_hosts]), lambda: server.node(user=user))


def _on_a_node(lab: Lab, node: LabNode) -> Subject:
    there = Node(name=node.name, address=node.address, user="ops", private_key_file=str(lab.private_key))
    return Subject(SshTransport(forks=4, known_hosts=[lab.known_hosts]), lambda: there)


def test_exit_status_and_both_streams_come_back_apart(subject: Subject) -> None:
    result = subject.complete(b"echo out; echo err >&2; exit 3")

    assert (result.rc, result.stdout, result.stderr) == (3, b"out\n", b"err\n")


@pytest.mark.parametrize("subject", ["local", pytest.param("ssh", marks=NEEDS_SSHD)], indirect=True)
def test_a_line_arrives_while_the_program_runs(subject: Subject) -> None:
    lines: list[bytes] = []
    with public_folder() as folder:
        heard = folder / "heard"

        def hear(line: bytes) -> None:
            lines.append(line)
            heard.touch()

        wait = b'echo first; until [ -e "$1" ]; do sleep 0.05; done; echo last'
        program = Program(stdin=wait, arguments=(str(heard),))
        (result,) = subject.transport.run([Job(node=subject.node(), program=program, timeout=20, on_line=hear)])
    assert isinstance(result, Completed), result
    assert (result.stdout, lines) == (b"first\nlast\n", [b"first", b"last"])


def test_every_byte_value_arrives_unchanged(subject: Subject) -> None:
    everything = bytes(range(256))
    script = b"".join(b"printf '\\%03o';" % value for value in everything)

    result = subject.complete(script + b"{ " + script + b" } >&2")

    assert (result.stdout, result.stderr) == (everything, everything)


@pytest.mark.parametrize(
    "arguments",
    [
        ("two words", "", "*", "$HOME", "`id`", "a;b", "!x", "\\", "#"),
        ("it's", "'", '"both"', "''"),
        ("one\ntwo\n", "\ttab"),
        ("bücher", "仓库", "🐳"),
        ("-n", "--", "-s"),
    ],
)
def test_arguments_arrive_as_they_are(subject: Subject, arguments: tuple[str, ...]) -> None:
    result = subject.complete(b"for argument; do printf '%s\\0' \"$argument\"; done", *arguments)

    assert result.stdout.decode().split("\0")[:-1] == list(arguments)


def test_a_program_without_arguments_has_none(subject: Subject) -> None:
    assert subject.complete(b"echo $#").stdout == b"0\n"


def test_line_numbers_in_messages_are_those_of_the_program(subject: Subject) -> None:
    result = subject.complete(b"#!/bin/sh\n\nno-such-command\n", "x")

    assert re.search(rb"\b3: (eval: )?no-such-command", result.stderr)


def test_big_streams_in_all_directions_do_not_block_each_other(subject: Subject) -> None:
    flood = f"head -c {FIVE_MEGABYTES} /dev/zero".encode()
    program = flood + b" >&2\n" + b"# padding\n" * (FIVE_MEGABYTES // 10) + flood + b"\necho end\n"

    result = subject.complete(program)

    assert len(result.stderr) == FIVE_MEGABYTES
    assert len(result.stdout) == FIVE_MEGABYTES + len(b"end\n")


def test_a_program_may_end_before_it_was_read_to_the_end(subject: Subject) -> None:
    result = subject.complete(b"echo done; exit 4\n" + b"# padding\n" * (FIVE_MEGABYTES // 10))

    assert (result.rc, result.stdout) == (4, b"done\n")


def test_a_signal_shows_as_128_and_its_number(subject: Subject) -> None:
    assert subject.complete(b"kill -KILL $$").rc == 137


def test_a_program_that_hangs_costs_its_timeout(subject: Subject) -> None:
    begin = time.monotonic()
    result = subject.run(b"echo before; sleep 60", timeout=1)

    assert isinstance(result, Lost)
    assert (result.problem.code, result.started) == ("program-timeout", True)
    assert time.monotonic() - begin < 20


def test_a_slow_job_does_not_hold_up_the_others(subject: Subject) -> None:
    slow = Job(node=subject.node(), program=Program(stdin=b"sleep 60"), timeout=3)
    quick = [Job(node=subject.node(), program=Program(stdin=b"echo %d" % number)) for number in range(6)]

    results = list(subject.transport.run([slow, *quick]))

    assert {r.stdout for r in results[:6] if isinstance(r, Completed)} == {b"%d\n" % number for number in range(6)}
    assert results[6].job is slow


def test_each_job_has_exactly_one_result(subject: Subject) -> None:
    begun: list[int] = []
    jobs = [
        Job(node=subject.node(), program=Program(stdin=b"exit 0"), on_start=partial(begun.append, number))
        for number in range(9)
    ]

    results = list(subject.transport.run(jobs))

    assert sorted(map(id, jobs)) == sorted(id(result.job) for result in results)
    assert sorted(begun) == list(range(9))


def test_no_jobs_give_no_results(subject: Subject) -> None:
    assert list(subject.transport.run([])) == []


def test_stopping_early_ends_running_jobs_and_starts_no_more(subject: Subject) -> None:
    before = set(threading.enumerate())
    quick = Job(node=subject.node(), program=Program(stdin=b"exit 0"))
    hanging = [Job(node=subject.node(), program=Program(stdin=b"sleep 60")) for _ in range(8)]
    results = subject.transport.run([quick, *hanging])
    next(results)

    begin = time.monotonic()
    results.close()

    assert time.monotonic() - begin < 20
    left = [thread for thread in set(threading.enumerate()) - before if thread.is_alive()]
    for thread in left:
        thread.join(3)
    assert not [thread for thread in left if thread.is_alive()]
