"""What more rows would bring: each family's data learning curve, the gap ahead, and when the other would overtake.

The engines below (curve, gap, crossover) know error rates in points. A metric without a natural top (RMSE, log-loss)
is put on that scale by calling its present level LEVEL points, so that a gap in per cent of the level keeps its
meaning; what is said of it is held to be less sure (WIDER), because the engines were fitted on error rates.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from fathometer.data.sentences import counted
from fathometer.data.thinning import place
from fathometer.study.outcome import CURVED, Outcome
from fathometer.study.record import FoldResult
from fathometer.task import Task
from fathometer.verdict.compare import Contrast, score
from fathometer.verdict.crossover import Crossover, Paths, crossover_of, draw_paths, start_from
from fathometer.verdict.curve import Curve, Point, fit_curve
from fathometer.verdict.gap import Measurement, forecast_gap
from fathometer.verdict.posterior import FOLDS_LEAST, Spread, spread_of

FACTORS = (2.0, 4.0, 8.0, 16.0)
FACTOR_MOST = 16.0
DISAGREEMENT_AT = 4.0  # times the rows: far enough for the engines to differ, near enough for them to know
LEVEL = 20.0  # points: about the usual error rate of the curves that the engines were fitted on
WIDER = 1.3
SIZES_LEAST = 3  # all rows and two smaller sizes: two points make a line, and nobody knows whether it goes on
TRUST = 0.7  # of this table's own paired test, against what other tables would have of its numbers (decision 0007)
EIGHTY = 1.2816  # standard deviations to either side that hold 80 % of a normal curve
NEARLY = 0.95  # of the way from the baseline to the best score seen
DRAWN = 40  # places at which a curve is drawn

Measurements = tuple[list[Measurement], list[Measurement], list[float]]
"""Both families' (rows, error, standard error) in points, fewest rows first, and the standard errors of their gap."""


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

    gain_last_doubling: as measured, 95 % interval. gain_next_doubling: as forecast, 80 %. forecast: empty
    where too few sizes were measured; smooth: the curve through the points, and on to the forecast.
    rows_for_95_percent: with so many rows, 95 % of the way from the baseline to its best score was gone.
    behaviour, note: see `Curve`. still:
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
    """The gap with more rows.

    rows: to learn from at present. disagreement: between the engines at four times the rows, in probability.
    """

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


def foresee(outcome: Outcome, families: Contrast) -> tuple[dict[str, LearningCurve], Outlook | None]:
    """Every competitor's curve, and the gap at up to 16 times the rows.

    There is one forecast: the curves of the two families are forecast to differ by the gap. At the present rows the gap
    is what was measured (`families`). The curves are empty where nothing was measured on fewer rows on enough folds;
    with too few sizes there is no outlook, and no score is forecast either.
    """
    divisors = _sizes(outcome)
    if not divisors:
        return {}, None
    scale = scale_of(outcome)
    fits = {name: _fit(outcome, scale, name, divisors) for name in CURVED}
    classical, deep = (
        [(p.rows, p.error, p.standard_error) for p in fits[name].points] for name in ("classical", "deep")
    )
    errors = [_gap_error(outcome, scale, divisor) for divisor in sorted(divisors, reverse=True)]
    measured = classical, deep, [*errors, families.spread.scale / scale.per_point]
    paths = _draw(scale, families, measured)
    curves = {name: _learning_curve(outcome, scale, name, fits, paths) for name in CURVED}
    return curves, None if paths is None else _look_ahead(outcome, scale, families, measured, fits, paths)


def _draw(scale: Scale, families: Contrast, measured: Measurements) -> Paths | None:
    """Possible gaps with more rows, in points; None where too few sizes were measured to say anything.

    They start between what was measured on this table (`families`) and what the engine makes of it, which knows other
    tables: the weight is TRUST.
    """
    classical, deep, errors = measured
    if len(classical) < SIZES_LEAST or not math.isfinite(families.spread.scale):
        return None
    belief = families.belief
    spread = (belief.high - belief.low) / 2 / scale.per_point
    paths = start_from(draw_paths(classical, deep, errors), belief.middle / scale.per_point, spread, TRUST)
    if scale.is_share:
        return paths
    middle = np.median(paths.gaps, axis=0)
    wider = 1.0 + (WIDER - 1.0) * np.minimum(paths.octaves, 1.0)
    return replace(paths, gaps=middle + wider * (paths.gaps - middle))


