"""Every row has one group; groups are values, or ranges of numbers."""

from __future__ import annotations

import numpy as np
import pandas as pd

from fathometer.data.groups import GROUPS_MOST, MISSING, OTHERS, groups_of


def test_no_column_is_no_groups() -> None:
    assert groups_of(pd.DataFrame({"a": [1]}), None) is None


def test_values_are_groups_and_missing_is_one_of_them() -> None:
    frame = pd.DataFrame({"sex": ["f", " m", None, "", "f"]})
    found = groups_of(frame, "sex")
    assert found is not None
    assert [found.labels[code] for code in found.codes] == ["f", "m", MISSING, MISSING, "f"]


def test_many_numbers_become_ranges_with_as_many_rows_each() -> None:
    rng = np.random.default_rng(0)
    ages = pd.Series(rng.integers(17, 90, 4_000))
    ages[:40] = np.nan
    found = groups_of(pd.DataFrame({"age": ages}), "age")
    assert found is not None
    assert len(found.labels) == 5
    counts = {label: int((found.codes == i).sum()) for i, label in enumerate(found.labels)}
    assert counts.pop(MISSING) == 40
    assert max(counts.values()) < 1.3 * min(counts.values())
    for label, part in ages.groupby(found.codes):
        if found.labels[label] != MISSING:
            low, high = (float(end.replace("under ", "")) for end in found.labels[label].split(" to "))
            assert low <= part.min() <= part.max() <= high


def test_few_numbers_stay_values_and_one_value_is_one_group() -> None:
    assert groups_of(pd.DataFrame({"a": [0, 1, 1]}), "a").labels == ("0", "1")  # type: ignore[union-attr]
    assert len(groups_of(pd.DataFrame({"a": [None, None]}), "a").labels) == 1  # type: ignore[union-attr]


def test_very_many_values_are_joined() -> None:
    frame = pd.DataFrame({"name": [f"n{i % 300}" for i in range(1_000)]})
    found = groups_of(frame, "name")
    assert found is not None
    assert len(found.labels) <= GROUPS_MOST
    assert OTHERS in found.labels


def test_the_frame_is_left_as_it_was() -> None:
    frame = pd.DataFrame({"age": np.arange(100.0)})
    before = frame.copy(deep=True)
    groups_of(frame, "age")
    pd.testing.assert_frame_equal(frame, before)
