"""Run jobs one after the other in this very process: for tiny fits, and to look into a learner with a debugger.

What it cannot promise, having no second process: a job that hangs, dies or eats memory takes this process with it;
time limits hold only as far as the job itself looks at the clock; what a job changes in its modules, the next one
sees; the memory told is the most this whole process has ever had. Every other law of engines is kept.
"""

from __future__ import annotations

import time
import traceback
from collections.abc import Generator, Iterator
from pathlib import Path

from threadpoolctl import threadpool_limits

from fathometer.core.cost import cpu_seconds, peak_bytes
from fathometer.engine import Engine, Job, Outcome
from fathometer.engines._forkserver import one_line


class Inline(Engine):
    """One job at a time, here and now. In each job numerical libraries use one thread; what it prints is shown."""

    def __init__(
        self, workers: int | None = None, preload: tuple[str, ...] = (), log: Path | None = None
    ) -> None:
        """Made like any other engine; all three are of no use here."""
        self._mapping = False
        self._closings = 0

    @property
    def workers(self) -> int:
        """How many jobs run at a time: one."""
        return 1

    def map(self, jobs: Iterator[Job | None]) -> Generator[Outcome]:
        """Run each job when its outcome is asked for. After `close` no more jobs are asked for.

        Raises:
            RuntimeError: the iterator gave None, although nothing is running, or another map is not finished.
        """
        if self._mapping:
            raise RuntimeError(
                "this engine is still mapping other jobs; finish or close that generator first"
            )
        self._mapping = True
        closings = self._closings
        try:
            for job in jobs:
                if job is None:
                    raise RuntimeError("no job is running and none was given to start")
                yield _run(job)
                if closings != self._closings:
                    return
        finally:
            self._mapping = False

    def close(self) -> None:
        """Start no further job; one that is running cannot be ended."""
        self._closings += 1


def _run(job: Job) -> Outcome:
    wall, processor = time.monotonic(), cpu_seconds()
    status, reason, trace, value = "done", "", "", None
    try:
        # as in the local engine: processor time is what is shared out, and more threads use more of it
        with threadpool_limits(1):
            value = job.work(**job.arguments)
    except MemoryError as error:
        status, reason = "out_of_memory", one_line(error)
    except (Exception, SystemExit) as error:
        status, reason, trace = "failed", one_line(error), traceback.format_exc()
    return Outcome(
        job,
        status,
        reason,
        trace,
        value,
        wall_seconds=time.monotonic() - wall,
        cpu_seconds=cpu_seconds() - processor,
        peak_bytes=peak_bytes(),
    )
