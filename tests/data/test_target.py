"""The task is decided from the target's cells."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from fathometer.data.target import Target, learn_target
from fathometer.errors import UnknownName, UnsuitableData


def series(cells: list[object]) -> pd.Series:
    return pd.Series(cells, name="y")


@pytest.mark.parametrize(
    ("cells", "task"),
    [
        (["yes", "no"] * 30, "classification"),
        (["0", "1"] * 30, "classification"),
        ([0.5, 1.5] * 30, "classification"),
        ([True, False, None] * 30, "classification"),
        (["a", "b", "c", "d"] * 30, "classification"),
        ([3, 4, 5, 6, 7, 8] * 20, "classification"),
        (list(range(26)) * 10, "classification"),
        ([str(value / 7) for value in range(100)], "regression"),
        ([1.5, 2.0, 2.5, 3.0] * 30, "regression"),
        ([value**2 for value in range(100)], "regression"),
        (["1.234,5", "2.000,1", "NA", "3,5"] * 5 + ["7,1", "9,9"], "regression"),
        ([f"${value * 37 % 100}.00" for value in range(100)], "regression"),
        ([1.25, 2.5, 3.75, 9.5, "NA", "NA", "NA", "NA", "NA", "NA"] * 5, "regression"),
    ],
)
def test_the_task_is_found(cells: list[object], task: str) -> None:
    target = learn_target(series(cells))
    assert target.task == task and target.why.endswith(".")


@pytest.mark.parametrize(
    ("cells", "word"),
    [
        ([None] * 30, "no value"),
        (["same"] * 30, "same value"),
        ([f"id-{place}" for place in range(100)], "identifier"),
        (list(range(1, 101)), "numbers the rows"),
        ([f"2020-01-{1 + place % 28:02d}" for place in range(100)], "dates"),
        (["a", "b", "c"], "6 rows"),
    ],
)
def test_what_cannot_be_predicted_is_refused_in_a_sentence(cells: list[object], word: str) -> None:
    with pytest.raises(UnsuitableData, match=word):
        learn_target(series(cells))


def test_too_many_classes_are_refused() -> None:
    with pytest.raises(UnsuitableData, match="at most 200"):
        learn_target(series([f"c{place % 300}" for place in range(3000)]))


def test_the_user_may_overrule() -> None:
    stars = series([1, 2, 3, 4, 5] * 20)
    assert learn_target(stars).task == "classification"
    assert learn_target(stars, asked="regression").task == "regression"
    assert learn_target(stars, metric="rmse").task == "regression"
    assert learn_target(series(list(range(1, 101))), asked="regression").task == "regression"
    with pytest.raises(UnsuitableData, match="rmse"):
        learn_target(stars, asked="classification", metric="rmse")
    with pytest.raises(UnknownName, match="regression"):
        learn_target(stars, asked="regresion")
    with pytest.raises(UnsuitableData, match="read as one"):
        learn_target(series(["yes", "no"] * 30), asked="regression")


def test_rows_without_a_target_are_counted_and_missing() -> None:
    cells = series(["yes", "no", "", None, " yes ", "?"] * 10)
    target = learn_target(cells)
    assert target.labels == ("no", "yes") and target.label_rows == (10, 20) and target.missing_rows == 30
    assert target.read(cells).isna().sum() == 30
    assert any("30 rows" in sentence for sentence in target.sentences)


def test_rare_classes_are_told_and_left_out() -> None:
    cells = series(["a"] * 20 + ["b"] * 20 + ["c"] * 5)
    target = learn_target(cells)
    assert target.labels == ("a", "b") and target.rare == (("c", 5),)
    assert target.read(cells).isna().sum() == 5
    assert any("'c' (5)" in sentence for sentence in target.sentences)


def test_numbers_of_the_target_are_read_as_they_are_written() -> None:
    target = learn_target(series([f"{value * 7 % 50},5" for value in range(50)]))
    np.testing.assert_array_equal(target.read(series(["7,5", "x", None])).to_numpy(), [7.5, np.nan, np.nan])


def test_labels_that_are_numbers_are_ordered_by_size() -> None:
    assert learn_target(series(["10", "9", "-1"] * 10)).labels == ("-1", "9", "10")


@pytest.mark.parametrize("cells", [["a", "b"] * 10 + ["c"], [value / 7 for value in range(50)]])
def test_a_target_survives_json(cells: list[object]) -> None:
    target = learn_target(series(cells))
    assert Target.from_json(json.loads(json.dumps(target.to_json(), allow_nan=False))) == target
