"""What more rows would bring: each family's data learning curve, the gap ahead, and when the other would overtake.

The engines below (curve, gap, crossover) know error rates in points. A metric without a natural top (RMSE, log-loss)
is put on that scale by calling its present level LEVEL points, so that a gap in per cent of the level keeps its
meaning; what is said of it is held to be less sure (WIDER), because the engines were fitted on error rates.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fathometer.data.sentences import counted
from fathometer.data.thinning import place
from fathometer.study.outcome import CURVED, Outcome
from fathometer.study.record import FoldResult
from fathometer.task import Task
from fathometer.verdict.compare import Contrast
from fathometer.verdict.crossover import Crossover, find_crossover
from fathometer.verdict.curve import Curve, Point, fit_curve
from fathometer.verdict.gap import Forecast, forecast_gap
from fathometer.verdict.posterior import FOLDS_LEAST, Spread, normal_below, spread_of

FACTORS = (2.0, 4.0, 8.0, 16.0)
FACTOR_MOST = 16.0
DISAGREEMENT_AT = 4.0  # times the rows: far enough for the engines to differ, near enough for them to know
LEVEL = 20.0  # points: about the usual error rate of the curves that the engines were fitted on
WIDER = 1.3
EIGHTY = 1.2816  # standard deviations to either side that hold 80 % of a normal curve
NEARLY = 0.95  # of the way from the baseline to the best score seen
DRAWN = 40  # places at which a curve is drawn


@dataclass(frozen=True)
class Measured:
    """A point of a curve: the score after so many rows to learn from, one in `divisor`, with its 95 % interval."""

    rows: int
    divisor: int
    score: float
    low: float
    high: float
    folds: int


@dataclass(frozen=True)
class Expected:
    """A score to be expected with so many rows, `factor` times those at hand, with its 80 % interval."""

    factor: float
    rows: int
    score: float
    low: float
    high: float


@dataclass(frozen=True)
class Gain:
    """What a doubling of the rows brings, in gap units; above 0 more rows are better."""

    gain: float
    low: float
    high: float


@dataclass(frozen=True)
class LearningCurve:
    """One competitor's score against the rows it learned from.

    gain_last_doubling: as measured, 95 % interval. gain_next_doubling: as forecast, 80 %. rows_for_95_percent: with so
    many rows, 95 % of the way from the baseline to its best score was gone. behaviour, note: see `Curve`. still:
    "rising", "plateau" (the next doubling brings less than the margin) or "unclear".
    """

    points: tuple[Measured, ...]
    forecast: tuple[Expected, ...]
    smooth: tuple[Expected, ...]
    gain_last_doubling: Gain | None
    gain_next_doubling: Gain | None
    rows_for_95_percent: int | None
    behaviour: str
    still: str
    note: str


@dataclass(frozen=True)
class Ahead:
    """The gap at `factor` times the rows, in gap units with its 80 % interval, and the three probabilities."""

    factor: float
    rows: int
    p_deep: float
    p_tie: float
    p_classical: float
    gap: float
    low: float
    high: float


@dataclass(frozen=True)
class Outlook:
    """The gap with more rows. rows: to learn from at present. disagreement: between the engines at four times the rows, in
    probability."""

    rows: int
    factors: tuple[Ahead, ...]
    crossover: Crossover | None
    disagreement: float
    note: str

    def at(self, factor: float) -> Ahead | None:
        """What is expected at this many times the rows."""
        return next((ahead for ahead in self.factors if ahead.factor == factor), None)


@dataclass(frozen=True)
class Scale:
    """Between mean losses, the points that the engines know, and scores. level: the score that is LEVEL points."""

    outcome: Outcome
    level: float

    @property
    def is_share(self) -> bool:
        """Whether the metric is a share, so that losses are points already."""
        return self.outcome.task.measure.gap_unit == "points"

    def points(self, mean_loss: float) -> float:
        """Error in points of a mean loss."""
        score = self.outcome.task.measure.score(max(mean_loss, 0.0))
        return 100.0 - score if self.is_share else LEVEL * score / max(self.level, 1e-300)

    def score(self, points: float) -> float:
        """The score of an error in points."""
        points = max(points, 0.0)
        return 100.0 - min(points, 100.0) if self.is_share else points * self.level / LEVEL

    @property
    def per_point(self) -> float:
        """Gap units of one point."""
        return 1.0 if self.is_share else 100.0 / LEVEL

    def slope(self, mean_loss: float) -> float:
        """Points that a small change of the mean loss makes."""
        step = 1e-6 * max(mean_loss, 1e-300)
        return (self.points(mean_loss + step) - self.points(mean_loss)) / step


def scale_of(outcome: Outcome) -> Scale:
    """The scale at the present level of both families."""
    means = [_mean(outcome.results[name]) for name in ("classical", "deep")]
    return Scale(outcome, outcome.task.measure.score(sum(means) / 2))


def learning_curves(outcome: Outcome) -> dict[str, LearningCurve]:
    """Every competitor's curve; empty where nothing was measured on fewer rows."""
    if not _sizes(outcome):
        return {}
    scale = scale_of(outcome)
    return {name: _learning_curve(outcome, scale, name) for name in CURVED}


