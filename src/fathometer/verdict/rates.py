"""Shares of rows, and differences of two figures, with intervals that stay honest near 0, near 1 and in clusters."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from fathometer.verdict.answers import Floats

Estimate = tuple[float, float, float]
"""A value and the ends of its interval."""


def rate(values: Floats, clusters: npt.NDArray[np.int64], normal: float) -> Estimate:
    """The mean of values from 0 to 1, (rows,), with Wilson's interval for as many rows as are worth independent ones.

    Args:
        clusters: (rows,) rows of one number vary together. normal: standard deviations to either side.
    """
    share = float(values.mean())
    return (share, *wilson(share, effective_rows(values, clusters), normal))


def wilson(share: float, rows: float, normal: float) -> tuple[float, float]:
    """Wilson's interval of a share of so many rows (1927, https://doi.org/10.1080/01621459.1927.10502953)."""
    square = normal**2
    middle = (share + square / (2 * rows)) / (1 + square / rows)
    half = normal / (1 + square / rows) * math.sqrt(share * (1 - share) / rows + square / (4 * rows**2))
    # at 0 and 1 the end is the share itself, but for rounding
    return min(max(middle - half, 0.0), share), max(min(middle + half, 1.0), share)


def effective_rows(values: Floats, clusters: npt.NDArray[np.int64]) -> float:
    """How many independent rows would tell as much of the mean of these shares, (rows,), as these clusters do.

    Kish's design effect (Survey Sampling, 1965): at most the rows there are, and at least as many as if the rows of a
    cluster were all alike.
    """
    count = float(len(values))
    _, member = np.unique(clusters, return_inverse=True)
    sizes = np.bincount(member).astype(np.float64)
    if len(sizes) == len(values):
        return count
    least = count**2 / float(sizes @ sizes)
    mean = float(values.mean())
    apart = np.bincount(member, weights=values - mean)
    squares = float(apart @ apart)
    if squares <= 0 or len(sizes) < 2:  # all alike: nothing says how much clusters differ
        return least
    variance = len(sizes) / (len(sizes) - 1) * squares / count**2
    return min(max(mean * (1 - mean) / variance, least), count)


def difference(one: Estimate, other: Estimate) -> Estimate:
    """The first less the second, of independent figures, with an interval made of theirs.

    Newcombe (1998), method 10, https://doi.org/10.1002/(SICI)1097-0258(19980430)17:8<873::AID-SIM779>3.0.CO;2-I;
    for other figures than shares Zou & Donner (2008), https://doi.org/10.1002/sim.3095.
    """
    value = one[0] - other[0]
    below = math.hypot(one[0] - one[1], other[2] - other[0])
    above = math.hypot(one[2] - one[0], other[0] - other[1])
    return value, value - below, value + above
