"""Dates and times are read in the one way their column is written."""

from __future__ import annotations

import datetime

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fathometer.kinds.category import Category
from fathometer.kinds.moment import Moment
from fathometer.kinds.number import Number

MOMENT = Moment()


def read(cells: list[object], name: str = "when") -> list[str]:
    series = pd.Series(cells, dtype=object, name=name)
    return [str(value)[:19] for value in MOMENT.read(series, MOMENT.learn_reading(series)).to_numpy()]


@pytest.mark.parametrize(
    ("cells", "moments"),
    [
        (["2020-02-29", "2021-1-5"], ["2020-02-29T00:00:00", "2021-01-05T00:00:00"]),
        (["2020/02/29 13:45", "2020/03/01 00:01"], ["2020-02-29T13:45:00", "2020-03-01T00:01:00"]),
        (
            ["2020-02-29T13:45:10.5Z", "2020-03-01T01:00:00+02:00"],
            ["2020-02-29T13:45:10", "2020-02-29T23:00:00"],
        ),
        (["31/12/2020", "01/02/2020"], ["2020-12-31T00:00:00", "2020-02-01T00:00:00"]),
        (["12/31/2020", "01/02/2020"], ["2020-12-31T00:00:00", "2020-01-02T00:00:00"]),
        (["10.03.2004 18:00", "11.03.2004 19:00"], ["2004-03-10T18:00:00", "2004-03-11T19:00:00"]),
        (["5 Jan 2020", "12 March 2021"], ["2020-01-05T00:00:00", "2021-03-12T00:00:00"]),
        (["05-Jan-20", "12-Mar-69"], ["2020-01-05T00:00:00", "1969-03-12T00:00:00"]),
        (["January 7, 2018", "May 1, 2017"], ["2018-01-07T00:00:00", "2017-05-01T00:00:00"]),
        (
            ["Tue Feb 24 11:35:52 2015", "Wed Feb 25 01:00:00 2015"],
            ["2015-02-24T11:35:52", "2015-02-25T01:00:00"],
        ),
        (["18.00.00", "19.30.00"], ["1970-01-01T18:00:00", "1970-01-01T19:30:00"]),
        (["1:05 PM", "12:00 am"], ["1970-01-01T13:05:00", "1970-01-01T00:00:00"]),
        (
            [datetime.date(2020, 1, 2), datetime.datetime(2020, 1, 2, 3)],
            ["2020-01-02T00:00:00", "2020-01-02T03:00:00"],
        ),
    ],
)
def test_a_column_is_read_as_it_is_written(cells: list[object], moments: list[str]) -> None:
    assert read(cells) == moments


def test_day_and_month_are_settled_by_the_order_of_the_rows() -> None:
    days = pd.date_range("2020-01-01", periods=400, freq="D")
    kept = [day for day in days if day.day <= 12]
    british = pd.Series([f"{day.day:02d}/{day.month:02d}/{day.year}" for day in kept], dtype=object)
    reading = MOMENT.learn_reading(british)
    assert reading["day_first"] and not reading["is_ambiguous"]


def test_day_and_month_that_could_be_either_are_noted() -> None:
    reading = MOMENT.learn_reading(pd.Series(["05/06/2020", "03/04/2019", "07/01/2021"], dtype=object))
    assert reading["is_ambiguous"] and not reading["day_first"]
    assert "either way" in MOMENT.describe(reading)


def test_impossible_days_are_missing() -> None:
    good = ["2020-01-01"] * 5
    assert read([*good, "2020-02-30", "2020-13-01"]) == ["2020-01-01T00:00:00"] * 5 + ["NaT"] * 2


@given(
    st.lists(
        st.datetimes(datetime.datetime(1700, 1, 1), datetime.datetime(2200, 1, 1)), min_size=1, max_size=20
    )
)
def test_iso_text_is_read_as_pandas_reads_it(moments: list[datetime.datetime]) -> None:
    series = pd.Series([moment.isoformat(sep=" ") for moment in moments], dtype=object)
    values = MOMENT.read(series, MOMENT.learn_reading(series))
    assert values.tolist() == [pd.Timestamp(moment) for moment in moments]


@pytest.mark.parametrize("name", ["age", "date"])
def test_years_and_small_whole_numbers_stay_numbers(name: str) -> None:
    years = pd.Series([str(1950 + place % 70) for place in range(200)], dtype=object, name=name)
    assert MOMENT.guess(years) < Number().guess(years)


def test_seconds_since_1970_are_moments_only_under_a_name_that_says_so() -> None:
    seconds = pd.Series(np.arange(1_500_000_000, 1_500_900_000, 997))
    assert MOMENT.guess(seconds.rename("created_at")) > Number().guess(seconds)
    assert MOMENT.guess(seconds.rename("amount")) == 0
    read_back = MOMENT.read(seconds.rename("created_at"), MOMENT.learn_reading(seconds.rename("created_at")))
    assert read_back.iloc[0] == pd.Timestamp(1_500_000_000, unit="s")


def test_decimal_numbers_and_versions_are_no_times() -> None:
    for cells in (
        ["12.30", "13.45", "9.15"] * 10,
        ["1.2.3", "2.0.1", "1.10.0"] * 10,
        ["1-2", "3-4", "5-6"] * 10,
    ):
        series = pd.Series(cells, dtype=object, name="v")
        assert MOMENT.guess(series) < Category().guess(series)


def test_only_what_varies_becomes_a_feature() -> None:
    days = pd.Series(pd.date_range("2020-01-01", periods=50, freq="D"), name="d")
    names = MOMENT.fit_features(days).transform(days)
    assert not any("day (sin)" in name for name in names.number_names) and "d: hour" not in names.code_names
    times = pd.Series(pd.to_datetime(["1970-01-01 10:00", "1970-01-01 11:00"]), name="d")
    features = MOMENT.fit_features(times).transform(times)
    assert features.code_names == ("d: hour",) and features.codes[:, 0].tolist() == [11, 12]


def test_weekday_month_and_trend_are_right() -> None:
    values = pd.Series(pd.to_datetime(["2024-01-01", "2024-02-29", None]), name="d")  # a Monday, a Thursday
    features = MOMENT.fit_features(values).transform(values)
    codes = dict(zip(features.code_names, features.codes.T.tolist(), strict=True))
    assert codes["d: weekday"] == [1, 4, 0] and codes["d: month"] == [1, 2, 0]
    days = features.numbers[:, features.number_names.index("d: days")]
    assert days[:2].tolist() == [0, 59] and np.isnan(days[2])


@pytest.mark.parametrize(
    "cells",
    [
        ["31.12.2023", "01.02.2024"],
        ["12:30", "7:15"],
        ["3 March 2021", "4 May 2022"],
        [pd.Timestamp("2020-01-01"), pd.Timestamp("2021-05-06")],
        ["1600000000", "1700000000"],
    ],
    ids=["day first", "clock", "words", "typed", "epoch"],
)
def test_what_a_program_writes_is_read_however_the_column_was_written(cells: list[object]) -> None:
    column = pd.Series(cells, dtype=object, name="created_at")
    reading = Moment().learn_reading(column.infer_objects())
    values = Moment().read(column.infer_objects(), reading)
    written = pd.Series([value.isoformat() for value in values] + [None, "no date"], dtype=object)
    again = Moment().read(written, reading)
    assert again.iloc[:2].tolist() == values.tolist()
    assert again.iloc[2:].isna().all()