def look_ahead(outcome: Outcome, families: Contrast) -> Outlook | None:
    """The gap at up to 16 times the rows; None where fewer rows were not measured on enough folds.

    At the present rows it is what was measured (`families`).
    """
    divisors = [d for d in _sizes(outcome) if _folds(outcome, d) >= _folds_least(outcome)]
    if not divisors or not math.isfinite(families.spread.scale):
        return None
    scale = scale_of(outcome)
    classical, deep = (
        [(p.rows, p.error, p.standard_error) for p in _points(outcome, scale, name, divisors)]
        for name in ("classical", "deep")
    )
    errors = [_gap_error(outcome, scale, divisor) for divisor in sorted(divisors, reverse=True)]
    errors.append(families.spread.scale / scale.per_point)
    facts = facts_of(outcome.task, outcome.target, int(outcome.run["data"].get("columns", 1)))
    margin = families.margin / scale.per_point
    now = round(classical[-1][0])
    belief = families.belief
    low, high = families.spread.interval(0.8)
    factors = [Ahead(1.0, now, belief.above, belief.within, belief.below, families.gap, low, high)]
    disagreement = 0.0
    for factor in FACTORS:
        forecast = forecast_gap(classical, deep, factor, facts, margin, errors)
        if factor == DISAGREEMENT_AT:
            disagreement = forecast.disagreement
        factors.append(_ahead(forecast, scale, margin, round(now * factor)))
    crossover = find_crossover(classical, deep, facts, margin, errors)
    return Outlook(now, tuple(factors), crossover, disagreement, _note(outcome, scale, divisors))


def _learning_curve(outcome: Outcome, scale: Scale, name: str) -> LearningCurve:
    divisors = sorted(_sizes(outcome), reverse=True)
    points = _points(outcome, scale, name, divisors)
    curve = fit_curve(_shape(outcome, scale, name, points, divisors))
    level = points[-1].standard_error
    now = points[-1].rows
    drawn = np.geomspace(points[0].rows, FACTOR_MOST * now, DRAWN)
    return LearningCurve(
        points=tuple(
            _measured(outcome, scale, name, divisor, point)
            for divisor, point in zip([*divisors, 1], points, strict=True)
        ),
        forecast=tuple(_expected(curve, scale, level, factor, factor * now) for factor in FACTORS),
        smooth=tuple(_expected(curve, scale, level, rows / now, rows) for rows in drawn),
        gain_last_doubling=_last_doubling(outcome, scale, name),
        gain_next_doubling=_next_doubling(curve, scale),
        rows_for_95_percent=_rows_nearly(outcome, scale, curve, points),
        behaviour=curve.behaviour,
        still=_still(_next_doubling(curve, scale), outcome.task.margin),
        note=curve.note,
    )


def _points(outcome: Outcome, scale: Scale, name: str, divisors: Sequence[int]) -> list[Point]:
    """Errors in points, fewest rows first, all rows last.

    A smaller size's error is the error at all rows times how much it is larger on the same folds with the same
    recipes. So neither which folds were thinned nor how long was searched at all rows bends the curve.
    """
    results = outcome.results[name]
    now = _mean(results)
    spread = _spread(outcome, results)
    rows = float(np.mean([fold.learned for fold in results]))
    made = [Point(rows, scale.points(now), max(scale.slope(now) * spread.scale, 0.0))]
    for divisor in sorted(divisors):
        folds, whole = outcome.anchors[name][divisor], _whole(outcome, name, divisor)
        ratio = _mean(folds) / max(_mean(whole), 1e-300) if _mean(whole) > 0 else 1.0
        loss = now * ratio if now > 0 else _mean(folds)
        error = scale.slope(max(loss, 1e-300)) * _spread(outcome, folds).scale
        share = float(np.mean([a.learned / b.learned for a, b in zip(folds, whole, strict=True)]))
        made.append(Point(rows * share, scale.points(loss), error if math.isfinite(error) else 0.0))
    return made[::-1]


