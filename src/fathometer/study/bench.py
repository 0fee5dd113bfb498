"""Fitted models, the rows of their fold and a clock: what every part of a probe asks, and how losses are compared."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fathometer.core.memo import sharing
from fathometer.data.rows import Rows
from fathometer.learner import Model, Run
from fathometer.task import Prediction, Task

Floats = npt.NDArray[np.float64]
Places = npt.NDArray[np.intp]

TELLING_BATCH = 100  # rows from which on the time of an answer says what more rows would take
NORMAL_HALF = 1.959964  # standard deviations to either side that hold 95 % of a normal curve
LEAST_LEVEL = 0.01  # of the constant answer's score: below it a better score makes no rise look larger
OUT_OF_TIME = "out of time"


class NotMeasuredError(Exception):
    """A part that cannot be measured; its text says why."""


def guarded(part: Callable[[], Any]) -> tuple[Any, str]:
    """What a part measured, or None and why it could not be: what one part meets must not cost the others."""
    try:
        return part(), ""
    except NotMeasuredError as error:
        return None, str(error)
    except Exception as error:
        return None, " ".join(f"failed: {type(error).__name__}: {error}".split())


@dataclass
class Bench:
    """Fitted models, the rows of their fold, and how long answers take.

    test, clusters: of at most 5,000 of the fold's test rows. largest: (rows, seconds) of the largest batch yet.
    """

    task: Task
    clock: Run
    members: list[tuple[Model, float]]
    rows: Rows
    train: Places
    valid: Places
    test: Places
    clusters: npt.NDArray[np.int64]
    skipped: dict[str, str]
    importance_order: list[str] | None = None
    largest: tuple[int, float] = (0, 0.0)
    answered: dict[int, Prediction] = field(default_factory=dict)
    folder: Path = Path()
    shipped: Sequence[Sequence[Any]] = ()
    competitor: str = ""
    picks: Sequence[Mapping[str, Any]] = ()
    room: int = 0

    def some(self, places: Places, most: int, seed: int) -> Rows:
        """At most so many of these rows, always the same ones of a seed, in their order."""
        return self.rows.take(some_of(places, most, seed))

    def needed(self, rows: int) -> float:
        """Seconds that answers to so many rows will take; 0 while that cannot be told."""
        count, seconds = self.largest
        return seconds * rows / count if count >= TELLING_BATCH else 0.0

    def ask(self, rows: Rows, spare: float = 0.0) -> Prediction:
        """The models' answer, which must not look at targets; `spare`: seconds that must be left afterwards.

        Raises:
            NotMeasuredError: there is no time for it, or it is not finite.
        """
        if self.clock.left() <= self.needed(len(rows)) + spare:
            raise NotMeasuredError(OUT_OF_TIME)
        count, _ = self.largest
        started = time.monotonic()
        questions = Rows(rows.frame, rows.kinds)
        with sharing():
            answers = [model.predict(questions) for model, _ in self.members]
        mean = self.task.average(answers, [weight for _, weight in self.members])
        if len(rows) >= count:
            self.largest = (len(rows), time.monotonic() - started)
        if not np.isfinite(mean).all():
            raise NotMeasuredError("the model's answers are not finite")
        return mean

    def ask_test(self, most: int) -> tuple[Rows, Prediction, npt.NDArray[np.int64]]:
        """At most so many test rows, the answers to them, and their clusters; each answered once."""
        chosen = some_of(np.arange(len(self.test)), most, 1)
        rows = self.rows.take(self.test[chosen])
        if len(rows) not in self.answered:
            self.answered[len(rows)] = self.ask(rows)
        return rows, self.answered[len(rows)], self.clusters[chosen]

    def constant_loss(self) -> float:
        """Mean loss on the test rows of the best answer that looks at no input, or nearly the best."""
        rows = self.rows.take(self.test)
        if self.task.outputs > 1:
            shares = np.bincount(rows.answers, minlength=self.task.outputs) / len(rows)
            return float(self.losses(rows, np.tile(shares, (len(rows), 1))).mean())
        return float(self.losses(rows, np.full(len(rows), float(np.median(rows.answers)))).mean())

    def losses(self, rows: Rows, answers: Prediction) -> Floats:
        """Loss of each row, where the metric looks at a whole set: at these rows as the set."""
        return self.task.losses(rows.answers, answers)


def some_of(places: Places, most: int, seed: int) -> Places:
    if len(places) <= most:
        return places
    return places[np.sort(np.random.default_rng(seed).permutation(len(places))[:most])]


def rise(bench: Bench, worse: Floats, better: Floats, clusters: npt.NDArray[np.int64]) -> dict[str, Any]:
    """How much worse these losses are, in gap units, paired by rows, with the 95 % interval."""
    differences = scale_of(bench, float(worse.mean()), float(better.mean())) * (worse - better)
    gap, half = float(differences.mean()), NORMAL_HALF * standard_error(differences, clusters)
    return {"gap": finite(gap), "low": finite(gap - half), "high": finite(gap + half)}


def scale_of(bench: Bench, worse: float, better: float) -> float:
    """Factor from a difference of mean losses to the change of the score: in points, or in per cent of the better one.

    Two competitors are near each other, and their gap is taken at the middle of their losses. A shuffled column may
    raise the loss a hundredfold; at the middle that and tenfold would look alike. So it is the score's own change
    here, in per cent of the intact score (or of a hundredth of the best constant answer's, where that is more).
    """
    measure = bench.task.measure
    if measure.gap_unit == "points" or worse == better:
        return measure.gap_scale(better)
    base = max(measure.score(better), LEAST_LEVEL * measure.score(bench.constant_loss()), 1e-300)
    return 100.0 * (measure.score(worse) - measure.score(better)) / (base * (worse - better))


def standard_error(values: Floats, clusters: npt.NDArray[np.int64]) -> float:
    """Of the mean, whole clusters varying together; NaN of fewer than two clusters."""
    _, member = np.unique(clusters, return_inverse=True)
    apart = np.bincount(member, weights=values - values.mean())
    count = len(apart)
    return math.sqrt(count / (count - 1) * float(apart @ apart)) / len(values) if count > 1 else math.nan


def finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
