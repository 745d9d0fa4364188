"""A pool of slots: a job that waits for a host yields its slot to others."""

from __future__ import annotations

import time
from threading import Event

import pytest

from harbor_agent.transport.pool import releasing_slot, run_each


def test_each_job_has_one_result_and_the_slots_limit_the_running_jobs() -> None:
    running: list[int] = []
    most: list[int] = []

    def one(job: int, _: Event) -> int:
        running.append(job)
        most.append(len(running))
        if job % 5 == 0:
            running.remove(job)
            with releasing_slot():
                time.sleep(0.01)
            running.append(job)
        running.remove(job)
        return job

    assert sorted(run_each(one, range(200), forks=3)) == list(range(200))
    assert max(most) <= 3


def test_a_job_that_yields_its_slot_lets_others_run() -> None:
    others_done = Event()
    results: list[int] = []

    def one(job: int, _: Event) -> int:
        if job < 4:
            with releasing_slot():
                assert others_done.wait(30)
        return job

    for result in run_each(one, range(10), forks=1):
        results.append(result)
        if len(results) == 6:
            others_done.set()
    assert sorted(results[:6]) == [4, 5, 6, 7, 8, 9]
    assert sorted(results[6:]) == [0, 1, 2, 3]


def test_a_job_that_yields_its_slot_does_not_delay_a_stop() -> None:
    go_on = Event()

    def one(job: int, stopping: Event) -> int:
        if job:
            with releasing_slot():
                assert stopping.wait(30)
                go_on.set()
        return job

    results = run_each(one, range(5), forks=1)
    assert next(results) == 0
    results.close()  # type: ignore[attr-defined]  # a generator
    assert go_on.wait(30)


def test_an_exception_without_a_slot_is_raised() -> None:
    def one(_job: int, _stopping: Event) -> None:
        with releasing_slot():
            raise ValueError("a bug")

    with pytest.raises(ValueError, match="a bug"):
        list(run_each(one, range(3), forks=1))
