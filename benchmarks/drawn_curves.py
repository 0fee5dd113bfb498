"""Pairs of data learning curves drawn from known laws, and the record a study of them would leave. Nothing is trained.

A family's error at `x` times the present rows is floor + (level - floor) shape(x), with shape(1) = 1; shapes are
powers, exponentials and powers whose exponent changes smoothly at some size. Both families share a floor (what nobody
can learn) and may have one of their own above it. The record is made as `study.outcome` would read it: nested sizes,
the same test rows at all of them, rows that are hard for both families at every size, rows that one family finds
hard, and training rows that move a whole fold at once, the more the fewer they are.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from fathometer.data.thinning import thinned
from fathometer.study.outcome import CURVED, Outcome
from fathometer.study.record import FoldResult
from fathometer.task import Task
from fathometer.tasks.classification import Classification
from fathometer.tasks.regression import Regression
from fathometer.testing.studies import FOLDS, SHARED

Floats = npt.NDArray[np.float64]

FAMILIES = ("classical", "deep")
LARGEST = 16.0
ALIKE = 0.6  # how often both families' curves are of one kind
APART = 0.25  # how far their exponents differ: standard deviation of the logarithm
STEEP = {"classical": 1.0, "deep": 1.1}  # networks gain more in most tables
GAPS = (0.01, 0.05, 0.15)  # standard deviations of the present gap, as a share of the error; each a third
BEND = 0.3  # how smoothly an exponent changes: share of a power of e
STAYS = 0.5  # correlation of a fold's training noise from a size to its half
TASKS: dict[str, Task] = {
    "errors": Classification("answer", "accuracy", 0.5, ("no", "yes")),
    "squares": Regression("answer", "rmse", 1.0),
}


@dataclass(frozen=True)
class Curve:
    """The true error of one family: points of error, or RMSE. `about` names the shape."""

    level: float
    floor: float
    shape: Callable[[float], float]
    about: str

    def at(self, times: float) -> float:
        """The error with so many times the present rows."""
        return self.floor + (self.level - self.floor) * self.shape(times)


@dataclass(frozen=True)
class Pair:
    """Both families' true curves, and how they are measured.

    loss: "errors" or "squares". rows: to learn from at present, four times a test part. divisors: sizes measured
    beside all rows. folds: with all rows; fewer: at the smaller sizes. common, own: share of a row's hardness that is
    the same for both families at all sizes, and for one family at all sizes. wobble: how far training rows move a fold,
    in standard errors of the table's mean loss. worse: the curve's recipes against those of the table.
    """

    loss: str
    rows: int
    classical: Curve
    deep: Curve
    divisors: tuple[int, ...]
    folds: int
    fewer: int
    common: float
    own: float
    wobble: float
    worse: float

    @property
    def curves(self) -> dict[str, Curve]:
        """By family."""
        return {"classical": self.classical, "deep": self.deep}

    def gap(self, times: float) -> float:
        """The true gap, in points or in per cent of the present level; above 0 deep learning is better."""
        apart = self.classical.at(times) - self.deep.at(times)
        if self.loss == "errors":
            return apart
        return 100.0 * apart / math.sqrt((self.classical.level**2 + self.deep.level**2) / 2)


def draw_pair(loss: str, rng: np.random.Generator) -> Pair:
    """Some pair of curves; errors never above what guessing would make at the smallest size."""
    while True:
        level = float(np.exp(rng.uniform(np.log(3.0), np.log(40.0)))) if loss == "errors" else 1.0
        guessing = min(level * rng.uniform(1.5, 5.0), 60.0) if loss == "errors" else rng.uniform(1.5, 5.0)
        apart = level * float(rng.choice(GAPS)) * rng.normal()
        levels = {"classical": level + apart / 2, "deep": level - apart / 2}
        shared = min(levels.values()) * rng.uniform(0.4, 0.98)
        habit = _Habit.draw(rng)
        curves = {family: _draw_curve(family, levels[family], shared, habit, rng) for family in FAMILIES}
        if min(levels.values()) > 0.3 * level and max(c.at(1 / LARGEST) for c in curves.values()) < guessing:
            break
    folds = int(rng.integers(3, FOLDS + 1))
    common = rng.uniform(0.5, 0.85)
    return Pair(
        loss=loss,
        rows=4 * int(np.exp(rng.uniform(np.log(200), np.log(2_000)))),
        classical=curves["classical"],
        deep=curves["deep"],
        divisors=(2, 4, 8) if rng.random() < 0.5 else (2, 4, 8, 16),
        folds=folds,
        fewer=int(rng.integers(3, folds + 1)),
        common=common,
        own=(1 - common) * rng.uniform(0.2, 0.8),
        wobble=rng.uniform(0.0, 0.7),
        worse=rng.uniform(1.0, 1.06),
    )


def draw_study(pair: Pair, rng: np.random.Generator) -> Outcome:
    """What a study of these curves would leave behind."""
    task, test = TASKS[pair.loss], pair.rows // (FOLDS - 1)
    part = rng.permutation(FOLDS * test) % FOLDS
    rows = [np.flatnonzero(part == k) for k in range(pair.folds)]
    measure = _Measuring(pair, rng, len(part))
    results: dict[str, tuple[FoldResult, ...]] = {}
    anchors: dict[str, dict[int, tuple[FoldResult, ...]]] = {}
    for family in FAMILIES:
        losses = measure.losses(family, rows)

        def done(divisor: int, folds: int, worse: bool, losses: _Losses = losses) -> tuple[FoldResult, ...]:
            return tuple(
                _fold(k, divisor, rows[k], losses[k, divisor, worse], pair.rows // divisor)
                for k in range(folds)
            )

        results[family] = done(1, pair.folds, False)
        anchors[family] = {1: done(1, pair.folds, True)}
        anchors[family] |= {divisor: done(divisor, pair.fewer, True) for divisor in pair.divisors}
    results["together"], anchors["together"] = results["deep"], anchors["deep"]
    high = 0.7 if pair.loss == "errors" else 30.0  # worse than anything drawn
    results["baseline"] = tuple(_fold(k, 1, of, np.full(len(of), high), 0) for k, of in enumerate(rows))
    run = {
        "budget": 60.0,
        "data": {"rows": len(part), "columns": 10},
        "splits": {"folds": [[f"f{k}", 0] for k in range(FOLDS)], "first": FOLDS, "overlap": 1 / FOLDS},
    }
    target = np.zeros(len(part), dtype=np.int64)
    own = np.arange(len(part))
    return Outcome(run, task, target, own, (), results, anchors={name: anchors[name] for name in CURVED})


_Losses = dict[tuple[int, int, bool], Floats]


class _Measuring:
    """Rows' losses at every size, both families from the same hard rows."""

    def __init__(self, pair: Pair, rng: np.random.Generator, count: int) -> None:
        self.pair, self.rng, self.count = pair, rng, count
        self.hard = rng.standard_normal(count)  # for everyone
        log_sd = 0.4  # residuals of some rows are wider than of others
        self.spread = np.exp(rng.normal(0.0, log_sd, count) - log_sd**2)  # mean square 1

    def losses(self, family: str, rows: list[npt.NDArray[np.intp]]) -> _Losses:
        """By fold, divisor, and whether by the curve's recipes or the table's."""
        pair, curve = self.pair, self.pair.curves[family]
        own = self.rng.standard_normal(self.count)
        fixed = math.sqrt(pair.common) * self.hard + math.sqrt(pair.own) * own
        shared = self._training_noise()
        made: _Losses = {}
        for k, tested in enumerate(rows):
            noise = {
                d: math.sqrt(SHARED) * shared[d] + math.sqrt(1 - SHARED) * fresh
                for d, fresh in self._training_noise().items()
            }
            for divisor in (1, *pair.divisors):
                left = math.sqrt(1 - pair.common - pair.own)
                latent = fixed[tested] + left * self.rng.standard_normal(len(tested))
                for worse in (False, True) if divisor == 1 else (True,):
                    error = curve.at(1 / divisor) * (pair.worse if worse else 1.0)
                    made[k, divisor, worse] = self._of(latent, error, noise[divisor], divisor, tested)
        return made

    def _of(
        self, latent: Floats, error: float, noise: float, divisor: int, tested: npt.NDArray[np.intp]
    ) -> Floats:
        pair = self.pair
        if pair.loss == "errors":
            share = error / 100
            one = math.sqrt(share * (1 - share) / self.count)  # standard error of the table's mean
            moved = min(max(share + noise * pair.wobble * one * math.sqrt(divisor), 1e-4), 0.98)
            return (latent < NormalDist().inv_cdf(moved)).astype(np.float64)
        one = 0.5 * math.sqrt(5.0 / self.count)  # of an RMSE of heavy-tailed residuals, relative
        deviation = pair.wobble * one * math.sqrt(divisor)
        moved = error * (1 + noise * deviation) / math.sqrt(1 + deviation**2)
        losses: Floats = (moved * self.spread[tested] * latent) ** 2
        return losses

    def _training_noise(self) -> dict[int, float]:
        """Standard normal at every size, neighbours alike: half of the rows are the same."""
        made, last = {}, float(self.rng.standard_normal())
        for divisor in (1, *self.pair.divisors):
            made[divisor] = last
            last = STAYS * last + math.sqrt(1 - STAYS**2) * float(self.rng.standard_normal())
        return made


