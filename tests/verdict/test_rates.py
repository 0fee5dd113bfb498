"""Intervals of shares against scipy, published figures and simulation."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest

from fathometer.verdict.rates import difference, effective_rows, rate, wilson

NORMAL = 1.959963984540054


@settings(max_examples=60)
@given(st.integers(1, 5_000), st.floats(0, 1))
def test_wilson_is_scipys(rows: int, share: float) -> None:
    times = round(share * rows)
    trusted = binomtest(times, rows).proportion_ci(method="wilson")
    assert wilson(times / rows, rows, NORMAL) == pytest.approx((trusted.low, trusted.high), abs=1e-9)


def test_difference_is_newcombes() -> None:
    """56 of 70 against 48 of 80: table II of Newcombe (1998), case (a), method 10."""
    ones, others = ((k / n, *wilson(k / n, n, NORMAL)) for k, n in ((56, 70), (48, 80)))
    assert difference(ones, others) == pytest.approx((0.2, 0.0524, 0.3339), abs=5e-5)


def test_copies_are_not_more_rows() -> None:
    values = np.repeat([1.0, 0.0, 1.0, 1.0, 0.0, 1.0] * 10, 5)
    copies = np.arange(300) // 5
    assert effective_rows(values, copies) == pytest.approx(60, rel=0.03)
    assert effective_rows(values, np.arange(300)) == 300
    assert effective_rows(np.ones(300), copies) == pytest.approx(60)
    assert effective_rows(values, np.zeros(300, dtype=np.int64)) == pytest.approx(1)
    # rows of a cluster that differ as much as any others count in full
    rng = np.random.default_rng(0)
    mixed = (rng.random(3_000) < 0.3).astype(np.float64)
    assert effective_rows(mixed, np.arange(3_000) // 2) == pytest.approx(3_000, rel=0.1)


@settings(max_examples=40)
@given(st.lists(st.tuples(st.sampled_from([0.0, 0.5, 1.0]), st.integers(0, 5)), min_size=1, max_size=60))
def test_effective_rows_are_between_one_and_all(rows: list[tuple[float, int]]) -> None:
    values, clusters = np.array([v for v, _ in rows]), np.array([c for _, c in rows])
    assert 1 - 1e-9 <= effective_rows(values, clusters) <= len(rows) + 1e-9


def test_intervals_of_clustered_rows_hold_the_truth() -> None:
    """Clusters of ten rows, each with its own share, three in ten on average."""
    rng = np.random.default_rng(0)
    clusters = np.arange(400) // 10
    held, naive = 0, 0
    for _ in range(300):
        shares = np.repeat(rng.beta(0.6, 1.4, 40), 10)
        values = (rng.random(400) < shares).astype(np.float64)
        _, low, high = rate(values, clusters, NORMAL)
        held += low <= 0.3 <= high
        _, low, high = rate(values, np.arange(400), NORMAL)
        naive += low <= 0.3 <= high
    assert held >= 0.91 * 300
    assert naive < 0.8 * 300


@settings(max_examples=40)
@given(st.floats(0, 1), st.floats(0, 1), st.integers(5, 500), st.integers(5, 500))
def test_a_difference_turns_round_with_its_parts(one: float, other: float, rows: int, more: int) -> None:
    first, second = (one, *wilson(one, rows, NORMAL)), (other, *wilson(other, more, NORMAL))
    value, low, high = difference(first, second)
    assert low <= value <= high
    assert difference(second, first) == pytest.approx((-value, -high, -low))
