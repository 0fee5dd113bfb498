"""Rows that several folds test are counted once."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from hypothesis import given
from hypothesis import strategies as st

from fathometer.study.record import FoldResult
from fathometer.tasks.classification import Classification
from fathometer.tasks.regression import Regression
from fathometer.verdict.answers import answers_given, averaged, first_tests, once_per_row


def a_fold(rows: npt.NDArray[np.intp], repeat: int = 0) -> FoldResult:
    return FoldResult("f", repeat, rows, np.zeros(len(rows)), np.zeros(len(rows)), 0.0, ())


FOLDS = st.lists(st.sets(st.integers(0, 20), min_size=1), min_size=1, max_size=6)


@given(FOLDS)
def test_every_tested_row_is_first_tested_once(parts: list[set[int]]) -> None:
    folds = [a_fold(np.array(sorted(part), dtype=np.intp)) for part in parts]
    fresh = first_tests(folds)
    kept = np.concatenate([fold.rows[mask] for fold, mask in zip(folds, fresh, strict=True)])
    assert sorted(kept.tolist()) == sorted(set.union(*parts))


@given(FOLDS)
def test_values_are_averaged_over_the_folds_that_tested_a_row(parts: list[set[int]]) -> None:
    folds = [a_fold(np.array(sorted(part), dtype=np.intp)) for part in parts]
    values = [np.arange(len(fold.rows)) + 10.0 * k for k, fold in enumerate(folds)]
    rows, mean = once_per_row(folds, values)
    assert rows.tolist() == sorted(set.union(*parts))
    for row, value in zip(rows, mean, strict=True):
        own = [v[fold.rows == row][0] for fold, v in zip(folds, values, strict=True) if row in fold.rows]
        assert np.isclose(value, np.mean(own))


def test_averages_do_not_depend_on_the_order_of_rows() -> None:
    rng = np.random.default_rng(0)
    rows, values = rng.integers(0, 30, 100), rng.random(100)
    order = rng.permutation(100)
    for one, other in zip(averaged(rows, values), averaged(rows[order], values[order]), strict=True):
        np.testing.assert_allclose(one, other)


def test_answers_are_those_a_user_is_told() -> None:
    said = np.array([[0.8, 0.2], [0.95, 0.05], [0.3, 0.7]])
    usual = Classification("answer", "accuracy", 0.5, ("2", "10"), (0.9, 0.1))
    balanced = Classification("answer", "balanced_accuracy", 0.5, ("2", "10"), (0.9, 0.1))
    assert answers_given(usual, said).tolist() == [0, 0, 1]
    assert answers_given(balanced, said).tolist() == [1, 0, 1]
    assert answers_given(Regression("answer", "rmse", 1.0), np.array([1.5, -2.0])).tolist() == [1.5, -2.0]