def _look_ahead(
    outcome: Outcome,
    scale: Scale,
    families: Contrast,
    measured: Measurements,
    fits: Mapping[str, _Fit],
    paths: Paths,
) -> Outlook:
    classical, deep, errors = measured
    now, belief = round(paths.rows), families.belief
    low, high = families.spread.interval(0.8)
    first = Ahead(1.0, now, belief.above, belief.within, belief.below, families.gap, low, high)
    margin = families.margin / scale.per_point
    facts = facts_of(outcome.task, outcome.target, int(outcome.run["data"].get("columns", 1)))
    far = forecast_gap(classical, deep, DISAGREEMENT_AT, facts, margin, errors)
    return Outlook(
        rows=now,
        factors=(first, *(_ahead(paths, scale, factor, margin) for factor in FACTORS)),
        crossover=crossover_of(paths, classical, deep, margin, errors),
        disagreement=far.disagreement,
        note=_note(outcome, scale, fits, paths),
    )


@dataclass(frozen=True)
class _Fit:
    """One competitor's measured points in points of error, and the curve through them."""

    points: list[Point]
    curve: Curve
    divisors: list[int]


def _fit(outcome: Outcome, scale: Scale, name: str, divisors: Sequence[int]) -> _Fit:
    largest_first = sorted(divisors, reverse=True)
    points = _points(outcome, scale, name, largest_first)
    return _Fit(points, fit_curve(_shape(outcome, scale, name, points, largest_first)), largest_first)


def _learning_curve(
    outcome: Outcome, scale: Scale, name: str, fits: Mapping[str, _Fit], paths: Paths | None
) -> LearningCurve:
    fit = fits[name]
    points, curve = fit.points, fit.curve
    level, now = points[-1].standard_error, points[-1].rows
    # where nothing is forecast, the drawn curve ends with what was measured
    end = now if paths is None else FACTOR_MOST * now
    drawn = np.geomspace(points[0].rows, end, DRAWN)
    moved = {factor: _moved(fits, name, paths, factor) for factor in [*FACTORS, *(drawn / now)]}
    following = None if paths is None else _next_doubling(curve, scale, moved[2.0])
    return LearningCurve(
        points=tuple(
            _measured(outcome, scale, name, divisor, point)
            for divisor, point in zip([*fit.divisors, 1], points, strict=True)
        ),
        forecast=tuple(
            _expected(curve, scale, level, factor, factor * now, moved[factor])
            for factor in (FACTORS if paths is not None else ())
        ),
        smooth=tuple(_expected(curve, scale, level, rows / now, rows, moved[rows / now]) for rows in drawn),
        gain_last_doubling=_last_doubling(outcome, scale, name, points),
        gain_next_doubling=following,
        rows_for_95_percent=_rows_nearly(outcome, scale, points),
        behaviour=curve.behaviour,
        still="unclear" if following is None else _still(following, outcome.task.margin),
        note=curve.note,
    )


def _moved(fits: Mapping[str, _Fit], name: str, paths: Paths | None, factor: float) -> float:
    """How far a family's curve is moved, in points, so that the two differ by the middle of the paths.

    The curve that is less sure moves further, as two unsure figures do whose difference is known; a curve is the less
    sure the further it is extended beyond what was seen.
    """
    if paths is None or factor <= 1.0 or name not in ("classical", "deep"):
        return 0.0
    ends = {
        family: fits[family].curve.at(factor * fits[family].points[-1].rows)
        for family in ("classical", "deep")
    }
    medians = np.median(paths.gaps, axis=0)
    wanted = float(np.interp(math.log2(factor), paths.octaves, medians))
    # at the present rows the curves differ by what was measured, and the paths may start elsewhere
    apart = fits["classical"].points[-1].error - fits["deep"].points[-1].error
    wanted += (apart - float(medians[0])) * max(0.0, 1.0 - math.log2(factor))
    missing = wanted - (ends["classical"][0] - ends["deep"][0])
    variance = {
        family: mean_and_deviation[1] ** 2
        + ((mean_and_deviation[0] - fits[family].points[-1].error) / 2) ** 2
        + 1e-12
        for family, mean_and_deviation in ends.items()
    }
    share = variance[name] / (variance["classical"] + variance["deep"])
    return float(share * missing * (1.0 if name == "classical" else -1.0))


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
    if divisor == 1:  # as in the table
        whole = score(outcome, name)
        return Measured(round(point.rows), 1, whole.score, whole.low, whole.high, len(whole.fold_scores))
    folds = outcome.anchors[name][divisor]
    spread = _spread(outcome, folds)
    half = scale.slope(max(spread.mean, 1e-300)) * spread.half_width()
    ends = sorted(scale.score(point.error + sign * half) for sign in (-1, 1))
    low, high = ends if math.isfinite(half) else (math.nan, math.nan)
    return Measured(round(point.rows), divisor, scale.score(point.error), low, high, len(folds))


