"""How sure can one be of a difference: paired, with what training rows add, drawn towards no difference.

The squared scale of the mean difference has two parts (docs/decisions/0013-sharper-inference.md):

1. what test rows add: each row's difference averaged over the folds that tested it, whole clusters (duplicates, groups)
   varying together. This is what a bootstrap over clusters tends to with many draws, in closed form (the linearised
   variance of a ratio of sums, Cochran 1977, section 6.3). A difference that was never seen in n clusters may be there
   in one of n / 3, so it is never nothing;
2. what training rows add: by how much the variance between the folds of a pass is above what their test rows explain.
   A few folds hardly show it, so it is drawn towards what is usual, as variances of genes are (Smyth 2004,
   https://doi.org/10.2202/1544-6115.1027). Training parts share rows, so this part, and it alone, is taken J (1 / J +
   rho / (1 - rho)) times, for J folds with rho of the rows in each test part (Nadeau & Bengio 2003,
   https://doi.org/10.1023/A:1024068626366).

What is believed of the true difference is then a normal curve with the same 95 % interval. A Student-t of few degrees
of freedom has tails as heavy as the prior's, and would keep a difference of nine standard errors in doubt.

The prior says that differences between families are mostly small: a Student-t with three degrees of freedom around
zero, PRIOR_SCALE margins wide. It was chosen so that two equal families are seldom told apart by chance, and has
tails heavy enough to leave a clear difference as it is.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

PRIOR_SCALE = 2.0  # in margins
PRIOR_FREEDOM = 3.0
MANY_FREEDOM = 200.0  # a Student-t with so many degrees of freedom is normal
NORMAL_HALF = 1.959964  # standard deviations to either side that hold 95 % of a normal curve
GRID = 4_001
FOLDS_LEAST = 3  # two folds cannot tell how much folds vary
USUAL_EXCESS = 0.25  # of the variance that test rows give a fold's mean, training rows usually add,
USUAL_FREEDOM = 16.0  # which is believed as if so many further folds had shown it
UNSEEN = 1.5  # of this many clusters in all a difference that was never seen may be there: half of three, for one scale


@dataclass(frozen=True)
class Spread:
    """A mean and how far the true one may be: a Student-t of this scale and freedom around it.

    An infinite scale says that nothing is known of the true one.
    """

    mean: float
    scale: float
    freedom: float

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """The central interval that holds this share."""
        half = self.half_width(level)
        return self.mean - half, self.mean + half

    def half_width(self, level: float = 0.95) -> float:
        """Half the length of that interval."""
        return self.scale * t_quantile(0.5 + level / 2, self.freedom)


@dataclass(frozen=True)
class Belief:
    """Probabilities of a gap above +margin, within it, and below -margin; they sum to one."""

    above: float
    within: float
    below: float
    positive: float  # probability of a gap above 0
    low: float = -math.inf  # 10 %, 50 % and 90 % quantiles of the gap
    middle: float = 0.0
    high: float = math.inf


def spread_of(
    folds: list[Floats],
    rows: list[npt.NDArray[np.intp]],
    clusters: npt.NDArray[np.int64],
    overlap: float,
    unit: float = 0.0,
) -> Spread:
    """The spread of a quantity measured per test row on several folds.

    Args:
        folds: per fold, the quantity of each test row. rows: per fold, the positions of these rows.
        clusters: (all rows,) rows with one number are drawn together. overlap: share of rows in a test part.
        unit: by how much one row's quantity may be off that happened to be the same on all that were tested; 0: not at
            all.
    """
    means = np.array([values.mean() for values in folds])
    mean = float(means.mean())
    by_rows = _between_rows(mean, folds, rows, clusters, unit)
    if len(folds) < FOLDS_LEAST or math.isinf(by_rows.scale):
        return by_rows
    squares, freedom, explained = 0.0, 0, []
    for several in _passes(rows):
        centre = float(means[several].mean())
        squares += float(((means[several] - centre) ** 2).sum())
        freedom += len(several) - 1
        own = _between_rows(centre, [folds[k] for k in several], [rows[k] for k in several], clusters, unit)
        explained.append(len(several) * own.scale**2)
    usual = float(np.mean(explained))
    if not math.isfinite(usual):
        return by_rows
    between = (USUAL_FREEDOM * (1 + USUAL_EXCESS) * usual + squares) / (USUAL_FREEDOM + freedom)
    excess = max(between - usual, 0.0) * (1 / len(folds) + overlap / (1 - overlap))
    variance = by_rows.scale**2 + excess
    if variance <= 0:
        return by_rows
    # Satterthwaite's, of a sum of variances that are known with so many degrees of freedom each
    known = by_rows.scale**4 / by_rows.freedom + excess**2 / (USUAL_FREEDOM + freedom)
    return Spread(mean, math.sqrt(variance), min(max(variance**2 / known, 1.0), MANY_FREEDOM))


def _passes(rows: list[npt.NDArray[np.intp]]) -> list[list[int]]:
    """The folds, pass by pass: within one no row is tested twice."""
    passes: list[list[int]] = []
    tested: npt.NDArray[np.intp] = np.zeros(0, dtype=np.intp)
    for number, own in enumerate(rows):
        if not passes or np.isin(own[:1], tested).any():
            passes.append([])
            tested = own[:0]
        passes[-1].append(number)
        tested = np.concatenate([tested, own])
    return passes


def believe(spread: Spread, margin: float) -> Belief:
    """Where the true gap is, given the measured one and the prior."""
    scale = max(spread.half_width() / NORMAL_HALF, 1e-9 * max(margin, 1e-12))
    prior_scale = PRIOR_SCALE * margin
    if math.isinf(scale):  # nothing was learned: the prior alone
        within = t_cumulative(1 / PRIOR_SCALE, PRIOR_FREEDOM) - t_cumulative(-1 / PRIOR_SCALE, PRIOR_FREEDOM)
        return Belief(above=(1 - within) / 2, within=within, below=(1 - within) / 2, positive=0.5)
    # wide enough for both curves' tails, and fine enough for the narrower one: two grids, merged
    near = spread.mean + scale * np.linspace(-9, 9, GRID)
    wide = prior_scale * np.sinh(np.linspace(-9, 9, GRID))
    edges = np.array([-margin, 0.0, margin])
    grid = np.unique(np.concatenate([near, wide, edges]))
    logs = -0.5 * ((grid - spread.mean) / scale) ** 2 + _log_t(grid, 0.0, prior_scale, PRIOR_FREEDOM)
    density = np.exp(logs - logs.max())
    pieces = 0.5 * (density[1:] + density[:-1]) * np.diff(grid)
    mass = np.concatenate([[0.0], np.cumsum(pieces)])
    below, zero, above = (float(mass[np.searchsorted(grid, edge)] / mass[-1]) for edge in edges)
    low, middle, high = (float(end) for end in np.interp([0.1, 0.5, 0.9], mass / mass[-1], grid))
    return Belief(1 - above, above - below, below, 1 - zero, low, middle, high)


def _between_rows(
    mean: float,
    folds: list[Floats],
    rows: list[npt.NDArray[np.intp]],
    clusters: npt.NDArray[np.int64],
    unit: float,
) -> Spread:
    """Spread of the mean of the rows' values, whole clusters varying together; as for `spread_of`."""
    places = np.concatenate(rows)
    values = np.concatenate(folds)
    tested, inverse = np.unique(places, return_inverse=True)
    per_row = np.bincount(inverse, weights=values) / np.bincount(inverse)
    _, member = np.unique(clusters[tested], return_inverse=True)
    sizes = np.bincount(member).astype(np.float64)
    count = len(sizes)
    if count < 2:
        return Spread(mean, math.inf, 1.0)
    apart = np.bincount(member, weights=per_row - per_row.mean())
    scale = math.sqrt(count / (count - 1) * float(apart @ apart)) / float(sizes.sum())
    scale = max(scale, UNSEEN * unit / count)
    return Spread(mean, scale, min(float(count - 1), MANY_FREEDOM))