def _fold(k: int, divisor: int, rows: npt.NDArray[np.intp], losses: Floats, learned: int) -> FoldResult:
    return FoldResult(thinned(f"f{k}", divisor), 0, rows, np.zeros(0), losses, 0.5, (), learned)


@dataclass(frozen=True)
class _Habit:
    """What both families' curves have in common, because the data is the same. slow: of an exponential, in rows."""

    kind: str
    exponent: float
    slow: float
    place: float

    @classmethod
    def draw(cls, rng: np.random.Generator) -> _Habit:
        slow, place = np.exp(rng.uniform(np.log([0.6, 1 / 8]), np.log([6.0, 8.0])))
        return cls(_kind(rng), rng.uniform(0.1, 0.9), float(slow), float(place))


def _kind(rng: np.random.Generator) -> str:
    return str(rng.choice(["power", "exponential", "broken"], p=[0.5, 0.2, 0.3]))


def _draw_curve(family: str, level: float, shared: float, habit: _Habit, rng: np.random.Generator) -> Curve:
    """A curve through `level`, its floor at `shared` or somewhat above."""
    floor = shared + (level - shared) * (rng.uniform(0.0, 0.3) if rng.random() < 0.5 else 0.0)
    kind = habit.kind if rng.random() < ALIKE else _kind(rng)
    faster = STEEP[family] * float(np.exp(rng.normal(0.0, APART)))
    if kind == "exponential":
        slow = habit.slow / faster
        return Curve(level, floor, lambda x: math.exp((1 - x) / slow), kind)
    exponent = habit.exponent * faster
    if kind == "power":
        return Curve(level, floor, lambda x: x**-exponent, kind)
    later = max(exponent + rng.uniform(-0.4, 0.4), 0.02)
    now = _broken(1.0, exponent, later, habit.place)
    return Curve(level, floor, lambda x: _broken(x, exponent, later, habit.place) / now, kind)


def _broken(x: float, before: float, after: float, place: float) -> float:
    """A power law, smoothly broken near `place` (Caballero et al. 2023, arXiv:2210.14891)."""
    return float(x**-before * (1 + (x / place) ** (1 / BEND)) ** (-(after - before) * BEND))
