"""Columns with one unit keep their proportions; all else is scaled as if they were not there."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from fathometer.core.files import read_state, write_state
from fathometer.kind import Features
from fathometer.learners._matrix import RUN, Matrix, scaled_matrix, tree_matrix
from fathometer.task import TASKS

TASK = TASKS.get("regression")(target="y", metric="rmse", margin=1.0)  # type: ignore[call-arg]
RNG = np.random.default_rng(0)


def features(columns: int, common: tuple[tuple[int, int], ...], rows: int = 200) -> Features:
    numbers = (
        np.random.default_rng(1).normal(3.0, np.arange(1, columns + 1), (rows, columns)).astype(np.float32)
    )
    names = tuple(f"n{place}" for place in range(columns))
    return Features(numbers, np.zeros((rows, 0), dtype=np.int32), names, (), (), common)


def scaled(given: Features) -> tuple[Matrix, np.ndarray]:
    return scaled_matrix(given, np.zeros(len(given.numbers)), TASK, 0)


def test_a_run_keeps_its_proportions() -> None:
    given = features(8, ((2, 6),))
    _, rows = scaled(given)
    before, after = given.numbers[:, 2:6].std(axis=0), rows[:, 2:6].std(axis=0)
    np.testing.assert_allclose(after / before, (after / before)[0], rtol=1e-4)
    np.testing.assert_allclose((after**2).mean(), 1.0, rtol=1e-3)
    np.testing.assert_allclose(rows[:, 2:6].mean(axis=0), 0.0, atol=1e-4)


def test_columns_outside_a_run_are_as_without_it() -> None:
    plain, mixed = scaled(features(8, ()))[1], scaled(features(8, ((2, 6),)))[1]
    np.testing.assert_array_equal(plain[:, [0, 1, 6, 7]], mixed[:, [0, 1, 6, 7]])
    assert np.abs(plain[:, 2:6] - mixed[:, 2:6]).max() > 0.1


def test_a_long_run_counts_as_the_root_of_its_number() -> None:
    count = 16 * RUN
    given = features(count, ((0, count),))
    _, rows = scaled(given)
    np.testing.assert_allclose(rows.var(axis=0).sum(), 4 * RUN, rtol=1e-2)


def test_a_run_that_is_missing_is_flagged_once() -> None:
    given = features(8, ((2, 6),))
    given.numbers[:50, 2:6] = np.nan
    for matrix, rows in (scaled(given), tree_matrix(given, np.zeros(200), TASK, 0)):
        assert matrix.flagged == (2,) and np.isfinite(rows).all()
    assert len(scaled(replace(given, common=()))[0].flagged) == 4


def test_a_run_that_is_constant_but_for_rounding_is_not_blown_up() -> None:
    given = features(4, ((0, 4),))
    given.numbers[:] = 1.0 + 1e-7 * RNG.integers(0, 2, given.numbers.shape)
    assert np.abs(scaled(given)[1]).max() < 1e-3


def test_a_matrix_is_read_back(tmp_path: Path) -> None:
    given = features(8, ((2, 6),))
    matrix, rows = scaled(given)
    write_state(tmp_path, "matrix", matrix.state())
    shape = given.numbers.shape[1], given.sizes
    again = Matrix.from_state(read_state(tmp_path, "matrix"), shape)
    np.testing.assert_array_equal(again.transform(given), rows)
    old = {key: value for key, value in scaled(replace(given, common=()))[0].state().items() if key != "runs"}
    assert Matrix.from_state(old, shape).runs == ()
