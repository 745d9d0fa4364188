"""The protocol between this process and the tasks of Ansible: over a socket, never through Ansible.

So no secret appears in variables, arguments or artifacts, and no result is too large for an event. The socket is in a
directory of mode 0700. A task requests the job of its host, runs it and sends back the result. A password that Ansible
needs, of a vault or one that the user has typed, takes the same way: a program of ours, run by Ansible, prints it. A
message is one line of JSON and the bytes whose lengths are in it.
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
    """A buffered binary file that is open for reading and writing."""

    def read(self, size: int, /) -> bytes:
        """Read `size` bytes, fewer only at the end."""
        ...

    def readline(self) -> bytes:
        """Read a line with its line feed."""
        ...

    def write(self, data: bytes, /) -> int:
        """Write all of `data`."""
        ...

    def flush(self) -> None:
        """Send the data that was written."""
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
        """Read a message. Raises EOFError if the other side has closed the connection."""
        line = stream.readline()
        if not line.endswith(b"\n"):
            raise EOFError
        head = json.loads(line)
        parts = []
        for length in head.pop("lengths"):
            part = stream.read(length)
            if len(part) < length:
                raise EOFError
            parts.append(part)
        return cls(head=head, parts=tuple(parts))


def encode_job(job: Job) -> Frame:
    """Return the message for a task with its job: the program, and the user that the connection logs in as."""
    program = job.program
    head = {
        "arguments": list(program.arguments),
        "privileged": program.privileged,
        "timeout": job.timeout,
        "user": job.node.user,
    }
    return Frame(head=head, parts=(program.stdin,))


def encode_result(result: Completed | Lost) -> Frame:
    """Return the message from a task with the result of its job."""
    if isinstance(result, Completed):
        return Frame(head={"rc": result.rc, "seconds": result.seconds}, parts=(result.stdout, result.stderr))
    return Frame(head={"started": result.started, "seconds": result.seconds, "problem": asdict(result.problem)})


def decode_result(job: Job, message: Frame) -> Completed | Lost:
    """Return the result of `job` in a message of `encode_result`."""
    head = message.head
    if "problem" in head:
        problem = Problem(**head["problem"])
        return Lost(job=job, problem=problem, started=head["started"], seconds=head["seconds"])
    stdout, stderr = message.parts
    return Completed(job=job, rc=head["rc"], stdout=stdout, stderr=stderr, seconds=head["seconds"])


class JobClient:
    """The task's end of the socket. A context manager."""

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

    def fetch_job(self, host: str) -> Job:
        """Return the job of `host`. Raises EOFError if it has no job."""
        Frame(head={"host": host}).write(self._stream)
        message = Frame.read(self._stream)
        head = message.head
        program = Program(stdin=message.parts[0], arguments=tuple(head["arguments"]), privileged=head["privileged"])
        return Job(node=Node(name=host, address=host, user=head["user"]), program=program, timeout=head["timeout"])

    def fetch_password(self, name: str) -> bytes:
        """Return the password called `name`. Raises EOFError for an unknown name."""
        Frame(head={"secret": name}).write(self._stream)
        return Frame.read(self._stream).parts[0]

    def send_result(self, result: Completed | Lost) -> None:
        """Send the result of the job. Raises OSError if the server no longer waits for it."""
        encode_result(result).write(self._stream)
