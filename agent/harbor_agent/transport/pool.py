"""Many jobs at once, in a fixed number of places, with each result handed over as it comes."""

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
_SECONDS_TO_WIND_UP = 2.0
# Each costs a thread and a socket; beyond them, whoever waits keeps its place.
_MOST_ASIDE = 256
_of_thread = local()


def run_each(run_one: Callable[[_Job, Event], _Result], jobs: Iterable[_Job], *, forks: int) -> Iterator[_Result]:
    """Run `jobs`, at most `forks` at a time and those that stand aside, and yield each result as it comes.

    `run_one` runs one job to its end or its timeout, and gives up soon once the event is set.

    When the consumer stops early (an exception, Ctrl-C, `close()`), no further job starts and those that run are told
    to give up. The threads are daemons: a job that does not give up never keeps the process from ending. An exception
    in `run_one` is raised here: it is a bug, not a node's trouble.
    """
    waiting = deque(jobs)
    count = len(waiting)
    results: SimpleQueue[_Result | Exception] = SimpleQueue()

    def work(places: _Slots) -> None:
        _of_thread.places = places
        while places.take():
            try:
                job = waiting.popleft()
            except IndexError:
                places.give()
                return
            try:
                results.put(run_one(job, places.stopping))
            except Exception as error:  # noqa: BLE001 - raised again by the consumer
                results.put(error)
            places.give()

    places = _Slots(min(max(forks, 1), count), work)
    try:
        for _ in range(count):
            result = results.get()
            if isinstance(result, Exception):
                raise result
            yield result
    finally:
        places.close()


@contextmanager
def releasing_slot() -> Iterator[None]:
    """Let another job run while this one waits for somebody who may never answer.

    So hosts that are dead cost a run one timeout in all, and not one each. At the end of the block the job waits for a
    place again. Outside of `run_each` nothing happens.
    """
    places: _Slots | None = getattr(_of_thread, "places", None)
    if places is None or not places.leave():
        yield
        return
    try:
        yield
    finally:
        places.come_back()


@contextmanager
def holding_slot() -> Iterator[None]:
    """Have nobody stand aside in this block: others wait for what it holds, and would keep its place from it."""
    places = getattr(_of_thread, "places", None)
    _of_thread.places = None
    try:
        yield
    finally:
        _of_thread.places = places


class _Slots:
    """Who may run: as many jobs as there are places, those that come back before those that are new."""

    def __init__(self, count: int, work: Callable[[_Slots], None]) -> None:
        """Start a thread a place that does `work`, and another one for a job that stands aside."""
        self.stopping = Event()
        self._work = work
        self._count = self._free = count
        self._aside = 0
        self._returning = 0
        lock = Lock()
        self._for_new, self._for_returning = Condition(lock), Condition(lock)
        self._threads: list[Thread] = []
        for _ in range(count):
            self._start()

    def take(self) -> bool:
        """Wait for a place for a new job; False where nothing is to be begun any more."""
        with self._for_new:
            self._for_new.wait_for(lambda: self.stopping.is_set() or (self._free and not self._returning))
            self._free -= 1
        return not self.stopping.is_set()

    def give(self) -> None:
        """Leave a place to others for good."""
        with self._for_new:
            self._pass_on()

    def leave(self) -> bool:
        """Leave a place to others for a while; False where too many have done so."""
        with self._for_new:
            if self._aside >= _MOST_ASIDE:
                return False
            self._aside += 1
            if len(self._threads) < self._count + self._aside:
                self._start()
            self._pass_on()
        return True

    def come_back(self) -> None:
        """Wait for a place again."""
        with self._for_returning:
            self._returning += 1
            self._for_returning.wait_for(lambda: self.stopping.is_set() or self._free)
            self._returning -= 1
            self._aside -= 1
            self._free -= 1
            if self._free > 0:
                self._for_new.notify()

    def close(self) -> None:
        """Have all give up, and wait a little for them."""
        with self._for_new:
            self.stopping.set()
            self._for_new.notify_all()
            self._for_returning.notify_all()
        end = time.monotonic() + _SECONDS_TO_WIND_UP
        for thread in self._threads:
            thread.join(max(0.0, end - time.monotonic()))

    def _pass_on(self) -> None:
        self._free += 1
        (self._for_returning if self._returning else self._for_new).notify()

    def _start(self) -> None:
        thread = Thread(target=self._work, args=(self,), daemon=True, name=f"job-{len(self._threads)}")
        self._threads.append(thread)
        thread.start()
