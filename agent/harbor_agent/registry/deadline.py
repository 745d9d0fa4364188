"""A limit on the whole of one HTTP exchange, for servers that send a byte now and then."""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType


class Deadline:
    """A context that shuts the connection down after `seconds`; httpx2's `trace` extension shows it the connection."""

    def __init__(self, seconds: float) -> None:
        """Start nothing yet."""
        self.has_passed = False
        self._socket: socket.socket | None = None
        self._timer = threading.Timer(seconds, self._end)
        self._timer.daemon = True

    def __enter__(self) -> Self:
        """Start the clock."""
        self._timer.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the clock."""
        self._timer.cancel()

    def trace(self, event: str, info: Mapping[str, Any]) -> None:
        """Remember the connection's current socket."""
        if event.endswith(("connect_tcp.complete", "start_tls.complete")):
            self._socket = info["return_value"].get_extra_info("socket")
            if self.has_passed:
                self._shut_down()

    def _end(self) -> None:
        self.has_passed = True
        self._shut_down()

    def _shut_down(self) -> None:
        if self._socket is not None:
            with contextlib.suppress(OSError):
                # not SSLSocket's, which would drop the encryption under a reader in another thread
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)
