"""Features as tensors: scales, gaps, odd columns."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from fathometer.kind import Features
from fathometer.learners._tensors import Scaling, layout_of


def features(numbers: npt.NDArray[np.float32], codes: npt.NDArray[np.int32] | None = None) -> Features:
    rows, width = numbers.shape
    chosen = np.zeros((rows, 0), dtype=np.int32) if codes is None else codes
    sizes = tuple(int(chosen[:, c].max()) + 1 for c in range(chosen.shape[1]))
    names = tuple(f"n{c}" for c in range(width))
    return Features(numbers, chosen, names, tuple(f"c{c}" for c in range(chosen.shape[1])), sizes)


def column(*values: float) -> npt.NDArray[np.float32]:
    return np.array(values, dtype=np.float32)[:, None]


def test_the_middle_half_is_about_one_wide_and_all_stays_within_three() -> None:
    values = np.random.default_rng(0).normal(500, 20, (4001, 1)).astype(np.float32)
    values[0] = 1e30
    scaling = Scaling.fit(features(values))
    scaled = scaling.apply(features(values)).numbers.numpy()
    lower, median, upper = np.quantile(scaled, [0.25, 0.5, 0.75])
    assert median == pytest.approx(0.0, abs=0.01)
    assert upper - lower == pytest.approx(1.0, abs=0.05)
    assert np.abs(scaled).max() <= 3.0


def test_columns_that_never_vary_are_left_out() -> None:
    rows = np.array([[1, np.nan, 5], [1, np.nan, 6], [1, np.nan, 7]], dtype=np.float32)
    codes = np.array([[1, 1], [1, 2], [1, 1]], dtype=np.int32)
    tensors = Scaling.fit(features(rows, codes)).apply(features(rows, codes))
    assert tensors.numbers.shape == (3, 1)
    assert tensors.codes.shape == (3, 1)
    assert tensors.flags.shape == (3, 0)


def test_a_gap_becomes_the_median_and_a_flag() -> None:
    given = features(column(1, 2, np.nan, 3, np.inf))
    tensors = Scaling.fit(given).apply(given)
    assert tensors.numbers[:, 0].tolist()[2] == 0.0
    assert tensors.flags[:, 0].tolist() == [0, 0, 1, 0, 1]


def test_bins_see_the_rare_values_behind_a_common_one() -> None:
    rng = np.random.default_rng(0)
    values = np.where(rng.random(5000) < 0.92, 0.0, rng.uniform(100, 1000, 5000)).astype(np.float32)[:, None]
    scaling = Scaling.fit(features(values))
    layout = layout_of(scaling, scaling.apply(features(values)), 1, 16)
    assert len(layout.edges[0]) >= 14


def test_many_columns_have_fewer_bins_each() -> None:
    values = np.random.default_rng(0).normal(size=(200, 600)).astype(np.float32)
    scaling = Scaling.fit(features(values))
    assert layout_of(scaling, scaling.apply(features(values)), 1, 48).edges == ()
    few = features(values[:, :100])
    scaling = Scaling.fit(few)
    layout = layout_of(scaling, scaling.apply(few), 1, 48)
    assert sum(len(cuts) - 1 for cuts in layout.edges) <= 1024


def test_a_state_gives_the_same_scaling() -> None:
    given = features(column(1, 2, 3, np.nan), np.array([[0], [1], [2], [1]], dtype=np.int32))
    scaling = Scaling.fit(given)
    again = Scaling.from_state(scaling.state(), (given.numbers.shape[1], given.sizes)).apply(given)
    assert np.array_equal(again.numbers.numpy(), scaling.apply(given).numbers.numpy())
