"""How a task of Ansible gets its program and hands back what came of it: over a socket, never through Ansible.

So nothing secret stands in variables, arguments or artifacts, and no result is too large for an event. The socket lies
in a folder of mode 0700. A task says which host it is for; the answer is a job; the task answers with its end.
A password that Ansible has to know, of a vault or one that was asked for, takes the same way: it is printed by a
program of ours that Ansible runs. A message is one line of JSON and the bytes whose lengths are in it.
"""

from __future__ import annotations

import json
import socket
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, Self

from harbor_agent.errors import Problem
from harbor_agent.model.inventory import Node
from harbor_agent.model.program import Program
from harbor_agent.transport.protocol import Completed, Job, Lost

if TYPE_CHECKING:
    from pathlib import Path

SOCKET_VARIABLE = "HARBOR_AGENT_SOCKET"


class Stream(Protocol):
    """What is read from and written to: a buffered binary file."""

    def read(self, size: int, /) -> bytes:
        """Read `size` bytes, less only at the end."""
        ...

    def readline(self) -> bytes:
        """Read a line, with its line feed."""
        ...

    def write(self, data: bytes, /) -> int:
        """Write all of `data`."""
        ...

    def flush(self) -> None:
        """Send what was written."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """One message: `head` is JSON, `parts` are bytes."""

    head: dict[str, Any]
    parts: tuple[bytes, ...] = field(default=(), repr=False)

    def write(self, stream: Stream) -> None:
        """Write the message and flush. Raises OSError."""
        head = json.dumps({**self.head, "lengths": [len(part) for part in self.parts]})
        stream.write(head.encode() + b"\n" + b"".join(self.parts))
        stream.flush()

    @classmethod
    def read(cls, stream: Stream) -> Frame:
        """Read a message. Raises EOFError where the other side is gone."""
        head = json.loads(_whole(stream.readline()))
        parts = []
        for length in head.pop("lengths"):
            part = stream.read(length)
            if len(part) < length:
                raise EOFError
            parts.append(part)
        return cls(head=head, parts=tuple(parts))


def job_message(job: Job) -> Frame:
    """Return the message that hands a job to its task: the program, and as whom the connection logs in."""
    program = job.program
    head = {
        "arguments": list(program.arguments),
        "privileged": program.privileged,
        "timeout": job.timeout,
        "user": job.node.user,
    }
    return Frame(head=head, parts=(program.stdin,))


def end_message(result: Completed | Lost) -> Frame:
    """Return the message that hands back how a job ended."""
    if isinstance(result, Completed):
        return Frame(head={"rc": result.rc, "seconds": result.seconds}, parts=(result.stdout, result.stderr))
    return Frame(head={"started": result.started, "seconds": result.seconds, "problem": asdict(result.problem)})


def end_of(job: Job, message: Frame) -> Completed | Lost:
    """Return the result that a message of `end_message` is about."""
    head = message.head
    if "problem" in head:
        problem = Problem(**head["problem"])
        return Lost(job=job, problem=problem, started=head["started"], seconds=head["seconds"])
    stdout, stderr = message.parts
    return Completed(job=job, rc=head["rc"], stdout=stdout, stderr=stderr, seconds=head["seconds"])


class JobClient:
    """The task's side: fetch the job of a host, and hand back how it ended. A context manager."""

    def __init__(self, path: Path | str) -> None:
        """Connect to the socket `path`. Raises OSError."""
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(str(path))
        self._stream = self._socket.makefile("rwb")

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connection."""
        self._stream.close()
        self._socket.close()

    def fetch(self, host: str) -> Job:
        """Return the job of `host`. Raises EOFError where there is none."""
        Frame(head={"host": host}).write(self._stream)
        message = Frame.read(self._stream)
        head = message.head
        program = Program(stdin=message.parts[0], arguments=tuple(head["arguments"]), privileged=head["privileged"])
        return Job(node=Node(name=host, address=host, user=head["user"]), program=program, timeout=head["timeout"])

    def ask(self, name: str) -> bytes:
        """Return the password that is known by `name`. Raises EOFError where there is none."""
        Frame(head={"secret": name}).write(self._stream)
        return Frame.read(self._stream).parts[0]

    def send_result(self, result: Completed | Lost) -> None:
        """Say how the job ended. Raises OSError where nobody waits for it any more."""
        end_message(result).write(self._stream)


def _whole(line: bytes) -> bytes:
    if not line.endswith(b"\n"):
        raise EOFError
    return line
