"""Programs run in a task of Ansible, through the connection and become plugins of its host.

/bin/sh reads the program from standard input, so a node needs no Python and gets no file. If sudo requires a terminal
(requiretty), there is no standard input: then the program is in a directory of mode 0700 in /dev/shm while it runs.
"""

from __future__ import annotations

import base64
import binascii
import secrets
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from harbor_agent.errors import Problem
from harbor_agent.transport.ansible.problems import explain_ansible_error, explain_lost_connection, shorten
from harbor_agent.transport.ansible.timeout import TimeLimitError, time_limit
from harbor_agent.transport.protocol import Completed, Lost
from harbor_agent.transport.shell.become import MISSING, TERMINAL_REQUIRED, find_refusal
from harbor_agent.transport.shell.exchange import add_node_name, build_payload, describe_shell_failure

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from harbor_agent.transport.protocol import Job

# Ansible's ssh plugin writes all input before it reads output, so the shell reads all of the program before it runs it.
# 255 is the exit status of ssh for its own errors: Ansible would take the node for unreachable.
_RUN = (
    "/bin/sh -c 'LC_ALL=C; export LC_ALL; echo {mark}; echo {mark} >&2; "
    '/bin/sh -c "eval \\"\\$(cat)\\""; rc=$?; [ "$rc" = 255 ] && rc=254; exit "$rc"\''
)
_MEMORY = "/dev/shm"  # noqa: S108 - for a directory of our own in it, mode 0700
_MAKE_FOLDER = "/bin/sh -c 'umask 077 && mkdir {folder} && echo {mark}'"
_RUN_FILE = (
    "/bin/sh -c 'LC_ALL=C; export LC_ALL; echo {mark}; "
    "/bin/sh {folder}/program >{folder}/out 2>{folder}/err </dev/null; rc=$?; "
    "base64 <{folder}/out; echo {mark}; base64 <{folder}/err; echo {mark} $rc'"
)
_REMOVE_FOLDER = "/bin/sh -c 'rm -rf {folder}'"


class ActionPlugin(Protocol):
    """The part of Ansible's ActionBase that is used here: running a command, and copying a file."""

    _connection: Any

    def _low_level_execute_command(
        self, cmd: str, *, sudoable: bool, in_data: bytes | None = None
    ) -> dict[str, Any]: ...

    def _transfer_data(self, remote_path: str, data: bytes) -> str | bytes: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class _ProgramResult:
    """The result of a program; `problem` if it did not begin."""

    rc: int = -1
    stdout: bytes = b""
    stderr: bytes = b""
    problem: Problem | None = None


