"""The gap between the families at more rows than were measured: three probabilities and an interval.

Straight extrapolation of two curves is worse than assuming that nothing changes; what does better has learned from
other data sets' curves how much gaps shrink, and how much of a gap is noise (docs/decisions/0006-gap-forecast.md).
Two kinds of engine were fitted to LCDB 1.1 [1] by benchmarks/fit_gaps.py and are averaged: a linear one with a
Student-t error, and small networks. Each gives a distribution of the gap,

    gap(factor N) ~ sum_c w_c F((gap - sum_j g_j D_j - rough b_c) / s_c),   g, b, s, w = engine(context)

where D are the gaps measured and smoothed, so that any margin can be asked for and probabilities and interval agree.

[1] Yan, Mohr & Viering (2025). LCDB 1.1: a database illustrating learning curves are more ill-behaved than previously
thought. https://doi.org/10.48550/arXiv.2505.15657 (data: CC BY 4.0)
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fathometer.verdict.gap_inputs import STEPS, Inputs, Measured, make_inputs

Array = NDArray[np.float64]
Measurement = tuple[float, float, float]  # rows, error, standard error

LARGEST_FACTOR = 16.0
NEAR = 0.35  # doublings by which a measured size may miss N/2, N/4 or N/8 and still be taken for it
INTERVAL = 0.82  # share of the distribution; held 77 to 80 % of the truths of data sets left out of fitting
WIDE = 100.0  # points; no gap of two errors is larger


@dataclass(frozen=True)
class Forecast:
    """The gap "classical error - deep error" at `factor` times the largest measured size, in points.

    `p_deep`, `p_tie` and `p_classical` are of the gap being above the margin, within it and below minus the margin;
    they sum to one. `gap` is the median, `low` to `high` the shortest 80 % interval. `disagreement` is the largest
    difference between the engines' probabilities.
    """

    p_deep: float
    p_tie: float
    p_classical: float
    gap: float
    low: float
    high: float
    factor: float
    disagreement: float


@dataclass(frozen=True)
class Mixture:
    """A distribution of the gap for some data sets: parts of weight (engines, sets, parts), by engine."""

    weight: Array
    middle: Array
    scale: Array
    heavy: NDArray[np.bool_]  # (engines,): Student-t with 3 degrees of freedom instead of logistic
    share: Array  # (engines, sets): weight of the engine in the average; sums to one over the engines
    group: NDArray[np.int64]  # (engines,): 0 linear, 1 networks

    def each_below(self, gap: Array) -> Array:
        """The probability of a smaller gap by each engine: (engines, ..., sets); `gap` (..., sets) or (..., 1)."""
        levels = (1,) * (gap.ndim - 1)
        engines, sets, parts = self.middle.shape
        weight, middle, scale = (
            part.reshape(engines, *levels, sets, parts) for part in (self.weight, self.middle, self.scale)
        )
        z = (gap[..., None] - middle) / scale
        logistic = 0.5 * (1.0 + np.tanh(0.5 * z))
        student = 0.5 + (z / np.sqrt(3.0) / (1.0 + z**2 / 3.0) + np.arctan(z / np.sqrt(3.0))) / np.pi
        part: Array = np.where(self.heavy.reshape(engines, *levels, 1, 1), student, logistic)
        total: Array = (weight * part).sum(axis=-1)
        return total

    def below(self, gap: Array) -> Array:
        """The probability of a smaller gap: (..., sets); `gap` (..., sets) or (..., 1)."""
        engines, sets = self.share.shape
        share = self.share.reshape(engines, *(1,) * (gap.ndim - 1), sets)
        total: Array = (share * self.each_below(gap)).sum(axis=0)
        return total

    def quantiles(self, probabilities: Array) -> Array:
        """The gaps below which these shares lie: (probabilities, sets)."""
        wanted = probabilities[:, None]
        low = np.full((len(probabilities), self.middle.shape[1]), -WIDE)
        high = -low
        for _ in range(24):  # halvings of 200 points: to a hundred thousandth of a point
            middle = 0.5 * (low + high)
            is_below = self.below(middle) < wanted
            low, high = np.where(is_below, middle, low), np.where(is_below, high, middle)
        result: Array = 0.5 * (low + high)
        return result

    def interval(self, share: float = INTERVAL) -> tuple[Array, Array, Array]:
        """Low, median and high, each (sets,): the shortest interval with this share of the probability."""
        tails = (1.0 - share) * np.array(
            [0.2, 0.35, 0.5, 0.65, 0.8]
        )  # never so one-sided as to miss the median
        bounds = self.quantiles(np.concatenate([tails, tails + share, [0.5]]))
        lows, highs = bounds[: len(tails)], bounds[len(tails) : -1]
        best, sets = (highs - lows).argmin(axis=0), np.arange(lows.shape[1])
        return lows[best, sets], bounds[-1], highs[best, sets]


def forecast_gap(
    classical: Sequence[Measurement],
    deep: Sequence[Measurement],
    factor: float,
    facts: Mapping[str, float],
    margin: float,
    gap_errors: Sequence[float] | None = None,
) -> Forecast:
    """Forecast the gap at `factor` times the largest measured size.

    `classical` and `deep` are (rows, error, standard error), smallest size first, of one to any number of common sizes;
    those nearest N, N/2, N/4 and N/8 count. Errors are in points. For another metric give both relative to the level,
    times 20, and the margin likewise. `facts` ("classes", "columns", "majority") are accepted and not used: with them
    the engines recognised the data sets they were fitted to, and did worse on others. `gap_errors` are the standard
    errors of the gap at the sizes of `classical`, smaller than those of the two errors together where the same test
    rows served both.

    Raises ValueError for a factor outside 1 to 16 (nothing was learned about more), a margin that is not positive,
    no common size, or another number of `gap_errors` than of sizes.
    """
    if not 1.0 <= factor <= LARGEST_FACTOR:
        raise ValueError(
            f"The gap can be forecast at 1 to 16 times the measured rows, not at {factor:g} times."
        )
    if not margin > 0.0:
        raise ValueError(f"The margin must be above zero, not {margin:g}.")
    measured = read_sizes(classical, deep, gap_errors)
    doublings = np.array([np.log2(factor)])
    mixture = distribution(make_inputs(measured, doublings), doublings)
    p_classical = mixture.each_below(np.array([-margin]))[:, 0]
    p_deep = 1.0 - mixture.each_below(np.array([margin]))[:, 0]
    each = np.stack([p_deep, (1.0 - p_deep - p_classical).clip(0.0), p_classical])  # (outcomes, engines)
    average = each @ mixture.share[:, 0]
    deep_chance, tie_chance, classical_chance = average / average.sum()
    low, middle, high = (float(bound[0]) for bound in mixture.interval())
    return Forecast(
        p_deep=float(deep_chance),
        p_tie=float(tie_chance),
        p_classical=float(classical_chance),
        gap=middle,
        low=low,
        high=high,
        factor=float(factor),
        disagreement=_disagreement(each, mixture.share[:, 0], mixture.group),
    )


def read_sizes(
    classical: Sequence[Measurement],
    deep: Sequence[Measurement],
    gap_errors: Sequence[float] | None = None,
) -> Measured:
    """The measured sizes nearest N, N/2, N/4 and N/8, as a batch of one data set."""
    common = _common_sizes(classical, deep, gap_errors)
    if not common:
        raise ValueError("No size was measured for both families: the gap cannot be forecast.")
    table = np.array(common)  # (sizes, 6): rows, two errors, two standard errors, that of the gap
    table = table[np.isfinite(table[:, :3]).all(axis=1)]
    if not len(table):
        raise ValueError("No size has a finite error for both families: the gap cannot be forecast.")
    table = np.where(np.isfinite(table), table, 0.0)
    chosen = np.full((STEPS, 6), np.nan)
    octaves = np.log2(table[-1, 0] / table[:, 0].clip(1e-9))
    for step in range(STEPS):
        nearest = int(np.argmin(np.abs(octaves - step)))
        if abs(octaves[nearest] - step) <= NEAR:
            chosen[step] = table[nearest]
    return Measured(
        rows=chosen[None, :, 0],
        errors=chosen[None, :, 1:3].transpose(0, 2, 1),
        spreads=chosen[None, :, 3:5].transpose(0, 2, 1),
        gap_spreads=chosen[None, :, 5],
    )


def distribution(inputs: Inputs, log2_factor: Array) -> Mixture:
    """The engines' distributions of the gap for a batch of data sets, at `log2_factor` (sets,) doublings ahead."""
    engines, centre, width = _engines()
    context = ((inputs.context - centre) / width).clip(-6.0, 6.0)
    weights, middles, scales = [], [], []
    for engine in engines:
        weight, middle, scale = _run(engine["layers"], context, inputs, int(engine["parts"]))
        missing = 3 - weight.shape[1]  # the linear engine has one part: pad with parts of no weight
        weights.append(np.pad(weight, ((0, 0), (0, missing))))
        middles.append(np.pad(middle, ((0, 0), (0, missing))))
        scales.append(np.pad(scale, ((0, 0), (0, missing)), constant_values=1.0))
    return Mixture(
        weight=np.stack(weights),
        middle=np.stack(middles),
        scale=np.stack(scales),
        heavy=np.array([engine["heavy"] for engine in engines]),
        share=shares(
            [engine["when"] for engine in engines], [engine["share"] for engine in engines], log2_factor
        ),
        group=np.array([engine["group"] for engine in engines]),
    )


