"""Programs run from within a task of Ansible, through the connection and become plugins that it set up for the host.

The program goes to the standard input of /bin/sh, so it needs no Python on the node and leaves no file there. Where a
node wants a terminal for sudo (requiretty) there is no standard input to be had: then the program lies in the node's
memory (a folder of mode 0700 in /dev/shm) while it runs.
"""

from __future__ import annotations

import base64
import binascii
import secrets
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from harbor_agent.errors import Problem
from harbor_agent.transport.ansible.problems import connection_problem, refusal_by_ansible, words_of
from harbor_agent.transport.ansible.timeout import TimeIsUpError, time_limit
from harbor_agent.transport.protocol import Completed, Lost
from harbor_agent.transport.shell.become import MISSING, TERMINAL_REQUIRED, refusal
from harbor_agent.transport.shell.exchange import on_node, payload

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from harbor_agent.transport.protocol import Job

# Ansible's ssh plugin reads nothing before it has written all, so all of the program is read before any of it runs.
# 255 is what ssh itself ends with: Ansible would take the node for unreachable.
_RUN = (
    "/bin/sh -c 'LC_ALL=C; export LC_ALL; echo {mark}; echo {mark} >&2; "
    '/bin/sh -c "eval \\"\\$(cat)\\""; rc=$?; [ "$rc" = 255 ] && rc=254; exit "$rc"\''
)
_MEMORY = "/dev/shm"  # noqa: S108 - a folder of our own in it, mode 0700
_MAKE_FOLDER = "/bin/sh -c 'umask 077 && mkdir {folder} && echo {mark}'"
_RUN_FILE = (
    "/bin/sh -c 'LC_ALL=C; export LC_ALL; echo {mark}; "
    "/bin/sh {folder}/program >{folder}/out 2>{folder}/err </dev/null; rc=$?; "
    "base64 <{folder}/out; echo {mark}; base64 <{folder}/err; echo {mark} $rc'"
)
_REMOVE_FOLDER = "/bin/sh -c 'rm -rf {folder}'"


class ActionPlugin(Protocol):
    """What is used of Ansible's ActionBase: the connection's own exec, and its way to put a file somewhere."""

    _connection: Any

    def _low_level_execute_command(
        self, cmd: str, *, sudoable: bool, in_data: bytes | None = None
    ) -> dict[str, Any]: ...

    def _transfer_data(self, remote_path: str, data: bytes) -> str | bytes: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ended:
    """How a program ended; `problem` where it did not begin."""

    rc: int = -1
    stdout: bytes = b""
    stderr: bytes = b""
    problem: Problem | None = None


