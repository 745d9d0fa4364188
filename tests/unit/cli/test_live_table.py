"""The nodes at work, at the bottom of a terminal: which, with which step, for how long, and gone in the end."""

from __future__ import annotations

import re
import shlex
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from harbor_agent.cli.progress import Progress
from harbor_agent.engine.events import Phase
from tests.screen import Session, assert_snapshot

SCREENS = Path(__file__).parent / "screens"
RUN = """
from harbor_agent.cli.console import print_status
from harbor_agent.cli.terminal.footer import FOOTER
from harbor_agent.cli.progress import Progress
from harbor_agent.engine.events import NodeFinished, NodeProbed, NodeStep, Phase, Wave
from harbor_agent.local.terminal import Terminal
from harbor_agent.model.plan import Action
from harbor_agent.model.result import NodeResult, Outcome, Proof, Step
progress = Progress()
"""
WAVE = """
names = [f"worker-{number:02}.pool-a.example.internal" for number in range(60)]
progress(Phase(name="change " + ", ".join(names), total=60, wave=Wave(number=3, total=7)))
for name in names:
    progress(NodeStep(node=name, step=Step.RESTART if name < "worker-40" else Step.RELOAD))
for name in names[:5]:
    progress(NodeStep(node=name, step=Step.WAIT))
for name in names[5:8]:
    progress(NodeStep(node=name, step=Step.PULL))
print_status("a message")
input()
proof = {"verified": True, "proof": Proof.PULL, "action": Action.RESTART, "seconds": 9.8}
for name in names:
    progress(NodeFinished(result=NodeResult(node=name, outcome=Outcome.CHANGED, **proof)))
"""
SILENCE = """
progress(Phase(name="probe nodes", total=2))
progress(NodeStep(node="node1", step=Step.PROBE))
input()
"""
QUESTION = f"""{SILENCE}
answer = Terminal().ask("Passphrase: ")
print_status(f"{{len(answer.reveal())}} characters")
input()
progress(NodeProbed(node="node1", problem=None, seconds=1.0))
input()
FOOTER.remove()
print_status("the end")
"""
ASKED_LATE = """
import select
from harbor_agent.cli.confirm import confirm
progress(Phase(name="probe nodes", total=2))
progress(NodeStep(node="node1", step=Step.PROBE))
select.select([0], [], [])
progress(NodeProbed(node="node1", problem=None, seconds=1.0))
try:
    confirm("sure?")
except Exception as error:
    print_status(str(error).partition(";")[0])
"""
CHECK = """
from harbor_agent.errors import Problem
problem = Problem(code="not-configured", message="not configured", hint="check the change")
progress(Phase(name="verify nodes", total=1))
progress(NodeFinished(result=NodeResult(node="node1", outcome=Outcome.FAILED, problem=problem)))
progress(Phase(name="change node1", total=1, wave=Wave(number=1, total=1)))
progress(NodeFinished(result=NodeResult(node="node1", outcome=Outcome.FAILED, problem=problem)))
"""
REASON = ["  node1: failed", "    not configured [not-configured]", "    -> check the change"]
BUG = """
import typer
from harbor_agent.cli.command import command
def probe():
    progress(Phase(name="probe nodes", total=2))
    progress(NodeStep(node="node1", step=Step.PROBE))
    input()
    return 1 / 0
app = typer.Typer()
app.command()(command(probe))
app([])
"""
PLAN = (sys.executable, "-m", "harbor_agent.cli", "plan", "--registry", "h.lan", "-i")


def start(script: str, columns: int) -> Session:
    return Session([sys.executable, "-c", RUN + script], columns)


def without_times(text: str) -> str:
    return re.sub(r"\b\d:\d\d\b", "0:00", text)


@pytest.mark.parametrize("columns", [80, 120, 200])
def test_a_wave_of_many_nodes_shows_those_at_work_and_counts_the_others(columns: int) -> None:
    run = start(WAVE, columns)
    assert_snapshot(
        without_times(run.wait_for(lambda text: "more at work" in text)) + "\n", SCREENS / f"wave-{columns}.txt"
    )
    run.type("\n")
    shown = run.end()
    assert "at work" not in shown.text
    assert shown.lines[-1] == "  worker-59.pool-a.example.internal: changed, pull verified (restart, 9.8 s)"
    assert shown.screen.cursor.x == 0


def test_time_passes_in_the_table_of_one_silent_node() -> None:
    run = start(SILENCE, 80)
    run.wait_for(lambda text: re.search(r"node1  probe  0:0[1-9]$", text))
    run.type("\n")
    assert run.end().code == 0


