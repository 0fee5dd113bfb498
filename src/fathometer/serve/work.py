"""Answer questions on threads of their own, so that the event loop is free; those that wait may be answered as one."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

GATHER_SECONDS = 0.001

Q = TypeVar("Q")
A = TypeVar("A")


@dataclass(eq=False)
class Job(Generic[Q, A]):
    """One question under way.

    alike: what questions must share to be answered as one; None: answered alone. size: its rows.
    largest: rows that may be answered as one with it. started: seconds by `time.perf_counter` when a thread took it; 0
        while it waits.
    """

    question: Q
    size: int
    alike: Hashable | None
    future: asyncio.Future[A]
    loop: asyncio.AbstractEventLoop
    largest: int = 1
    asked: float = field(default_factory=time.perf_counter)
    started: float = 0.0


class Workplace(Generic[Q, A]):
    """Threads that take jobs in their order.

    answer: called on a thread with the questions of alike jobs; gives one answer, or error, per question.

    Only jobs that had to wait anyhow, because the threads were busy, are taken together; after that a millisecond at
    most is given to as many to come again. So a lone question loses no time.
    """

    def __init__(
        self, answer: Callable[[Sequence[Job[Q, A]]], Sequence[A | BaseException]], threads: int
    ) -> None:
        self.answer = answer
        self.count = 0
        """Jobs that wait or are being answered; those given up but still running are among them."""
        self._waiting: deque[Job[Q, A]] = deque()
        self._wake = threading.Condition()
        self._is_open = True
        self._before = 1  # jobs that were last answered as one
        self._threads = [
            threading.Thread(target=self._work, name=f"answers-{place}", daemon=True)
            for place in range(threads)
        ]
        for thread in self._threads:
            thread.start()

    def put(self, job: Job[Q, A]) -> None:
        """Hand over a job; called on the event loop.

        A thread is woken only when the loop has read what else had come by then: woken at once, it would take the lock
        of the interpreter from the loop, and questions that came together would be answered one after the other.
        """
        self.count += 1
        with self._wake:
            self._waiting.append(job)
        job.loop.call_soon(job.loop.call_soon, self._wake_one)

    def _wake_one(self) -> None:
        with self._wake:
            self._wake.notify()

    def close(self) -> None:
        """End the threads once what they are at is done; what waits is dropped."""
        with self._wake:
            self._is_open = False
            self._waiting.clear()
            self._wake.notify_all()

    def _work(self) -> None:
        while jobs := self._take():
            now = time.perf_counter()
            for job in jobs:
                job.started = now
            try:
                answers: Sequence[A | BaseException] = self.answer(jobs)
            except Exception as error:  # our fault; whoever asked is told so, and the thread goes on
                answers = [error] * len(jobs)
            _call(jobs[0].loop, self._settle, jobs, answers)

    def _take(self) -> list[Job[Q, A]]:
        """The next job, and those behind it that can be answered with it; empty when the place is closed."""
        with self._wake:
            while True:
                while not self._waiting:
                    if not self._is_open:
                        return []
                    self._wake.wait()
                self._gather()
                if not self._waiting:
                    continue
                jobs = self._together()
                self._before = len(jobs)
                given_up = [job for job in jobs if job.future.done()]
                if given_up:
                    _call(given_up[0].loop, self._forget, len(given_up))
                if len(given_up) < len(jobs):
                    return [job for job in jobs if job not in given_up]

    def _gather(self) -> None:
        """Let those come who were answered together a moment ago: they ask again at nearly the same time."""
        until = time.perf_counter() + GATHER_SECONDS
        wanted = self._before if self._waiting[0].alike is not None else 1
        while 0 < len(self._waiting) < wanted and (left := until - time.perf_counter()) > 0:
            self._wake.wait(left)

    def _together(self) -> list[Job[Q, A]]:
        first = self._waiting.popleft()
        jobs, rows = [first], first.size
        while first.alike is not None and self._waiting:
            following = self._waiting[0]
            if following.alike != first.alike or rows + following.size > first.largest:
                break
            rows += following.size
            jobs.append(self._waiting.popleft())
        return jobs

    def _forget(self, jobs: int) -> None:
        self.count -= jobs

    def _settle(self, jobs: Sequence[Job[Q, A]], answers: Sequence[A | BaseException]) -> None:
        """On the event loop: hand every answer to whom it belongs."""
        self.count -= len(jobs)
        for job, answer in zip(jobs, answers, strict=True):
            if job.future.done():
                continue  # given up: too late, or the client has gone
            if isinstance(answer, BaseException):
                job.future.set_exception(answer)
            else:
                job.future.set_result(answer)


def _call(loop: asyncio.AbstractEventLoop, function: Callable[..., Any], *arguments: Any) -> None:
    try:
        loop.call_soon_threadsafe(function, *arguments)
    except RuntimeError:  # the loop was closed meanwhile: nobody waits any more
        return
