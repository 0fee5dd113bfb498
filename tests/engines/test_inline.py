"""The engine without processes, beyond the laws that every engine keeps."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

import numpy as np
from threadpoolctl import threadpool_info

from fathometer.engine import Job
from fathometer.engines.inline import Inline
from fathometer.testing.engines import add, exit_politely, fail_strangely, job, run_out_of_memory


def where() -> tuple[int, int]:
    """Number of this process, and the most threads any numerical library would use."""
    np.ones((2, 2)) @ np.ones((2, 2))
    return os.getpid(), max(library["num_threads"] for library in threadpool_info())


def work_for(cpu_seconds: float) -> None:
    """Use that much more processor time."""
    end = time.process_time() + cpu_seconds
    while time.process_time() < end:
        pass


def test_jobs_run_in_this_process_with_one_thread() -> None:
    (outcome,) = Inline().map(iter([job(where)]))
    assert outcome.value == (os.getpid(), 1)


def test_whatever_a_job_raises_is_an_outcome() -> None:
    jobs = [
        job(exit_politely, code=3),
        job(fail_strangely),
        job(run_out_of_memory),
        job(add, first=1, second=1),
    ]
    found = list(Inline().map(iter(jobs)))
    assert [outcome.status for outcome in found] == ["failed", "failed", "out_of_memory", "done"]
    assert "SystemExit" in found[0].reason and "Unsendable" in found[1].reason


def test_processor_time_is_the_jobs_own() -> None:
    first, second = Inline().map(iter([job(work_for, cpu_seconds=0.2), job(add, first=1, second=1)]))
    assert first.cpu_seconds >= 0.2 > second.cpu_seconds


def test_a_closed_engine_asks_for_no_more_and_can_be_used_again() -> None:
    engine = Inline()
    asked = []

    def jobs() -> Iterator[Job]:
        for number in range(5):
            asked.append(number)
            yield job(add, str(number), first=number, second=1)

    for outcome in engine.map(jobs()):
        if outcome.value == 2:
            engine.close()
    assert asked == [0, 1]
    assert len(list(engine.map(jobs()))) == 5