def test_a_question_has_the_terminal_for_itself() -> None:
    run = start(QUESTION, 80)
    assert run.wait_for(lambda text: "node1  probe" in text).startswith("probe nodes (2 nodes)\nprobe nodes: 0 of 2\n")
    run.type("\n")
    asked = run.wait_for(lambda text: "Passphrase:" in text)
    assert "node1" not in asked
    run.type("secret\n")
    assert "secret" not in run.wait_for(lambda text: "6 characters" in text and "node1  probe" in text)
    run.type("\n")
    run.wait_for(lambda text: text.endswith("probe nodes: 1 of 2: 1 probed"))
    run.type("\n")
    assert run.end().lines[-1] == "the end"


def test_what_is_typed_during_a_run_leaves_no_trace_and_answers_no_question() -> None:
    run = start(ASKED_LATE, 80)
    run.wait_for(lambda text: "node1  probe" in text)
    run.type("y\n")
    assert run.wait_for(lambda text: "sure?" in text) == "probe nodes (2 nodes)\nsure? [y/N]:"
    assert run.has_echo
    run.type("n\n")
    shown = run.end()
    assert shown.lines == ["probe nodes (2 nodes)", "sure? [y/N]: n", "declined"]
    assert shown.has_echo


def test_an_exception_leaves_the_echo_of_the_terminal() -> None:
    run = start(BUG, 80)
    run.wait_for(lambda text: "node1  probe" in text)
    assert not run.has_echo
    run.type("\n")
    shown = run.end()
    assert (shown.code, shown.lines[-1], shown.has_echo) == (70, "  ZeroDivisionError", True)


@pytest.mark.parametrize(
    ("number", "code", "word"), [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "terminated")]
)
def test_a_signal_leaves_a_clean_terminal(number: signal.Signals, code: int, word: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        run = Session([*PLAN, f"127.0.0.1:{port},"], 80)
        run.wait_for(lambda text: re.search(r"127.0.0.1 +probe +0:\d\d", text))
        assert not run.has_echo
        run.send(number)
        shown = run.end()
    assert shown.code == code
    assert shown.lines[-1] == f"{word}; run the same command again", "a plan starts nothing on a node"
    assert not any("0:0" in line for line in shown.lines)
    assert (shown.screen.cursor.x, shown.screen.cursor.hidden, shown.has_echo) == (0, False, True)


def test_a_run_that_is_stopped_leaves_the_terminal_to_the_shell() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        run = Session(["/bin/sh", "-i"], 80, {"PS1": "ready: ", "ENV": ""})
        run.wait_for(lambda text: text.endswith("ready:"))
        run.type(f"{shlex.join(PLAN)} 127.0.0.1:{port},\n")
        run.wait_for(lambda text: re.search(r"127.0.0.1 +probe +0:\d\d$", text))
        assert not run.has_echo
        run.type("\x1a")
        assert "0:0" not in run.wait_for(lambda text: text.endswith("ready:") and "Stopped" in text)
        assert run.has_echo
        run.type("fg\n")
        run.wait_for(lambda text: re.search(r"127.0.0.1 +probe +0:\d\d$", text))
        assert not run.has_echo
        run.type("\x03")
        run.wait_for(lambda text: text.endswith("ready:") and "interrupted" in text)
        assert run.has_echo
        run.type("exit\n")
        run.end()


def test_on_a_terminal_the_reason_of_a_check_is_left_to_its_result() -> None:
    shown = start(CHECK, 80).end()
    assert shown.lines == ["verify nodes (1 node)", "  node1: failed", "change node1 (1 node), wave 1 of 1", *REASON]


def test_without_a_terminal_a_silent_run_says_who_is_at_work() -> None:
    hurry = "from harbor_agent.cli import progress as module\nmodule._SECONDS_OF_SILENCE = 0.0\n"
    script = f"{hurry}module._SECONDS_BETWEEN_COUNTS = 0.05\n{RUN}"
    with subprocess.Popen(
        [sys.executable, "-c", script + SILENCE],
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as run:
        assert run.stderr
        assert run.stderr.readline() == "probe nodes (2 nodes)\n"
        assert re.fullmatch(r"  at work: node1 \(probe, \d+:\d\d\)\n", run.stderr.readline())
        run.communicate("\n", timeout=60)


def test_without_a_terminal_a_phase_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    Progress()(Phase(name="probe nodes", total=2))
    assert capsys.readouterr().err == "probe nodes (2 nodes)\n"
