"""Where questions are answered: checked, queued, put to the model on a thread, counted and logged."""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TypeVar, cast

import numpy as np
import pandas as pd

from fathometer.bundle.asking import ON_BAD, Asked, ask
from fathometer.bundle.read import Bundle
from fathometer.errors import BadBundle, UnknownName, UserError
from fathometer.learner import LEARNERS
from fathometer.serve.limits import TEXT_BYTES, Limits, check_size
from fathometer.serve.log import Entry, PredictionLog
from fathometer.serve.metrics import Metrics
from fathometer.serve.packed import Packed
from fathometer.serve.question import Question, RefusedError, Reply
from fathometer.serve.settings import Settings
from fathometer.serve.work import Job, Workplace

T = TypeVar("T")

BATCHED = (".learners.dl.", ".learners.pretrained.")
"""Where the learners lie whose rows are cheaper together; known by place, so that nothing is imported to know it."""
NETWORK_ROWS, PLAIN_ROWS = 32, 1_024  # answered as one at most: a network takes long over many
ROW_BY_ROW = frozenset({"baseline", "linear", "additive", "tree", "forest", "boosting", "catboost"})
"""Learners in whose arithmetic rows never meet, as they do in a product of matrices."""
BUSY_SECONDS, SLOW_SECONDS = 1, 10  # after which one may try again
MOST_SLOW = 4  # explanations that are made or wait

logger = logging.getLogger("fathometer.serve")


@dataclass(frozen=True)
class Asking:
    """The request that is being answered: the name it has here, the protocol by which it came, and its length."""

    request: str
    protocol: str
    body_bytes: int = 0


asking: ContextVar[Asking | None] = ContextVar("asking", default=None)
"""Set by the app for each request; the desk names, counts and logs by it."""


def request_in_hand() -> str:
    """The name of the request that is being answered, or a new one."""
    now = asking.get()
    return now.request if now else secrets.token_hex(8)


@dataclass(frozen=True)
class Errand:
    """A question, with what is known of it beside its rows. text_bytes: of its texts and pictures, at most."""

    question: Question
    family: str
    request: str
    protocol: str
    text_bytes: int