class TaskTransport:
    """Runs programs on the one host of a task, with the promises of every transport."""

    def __init__(self, action: ActionPlugin) -> None:
        """Work through `action`, an instance of Ansible's ActionBase whose task runs now.

        ssh is made to notice a network that is gone; without, a task waits for an answer as long as TCP does.
        """
        self._action = action
        _put_first(action._connection, "-o ServerAliveInterval=15")  # noqa: SLF001 - Ansible's own name

    def run(self, jobs: Iterable[Job]) -> Iterator[Completed | Lost]:
        """Yield exactly one result a job, one after the other."""
        for job in jobs:
            yield self._run_one(job)

    def _run_one(self, job: Job) -> Completed | Lost:
        from ansible.errors import AnsibleConnectionFailure, AnsibleError  # noqa: PLC0415 - only within a task

        begin = time.monotonic()
        mark = f"{secrets.token_hex(8)}-begin"
        started = False
        try:
            with time_limit(job.timeout):
                ended = self._start(job, mark)
        except TimeIsUpError:
            started = True
            problem = Problem(code="program-timeout", message=f"no end within {job.timeout:g} s")
        except AnsibleConnectionFailure as error:
            problem, started = connection_problem(str(error), mark)
        except AnsibleError as error:
            problem = refusal_by_ansible(str(error))
        else:
            if ended.problem is None:
                seconds = time.monotonic() - begin
                return Completed(job=job, rc=ended.rc, stdout=ended.stdout, stderr=ended.stderr, seconds=seconds)
            problem = ended.problem
        return Lost(job=job, problem=on_node(job.node, problem), started=started, seconds=time.monotonic() - begin)

    def _start(self, job: Job, mark: str) -> _Ended:
        ended = self._start_as(job, mark, as_root=job.program.privileged and job.node.user != "root")
        if ended.problem is MISSING and job.node.user is None:
            # The configuration of ssh may log in as root, where nobody needs sudo.
            return self._start_as(job, mark, as_root=False)
        return ended

    def _start_as(self, job: Job, mark: str, *, as_root: bool) -> _Ended:
        answer = self._action._low_level_execute_command(  # noqa: SLF001 - Ansible's own name for action plugins
            _RUN.format(mark=mark), sudoable=as_root, in_data=payload(job.program)
        )
        stdout, stderr = _bytes(answer["stdout"]), _bytes(answer["stderr"])
        begun, _, own_stdout = stdout.partition(f"{mark}\n".encode())
        before, _, own_stderr = stderr.partition(f"{mark}\n".encode())
        if begun != stdout:
            return _Ended(rc=answer["rc"], stdout=own_stdout, stderr=own_stderr)
        problem = refusal((before + begun).decode(errors="replace"))
        if problem is TERMINAL_REQUIRED:
            return self._start_with_terminal(job, mark)
        return _Ended(problem=problem or _no_begin(answer["rc"], before or begun))

    def _start_with_terminal(self, job: Job, mark: str) -> _Ended:
        """Run the program from a file in memory: with a terminal, both streams are one and line ends are changed."""
        folder = f"{_MEMORY}/harbor-agent.{mark.removesuffix('-begin')}"
        made = self._execute(_MAKE_FOLDER.format(folder=folder, mark=mark), as_root=False)
        if mark not in made["stdout"]:
            said = words_of(made["stderr"] or made["stdout"])
            message = (
                f"becoming root is only allowed from a terminal, and the program found no place in memory ({said})"
            )
            return _Ended(problem=Problem(code="become-requires-tty", message=message, hint=TERMINAL_REQUIRED.hint))
        try:
            self._action._transfer_data(f"{folder}/program", payload(job.program))  # noqa: SLF001
            answer = self._execute(_RUN_FILE.format(folder=folder, mark=mark), as_root=True)
        finally:
            # The streams belong to root, and so does their removal.
            self._execute(_REMOVE_FOLDER.format(folder=folder), as_root=True)
        return _from_terminal(answer["stdout"], mark) or _Ended(
            problem=refusal(answer["stdout"]) or _no_begin(answer["rc"], _bytes(answer["stdout"]))
        )

    def _execute(self, command: str, *, as_root: bool) -> dict[str, Any]:
        return self._action._low_level_execute_command(command, sudoable=as_root)  # noqa: SLF001


def disable_connection_reuse(action: ActionPlugin) -> None:
    """Let the task's connection be one of its own, that nothing before it left open and nothing after it finds.

    A connection that is kept open gets round the check of the host key, and would outlive the run.
    """
    _put_first(action._connection, "-o ControlMaster=no -o ControlPath=none")  # noqa: SLF001


def _put_first(connection: Any, options: str) -> None:  # noqa: ANN401 - a connection plugin of Ansible
    """Give ssh these options before all others: of several, the first counts (ssh_config(5))."""
    if connection.transport.rpartition(".")[2] == "ssh":
        connection.set_option("ssh_args", f"{options} {connection.get_option('ssh_args') or ''}".strip())


def _from_terminal(text: str, mark: str) -> _Ended | None:
    parts = text.split(mark)
    if len(parts) != 4:  # noqa: PLR2004 - what came before, both streams, the exit status
        return None
    try:
        stdout, stderr = (base64.b64decode("".join(part.split()), validate=True) for part in parts[1:3])
        return _Ended(rc=int(parts[3].split()[0]), stdout=stdout, stderr=stderr)
    except (binascii.Error, ValueError, IndexError):
        return None


def _no_begin(rc: int, said: bytes) -> Problem:
    words = words_of(said.decode(errors="replace"))
    return Problem(
        code="login-shell-refused",
        message=f"the login shell ran no command (exit status {rc}{': ' if words else ''}{words})",
        hint="the login user needs a shell that runs commands, and no forced command",
    )


def _bytes(text: str) -> bytes:
    """Return the bytes that Ansible made text of."""
    return text.encode("utf-8", "surrogateescape")