def _expected(curve: Curve, scale: Scale, level: float, factor: float, rows: float, moved: float) -> Expected:
    """`level`: standard error of the error at all rows, which moves the whole curve; `moved`: see `_moved`."""
    mean, deviation = curve.at(rows)
    # where curve and gap forecast disagree, neither is as sure as it says
    wide = EIGHTY * math.hypot(level, deviation, moved / 2)
    low, high = sorted(scale.score(mean + moved + sign * wide) for sign in (-1, 1))
    return Expected(factor, round(rows), scale.score(mean + moved), low, high)


def _last_doubling(outcome: Outcome, scale: Scale, name: str, points: Sequence[Point]) -> Gain | None:
    """Between the two last points of the curve; the interval from the same folds with the same recipes."""
    if 2 not in _sizes(outcome):
        return None
    halves, wholes = outcome.anchors[name][2], _whole(outcome, name, 2)
    unit = scale.slope(max(_mean(halves) + _mean(wholes), 1e-300) / 2) * scale.per_point
    gains = [unit * (half.losses - whole.losses) for half, whole in zip(halves, wholes, strict=True)]
    half_width = _spread_of(outcome, gains, halves).half_width()
    gain = scale.per_point * (points[-2].error - points[-1].error)
    return Gain(gain, gain - half_width, gain + half_width)


def _next_doubling(curve: Curve, scale: Scale, moved: float) -> Gain:
    now, then = curve.points[-1], curve.at(2 * curve.points[-1].rows)
    wide = EIGHTY * math.hypot(then[1], moved / 2) * scale.per_point
    gain = scale.per_point * (now.error - then[0] - moved)
    return Gain(gain, gain - wide, gain + wide)


def _still(gain: Gain, margin: float) -> str:
    if gain.high < margin:
        return "plateau"
    return "rising" if gain.gain >= margin and gain.low > 0 else "unclear"


def _rows_nearly(outcome: Outcome, scale: Scale, points: Sequence[Point]) -> int | None:
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


def _ahead(paths: Paths, scale: Scale, factor: float, margin: float) -> Ahead:
    gaps = paths.at(factor)
    # half a path to each outcome: a thousand paths cannot measure a probability of nothing
    counts = np.array([(gaps > margin).sum(), (np.abs(gaps) <= margin).sum(), (gaps < -margin).sum()]) + 0.5
    p_deep, p_tie, p_classical = (float(share) for share in counts / counts.sum())
    low, gap, high = (scale.per_point * float(end) for end in np.quantile(gaps, [0.1, 0.5, 0.9]))
    return Ahead(factor, round(paths.rows * factor), p_deep, p_tie, p_classical, gap, low, high)


def _gap_error(outcome: Outcome, scale: Scale, divisor: int) -> float:
    """Standard error of the gap at a size, in points, paired by rows."""
    ones, others = outcome.anchors["classical"][divisor], outcome.anchors["deep"][divisor]
    unit = scale.slope(max((_mean(ones) + _mean(others)) / 2, 1e-300))
    gaps = [unit * (a.losses - b.losses) for a, b in zip(ones, others, strict=True)]
    error = _spread_of(outcome, gaps, ones).scale
    return error if math.isfinite(error) else 0.0


def _note(outcome: Outcome, scale: Scale, fits: Mapping[str, _Fit], paths: Paths) -> str:
    both = [fits[name] for name in ("classical", "deep")]
    notes = [fit.curve.note for fit in both if fit.curve.is_ill_behaved]
    ends = [fit.curve.at(DISAGREEMENT_AT * fit.points[-1].rows)[0] for fit in both]
    low, high = np.quantile(paths.at(DISAGREEMENT_AT), [0.1, 0.9])
    if not low <= ends[0] - ends[1] <= high:
        notes.append(
            "Extended one by one, the two curves would differ otherwise; what is forecast follows how the gaps of "
            "public pairs of curves went on."
        )
    least = min(len(outcome.anchors["classical"][divisor]) for divisor in both[0].divisors)
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
    """Divisors measured on enough folds, without 1; smallest divisor first."""
    least = min(FOLDS_LEAST, int(outcome.run["splits"]["first"]))
    measured = outcome.anchors.get("classical", {})
    return sorted(divisor for divisor, folds in measured.items() if divisor > 1 and len(folds) >= least)


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
