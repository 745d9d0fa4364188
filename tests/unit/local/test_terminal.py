"""Questions of threads on a real terminal, at the end of the program."""

from __future__ import annotations

import shlex
import sys

from tests.transport.at_terminal import at_terminal

# Python calls its exit functions in the reverse order: this one after that of the terminal.
_LATE = """
import atexit
from threading import Event, Thread

first, late, ends = Event(), Event(), Event()
atexit.register(lambda: (ends.set(), late.wait(2)))

from harbor_agent.local.terminal import Terminal


def ask():
    Terminal().ask("first? ")
    first.set()
    ends.wait()
    Terminal().ask("late? ")
    late.set()


Thread(target=ask, daemon=True).start()
first.wait()
"""


def test_no_question_turns_echo_off_once_the_program_ends() -> None:
    # Of a shell's child: the terminal of a program that is the first on it is reset with its end.
    program = f"{shlex.join([sys.executable, '-c', _LATE])}; stty -a"
    done = at_terminal(["sh", "-c", program], [("first\\? ", "answer")])
    assert "late?" not in done.shown
    assert " echo " in done.shown
    assert "-echo " not in done.shown
