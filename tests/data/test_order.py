"""Groups and time are told by name and by values together."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from fathometer.data.order import find_groups, find_time
from fathometer.data.rows import Rows
from fathometer.data.schema import learn_schema


def grouped(name: str, values: np.ndarray) -> str | None:
    frame = pd.DataFrame({name: values})
    return find_groups(frame, learn_schema(frame)[0], (), None)[0]


@pytest.mark.parametrize("name", ["patient_id", "customerID", "Speaker", "user id", "subject", "StudentNo"])
def test_a_column_that_names_persons_who_come_again_groups_rows(name: str) -> None:
    assert grouped(name, np.arange(400) % 40) == name


@pytest.mark.parametrize("name", ["x", "users", "patient_age", "customers_per_day", "store_id", "userscore"])
def test_other_names_do_not(name: str) -> None:
    assert grouped(name, np.arange(400) % 40) is None


def test_persons_who_do_not_come_again_do_not_group_rows() -> None:
    assert grouped("patient_id", np.arange(400)) is None
    assert grouped("patient_id", np.arange(400) % 5) is None  # too few to hold some out


def test_a_number_named_time_is_only_proposed() -> None:
    rows = Rows(
        pd.DataFrame({"Time": np.arange(100.0), "x": np.ones(100)}), {"Time": "number", "x": "number"}
    )
    used, told = find_time(pd.DataFrame(), rows, pd.Series(np.sin(np.arange(100) / 9)), None)
    assert used is None and [finding.code for finding in told] == ["time_proposed"]


def test_classes_that_follow_each_other_count_too() -> None:
    days = pd.Series(pd.date_range("2020-01-01", periods=200))
    rows = Rows(pd.DataFrame({"day": days}), {"day": "moment"})
    seasons = pd.Series(["wet" if place // 20 % 2 else "dry" for place in range(200)])
    assert find_time(pd.DataFrame(), rows, seasons, None)[0] == "day"
    assert (
        find_time(pd.DataFrame(), rows, seasons.sample(frac=1, random_state=0).reset_index(drop=True), None)[
            0
        ]
        is None
    )
