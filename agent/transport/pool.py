"""Many jobs at once, on a fixed number of threads, with each result handed over as it comes."""

from __future__ import annotations

import time
from collections import deque
from queue import SimpleQueue
from threading import Event, Thread
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

_Job = TypeVar("_Job")
_Result = TypeVar("_Result")
_SECONDS_TO_WIND_UP = 2.0


def run_each(run_one: Callable[[_Job, Event], _Result], jobs: Iterable[_Job], *, forks: int) -> Iterator[_Result]:
    """Run `jobs`, at most `forks` at a time, and yield each result as it comes.

    `run_one` runs one job to its end or its timeout, and gives up soon once the event is set.

    When the consumer stops early (an exception, Ctrl-C, `close()`), no further job starts and those that run are told
    to give up. The threads are daemons: a job that does not give up never keeps the process from ending. An exception
    in `run_one` is raised here: it is a bug, not a node's trouble.
    """
    waiting = deque(jobs)
    count = len(waiting)
    stopping = Event()
    results: SimpleQueue[_Result | Exception] = SimpleQueue()

    def work() -> None:
        while not stopping.is_set():
            try:
                job = waiting.popleft()
            except IndexError:
                return
            try:
                results.put(run_one(job, stopping))
            except Exception as error:  # noqa: BLE001 - raised again by the consumer
                results.put(error)

    threads = [Thread(target=work, daemon=True, name=f"job-{number}") for number in range(min(max(forks, 1), count))]
    for thread in threads:
        thread.start()
    try:
        for _ in range(count):
            result = results.get()
            if isinstance(result, Exception):
                raise result
            yield result
    finally:
        stopping.set()
        end = time.monotonic() + _SECONDS_TO_WIND_UP
        for thread in threads:
            thread.join(max(0.0, end - time.monotonic()))