def shares(when: Sequence[str], share: Sequence[float], log2_factor: Array) -> Array:
    """The weight of every engine at these doublings: (engines, sets).

    Networks for "now" were fitted to factors near one, those for "later" to larger ones; from one to two times the rows
    the one hands over to the other. "always" is both.
    """
    later = log2_factor.clip(0.0, 1.0)
    part = {"now": 1.0 - later, "later": later, "always": np.ones_like(later)}
    weight = np.stack([value * part[name] for name, value in zip(when, share, strict=True)])
    result: Array = weight / weight.sum(axis=0)
    return result


def _run(
    layers: list[tuple[Array, Array]], context: Array, inputs: Inputs, parts: int
) -> tuple[Array, Array, Array]:
    """One engine: weight, middle and scale of the parts of the distribution, each (sets, parts)."""
    hidden = context
    for weight, bias in layers[:-1]:
        hidden = np.tanh(hidden @ weight + bias)
    weight, bias = layers[-1]
    out = hidden @ weight + bias  # (sets, gaps + 3 parts)
    gates, shift, scale, chance = np.split(out, np.cumsum([inputs.gaps.shape[1], parts, parts]), axis=1)
    rough = inputs.rough[:, None]
    middle = (gates * inputs.gaps).sum(axis=1, keepdims=True) + shift * rough
    chance = np.exp(chance - chance.max(axis=1, keepdims=True))
    return (
        chance / chance.sum(axis=1, keepdims=True),
        middle,
        0.02 + 0.6 * rough * np.exp(scale.clip(-4.0, 4.0)),
    )