class Desk:
    """Answers questions to one model. Everything that a protocol may touch is here.

    >>> desk = Desk(bundle)  # doctest: +SKIP
    >>> reply = await desk.ask(Question(frame))  # doctest: +SKIP
    """

    def __init__(self, bundle: Bundle, settings: Settings | None = None) -> None:
        self.bundle = bundle
        self.settings = settings or Settings()
        self.name: str = bundle.name
        self.version: str = bundle.version
        self.labels: tuple[str, ...] = tuple(getattr(bundle.task, "labels", ()))
        self.metrics = Metrics(self.name, self.version, bundle.schema.names)
        self.packed = Packed(bundle.schema)
        self.log = self._opened_log()
        self._largest = {family: self._rows_together(family) for family in bundle.mixes}
        self._place: Workplace[Errand, Reply] = Workplace(self._answer, self.settings.threads)
        self._slow: Workplace[Callable[[], object], object] = Workplace(_done, 1)
        self._apart = ThreadPoolExecutor(1, "apart")
        self._made: dict[Callable[[Desk], object], object] = {}
        self.is_ready = True

    @property
    def limits(self) -> Limits:
        """The largest of everything."""
        return self.settings.limits

    @property
    def is_ready(self) -> bool:
        """Whether questions are answered; False as soon as the server is told to stop."""
        return self._is_ready

    @is_ready.setter
    def is_ready(self, value: bool) -> None:
        self._is_ready = value
        self.metrics.ready(value)

    @property
    def under_way(self) -> int:
        """Questions that wait or are being answered."""
        return self._place.count

    def warm(self) -> None:
        """Check the golden rows and answer once, so that the first client does not wait for what is loaded then.

        Raises:
            BadBundle: the model does not answer as when it was made.
        """
        started = time.perf_counter()
        self.bundle.check(family=self.bundle.default)  # another's members may need what is not to be loaded
        ask(self.bundle, pd.DataFrame({name: [None] for name in self.bundle.schema.names}, dtype=object))
        self.metrics.loaded(time.perf_counter() - started)

    def close(self) -> None:
        """Let threads and the log go; what is logged is written first."""
        self.is_ready = False
        self._place.close()
        self._slow.close()
        self._apart.shutdown(wait=False, cancel_futures=True)
        if self.log is not None:
            self.log.close()

    async def ask(self, question: Question) -> Reply:
        """Answer, or refuse.

        Raises:
            RefusedError: 404 for a family, 413 or 422 for the rows, 503 where too many wait, 504 after the deadline.
        """
        check_size(question, self.limits)
        if question.on_bad not in ON_BAD:
            raise RefusedError(422, f"Expected on_bad {', '.join(ON_BAD)}; got {question.on_bad[:40]!r}.")
        family = self.family(question.family)
        if self._place.count >= self.limits.waiting:
            raise RefusedError(
                503,
                f"{self._place.count} questions are being answered or wait already. Ask again in a moment.",
                retry_after=BUSY_SECONDS,
            )
        now = asking.get()
        request = question.request or request_in_hand()
        text_bytes = max(now.body_bytes if now else 0, question.frame.attrs.get(TEXT_BYTES, 0))
        errand = Errand(question, family, request, now.protocol if now else "", text_bytes)
        return await self._answered(errand)

    def family(self, name: str | None) -> str:
        """Who answers: the family of that name, or the model's choice.

        Raises:
            RefusedError: 404 where there is none.
        """
        family = name or self.bundle.default
        if family not in self.bundle.mixes:
            raise RefusedError(404, str(UnknownName("family in this model", family[:80], self.bundle.mixes)))
        return family

    async def apart(self, function: Callable[..., T], *arguments: object) -> T:
        """Run what takes long (decoding a large body, say) on a thread, so that others are answered meanwhile."""
        return await asyncio.get_running_loop().run_in_executor(self._apart, function, *arguments)

    async def slowly(self, function: Callable[[], T]) -> T:
        """Run what takes many answers of the model, beside the questions; few of these may wait.

        Raises:
            RefusedError: 503 where too many wait, 504 after the deadline.
        """
        if self._slow.count >= MOST_SLOW:
            raise RefusedError(
                503, "Too many explanations are asked for. Ask again later.", retry_after=SLOW_SECONDS
            )
        loop = asyncio.get_running_loop()
        job: Job[Callable[[], object], object] = Job(function, 1, None, loop.create_future(), loop)
        self._slow.put(job)
        return cast(T, await self._in_time(job.future))

    def once(self, make: Callable[[Desk], T]) -> T:
        """What this function makes of the desk: made when first asked for, and kept."""
        if make not in self._made:
            self._made[make] = make(self)
        return cast(T, self._made[make])

    async def _answered(self, errand: Errand) -> Reply:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Reply] = loop.create_future()
        self._place.put(
            Job(
                errand,
                len(errand.question.frame),
                self._alike(errand),
                future,
                loop,
                self._largest[errand.family],
            )
        )
        self.metrics.in_progress(self._place.count)
        try:
            return await self._in_time(future)
        finally:
            self.metrics.in_progress(self._place.count)

    async def _in_time(self, future: asyncio.Future[T]) -> T:
        # asyncio.wait_for would make a task, and cost as much as all the rest here
        deadline = future.get_loop().call_later(self.limits.seconds, self._give_up, future)
        try:
            return await future
        finally:
            deadline.cancel()

    def _give_up(self, future: asyncio.Future[T]) -> None:
        if not future.done():
            future.set_exception(
                RefusedError(
                    504, f"No answer within {self.limits.seconds:g} seconds. Ask for fewer rows at once."
                )
            )

    def _opened_log(self) -> PredictionLog | None:
        if self.settings.log.file is None:
            return None
        names = self.bundle.schema.names
        return PredictionLog(self.settings.log, names, self.metrics.log_error, self.metrics.log_dropped)

    def _rows_together(self, family: str) -> int:
        """How many rows of questions to this family are answered as one where they wait; 1: never.

        That is done where there are networks, for which it pays most, and where all answer each row by itself, so that
        the answers are the same to the last bit.
        """
        learners = {self.bundle.learners[key] for mix in self.bundle.mixes[family] for key in mix}
        is_deep = any(batched in LEARNERS.place(learner) for learner in learners for batched in BATCHED)
        wanted = self.settings.batch
        if wanted is False or (wanted is None and not is_deep and not learners <= ROW_BY_ROW):
            return 1
        return self.settings.batch_rows or (NETWORK_ROWS if is_deep else PLAIN_ROWS)

    def _alike(self, errand: Errand) -> Hashable | None:
        """What questions must share to be answered as one; None where this one is answered alone."""
        question = errand.question
        if len(question.frame) >= self._largest[errand.family]:
            return None
        # equal types too: joined with fractions, whole numbers would read otherwise
        columns, types = tuple(question.frame.columns), tuple(question.frame.dtypes)
        return (errand.family, question.on_bad, question.fill_missing, columns, types)

    def _answer(self, jobs: Sequence[Job[Errand, Reply]]) -> Sequence[Reply | BaseException]:
        """On a thread of the workplace: one reply or refusal per job.

        Where something is odd about one of several, it is looked for by halves, for each is told its own by itself.
        """
        if len(jobs) == 1:
            return [self._answer_alone(jobs[0])]
        together = self._asked_together([job.question for job in jobs])
        if together is not None:
            return [self._reply(job, asked) for job, asked in zip(jobs, together, strict=True)]
        half = len(jobs) // 2
        return [*self._answer(jobs[:half]), *self._answer(jobs[half:])]

    def _answer_alone(self, job: Job[Errand, Reply]) -> Reply | BaseException:
        try:
            self.metrics.batch()
            return self._reply(job, self._asked(job.question, job.question.question.frame))
        except RefusedError as refusal:
            return refusal
        except UnknownName as error:
            return RefusedError(404, str(error))
        except BadBundle as error:
            return error
        except UserError as error:
            return RefusedError(422, str(error))
        except Exception as error:  # our fault: whoever asked is told so, and the thread goes on
            return error

    def _asked(self, errand: Errand, frame: pd.DataFrame) -> Asked:
        question = errand.question
        self.packed.check(frame, self.limits)
        return ask(
            self.bundle,
            frame,
            family=errand.family,
            on_bad=question.on_bad,
            fill_missing=question.fill_missing,
        )

    def _asked_together(self, errands: Sequence[Errand]) -> list[Asked] | None:
        """What the model says of several questions in one call; None where something is odd about one of them."""
        frames = [errand.question.frame for errand in errands]
        try:
            self.metrics.batch()
            asked = self._asked(errands[0], pd.concat(frames, ignore_index=True))
        except Exception:  # it comes again, and is told, when its question is asked alone
            return None
        if asked.bad_rows or asked.unseen or asked.notes:
            return None
        ends = np.cumsum([len(frame) for frame in frames])
        return [
            Asked(asked.answers.iloc[start:end], asked.prediction[start:end], np.arange(end - start))
            for start, end in zip([0, *ends[:-1]], ends, strict=True)
        ]

    def _reply(self, job: Job[Errand, Reply], asked: Asked) -> Reply:
        errand = job.question
        question, seconds = errand.question, time.perf_counter() - job.asked
        reply = Reply(
            request=errand.request,
            model=self.name,
            version=self.version,
            family=errand.family,
            places=asked.places,
            answers=asked.answers,
            prediction=asked.prediction,
            labels=self.labels,
            row_ids=_row_ids(question.keys, errand.request, asked.places.tolist()),
            bad=asked.bad,
            bad_rows=asked.bad_rows,
            notes=asked.notes,
            unseen=asked.unseen,
        )
        self.metrics.answered(len(reply.row_ids), seconds, job.started - job.asked)
        self.metrics.cells(question.frame)
        self.metrics.oddities(asked.unseen, asked.bad_rows)
        if self.log is not None:
            frame, protocol, size = question.frame, errand.protocol, errand.text_bytes
            self.log.put(Entry(reply, frame, protocol, time.time(), seconds, size))
        return reply


def _row_ids(keys: Sequence[str] | None, request: str, places: Sequence[int]) -> tuple[str, ...]:
    if keys is not None:
        return tuple(keys[place] for place in places)
    return tuple(f"{request}-{place}" for place in places)


def _done(jobs: Sequence[Job[Callable[[], object], object]]) -> Sequence[object]:
    return [job.question() for job in jobs]
