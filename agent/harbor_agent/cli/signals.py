"""Ctrl-C and SIGTERM while nodes are changed: the first lets nodes in progress finish, the second exits at once."""

from __future__ import annotations

import contextlib
import signal
from typing import TYPE_CHECKING

from harbor_agent.cli.console import print_status
from harbor_agent.engine.rollout.stop import StopRequest
from harbor_agent.errors import ExitCode

if TYPE_CHECKING:
    from collections.abc import Iterator

_CODES = {signal.SIGINT: ExitCode.INTERRUPTED, signal.SIGTERM: ExitCode.TERMINATED}


_NODES_FINISH = "nodes in progress finish, no other node is started"


@contextlib.contextmanager
def graceful_stop(meaning: str = _NODES_FINISH) -> Iterator[StopRequest]:
    """Handle both signals inside the block; a second one raises KeyboardInterrupt.

    `meaning` is what happens after the first, as the user reads it.
    """
    request = StopRequest()

    def handle(number: int, _frame: object) -> None:
        if request.code is not None:
            raise KeyboardInterrupt
        print_status(f"stopping: {meaning}; press Ctrl-C again to exit at once")
        request.request(_CODES[signal.Signals(number)])

    before = {number: signal.signal(number, handle) for number in _CODES}
    try:
        yield request
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
