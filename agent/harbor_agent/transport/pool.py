"""Many jobs at once in a fixed number of slots, with results in the order of their arrival."""

from __future__ import annotations

import time
from collections import deque
from contextlib import contextmanager
from queue import SimpleQueue
from threading import Condition, Event, Lock, Thread, local
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

_Job = TypeVar("_Job")
_Result = TypeVar("_Result")
_SECONDS_TO_JOIN = 2.0
# Each costs a thread and a socket; further jobs that wait keep their slot.
_MOST_YIELDED = 256
_thread_state = local()


def run_each(run_one: Callable[[_Job, Event], _Result], jobs: Iterable[_Job], *, forks: int) -> Iterator[_Result]:
    """Run `jobs`, at most `forks` at a time beside those in `releasing_slot`; yield each result as it arrives.

    `run_one` runs one job to its end or its timeout, and returns soon after the event is set.

    If the consumer stops early (an exception, Ctrl-C, `close()`), no further job starts and the event is set for those
    that run. The threads are daemons: a job that does not return never keeps the process from exiting. An exception in
    `run_one` is raised here: it is a bug, not a problem of a node.
    """
    waiting = deque(jobs)
    count = len(waiting)
    results: SimpleQueue[_Result | Exception] = SimpleQueue()

    def work(slots: _Slots) -> None:
        _thread_state.slots = slots
        while slots.acquire():
            try:
                job = waiting.popleft()
            except IndexError:
                slots.release()
                return
            try:
                results.put(run_one(job, slots.stopping))
            except Exception as error:  # noqa: BLE001 - raised again by the consumer
                results.put(error)
            slots.release()

    slots = _Slots(min(max(forks, 1), count), work)
    try:
        for _ in range(count):
            result = results.get()
            if isinstance(result, Exception):
                raise result
            yield result
    finally:
        slots.close()


@contextmanager
def releasing_slot() -> Iterator[None]:
    """Let another job run while this one waits for a host that may never answer.

    So dead hosts cost a run one timeout in total, not one each. At the end of the block the job waits for a slot again.
    Outside of `run_each` this does nothing.
    """
    slots: _Slots | None = getattr(_thread_state, "slots", None)
    if slots is None or not slots.yield_slot():
        yield
        return
    try:
        yield
    finally:
        slots.reacquire()


@contextmanager
def holding_slot() -> Iterator[None]:
    """Make `releasing_slot` do nothing in this block, for a job with a lock that others wait for.

    Otherwise they could take all slots while they wait, and the job that has the lock would never get one back.
    """
    slots = getattr(_thread_state, "slots", None)
    _thread_state.slots = None
    try:
        yield
    finally:
        _thread_state.slots = slots


class _Slots:
    """The slots of one pool and the threads that use them; jobs that yielded their slot go before new ones."""

    def __init__(self, count: int, work: Callable[[_Slots], None]) -> None:
        """Start a thread per slot that runs `work`; one more starts for each job that yields its slot."""
        self.stopping = Event()
        self._work = work
        self._count = self._free = count
        self._yielded = 0
        self._returning = 0
        lock = Lock()
        self._new_jobs, self._returning_jobs = Condition(lock), Condition(lock)
        self._threads: list[Thread] = []
        for _ in range(count):
            self._start_thread()

    def acquire(self) -> bool:
        """Wait for a slot for a new job; return False if no job may start any more."""
        with self._new_jobs:
            self._new_jobs.wait_for(lambda: self.stopping.is_set() or (self._free and not self._returning))
            self._free -= 1
        return not self.stopping.is_set()

    def release(self) -> None:
        """Give up a slot for good."""
        with self._new_jobs:
            self._free_slot()

    def yield_slot(self) -> bool:
        """Give up a slot until `reacquire`; return False if too many jobs have done so."""
        with self._new_jobs:
            if self._yielded >= _MOST_YIELDED:
                return False
            self._yielded += 1
            if len(self._threads) < self._count + self._yielded:
                self._start_thread()
            self._free_slot()
        return True

    def reacquire(self) -> None:
        """Wait for a slot again after `yield_slot`."""
        with self._returning_jobs:
            self._returning += 1
            self._returning_jobs.wait_for(lambda: self.stopping.is_set() or self._free)
            self._returning -= 1
            self._yielded -= 1
            self._free -= 1
            if self._free > 0:
                self._new_jobs.notify()

    def close(self) -> None:
        """Stop all jobs, and wait a short time for their threads."""
        with self._new_jobs:
            self.stopping.set()
            self._new_jobs.notify_all()
            self._returning_jobs.notify_all()
        end = time.monotonic() + _SECONDS_TO_JOIN
        for thread in self._threads:
            thread.join(max(0.0, end - time.monotonic()))

    def _free_slot(self) -> None:
        self._free += 1
        (self._returning_jobs if self._returning else self._new_jobs).notify()

    def _start_thread(self) -> None:
        thread = Thread(target=self._work, args=(self,), daemon=True, name=f"job-{len(self._threads)}")
        self._threads.append(thread)
        thread.start()
