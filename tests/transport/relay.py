"""A network between client and server: it relays one connection, slowly or not, and cuts it on request."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


class Relay:
    """Passes one connection to `port` on. `passed` tells how many bytes of the server had come after each arrival.

    It cuts once the server has sent `after` bytes. `delay` is in seconds, before each arrival is passed on.
    """

    def __init__(self, port: int, *, after: int | None = None, delay: float = 0.0, piece: int = 65536) -> None:
        self.passed: list[int] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._there = socket.socket()
        self._target = port
        self._ends: list[socket.socket] = [self._there]
        self._after, self._delay, self._piece = after, delay, piece
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def cut(self) -> None:
        for end in self._ends:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self.cut()
        self._thread.join(10)
        for end in (*self._ends, self._listener):
            end.close()

    def _serve(self) -> None:
        try:
            here, _ = self._listener.accept()
        except OSError:
            return
        self._ends.append(here)
        self._there.connect(("127.0.0.1", self._target))
        back = threading.Thread(target=self._pump_back, args=(here,), daemon=True)
        back.start()
        self._pump(here, self._there)
        back.join()

    def _pump(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(self._piece):
                time.sleep(self._delay)
                target.sendall(data)
            # Half a close is none: the other direction still counts.
            target.shutdown(socket.SHUT_WR)

    def _pump_back(self, here: socket.socket) -> None:
        count = 0
        with suppress(OSError):
            while self._after is None or count < self._after:
                most = self._piece if self._after is None else min(self._piece, self._after - count)
                data = self._there.recv(most)
                if not data:
                    break
                time.sleep(self._delay)
                here.sendall(data)
                count += len(data)
                self.passed.append(count)
        self.cut()


@contextmanager
def relay(port: int, *, after: int | None = None, delay: float = 0.0, piece: int = 65536) -> Iterator[Relay]:
    running = Relay(port, after=after, delay=delay, piece=piece)
    try:
        yield running
    finally:
        running.close()


@contextmanager
def answering(data: bytes) -> Iterator[int]:
    """Listen, and answer the first connection with `data` and the end."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.sendall(data)

        thread = threading.Thread(target=answer)
        thread.start()
        yield listener.getsockname()[1]
        thread.join()
