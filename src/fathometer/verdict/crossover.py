"""When would the other family overtake, and when did the present leader? Paths of the gap over rows, drawn at random.

The gap's distribution at every size from the present to 16 times the rows comes from the forecast. Neighbouring sizes
depend on each other as the forecast's residuals on LCDB 1.1 did (an AR(1) in doublings), so that a path is a curve.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from fathometer.verdict.gap import LARGEST_FACTOR, Measurement, Mixture, distribution, read_sizes
from fathometer.verdict.gap_inputs import Measured, make_inputs

Array = NDArray[np.float64]

PATHS = 4000
STEP = 0.25  # doublings between the sizes of a path
# Correlation of the normal scores of the forecast's residuals one doubling apart: between the present and twice the
# rows, and further on; 123 sets of LCDB 1.1, five-fold by family of data sets (benchmarks/fit_gaps.py). It is weaker at
# first because what is wrong about the present is mostly noise.
DEPENDENCE_NOW = 0.56
DEPENDENCE = 0.84
HORIZONS = (2, 4, 10, 16)


@dataclass(frozen=True)
class Overtaking:
    """Near how many rows the present leader overtook, within the measured sizes: middle and 80 % interval."""

    rows: float
    low: float
    high: float


@dataclass(frozen=True)
class Crossover:
    """When the other family would overtake.

    `leader` ("classical" or "deep") is who is ahead now by the forecast at the present rows, which need not be whose
    measured error is smaller. `p_by` gives the probability that the other leads by 2, 4, 10 or 16 times the rows (which
    includes that it leads already) and stays ahead up to 16 times; `p_by_margin` that it then leads by more than the
    margin; `p_never` is what is left within 16 times. `low_rows`, `median_rows` and `high_rows` are the 10 %, 50 % and
    90 % quantiles of the rows at which it overtakes, over all paths and not only those where it does; None where the
    quantile lies beyond 16 times the rows. So a median of None means that overtaking within 16 times is less likely
    than not. `overtook` is set where the leader was behind at smaller measured sizes.
    """

    leader: str
    p_by: dict[int, float]
    p_by_margin: dict[int, float]
    p_never: float
    median_rows: float | None
    low_rows: float | None
    high_rows: float | None
    overtook: Overtaking | None


@dataclass(frozen=True)
class Paths:
    """Possible gaps from the present rows to 16 times as many.

    octaves: (sizes,) doublings from the present. gaps: (paths, sizes), above zero where deep learning is better.
    """

    rows: float
    octaves: Array
    gaps: Array

    def at(self, factor: float) -> Array:
        """The gaps of all paths at this many times the rows, which must be one of the sizes."""
        gaps: Array = self.gaps[:, int(np.argmin(np.abs(self.octaves - np.log2(factor))))]
        return gaps


def draw_paths(
    classical: Sequence[Measurement],
    deep: Sequence[Measurement],
    gap_errors: Sequence[float] | None = None,
    seed: int = 0,
) -> Paths:
    """Paths of the gap as the forecast has it at every size; inputs as in `forecast_gap`."""
    measured = read_sizes(classical, deep, gap_errors)
    octaves = np.arange(0.0, np.log2(LARGEST_FACTOR) + STEP / 2, STEP)
    mixture = distribution(make_inputs(_repeat(measured, len(octaves)), octaves), octaves)
    return Paths(float(measured.rows[0, 0]), octaves, _paths(mixture, np.random.default_rng(seed)))


def start_from(paths: Paths, middle: float, spread: float, trust: float) -> Paths:
    """The same paths where something else is known of the present: its middle, and half its 80 % interval.

    The forecast knows the present from other data sets; a paired test on this one may know better, or be less sure.
    How far the two differ, in place and in width, is carried on to the part `trust` (0: not at all, 1: whole), and
    fades as fast as paths forget their past.
    """
    low, centre, high = np.quantile(paths.gaps, [0.1, 0.5, 0.9], axis=0)  # (sizes,) each
    kept = trust * DEPENDENCE**paths.octaves
    wider = spread / max((high[0] - low[0]) / 2, 1e-12)
    scale = 1.0 + (wider - 1.0) * kept
    if abs(middle) <= abs(centre[0]) and middle * centre[0] > 0:
        # a smaller lead is a smaller lead at all sizes; taking the difference away would turn leads that shrink around
        moved = centre * (1.0 + (middle / centre[0] - 1.0) * kept)
    else:
        moved = centre + (middle - centre[0]) * kept
    return Paths(paths.rows, paths.octaves, moved + scale * (paths.gaps - centre))


def crossover_of(
    paths: Paths,
    classical: Sequence[Measurement],
    deep: Sequence[Measurement],
    margin: float,
    gap_errors: Sequence[float] | None = None,
    seed: int = 0,
) -> Crossover:
    """The crossover along these paths, between the present rows and 16 times as many.

    The measured sizes, as in `forecast_gap`, say where the leader overtook.
    """
    leader = "deep" if (paths.gaps[:, 0] > 0).mean() > 0.5 else "classical"
    sign = -1.0 if leader == "deep" else 1.0  # from here on, above zero means that the other family leads
    first = _first_lasting(sign * paths.gaps, 0.0)
    beyond = _first_lasting(sign * paths.gaps, margin)
    octaves, rows = paths.octaves, paths.rows
    low, median, high = (_quantile(first, octaves, share, rows) for share in (0.1, 0.5, 0.9))
    return Crossover(
        leader=leader,
        p_by={horizon: _share_by(first, octaves, horizon) for horizon in HORIZONS},
        p_by_margin={horizon: _share_by(beyond, octaves, horizon) for horizon in HORIZONS},
        p_never=1.0 - _share_by(first, octaves, LARGEST_FACTOR),
        median_rows=median,
        low_rows=low,
        high_rows=high,
        overtook=_overtaking(classical, deep, gap_errors, sign, np.random.default_rng(seed)),
    )


def _repeat(measured: Measured, count: int) -> Measured:
    """The same data set, once per size of the path."""
    return Measured(**{name: np.repeat(value, count, axis=0) for name, value in vars(measured).items()})


def _paths(mixture: Mixture, random: np.random.Generator) -> Array:
    """Gaps along every path: (paths, sizes)."""
    sizes = mixture.middle.shape[1]
    score = random.standard_normal((PATHS, sizes))
    for size in range(1, sizes):
        keep = (DEPENDENCE_NOW if size * STEP <= 1.0 else DEPENDENCE) ** STEP
        score[:, size] = keep * score[:, size - 1] + np.sqrt(1.0 - keep**2) * score[:, size]
    levels = np.concatenate([[0.002, 0.01], np.linspace(0.03, 0.97, 48), [0.99, 0.998]])
    normal = np.array([NormalDist().inv_cdf(float(level)) for level in levels])
    quantiles = mixture.quantiles(levels)  # (levels, sizes)
    return np.stack([np.interp(score[:, size], normal, quantiles[:, size]) for size in range(sizes)], axis=1)


def _first_lasting(paths: Array, threshold: float) -> NDArray[np.int64]:
    """The first size from which the path stays above the threshold; the number of sizes where it never does."""
    stays = np.logical_and.accumulate(paths[:, ::-1] > threshold, axis=1)
    first: NDArray[np.int64] = paths.shape[1] - stays.sum(axis=1)
    return first


def _share_by(first: NDArray[np.int64], octaves: Array, factor: float) -> float:
    return float((first <= np.searchsorted(octaves, np.log2(factor) + 1e-9, side="right") - 1).mean())


def _quantile(first: NDArray[np.int64], octaves: Array, share: float, rows: float) -> float | None:
    position = int(np.quantile(first, share, method="inverted_cdf"))
    return float(rows * 2.0 ** octaves[position]) if position < len(octaves) else None


def _overtaking(
    classical: Sequence[Measurement],
    deep: Sequence[Measurement],
    gap_errors: Sequence[float] | None,
    sign: float,
    random: np.random.Generator,
) -> Overtaking | None:
    """Where the present leader (ahead where `sign` times the gap is below zero) went ahead; None if it always led."""
    count = min(len(classical), len(deep))
    if count < 2:
        return None
    rows = np.log([point[0] for point in classical[-count:]])
    gap = sign * np.array([a[1] - b[1] for a, b in zip(classical[-count:], deep[-count:], strict=True)])
    noise = np.array([np.hypot(a[2], b[2]) for a, b in zip(classical[-count:], deep[-count:], strict=True)])
    if gap_errors is not None and len(gap_errors) >= count:
        noise = np.array(gap_errors[-count:], dtype=np.float64)
    middle = _last_change(rows, gap)
    if middle is None:
        return None
    drawn = [_last_change(rows, gap + noise * random.standard_normal(count)) for _ in range(400)]
    # A draw in which the leader led throughout overtook before the smallest size.
    places = [rows[0] if place is None else place for place in drawn]
    low, high = np.quantile(places, [0.1, 0.9])
    return Overtaking(
        float(np.exp(middle)), float(np.exp(min(low, middle))), float(np.exp(max(high, middle)))
    )


def _last_change(rows: Array, gap: Array) -> float | None:
    """Log rows of the last fall below zero; None where there is none, the end where the gap is above zero there."""
    if gap[-1] > 0.0:
        return float(rows[-1])
    behind = np.flatnonzero(gap > 0.0)
    if not len(behind):
        return None
    last = int(behind[-1])
    part = gap[last] / (gap[last] - gap[last + 1])
    return float(rows[last] + part * (rows[last + 1] - rows[last]))