def _common_sizes(
    classical: Sequence[Measurement], deep: Sequence[Measurement], gap_errors: Sequence[float] | None
) -> list[tuple[float, ...]]:
    """Sizes of both families (they may differ by a few rows), smallest first."""
    if gap_errors is not None and len(gap_errors) != len(classical):
        raise ValueError(f"{len(gap_errors)} errors of the gap were given for {len(classical)} sizes.")
    gap_error = {} if gap_errors is None else dict(enumerate(gap_errors))
    common = []
    for position, (rows, error, spread) in enumerate(classical):
        near = [other for other in deep if abs(np.log2(max(other[0], 1e-9) / max(rows, 1e-9))) < 0.1]
        if near:
            other = min(near, key=lambda found: abs(found[0] - rows))
            both = gap_error.get(position, float(np.hypot(spread, other[2])))
            common.append((rows, error, other[1], spread, other[2], both))
    return sorted(common)


def _disagreement(each: Array, share: Array, group: NDArray[np.int64]) -> float:
    """The largest difference of a probability between linear engine and networks; `each` is (outcomes, engines)."""
    groups = []
    for number in np.unique(group):
        weight = np.where(group == number, share, 0.0)
        groups.append(each @ weight / weight.sum())
    stacked = np.stack(groups)
    return float((stacked.max(axis=0) - stacked.min(axis=0)).max())


@cache
def _engines() -> tuple[list[dict[str, Any]], Array, Array]:
    """The fitted engines from gap.json, and the centre and width of their context."""
    stored = json.loads(files("fathometer.verdict").joinpath("gap.json").read_text(encoding="utf-8"))
    engines = [
        {**engine, "layers": [(np.array(weight), np.array(bias)) for weight, bias in engine["layers"]]}
        for engine in stored["engines"]
    ]
    return engines, np.array(stored["centre"]), np.array(stored["width"])
