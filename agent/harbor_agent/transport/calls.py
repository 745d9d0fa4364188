"""Calls: bytes sent to a TCP server as a node reaches it, and its answer; nothing runs on the node for that."""

from __future__ import annotations

import socket
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol, runtime_checkable

from harbor_agent.model.result import Unanswered

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from harbor_agent.model.inventory import Node

SECONDS_PER_CALL: Final = 5.0
_CHUNK: Final = 65536


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """Bytes for the TCP server at an IP address; `is_complete` says of the bytes received whether all are there."""

    address: str
    port: int
    content: bytes = field(repr=False)
    is_complete: Callable[[bytes], bool] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class CallJob:
    """Calls from one node. `timeout` is in seconds, for all of them and for connecting."""

    node: Node
    calls: tuple[Call, ...]
    timeout: float = 45.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Called:
    """The answer to each call of a job, in their order, or why there is none."""

    job: CallJob
    answers: tuple[bytes | Unanswered, ...]


@runtime_checkable
class Caller(Protocol):
    """A transport whose connections can carry calls."""

    def call(self, jobs: Iterable[CallJob]) -> Iterator[Called]:
        """Yield exactly one result per job, as each ends. A problem of a node is a result, never an exception."""
        ...


class Stream(Protocol):
    """A connection to a TCP server: a socket, or a channel that is used like one."""

    def settimeout(self, value: float | None, /) -> None:
        """Limit each of the other calls to so many seconds."""

    def sendall(self, data: bytes, /) -> None:
        """Send all bytes. Raises OSError."""

    def recv(self, size: int, /) -> bytes:
        """Return the next bytes, none at the end. Raises OSError."""


def call_from_here(job: CallJob) -> Called:
    """Make the calls of a node that is this machine."""
    return Called(job=job, answers=tuple(_call_server(call) for call in job.calls))


def _call_server(call: Call) -> bytes | Unanswered:
    try:
        with socket.create_connection((call.address, call.port), SECONDS_PER_CALL) as stream:
            return exchange(call, stream)
    except OSError as error:
        return describe_silence(call, _describe_reason(error))


def exchange(call: Call, stream: Stream) -> bytes | Unanswered:
    """Send the bytes of a call over a connection to its server, and return the answer."""
    end = time.monotonic() + SECONDS_PER_CALL
    received = b""
    try:
        stream.settimeout(SECONDS_PER_CALL)
        stream.sendall(call.content)
        while not call.is_complete(received):
            left = end - time.monotonic()
            if left <= 0:
                raise TimeoutError
            stream.settimeout(left)
            chunk = stream.recv(_CHUNK)
            if not chunk:
                return describe_silence(call, "the connection was closed before an answer")
            received += chunk
    except OSError as error:
        return describe_silence(call, _describe_reason(error))
    return received


def describe_silence(call: Call, reason: str) -> Unanswered:
    """Return why the server of a call gave no answer."""
    return Unanswered(reason=f"{call.address} port {call.port}/TCP does not answer: {reason}", is_silent=True)


def _describe_reason(error: OSError) -> str:
    if isinstance(error, TimeoutError):
        return f"no answer within {SECONDS_PER_CALL:g} s"
    return error.strerror or str(error) or type(error).__name__
