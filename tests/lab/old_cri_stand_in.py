"""A stand-in for a containerd that serves CRI v1alpha2 only, as 1.5 does: a node's own, behind another socket.

It calls each service of v1 unknown, as gRPC's server in Go does: status 12 in the headers, and no body. Everything else
is passed on as it is, to the socket of the real one, which serves both versions.
"""

from __future__ import annotations

import socket
import socketserver
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event, Lock, Thread
from typing import TYPE_CHECKING

from hpack import Decoder
from hyperframe.frame import DataFrame, Frame, HeadersFrame

from tests.lab.network import ip

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.lab.node import LabNode

_FOLDER, _SOCKET, _REAL, _FRONT = "/run/containerd", "containerd.sock", "real.sock", "old-cri-stand-in.sock"
_DROP_INS = "/etc/systemd/system/containerd.service.d"
# containerd makes its socket again whenever it starts.
_DROP_IN = f"""\
[Service]
ExecStartPost=/bin/sh -c 'cd {_FOLDER} && mv -f {_SOCKET} {_REAL} && ln -s {_FRONT} {_SOCKET}'
"""
_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


@contextmanager
def old_cri(node: LabNode) -> Iterator[None]:
    """Let the node's containerd serve no CRI v1 while the block runs."""
    folder = Path(f"/proc/{_find_init(node)}/root{_FOLDER}")
    with _Front(folder) as front:
        Thread(target=front.serve_forever, daemon=True).start()
        node.run(f"mkdir -p {_DROP_INS} && cat >{_DROP_INS}/old-cri.conf", stdin=_DROP_IN.encode())
        _restart(node)
        try:
            yield
        finally:
            node.run(f"rm {_DROP_INS}/old-cri.conf; rmdir {_DROP_INS}")
            _restart(node)
            node.run(f"rm {_FOLDER}/{_FRONT} {_FOLDER}/{_REAL}")
            front.shutdown()


def _restart(node: LabNode) -> None:
    node.run("systemctl daemon-reload && systemctl restart containerd")
    node.wait_ready()


def _find_init(node: LabNode) -> int:
    """Return the process that is number 1 on the node, as this machine counts."""
    for pid in map(int, ip("netns", "pids", node.machine).split()):
        with suppress(OSError):
            status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
            if any(line.startswith("NSpid:") and line.endswith("\t1") for line in status.splitlines()):
                return pid
    raise LookupError(f"{node.name} does not run")


class _Front(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True

    def __init__(self, folder: Path) -> None:
        self.real = str(folder / _REAL)
        super().__init__(str(folder / _FRONT), _Connection)


class _Connection(socketserver.BaseRequestHandler):
    """One connection, which asks either for v1 or for something else: answers are encoded without regard to others."""

    request: socket.socket
    server: _Front

    def handle(self) -> None:
        self._lock, self._greeted = Lock(), Event()
        self._refused, self._decoder = dict[int, str](), Decoder()
        with socket.socket(socket.AF_UNIX) as real, suppress(OSError, EOFError):
            real.connect(self.server.real)
            Thread(target=self._return_answers, args=(real,), daemon=True).start()
            real.sendall(self._read(len(_PREFACE)))
            while True:
                self._pass_on(real)

    def _return_answers(self, real: socket.socket) -> None:
        with suppress(OSError):
            while answer := real.recv(65536):
                with self._lock:
                    self.request.sendall(answer)
                self._greeted.set()
            self.request.shutdown(socket.SHUT_WR)

    def _pass_on(self, real: socket.socket) -> None:
        head = self._read(9)
        frame, length = Frame.parse_frame_header(memoryview(head))
        body = self._read(length)
        frame.parse_body(memoryview(body))
        if isinstance(frame, HeadersFrame):
            path = dict(self._decoder.decode(frame.data))[":path"]
            if path.startswith("/runtime.v1."):
                self._refused[frame.stream_id] = path.split("/")[1]
        if frame.stream_id not in self._refused:
            real.sendall(head + body)
        elif isinstance(frame, DataFrame) and "END_STREAM" in frame.flags:
            self._refuse(frame.stream_id)

    def _refuse(self, stream: int) -> None:
        headers = {
            "content-type": "application/grpc",
            "grpc-status": "12",
            "grpc-message": f"unknown service {self._refused[stream]}",
        }
        # Status 200 by its number in HPACK's table, and then literals that no table keeps.
        block = b"\x88" + b"".join(b"\0" + _write(name) + _write(value) for name, value in headers.items())
        answer = HeadersFrame(stream, data=block, flags=("END_STREAM", "END_HEADERS"))
        # The first frame of a server is its settings.
        self._greeted.wait(10)
        with self._lock:
            self.request.sendall(answer.serialize())

    def _read(self, count: int) -> bytes:
        found = b""
        while len(found) < count:
            part = self.request.recv(count - len(found))
            if not part:
                raise EOFError
            found += part
        return found


def _write(text: str) -> bytes:
    return bytes([len(text)]) + text.encode()
