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


@contextlib.contextmanager
def graceful_stop() -> Iterator[StopRequest]:
    """Handle both signals inside the block; a second one raises KeyboardInterrupt."""
    request = StopRequest()

    def handle(number: int, _frame: object) -> None:
        if request.code is not None:
            raise KeyboardInterrupt
        print_status("stopping: nodes in progress finish, no other node is started; press Ctrl-C again to exit at once")
        request.request(_CODES[signal.Signals(number)])

    before = {number: signal.signal(number, handle) for number in _CODES}
    try:
        yield request
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
