"""Is a difference more than noise? Paired, per test row."""

from __future__ import annotations

from dataclasses import dataclass

from fathometer.study.outcome import Outcome
from fathometer.study.record import FoldResult
from fathometer.verdict.posterior import Belief, Floats, Spread, believe, spread_of

WHOLE = 100.0  # of a gap's units, points or per cent: all of it


@dataclass(frozen=True)
class Score:
    """A competitor's score with its 95 % interval, in the metric's own unit."""

    score: float
    low: float
    high: float
    fold_scores: tuple[float, ...]


@dataclass(frozen=True)
class Contrast:
    """The gap between two competitors, in the units of the margin; above 0 the second is better.

    low, high: 95 % interval of the gap as measured. belief: probabilities after the prior.
    """

    first: str
    second: str
    gap: float
    low: float
    high: float
    unit: str
    margin: float
    belief: Belief
    spread: Spread
    folds: int


def score(outcome: Outcome, name: str) -> Score:
    """How good a competitor is on rows no choice was made on."""
    results = outcome.results[name]
    measure = outcome.task.measure
    # an error on one row; other losses have no such natural step
    unit = 1.0 if measure.unit == "%" else 0.0
    spread = _spread(outcome, [fold.losses for fold in results], results, unit)
    low, high = spread.interval()
    least = 0.0
    ends = sorted((measure.score(max(low, least)), measure.score(max(high, least))))
    if measure.unit == "%":
        ends = [min(max(end, 0.0), 100.0) for end in ends]
    return Score(
        measure.score(spread.mean),
        ends[0],
        ends[1],
        tuple(measure.score(float(fold.losses.mean())) for fold in results),
    )


def contrast(outcome: Outcome, first: str, second: str) -> Contrast:
    """The gap between two competitors on the same test rows; above 0 when the second is better.

    A pre-trained model may lack folds of repeats; the others are then compared with it on those that it has.
    """
    ones, others = _common(outcome.results[first], outcome.results[second])
    measure, margin = outcome.task.measure, outcome.task.margin
    means = [(float(a.losses.mean()), float(b.losses.mean())) for a, b in zip(ones, others, strict=True)]
    level = sum(a + b for a, b in means) / (2 * len(means))
    scale = measure.gap_scale(level)
    differences = [scale * (a.losses - b.losses) for a, b in zip(ones, others, strict=True)]
    # one row on which one family errs, or whose loss is the mean one
    spread = _spread(outcome, differences, ones, WHOLE)
    low, high = spread.interval()
    belief = believe(spread, margin)
    return Contrast(
        first, second, spread.mean, low, high, measure.gap_unit, margin, belief, spread, len(ones)
    )


def _common(
    ones: tuple[FoldResult, ...], others: tuple[FoldResult, ...]
) -> tuple[tuple[FoldResult, ...], tuple[FoldResult, ...]]:
    """The folds that both have, in the same order."""
    names = {fold.fold for fold in ones} & {fold.fold for fold in others}
    first, second = (tuple(fold for fold in folds if fold.fold in names) for folds in (ones, others))
    return first, second


def _spread(outcome: Outcome, values: list[Floats], results: tuple[FoldResult, ...], unit: float) -> Spread:
    rows = [fold.rows for fold in results]
    return spread_of(values, rows, outcome.clusters, float(outcome.run["splits"]["overlap"]), unit)