def _shape(
    outcome: Outcome, scale: Scale, name: str, points: Sequence[Point], divisors: Sequence[int]
) -> list[Point]:
    """The same errors, each as sure as its difference from that at all rows.

    All sizes are judged on the same rows: how hard these are moves a curve up or down, and says nothing of its shape.
    """
    made = []
    for point, divisor in zip(points, divisors, strict=False):
        folds, whole = outcome.anchors[name][divisor], _whole(outcome, name, divisor)
        unit = scale.slope(max(_mean(whole), 1e-300))
        apart = [unit * (a.losses - b.losses) for a, b in zip(folds, whole, strict=True)]
        error = _spread_of(outcome, apart, folds).scale
        made.append(Point(point.rows, point.error, error if math.isfinite(error) else point.standard_error))
    return [*made, Point(points[-1].rows, points[-1].error, 0.0)]


def _measured(outcome: Outcome, scale: Scale, name: str, divisor: int, point: Point) -> Measured:
    folds = outcome.results[name] if divisor == 1 else outcome.anchors[name][divisor]
    spread = _spread(outcome, folds)
    half = scale.slope(max(spread.mean, 1e-300)) * spread.half_width()
    ends = sorted(scale.score(point.error + sign * half) for sign in (-1, 1))
    low, high = ends if math.isfinite(half) else (math.nan, math.nan)
    return Measured(round(point.rows), divisor, scale.score(point.error), low, high, len(folds))


def _expected(curve: Curve, scale: Scale, level: float, factor: float, rows: float) -> Expected:
    """`level`: standard error of the error at all rows, which moves the whole curve."""
    mean, deviation = curve.at(rows)
    wide = EIGHTY * math.hypot(level, deviation) * (1.0 if scale.is_share else WIDER)
    low, high = sorted(scale.score(mean + sign * wide) for sign in (-1, 1))
    return Expected(factor, round(rows), scale.score(mean), low, high)


def _last_doubling(outcome: Outcome, scale: Scale, name: str) -> Gain | None:
    """On the same folds, with the same recipes: half the rows against all."""
    if 2 not in outcome.anchors[name]:
        return None
    halves, wholes = outcome.anchors[name][2], _whole(outcome, name, 2)
    unit = scale.slope(max(_mean(wholes), 1e-300)) * scale.per_point
    gains = [unit * (half.losses - whole.losses) for half, whole in zip(halves, wholes, strict=True)]
    spread = _spread_of(outcome, gains, halves)
    low, high = spread.interval()
    return Gain(spread.mean, low, high)


def _next_doubling(curve: Curve, scale: Scale) -> Gain:
    now, then = curve.points[-1], curve.at(2 * curve.points[-1].rows)
    wide = EIGHTY * then[1] * scale.per_point * (1.0 if scale.is_share else WIDER)
    gain = scale.per_point * (curve.at(now.rows)[0] - then[0])
    return Gain(gain, gain - wide, gain + wide)


def _still(gain: Gain, margin: float) -> str:
    if gain.high < margin:
        return "plateau"
    return "rising" if gain.gain >= margin and gain.low > 0 else "unclear"


def _rows_nearly(outcome: Outcome, scale: Scale, curve: Curve, points: Sequence[Point]) -> int | None:
    """The fewest rows, between the smallest size and all, with nearly all of what was gained over the baseline."""
    base, now = scale.points(_mean(outcome.results["baseline"])), points[-1].error
    if base <= now:
        return None
    wanted = base - NEARLY * (base - now)
    rows, errors = np.log([p.rows for p in points]), [p.error for p in points]
    places = np.linspace(rows[0], rows[-1], 200)
    drawn = np.interp(places, rows, errors)
    # from the right: the curve must stay below, or a lucky small size would count
    above = np.flatnonzero(drawn > wanted)
    place = places[0] if len(above) == 0 else places[min(above[-1] + 1, len(places) - 1)]
    return round(float(np.exp(place)))


