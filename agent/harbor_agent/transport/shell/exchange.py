"""The start of a program on a node: the command that is sent, and the exchange until the program runs.

The command is the same constant text in one pair of single quotes for every login shell (csh, fish, one whose start
files print), and /bin/sh reads the program. Arguments are sent in front of the program as `set -- …`, so no shell but
/bin/sh ever sees them. A line with a nonce on each stream marks the beginning of the program's output: the text before
it comes from the login shell or from sudo.
"""

from __future__ import annotations

import secrets
from dataclasses import replace
from typing import TYPE_CHECKING

from harbor_agent.errors import Problem
from harbor_agent.transport.shell.become import (
    PASSWORD_REQUIRED,
    PASSWORD_WRONG,
    build_become_command,
    find_refusal,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from harbor_agent.model.inventory import Become, Node
    from harbor_agent.model.program import Program
    from harbor_agent.model.sensitive import Sensitive
    from harbor_agent.transport.deadline import Deadline

# A program killed by a signal ends with 128 + n only if a shell waits for it: an SSH server would report the signal in
# a separate message, which paramiko does not pass on. LC_ALL: messages of sudo and of the program are parsed.
_BEGIN = "LC_ALL=C; export LC_ALL; "
_RUN = 'run="echo {nonce}-begin; echo {nonce}-begin >&2; exec /bin/sh -s"; '
_AS_LOGIN_USER = '/bin/sh -c "$run"; exit $?'
_AS_ROOT = 'if [ "$(id -u)" = 0 ]; then /bin/sh -c "$run"; else {become}; fi; exit $?'
_LONGEST_QUOTE = 200
_MOST_BYTES = 64 * 1024 * 1024
_MOST_BYTES_BEFORE = 16 * 1024 * 1024
OUTCOME_UNKNOWN_HINT = "the outcome is unknown; run the same command again to check the node"


class Exchange:
    """One start of a program and the bytes in both directions; does no I/O of its own.

    The transport runs `command`, sends `pending` and reports it with `mark_sent`, passes on what it receives with
    `feed_stdout` and `feed_stderr`, closes standard input at `is_input_complete`, and gives up if there is a `problem`.
    `marker_seen` is true once the program has begun, `started` once a byte of the program was sent.
    """

    def __init__(
        self, program: Program, become: Become | None, *, user: str, on_line: Callable[[bytes], None] | None = None
    ) -> None:
        """Prepare the start of `program` for the login user `user`, who becomes root as `become` says.

        `on_line` gets each line of standard output, without its end, when it is complete.
        """
        self._nonce = secrets.token_hex(8)
        self._mark = f"{self._nonce}-begin\n".encode()
        self._become = build_become_command(become, self._nonce) if program.privileged and user != "root" else None
        self._prompts = 0
        self._stdout = bytearray()
        self._on_line = on_line
        self._passed = 0
        self._stderr = bytearray()
        self._payload = build_payload(program)
        self._payload_due = self._become is None or self._become.prompt is None
        self.pending = memoryview(self._payload if self._payload_due else b"")
        self.marker_seen = False
        self.started = False
        self.problem: Problem | None = None
        run = _AS_ROOT.format(become=self._become.command) if self._become else _AS_LOGIN_USER
        self.command = f"exec /bin/sh -c '{_BEGIN}{self._build_run_assignment()}{run}'"

    def _build_run_assignment(self) -> str:
        """Return the shell text that sets `$run`, the command to run as root, without a single quote in it."""
        return _RUN.format(nonce=self._nonce)

    @property
    def is_input_complete(self) -> bool:
        """Whether the whole program was sent."""
        return self._payload_due and not self.pending

    def mark_sent(self, count: int) -> None:
        """Remove the first `count` bytes from `pending`."""
        self.started = self.started or (self._payload_due and count > 0)
        self.pending = self.pending[count:]

    def feed_stdout(self, data: bytes) -> None:
        """Process data from standard output."""
        self._stdout += data
        self._limit_output()
        if self._on_line:
            self._pass_lines(self._on_line, len(self._stdout) - len(data))

    def _pass_lines(self, take: Callable[[bytes], None], start: int) -> None:
        """Pass on the lines of the program that are complete, of which `start` and what follows is new."""
        if not self._passed:
            at = self._stdout.find(self._mark)
            self._passed = at + len(self._mark) if at >= 0 else 0
        end = self._stdout.rfind(b"\n", max(start, self._passed)) if self._passed else -1
        if end >= 0:
            lines, self._passed = bytes(self._stdout[self._passed : end]).split(b"\n"), end + 1
            for line in lines:
                take(line)

    def feed_stderr(self, data: bytes) -> None:
        """Process data from standard error: detect the marker, and answer the password prompt."""
        self._stderr += data
        self._limit_output()
        if self.marker_seen or self.problem:
            return
        if self._mark in self._stderr:
            self.marker_seen = True
            if not self._payload_due:
                self._payload_due, self.pending = True, memoryview(self._payload)
        elif self._become and self._become.prompt and self._stderr.count(self._become.prompt) > self._prompts:
            self._prompts += 1
            self._answer_prompt(self._become.password)

    def _limit_output(self) -> None:
        """Give up on a node that prints without end. Before the program begins, only the login shell prints."""
        most = _MOST_BYTES if self.marker_seen else _MOST_BYTES_BEFORE
        if self.problem is None and len(self._stdout) + len(self._stderr) > most + len(self._mark):
            message = f"the node printed more than {most // 1024 // 1024} MiB"
            hint = "check the start files of the login shell, and what the node prints"
            self.problem = Problem(code="node-answer-unknown", message=message, hint=hint)

    def _answer_prompt(self, password: Sensitive | None) -> None:
        if password is None:
            self.problem = PASSWORD_REQUIRED
        elif self._prompts > 1:
            self.problem = PASSWORD_WRONG
        else:
            self.pending = memoryview(password.reveal().encode() + b"\n")

    def extract_status(self, rc: int) -> int:
        """Return the exit status of the program, given that of the command; -1 if it is not known."""
        return rc

    def extract_output(self) -> tuple[bytes, bytes]:
        """Return standard output and standard error of the program, without the text before its marker."""
        return bytes(self._stdout.partition(self._mark)[2]), bytes(self._stderr.partition(self._mark)[2])

    def describe_failure(self, rc: int) -> Problem:
        """Return why the program never began, from the output of the command and its exit status `rc`."""
        problem = self.problem or find_refusal(self._stderr_without_prompts().decode(errors="replace"))
        return problem or describe_shell_failure(rc, self.last_line())

    def last_line(self) -> str:
        """Return the last line of output before the program began, "" if it has begun or there was no output."""
        if self.marker_seen:
            return ""
        output = (self._stderr_without_prompts() or self._stdout).decode(errors="replace")
        lines = [line.strip() for line in output.splitlines() if line.strip()]
        return lines[-1][:_LONGEST_QUOTE] if lines else ""

    def _stderr_without_prompts(self) -> bytearray:
        prompt = self._become.prompt if self._become else None
        return self._stderr.replace(prompt, b"") if prompt else self._stderr


def add_node_name(node: Node, problem: Problem) -> Problem:
    """Return `problem` with the node's name in front of its message."""
    return replace(problem, message=f"{node.name}: {problem.message}")


def describe_timeout(node: Node, exchange: Exchange, deadline: Deadline) -> Problem:
    """Return the problem of a job whose time was up before the program ended."""
    code = "program-timeout" if exchange.started else "ssh-timeout"
    last_line = exchange.last_line()
    detail = f"; last output: {last_line}" if last_line else ""
    return Problem(code=code, message=f"{node.name}: not finished within {deadline.timeout:g} s{detail}")


def describe_shell_failure(rc: int, output: str) -> Problem:
    """Return the problem of a login shell that exited without running the command; `output` may be empty."""
    return Problem(
        code="login-shell-refused",
        message=f"the login shell did not run the command (exit status {rc}{': ' if output else ''}{output})",
        hint="give the login user a shell that runs commands, and remove any forced command",
    )


def build_payload(program: Program) -> bytes:
    """Return the program with its arguments on its first line, so that line numbers in messages stay right."""
    if not program.arguments:
        return program.stdin
    quoted = " ".join("'" + argument.replace("'", "'\\''") + "'" for argument in program.arguments)
    return f"set -- {quoted}; ".encode("utf-8", "surrogateescape") + program.stdin