class TaskTransport:
    """Runs programs on the one host of a task, with the promises of every transport."""

    def __init__(self, action: ActionPlugin) -> None:
        """Use `action`, an instance of Ansible's ActionBase whose task is running.

        Turns on keepalives of ssh: without them, a task on a dead network waits until TCP gives up.
        """
        self._action = action
        _prepend_options(action._connection, "-o ServerAliveInterval=15")  # noqa: SLF001 - Ansible's own name

    def run(self, jobs: Iterable[Job]) -> Iterator[Completed | Lost]:
        """Yield exactly one result per job, one after the other."""
        for job in jobs:
            yield self._run_one(job)

    def _run_one(self, job: Job) -> Completed | Lost:
        from ansible.errors import AnsibleConnectionFailure, AnsibleError  # noqa: PLC0415 - only within a task

        start = time.monotonic()
        mark = f"{secrets.token_hex(8)}-begin"
        started = False
        try:
            with time_limit(job.timeout):
                ended = self._run_program(job, mark)
        except TimeLimitError:
            started = True
            problem = Problem(code="program-timeout", message=f"not finished within {job.timeout:g} s")
        except AnsibleConnectionFailure as error:
            problem, started = explain_lost_connection(str(error), mark)
        except AnsibleError as error:
            problem = explain_ansible_error(str(error))
        else:
            if ended.problem is None:
                seconds = time.monotonic() - start
                return Completed(job=job, rc=ended.rc, stdout=ended.stdout, stderr=ended.stderr, seconds=seconds)
            problem = ended.problem
        return Lost(
            job=job, problem=add_node_name(job.node, problem), started=started, seconds=time.monotonic() - start
        )

    def _run_program(self, job: Job, mark: str) -> _ProgramResult:
        ended = self._run_as(job, mark, as_root=job.program.privileged and job.node.user != "root")
        if ended.problem is MISSING and job.node.user is None:
            # The configuration of ssh may log in as root, which does not need sudo.
            return self._run_as(job, mark, as_root=False)
        return ended

    def _run_as(self, job: Job, mark: str, *, as_root: bool) -> _ProgramResult:
        answer = self._action._low_level_execute_command(  # noqa: SLF001 - Ansible's own name for action plugins
            _RUN.format(mark=mark), sudoable=as_root, in_data=build_payload(job.program)
        )
        stdout, stderr = _encode(answer["stdout"]), _encode(answer["stderr"])
        noise, _, own_stdout = stdout.partition(f"{mark}\n".encode())
        stderr_noise, _, own_stderr = stderr.partition(f"{mark}\n".encode())
        if noise != stdout:
            return _ProgramResult(rc=answer["rc"], stdout=own_stdout, stderr=own_stderr)
        problem = find_refusal((stderr_noise + noise).decode(errors="replace"))
        if problem is TERMINAL_REQUIRED:
            return self._run_on_terminal(job, mark)
        return _ProgramResult(problem=problem or _describe_shell_failure(answer["rc"], stderr_noise or noise))

    def _run_on_terminal(self, job: Job, mark: str) -> _ProgramResult:
        """Run the program from a file in memory: a terminal merges both streams and changes line ends."""
        folder = f"{_MEMORY}/harbor-agent.{mark.removesuffix('-begin')}"
        made = self._execute(_MAKE_FOLDER.format(folder=folder, mark=mark), as_root=False)
        if mark not in made["stdout"]:
            detail = shorten(made["stderr"] or made["stdout"])
            message = f"{TERMINAL_REQUIRED.message}, and the program cannot be written to {_MEMORY} ({detail})"
            return _ProgramResult(
                problem=Problem(code="become-requires-tty", message=message, hint=TERMINAL_REQUIRED.hint)
            )
        try:
            self._action._transfer_data(f"{folder}/program", build_payload(job.program))  # noqa: SLF001
            answer = self._execute(_RUN_FILE.format(folder=folder, mark=mark), as_root=True)
        finally:
            # The files with the output belong to root.
            self._execute(_REMOVE_FOLDER.format(folder=folder), as_root=True)
        return _parse_terminal_output(answer["stdout"], mark) or _ProgramResult(
            problem=find_refusal(answer["stdout"]) or _describe_shell_failure(answer["rc"], _encode(answer["stdout"]))
        )

    def _execute(self, command: str, *, as_root: bool) -> dict[str, Any]:
        return self._action._low_level_execute_command(command, sudoable=as_root)  # noqa: SLF001


def check_host_keys(action: ActionPlugin) -> None:
    """Make the task check the host key, also if the environment or a variable of the host says no.

    The task opens a new connection and closes it at the end: one that another task left open would bypass the check.
    """
    connection = action._connection  # noqa: SLF001 - Ansible's own name
    if connection.has_option("host_key_checking"):
        connection.set_option("host_key_checking", value=True)
    _prepend_options(connection, "-o ControlMaster=no -o ControlPath=none")


def _prepend_options(connection: Any, options: str) -> None:  # noqa: ANN401 - a connection plugin of Ansible
    """Pass these options to ssh before all others: the first value of an option counts (ssh_config(5))."""
    if connection.transport.rpartition(".")[2] == "ssh":
        connection.set_option("ssh_args", f"{options} {connection.get_option('ssh_args') or ''}".strip())


def _parse_terminal_output(text: str, mark: str) -> _ProgramResult | None:
    parts = text.split(mark)
    if len(parts) != 4:  # noqa: PLR2004 - noise, both streams, the exit status
        return None
    try:
        stdout, stderr = (base64.b64decode("".join(part.split()), validate=True) for part in parts[1:3])
        return _ProgramResult(rc=int(parts[3].split()[0]), stdout=stdout, stderr=stderr)
    except (binascii.Error, ValueError, IndexError):
        return None


def _describe_shell_failure(rc: int, output: bytes) -> Problem:
    return describe_shell_failure(rc, shorten(output.decode(errors="replace")))


def _encode(text: str) -> bytes:
    """Return the bytes that Ansible has decoded to `text`."""
    return text.encode("utf-8", "surrogateescape")
