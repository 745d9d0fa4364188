"""Ctrl-C and SIGTERM while nodes are changed: once, the nodes in flight finish; twice, leave at once."""

from __future__ import annotations

import contextlib
import signal
from typing import TYPE_CHECKING

from harbor_agent.cli.console import tell
from harbor_agent.engine.rollout.stop import StopRequest
from harbor_agent.errors import ExitCode

if TYPE_CHECKING:
    from collections.abc import Iterator

_CODES = {signal.SIGINT: ExitCode.INTERRUPTED, signal.SIGTERM: ExitCode.TERMINATED}


@contextlib.contextmanager
def graceful_stop() -> Iterator[StopRequest]:
    """Take the two signals for as long as the block lasts; a second one leaves by KeyboardInterrupt."""
    request = StopRequest()

    def handle(number: int, _frame: object) -> None:
        if request.code is not None:
            raise KeyboardInterrupt
        tell("stopping: the nodes in flight finish, no other is started; once more leaves at once")
        request.ask(_CODES[signal.Signals(number)])

    before = {number: signal.signal(number, handle) for number in _CODES}
    try:
        yield request
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
