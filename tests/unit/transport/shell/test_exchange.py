"""The start of a program: the command is safe for any login shell, and a password is only sent to its prompt."""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest

from harbor_agent.model.inventory import Become
from harbor_agent.model.program import Program
from harbor_agent.model.sensitive import Sensitive
from harbor_agent.transport.shell.exchange import Exchange
from harbor_agent.transport.shell.on_terminal import TerminalExchange

LOGIN_SHELLS = [shell for shell in ("sh", "bash", "dash", "ksh", "zsh", "tcsh", "csh", "fish") if shutil.which(shell)]
PROGRAM = Program(stdin=b"echo hello", arguments=("it's", "$x"))


def exchange(*, user: str = "ops", password: str | None = None, privileged: bool = True) -> Exchange:
    become = Become(password=Sensitive(password)) if password else None
    return Exchange(Program(stdin=b"echo hello", privileged=privileged), become, user=user)


def mark_of(started: Exchange) -> bytes:
    found = re.search(r"echo ([0-9a-f]+-begin);", started.command)
    assert found
    return found[1].encode() + b"\n"


@pytest.mark.parametrize("user", ["root", "ops"])
@pytest.mark.parametrize("password", [None, "p'w"])
def test_the_command_means_the_same_to_every_login_shell(user: str, password: str | None) -> None:
    command = exchange(user=user, password=password).command

    # One word in single quotes: nothing in it that csh, fish or sh would read differently.
    assert re.fullmatch(r"exec /bin/sh -c '[^'!\\\n]*'", command)
    assert "p'w" not in command


@pytest.mark.parametrize("password", [None, "p'w"])
def test_the_command_for_a_terminal_too(password: str | None) -> None:
    become = Become(password=Sensitive(password)) if password else None

    command = TerminalExchange(PROGRAM, become, user="ops").command

    assert re.fullmatch(r"exec /bin/sh -c '[^'!\\\n]*'", command)
    assert "p'w" not in command


def test_lines_are_passed_on_as_soon_as_they_are_complete() -> None:
    lines: list[bytes] = []
    started = Exchange(PROGRAM, None, user="root", on_line=lines.append)
    mark = mark_of(started)
    heard = []
    for chunk in (b"Welcome\nto no", b"de1\n" + mark[:5], mark[5:] + b"fi", b"rst\nsecond\n\nth", b"ird", b"\nrest"):
        started.feed_stdout(chunk)
        heard.append(list(lines))
    assert heard == [[], [], [], [b"first", b"second", b""], [b"first", b"second", b""], [*heard[4], b"third"]]
    assert started.extract_output()[0] == b"first\nsecond\n\nthird\nrest"


@pytest.mark.parametrize("shell", LOGIN_SHELLS)
def test_any_login_shell_starts_the_program_with_its_arguments(shell: str) -> None:
    arguments = ("it's!", "a\nb", "ü\\", "$HOME")
    started = Exchange(Program(stdin=b"printf '%s|' \"$@\"; exit 7", arguments=arguments), None, user="root")

    done = subprocess.run(
        [shell, "-c", started.command], input=bytes(started.pending), capture_output=True, check=False
    )
    started.feed_stdout(done.stdout)
    started.feed_stderr(done.stderr)

    assert (done.returncode, started.marker_seen) == (7, True)
    assert started.extract_output()[0].decode() == "".join(f"{argument}|" for argument in arguments)


def test_arguments_are_in_front_of_the_program_and_not_in_the_command() -> None:
    started = Exchange(PROGRAM, None, user="root")

    assert bytes(started.pending) == b"""set -- 'it'\\''s' '$x'; echo hello"""
    assert "$x" not in started.command


def test_without_a_password_the_program_is_sent_at_once() -> None:
    started = exchange()

    assert bytes(started.pending) == b"echo hello"
    assert not started.started
    started.mark_sent(4)
    assert (bytes(started.pending), started.started, started.is_input_complete) == (b" hello", True, False)
    started.mark_sent(6)
    assert started.is_input_complete


def test_with_a_password_nothing_is_sent_before_the_prompt() -> None:
    started = exchange(password="geheim")
    prompt = re.search(r"-p (\S+) ", started.command)
    assert prompt

    assert bytes(started.pending) == b""
    started.feed_stderr(b"We trust you have received the usual lecture\n" + prompt[1].encode())
    assert bytes(started.pending) == b"geheim\n"
    started.mark_sent(7)
    assert not started.started
    started.feed_stderr(mark_of(started))
    assert (bytes(started.pending), started.marker_seen) == (b"echo hello", True)


def test_a_password_is_not_sent_without_a_prompt() -> None:
    started = exchange(password="geheim")

    started.feed_stderr(mark_of(started))

    assert bytes(started.pending) == b"echo hello"


def test_output_before_the_marker_is_removed() -> None:
    started = exchange()
    mark = mark_of(started)

    started.feed_stdout(b"Welcome\n" + mark[:5])
    started.feed_stdout(mark[5:] + b"out" + mark)
    started.feed_stderr(b"noise\n" + mark + b"err")

    assert started.extract_output() == (b"out" + mark, b"err")


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ("sudo: a password is required\n", "become-password-required"),
        ("sudo: a terminal is required to read the password; either use the -S option\n", "become-password-required"),
        ("ops is not in the sudoers file.  This incident will be reported.\n", "become-not-permitted"),
        ("Sorry, user ops is not allowed to execute '/bin/sh' as root on node1.\n", "become-not-permitted"),
        ("Sorry, user ops may not run sudo on node1.\n", "become-not-permitted"),
        ("sudo: sorry, you must have a tty to run sudo\n", "become-requires-tty"),
        ("Sorry, try again.\nsudo: no password was provided\n", "become-password-wrong"),
        ("sudo: 1 incorrect password attempt\n", "become-password-wrong"),
        ("/bin/sh: 1: sudo: not found\n", "become-missing"),
        ("/bin/sh: line 1: sudo: command not found\n", "become-missing"),
        ("sudo: unable to stat /etc/sudoers: Permission denied\n", "become-failed"),
        ("su: Permission denied\n", "become-not-permitted"),
        ("This account is currently not available.\n", "login-shell-refused"),
        ("", "login-shell-refused"),
    ],
)
def test_the_reason_why_a_program_never_began(said: str, code: str) -> None:
    started = exchange()

    started.feed_stderr(said.encode())

    assert started.describe_failure(1).code == code
