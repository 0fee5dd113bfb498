"""How sure can one be of a difference: paired, corrected for shared training rows, drawn towards no difference.

Two spreads are computed and the wider one is believed:

1. between folds, corrected for the rows that training parts share (Nadeau & Bengio 2003,
   https://doi.org/10.1023/A:1024068626366; in Bayesian form Benavoli et al. 2017, arXiv:1606.04316):
   the mean difference follows a Student-t with J - 1 degrees of freedom and squared scale
   s^2 (1/J + rho / (1 - rho)), for J folds with rho of the rows in each test part;
2. between test rows: each row's difference averaged over the folds that tested it, whole clusters (duplicates, groups)
   varying together. This is what a bootstrap over clusters tends to with many draws, in closed form (the linearised
   variance of a ratio of sums, Cochran 1977, section 6.3), with as many degrees of freedom as clusters less one.

What is believed of the true difference is then a normal curve with the same 95 % interval. A Student-t of few degrees
of freedom has tails as heavy as the prior's, and would keep a difference of nine standard errors in doubt.

The prior says that differences between families are mostly small: a Student-t with three degrees of freedom around
zero, PRIOR_SCALE margins wide. It was chosen so that two equal families are seldom told apart by chance, and has
tails heavy enough to leave a clear difference as it is (docs/decisions/0005-inference.md has the simulations).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

PRIOR_SCALE = 3.0  # in margins
PRIOR_FREEDOM = 3.0
MANY_FREEDOM = 200.0  # a Student-t with so many degrees of freedom is normal
NORMAL_HALF = 1.959964  # standard deviations to either side that hold 95 % of a normal curve
GRID = 4_001
FOLDS_LEAST = 3  # two folds cannot tell how much folds vary


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
) -> Spread:
    """The wider of the two spreads of a quantity measured per test row on several folds.

    Args:
        folds: per fold, the quantity of each test row. rows: per fold, the positions of these rows.
        clusters: (all rows,) rows with one number are drawn together. overlap: share of rows in a test part.
    """
    means = np.array([values.mean() for values in folds])
    mean = float(means.mean())
    by_rows = _between_rows(mean, folds, rows, clusters)
    if len(folds) < FOLDS_LEAST or math.isinf(by_rows.scale):
        return by_rows
    variance = float(means.var(ddof=1)) * (1 / len(means) + overlap / (1 - overlap))
    by_folds = Spread(mean, math.sqrt(variance), float(len(means) - 1))
    return max(by_rows, by_folds, key=Spread.half_width)


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
) -> Spread:
    """Spread of the mean of the rows' values, whole clusters varying together."""
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
