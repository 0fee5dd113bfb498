"""What a table leaves out, and what it keeps."""

import pandas as pd
import pytest

from fathometer.data.table import Table, refuse_too_wide, without_empty, without_footer
from fathometer.errors import UnreadableData


def table(frame: pd.DataFrame) -> Table:
    return Table(frame, (), "test")


def test_the_given_table_is_not_changed() -> None:
    frame = pd.DataFrame({"a": ["1", None], "column_2": [None, None]})
    before = frame.copy()
    without_empty(table(frame), [True, False])
    pd.testing.assert_frame_equal(frame, before)


def test_leaving_out_twice_is_leaving_out_once() -> None:
    frame = pd.DataFrame({"a": ["1", None, "2"], "column_2": [None, None, " "]})
    once = without_empty(table(frame), [True, False])
    assert once.frame.shape == (2, 1)
    again = without_empty(once, [True])
    pd.testing.assert_frame_equal(again.frame, once.frame)


def test_numbers_alone_in_last_rows_are_no_remark() -> None:
    frame = pd.DataFrame(
        {"a": [str(i) for i in range(9)], "b": ["x"] * 7 + [None] * 2, "c": ["y"] * 7 + [None] * 2}
    )
    assert len(without_footer(table(frame)).frame) == 9


def test_too_many_columns_are_refused() -> None:
    refuse_too_wide(20_000)
    with pytest.raises(UnreadableData):
        refuse_too_wide(20_001)