def _log_t(x: Floats, mean: float, scale: float, freedom: float) -> Floats:
    """Log density of a Student-t, up to a constant."""
    log_density: Floats = -(freedom + 1) / 2 * np.log1p(((x - mean) / scale) ** 2 / freedom)
    return log_density


def t_cumulative(value: float, freedom: float) -> float:
    """Share of a Student-t below a value, by Simpson's rule on the density under x = sinh(u)."""
    if value == 0:
        return 0.5
    if math.isinf(value):
        return 0.0 if value < 0 else 1.0
    top = math.asinh(abs(value))
    u = np.linspace(0.0, top, 2_001)
    density = np.exp(_log_t(np.sinh(u), 0.0, 1.0, freedom)) * np.cosh(u)
    step = u[1] - u[0]
    area = step / 3 * float(density[0] + density[-1] + 4 * density[1:-1:2].sum() + 2 * density[2:-1:2].sum())
    log_norm = math.lgamma((freedom + 1) / 2) - math.lgamma(freedom / 2) - 0.5 * math.log(freedom * math.pi)
    half = min(0.5, area * math.exp(log_norm))
    return 0.5 + math.copysign(half, value)


@cache
def t_quantile(share: float, freedom: float) -> float:
    """The value below which this share of a Student-t lies, by bisection."""
    if share < 0.5:
        return -t_quantile(1 - share, freedom)
    low, high = 0.0, 1.0
    while t_cumulative(high, freedom) < share:
        high *= 2
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if t_cumulative(middle, freedom) < share else (low, middle)
    return (low + high) / 2
