"""How a program is started on a node: the command that is sent, and the talk until the program runs.

Whatever the login shell is (csh, fish, one whose start files print), the command is the same constant text in one
pair of single quotes, and /bin/sh reads the program. Arguments travel in front of it as `set -- …`, so no shell but
/bin/sh ever sees them. A line with a nonce on each stream marks where the program begins: what comes before it is
the login shell's or sudo's, what comes after is the program's, whole.
"""

from __future__ import annotations

import secrets
from dataclasses import replace
from typing import TYPE_CHECKING

from harbor_agent.errors import Problem
from harbor_agent.transport.shell.become import PASSWORD_REQUIRED, PASSWORD_WRONG, refusal, way_to_root

if TYPE_CHECKING:
    from harbor_agent.model.inventory import Become, Node
    from harbor_agent.model.program import Program
    from harbor_agent.model.sensitive import Sensitive
    from harbor_agent.transport.deadline import Deadline

# A program killed by a signal ends as 128 + n only where a shell waits for it: an SSH server would report the signal
# in a message of its own, which paramiko does not hand on. LC_ALL: messages of sudo and of the program are compared.
_BEGIN = "LC_ALL=C; export LC_ALL; "
_RUN = 'run="echo {nonce}-begin; echo {nonce}-begin >&2; exec /bin/sh -s"; '
_AS_LOGIN_USER = '/bin/sh -c "$run"; exit $?'
_AS_ROOT = 'if [ "$(id -u)" = 0 ]; then /bin/sh -c "$run"; else {become}; fi; exit $?'
_LONGEST_QUOTE = 200


class Exchange:
    """One start of a program and everything that goes to and fro; no I/O of its own.

    The transport runs `command`, sends `pending` (telling `sent`), hands over what it receives with `feed_stdout` and
    `hear_stderr`, closes standard input at `input_done`, and gives up at a `problem`. `begun` turns true with the
    marker; `started` as soon as a byte of the program was sent.
    """

    def __init__(self, program: Program, become: Become | None, *, user: str) -> None:
        """Prepare the start of `program` for the login user `user`, with `become` as the way to root."""
        self._nonce = secrets.token_hex(8)
        self._mark = f"{self._nonce}-begin\n".encode()
        self._way = way_to_root(become, self._nonce) if program.privileged and user != "root" else None
        self._prompts = 0
        self._stdout = bytearray()
        self._stderr = bytearray()
        self._payload = payload(program)
        self._payload_due = self._way is None or self._way.prompt is None
        self.pending = memoryview(self._payload if self._payload_due else b"")
        self.begun = False
        self.started = False
        self.problem: Problem | None = None
        run = _AS_ROOT.format(become=self._way.command) if self._way else _AS_LOGIN_USER
        self.command = f"exec /bin/sh -c '{_BEGIN}{self._run_assignment()}{run}'"

    def _run_assignment(self) -> str:
        """Return the shell text that puts what is run as root into `$run`, without a quote in it."""
        return _RUN.format(nonce=self._nonce)

    @property
    def input_done(self) -> bool:
        """Whether the whole program was sent."""
        return self._payload_due and not self.pending

    def sent(self, count: int) -> None:
        """Take note that the first `count` bytes of `pending` are on their way."""
        self.started = self.started or (self._payload_due and count > 0)
        self.pending = self.pending[count:]

    def feed_stdout(self, data: bytes) -> None:
        """Take what came on standard output."""
        self._stdout += data

    def hear_stderr(self, data: bytes) -> None:
        """Take what came on standard error, and answer where it asks for a password."""
        self._stderr += data
        if self.begun or self.problem:
            return
        if self._mark in self._stderr:
            self.begun = True
            if not self._payload_due:
                self._payload_due, self.pending = True, memoryview(self._payload)
        elif self._way and self._way.prompt and self._stderr.count(self._way.prompt) > self._prompts:
            self._prompts += 1
            self._answer(self._way.password)

    def _answer(self, password: Sensitive | None) -> None:
        if password is None:
            self.problem = PASSWORD_REQUIRED
        elif self._prompts > 1:
            self.problem = PASSWORD_WRONG
        else:
            self.pending = memoryview(password.reveal().encode() + b"\n")

    def status(self, rc: int) -> int:
        """Return the exit status of the program, with `rc` as that of the command; -1 where it is not known."""
        return rc

    def streams(self) -> tuple[bytes, bytes]:
        """Return the program's own part of standard output and standard error."""
        return _after(self._stdout, self._mark), _after(self._stderr, self._mark)

    def failure(self, rc: int) -> Problem:
        """Say why the program never began, from what was said instead and the exit status `rc`."""
        said = self.last_line()
        problem = self.problem or refusal(self._said().decode(errors="replace"))
        if problem:
            return problem
        return Problem(
            code="login-shell-refused",
            message=f"the login shell ran no command (exit status {rc}{': ' if said else ''}{said})",
            hint="the login user needs a shell that runs commands, and no forced command",
        )

    def last_line(self) -> str:
        """Return the last line that the node said before the program began, "" for none."""
        if self.begun:
            return ""
        said = (self._said() or self._stdout).decode(errors="replace")
        lines = [line.strip() for line in said.splitlines() if line.strip()]
        return lines[-1][:_LONGEST_QUOTE] if lines else ""

    def _said(self) -> bytearray:
        prompt = self._way.prompt if self._way else None
        return self._stderr.replace(prompt, b"") if prompt else self._stderr


def on_node(node: Node, problem: Problem) -> Problem:
    """Return `problem` with the node's name in front of its message."""
    return replace(problem, message=f"{node.name}: {problem.message}")


def out_of_time(node: Node, exchange: Exchange, deadline: Deadline) -> Problem:
    """Say that the job's time was up before the program ended."""
    code = "program-timeout" if exchange.started else "ssh-timeout"
    said = exchange.last_line()
    last = f"; the last thing said was: {said}" if said else ""
    return Problem(code=code, message=f"{node.name}: no end within {deadline.timeout:g} s{last}")


def payload(program: Program) -> bytes:
    """Put the arguments in front, on the program's first line: line numbers in its messages stay right."""
    if not program.arguments:
        return program.stdin
    quoted = " ".join("'" + argument.replace("'", "'\\''") + "'" for argument in program.arguments)
    return f"set -- {quoted}; ".encode("utf-8", "surrogateescape") + program.stdin


def _after(stream: bytearray, mark: bytes) -> bytes:
    _, _, after = stream.partition(mark)
    return bytes(after)
