"""A family's error as a function of rows: fitted to a few measured sizes and extended, with its uncertainty.

No single family of curves is right for learning curves [1], so seven of them are averaged. Every shape on a fixed grid
gets its best level and height in closed form, and a weight from how well it then fits:

    error(n) = c + a phi(n),  a >= 0, c >= 0,      weight = exp(-chi2 / 2),  equal mass per family at the start

Errors are in points or something like them (a level of about 20); sizes in training rows.

[1] Viering & Loog (2022). The shape of learning curves: a review. https://doi.org/10.1109/TPAMI.2022.3220744
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

MISFIT = 0.3  # points; no shape is exact, and without this floor one lucky size would rule the fit
RISE = 2.0  # standard errors by which the error must grow between neighbours to count as a rise
ROUGH = 4.0  # chi-square per size above which no shape describes the curve
LONGEST = 64.0  # times the largest size: the logarithmic curve is kept above zero up to here
# Measured on 123 sets of LCDB 1.1, 3 repeats (benchmarks/fit_gaps.py): what the
# standard deviation must be multiplied by so that mean +- 1.2816 sd covers 80 %, at log2 of the factor 0, 1, 2, 3, 4.
WIDENING = (1.0, 1.05, 1.05, 1.14, 1.14)


@dataclass(frozen=True)
class Point:
    """One measured size: the mean test error there and its standard error (0 where unknown)."""

    rows: float
    error: float
    standard_error: float


@dataclass(frozen=True)
class Curve:
    """A fitted learning curve.

    `behaviour` is "well" (a smooth falling curve describes the points), "rising" (more rows made the error
    significantly larger somewhere), "rough" (no shape describes the points) or "few" (fewer than three points).
    `note` says the same to a user and is empty for "well". `used` are the points the forecast rests on; none of the
    shapes is used when `is_flat`: then the last error stands, with a wide interval.
    """

    points: tuple[Point, ...]
    used: tuple[Point, ...]
    behaviour: str
    note: str
    is_flat: bool

    @property
    def is_ill_behaved(self) -> bool:
        """Whether the points contradict a smooth falling curve."""
        return self.behaviour in ("rising", "rough")

    def at(self, rows: float) -> tuple[float, float]:
        """Mean and standard deviation of the error at this size, inside or beyond the measured sizes."""
        last = self.points[-1]
        octaves = abs(float(np.log2(max(rows, 1.0) / last.rows)))
        if self.is_flat:
            return max(last.error, 0.0), _flat_spread(self.points, octaves)
        sizes, errors, spreads = _arrays(self.used)
        mean, deviation, _ = extend(sizes, errors, spreads, np.array([[max(rows, 1.0) / last.rows]]))
        beyond = octaves if rows > last.rows else 0.0
        widening = float(np.interp(beyond, np.arange(len(WIDENING)), WIDENING))
        return float(mean[0, 0]), float(deviation[0, 0]) * widening


def fit_curve(points: Sequence[Point]) -> Curve:
    """Fit a curve to measured sizes, in any order. Needs one point; three make it worth something.

    Where the oldest sizes contradict the rest (peaks and dips are common in small data) they are left out; where the
    newest do, the last value is all that is used.
    """
    if not points:
        raise ValueError("A learning curve needs at least one point.")
    ordered = tuple(sorted(points, key=lambda point: point.rows))
    if len(ordered) < 3:
        sizes = "one size" if len(ordered) == 1 else "two sizes"
        note = f"Only {sizes} measured: what more rows would bring is little known."
        return Curve(ordered, ordered, "few", note, is_flat=False)
    trouble = _trouble(ordered)
    if not trouble:
        return Curve(ordered, ordered, "well", "", is_flat=False)
    for first in range(1, len(ordered) - 2):
        if not _trouble(ordered[first:]):
            start = f" The forecast uses the sizes from {ordered[first].rows:,.0f} rows on."
            return Curve(ordered, ordered[first:], trouble, _note(ordered, trouble) + start, is_flat=False)
    end = " The forecast keeps the last error, with a wide interval."
    return Curve(ordered, ordered[-1:], trouble, _note(ordered, trouble) + end, is_flat=True)


def extend(
    sizes: Array, errors: Array, spreads: Array, factors: Array, measured: Array | None = None
) -> tuple[Array, Array, Array]:
    """The averaged forecast for many curves at once: mean, standard deviation, chi-square of the best shape.

    `sizes`, `errors`, `spreads` are (curves, points), largest size last; `factors` (curves, targets) are in units of
    the largest size; `measured` (curves, points) is 0 for points to be left out. Returns (curves, targets) twice and
    (curves,).
    """
    known = np.ones_like(errors) if measured is None else measured
    weight = (known / (spreads**2 + MISFIT**2))[:, None, :]
    largest = sizes[:, -1:]
    phi = _shapes(sizes / largest, largest)  # (curves, shapes, points)
    ahead = _shapes(factors, largest)  # (curves, shapes, targets)
    level, height, chi2, variance = _solve(phi, errors[:, None, :], weight, ahead)
    values = level[..., None] + height[..., None] * ahead
    best = chi2.min(axis=1, keepdims=True)
    mass = _prior_mass() * np.exp(-0.5 * (chi2 - best))
    mass = (mass / mass.sum(axis=1, keepdims=True))[..., None]
    mean = (mass * values).sum(axis=1)
    spread = (mass * ((values - mean[:, None, :]) ** 2 + variance)).sum(axis=1)
    return mean, np.sqrt(spread), best[:, 0]


def _solve(phi: Array, errors: Array, weight: Array, ahead: Array) -> tuple[Array, Array, Array, Array]:
    """Weighted least squares for level and height, neither below zero, of every shape; with the forecast's variance.

    With two coefficients the constrained optimum is the free one, or one of the two with a coefficient at zero.
    """
    total = weight.sum(axis=-1)
    first, second = (weight * phi).sum(axis=-1), (weight * phi**2).sum(axis=-1)
    target, cross = (weight * errors).sum(axis=-1), (weight * errors * phi).sum(axis=-1)
    square = (weight * errors**2).sum(axis=-1)
    determinant = total * second - first**2
    solvable = determinant > 1e-9 * total * second
    safe = np.where(solvable, determinant, 1.0)
    level, height = (second * target - first * cross) / safe, (total * cross - first * target) / safe
    free = solvable & (level >= 0) & (height >= 0)

    flat_level = np.maximum(target / total, 0.0)
    bare_height = np.maximum(cross / np.maximum(second, 1e-300), 0.0)
    flat_chi2 = square - 2 * flat_level * target + flat_level**2 * total
    bare_chi2 = square - 2 * bare_height * cross + bare_height**2 * second
    is_flat = flat_chi2 <= bare_chi2
    level = np.where(free, level, np.where(is_flat, flat_level, 0.0))
    height = np.where(free, height, np.where(is_flat, 0.0, bare_height))
    chi2 = square - 2 * level * target - 2 * height * cross
    chi2 = chi2 + level**2 * total + 2 * level * height * first + height**2 * second

    free_variance = (second[..., None] - 2 * ahead * first[..., None] + ahead**2 * total[..., None]) / safe[
        ..., None
    ]
    edge_variance = np.where(
        is_flat[..., None],
        1.0 / total[..., None],
        ahead**2 / np.maximum(second, 1e-300)[..., None],
    )
    variance = np.where(free[..., None], free_variance, edge_variance)
    return level, height, np.maximum(chi2, 0.0), np.maximum(variance, 0.0)


def _shapes(relative: Array, largest: Array) -> Array:
    """Every shape of the grid at sizes relative to the largest: (curves, shapes, sizes), each 1 or so there."""
    n = relative[:, None, :]
    power, scale, shift, stretch, moderate = (part[None, :, :, None] for part in _grid())
    rows = relative * largest
    families = [
        n ** -power[:, 0],
        np.exp(-n / scale[:, 0]) / np.exp(-1.0 / scale[:, 0]),
        ((n + shift[:, 1]) / (1.0 + shift[:, 1])) ** -shift[:, 0],
        np.exp((1.0 / stretch[:, 0]) ** stretch[:, 1] - (n / stretch[:, 0]) ** stretch[:, 1]),
        (1 + (1.0 / moderate[:, 0]) ** moderate[:, 1]) / (1 + (n / moderate[:, 0]) ** moderate[:, 1]),
        (np.log(largest + 2.0) / np.log(rows + 2.0))[:, None, :],
        (1.0 - np.log(relative) / np.log(LONGEST)).clip(0.0)[:, None, :],
    ]
    return np.concatenate(families, axis=1)


@cache
def _grid() -> tuple[Array, ...]:
    """Parameters of the families with any, each (parameters, shapes): pow3, exp3, pow4, wbl4, mmf4."""
    power = np.geomspace(0.05, 2.5, 25)[None]
    scale = np.geomspace(1 / 16, 10.0, 20)[None]
    shift = _product(np.geomspace(0.08, 2.5, 10), np.geomspace(1 / 64, 2.0, 6))
    stretch = _product(np.geomspace(1 / 64, 8.0, 10), np.linspace(0.2, 1.2, 6))
    moderate = _product(np.geomspace(1 / 64, 8.0, 10), np.linspace(0.3, 2.5, 7))
    return power, scale, shift, stretch, moderate


def _product(first: Array, second: Array) -> Array:
    left, right = np.meshgrid(first, second, indexing="ij")
    return np.stack([left.ravel(), right.ravel()])


@cache
def _prior_mass() -> Array:
    """Equal mass per family, spread evenly over its shapes: (1, shapes)."""
    counts = [part.shape[1] for part in _grid()] + [1, 1]
    return np.concatenate([np.full(count, 1.0 / count) for count in counts])[None] / len(counts)


def _arrays(points: tuple[Point, ...]) -> tuple[Array, Array, Array]:
    values = np.array([[point.rows, point.error, point.standard_error] for point in points], dtype=np.float64)
    return values[None, :, 0], values[None, :, 1], values[None, :, 2]


def _trouble(points: tuple[Point, ...]) -> str:
    """ "rising", "rough" or "" for points in order of size."""
    if _rise(points) is not None:
        return "rising"
    sizes, errors, spreads = _arrays(points)
    _, _, chi2 = extend(sizes, errors, spreads, np.ones((1, 1)))
    return "rough" if float(chi2[0]) / len(points) > ROUGH else ""


def _rise(points: tuple[Point, ...]) -> tuple[Point, Point] | None:
    """The neighbours between which the error grew most significantly, if it did; the misfit counts as noise too."""
    worst, found = RISE, None
    for before, after in pairwise(points):
        noise = float(np.sqrt(before.standard_error**2 + after.standard_error**2 + 2 * (MISFIT / 2) ** 2))
        if (after.error - before.error) / noise > worst:
            worst, found = (after.error - before.error) / noise, (before, after)
    return found


def _note(points: tuple[Point, ...], trouble: str) -> str:
    found = _rise(points)
    if trouble == "rising" and found is not None:
        return f"The error rose between {found[0].rows:,.0f} and {found[1].rows:,.0f} rows."
    return "The errors at the measured sizes follow no smooth curve."


def _flat_spread(points: tuple[Point, ...], octaves: float) -> float:
    """How far the error may be from its last value: as far per doubling as it moved between measured sizes."""
    errors = np.array([point.error for point in points])
    typical = float(np.abs(np.diff(errors)).mean())
    return float(np.hypot(max(points[-1].standard_error, MISFIT), octaves * max(typical, MISFIT)))
