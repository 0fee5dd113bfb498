"""Numbers are read however they are written."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fathometer.kinds.category import Category
from fathometer.kinds.number import Number

NUMBER = Number()


def read(cells: list[object]) -> list[float]:
    series = pd.Series(cells, dtype=object, name="n")
    return NUMBER.read(series, NUMBER.learn_reading(series)).tolist()


@pytest.mark.parametrize(
    ("cells", "values"),
    [
        (["1.5", "2", "-3e2"], [1.5, 2, -300]),
        (["1,5", "2,25", "3"], [1.5, 2.25, 3]),
        (["1,234", "12,345", "7"], [1234, 12345, 7]),
        (["1,234.5", "12,345.75"], [1234.5, 12345.75]),
        (["1.234,5", "12.345,75", "3,1"], [1234.5, 12345.75, 3.1]),
        (["1.234.567", "2.345"], [1234567, 2345]),
        (["1 234,5", "12\u00a0345,5"], [1234.5, 12345.5]),
        (["1'234.5", "12\u2019345.5"], [1234.5, 12345.5]),
        (["12,34,567", "1,00,000"], [1234567, 100000]),
        (["$4.99", "$1,200.00", "-$3", "0"], [4.99, 1200, -3, 0]),
        (["4,99 €", "3,50 €", "12,00 €"], [4.99, 3.5, 12]),
        (["19 %", "20 %", "5 %"], [19, 20, 5]),
        (["12 kg", "13.5 kg", "2 kg"], [12, 13.5, 2]),
        (["(12)", "13", "(1,000)"], [-12, 13, -1000]),
        (["19M", "201k", "3M", "7"], [19e6, 201e3, 3e6, 7]),
        (["1,000+", "5,000,000+", "10+"], [1000, 5000000, 10]),
        (["\u22125", "5"], [-5, 5]),
        (["0,123", "0,456"], [0.123, 0.456]),
        (["0.123", "1.456"], [0.123, 1.456]),
        ([1, 2.5, "3", True], [1, 2.5, 3, 1]),
    ],
)
def test_a_column_is_read_as_it_is_written(cells: list[object], values: list[float]) -> None:
    assert read(cells) == pytest.approx(values)


@pytest.mark.parametrize(
    "word", ["NA", "N/A", "?", "-", "null", "None", "nan", "", " ", "#N/A", None, math.nan, "inf"]
)
def test_words_for_missing_are_missing(word: object) -> None:
    assert [math.isnan(value) for value in read(["1", word, "2.5", "3"])] == [False, True, False, False]


def test_up_to_three_words_among_many_numbers_stand_for_missing() -> None:
    cells = pd.Series([f"{value}M" for value in range(50)] + ["Varies with device"] * 9, dtype=object)
    reading = NUMBER.learn_reading(cells)
    assert reading["missing"] == ["Varies with device"]
    assert NUMBER.guess(cells) > Category().guess(cells)


@pytest.mark.parametrize(
    "cells",
    [
        ["00501", "02134", "90210", "10001"] * 20,  # codes
        ["A11", "A12", "A14", "A13"] * 20,  # the letter is no unit
        [str(570306133677760513 + place) for place in range(60)],  # float64 would lose the last digits
        ["0", "1"] * 30,
        [True, False] * 30,
        ["A/5 21171", "113803", "PC 17599", "373450"] * 20,
        ["2020-01-01", "2020-01-02", "2020-02-03"] * 20,
    ],
)
def test_digits_that_name_things_are_no_numbers(cells: list[object]) -> None:
    series = pd.Series(cells, dtype=object)
    assert NUMBER.guess(series) < Category().guess(series)


@pytest.mark.parametrize(
    "cells", [["1", "2", "3"] * 20, ["3.5", "NA", "2.25", "7"] * 20, [1, 2, 5, None] * 20]
)
def test_counts_and_amounts_are_numbers(cells: list[object]) -> None:
    assert NUMBER.guess(pd.Series(cells, dtype=object)) > Category().guess(pd.Series(cells, dtype=object))


def test_a_flag_with_a_third_value_far_down_is_a_number() -> None:
    cells = pd.Series(
        [str(place % 2) for place in range(20_000)] + [str(place) for place in range(9)], dtype=object
    )
    assert NUMBER.guess(cells) > 0.8


@given(values=st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1))
def test_what_a_program_writes_is_read_back_exactly(values: list[float]) -> None:
    assert read([repr(value) for value in values]) == values


@given(values=st.lists(st.integers(-(10**9), 10**9), min_size=3), decimals=st.integers(0, 2))
def test_german_and_english_writing_give_the_same_numbers(values: list[int], decimals: int) -> None:
    english = [f"{value / 10**decimals:,.{decimals}f}" for value in [*values, 1234567]]
    german = [text.translate(str.maketrans(",.", ".,")) for text in english]
    if decimals:
        assert read(english) == read(german)


def test_features_keep_small_steps_of_large_numbers() -> None:
    seconds = pd.Series(1.6e9 + np.arange(100.0), name="t")
    features = NUMBER.fit_features(seconds).transform(seconds)
    assert (np.diff(features.numbers[:, 0]) == 1).all()


def test_features_of_huge_numbers_are_finite() -> None:
    values = pd.Series([1e308, -1e308, 1.0, np.nan], name="n")
    numbers = NUMBER.fit_features(values).transform(values).numbers[:, 0]
    assert np.isfinite(numbers[:3]).all() and np.isnan(numbers[3])


def test_the_way_of_writing_is_told() -> None:
    cells = pd.Series(["1.234,5 kg", "NA", "2,5 kg"], dtype=object)
    told = NUMBER.describe(NUMBER.learn_reading(cells))
    assert "','" in told and "'kg'" in told