def _ahead(forecast: Forecast, scale: Scale, margin: float, rows: int) -> Ahead:
    gap, low, high = (scale.per_point * value for value in (forecast.gap, forecast.low, forecast.high))
    shares = (forecast.p_deep, forecast.p_tie, forecast.p_classical)
    if not scale.is_share:
        low, high = gap - WIDER * (gap - low), gap + WIDER * (high - gap)
        shares = _widened(gap, low, high, margin * scale.per_point)
    return Ahead(forecast.factor, rows, *shares, gap, low, high)


def _widened(gap: float, low: float, high: float, margin: float) -> tuple[float, float, float]:
    """Probabilities (deep, tie, classical) of two halves of normal curves with this 80 % interval."""

    def below(value: float) -> float:
        side = (gap - low if value < gap else high - gap) / EIGHTY
        return normal_below((value - gap) / max(side, 1e-300))

    above = 1.0 - below(margin)
    under = below(-margin)
    return above, 1.0 - above - under, under


def _gap_error(outcome: Outcome, scale: Scale, divisor: int) -> float:
    """Standard error of the gap at a size, in points, paired by rows."""
    ones, others = outcome.anchors["classical"][divisor], outcome.anchors["deep"][divisor]
    unit = scale.slope(max((_mean(ones) + _mean(others)) / 2, 1e-300))
    gaps = [unit * (a.losses - b.losses) for a, b in zip(ones, others, strict=True)]
    error = _spread_of(outcome, gaps, ones).scale
    return error if math.isfinite(error) else 0.0


def _note(outcome: Outcome, scale: Scale, divisors: Sequence[int]) -> str:
    notes = []
    for name in ("classical", "deep"):
        sizes = sorted(divisors, reverse=True)
        points = _points(outcome, scale, name, sizes)
        curve = fit_curve(_shape(outcome, scale, name, points, sizes))
        if curve.is_ill_behaved:
            notes.append(curve.note)
    least = min(_folds(outcome, divisor) for divisor in divisors)
    notes.append(f"Every size that enters was measured on {counted(least, 'fold')} or more.")
    if not scale.is_share:
        notes.append("The forecast was learned on error rates; for this metric its interval is made wider.")
    return " ".join(notes)


def facts_of(task: Task, target: npt.NDArray[Any], columns: int) -> dict[str, float]:
    """What the engines are told of the data: rows, columns, and for classes how many and the commonest one's share."""
    facts = {"rows": float(len(target)), "columns": float(columns)}
    if task.outputs > 1:
        counts = np.bincount(target.astype(np.int64), minlength=task.outputs)
        facts |= {"classes": float(task.outputs), "majority": float(counts.max() / counts.sum())}
    return facts


def _sizes(outcome: Outcome) -> list[int]:
    """Divisors measured, without 1; smallest divisor first."""
    return sorted(divisor for divisor in outcome.anchors.get("classical", {}) if divisor > 1)


def _folds(outcome: Outcome, divisor: int) -> int:
    return len(outcome.anchors["classical"][divisor])


def _folds_least(outcome: Outcome) -> int:
    return min(FOLDS_LEAST, int(outcome.run["splits"]["first"]))


def _whole(outcome: Outcome, name: str, divisor: int) -> tuple[FoldResult, ...]:
    """The same folds with all their rows, and the same recipes."""
    wanted = {place(fold.fold)[0] for fold in outcome.anchors[name][divisor]}
    return tuple(fold for fold in outcome.anchors[name][1] if fold.fold in wanted)


def _mean(folds: Sequence[FoldResult]) -> float:
    return float(np.mean([fold.losses.mean() for fold in folds]))


def _spread(outcome: Outcome, folds: Sequence[FoldResult]) -> Spread:
    return _spread_of(outcome, [fold.losses for fold in folds], folds)


def _spread_of(outcome: Outcome, values: list, folds: Sequence[FoldResult]) -> Spread:  # type: ignore[type-arg]
    overlap = float(outcome.run["splits"]["overlap"])
    return spread_of(values, [fold.rows for fold in folds], outcome.clusters, overlap)
