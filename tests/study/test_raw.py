"""The table without engineered features holds the same cells as plain numbers, and changes nothing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from fathometer.core.pictures import PictureArray, digest_of
from fathometer.data.rows import Rows
from fathometer.study.raw import as_raw, with_pixels


def a_table() -> Rows:
    frame = pd.DataFrame(
        {
            "amount": [1.5, np.nan, -3.0],
            "{0} %s \n <b>": pd.Categorical(["pear", None, "apple"], categories=["pear", "apple", "zebra"]),
            "when": pd.to_datetime(["1970-01-02", None, "1969-12-31 23:59:59.5"], format="ISO8601").as_unit(
                "us"
            ),
            "said": pd.Series(["good", None, "bad"], dtype=object),
        }
    )
    kinds = dict(zip(frame.columns, ("number", "category", "moment", "text"), strict=True))
    return Rows(frame, kinds, np.array([0, 1, 0]))


def test_every_column_becomes_one_number_and_missing_stays_missing() -> None:
    raw = as_raw(a_table())
    assert set(raw.kinds.values()) == {"number"}
    assert list(raw.kinds) == list(a_table().kinds) == list(raw.frame.columns)
    expected = np.array([[1.5, 1, 86_400, 1], [np.nan] * 4, [-3, 0, -0.5, 0]])
    np.testing.assert_array_equal(raw.frame.to_numpy(), expected)
    assert raw.frame.dtypes.eq(np.float64).all()
    np.testing.assert_array_equal(raw.answers, [0, 1, 0])


def test_nothing_given_is_changed_and_twice_is_once() -> None:
    rows = a_table()
    raw = as_raw(rows)
    raw.frame.iloc[:, :] = 0.0
    pd.testing.assert_frame_equal(rows.frame, a_table().frame)
    once = as_raw(rows)
    pd.testing.assert_frame_equal(as_raw(once).frame, once.frame)


def test_a_part_of_the_raw_table_is_the_raw_table_of_the_part_where_labels_are_known() -> None:
    rows = a_table()
    rows = replace(rows, frame=rows.frame.drop(columns="said"), kinds=dict(list(rows.kinds.items())[:3]))
    some = np.array([2, 0])
    pd.testing.assert_frame_equal(as_raw(rows).take(some).frame, as_raw(rows.take(some)).frame)


@given(st.lists(st.one_of(st.none(), st.text(max_size=5)), min_size=1, max_size=20))
def test_labels_keep_their_alphabetical_order(labels: list[str | None]) -> None:
    for values in (pd.Series(labels, dtype=object), pd.Series(pd.Categorical(labels))):
        kind = "text" if values.dtype == object else "category"
        places = as_raw(Rows(values.to_frame("c"), {"c": kind})).frame["c"].tolist()
        for one, its_place in zip(labels, places, strict=True):
            assert (one is None) == np.isnan(its_place)
            for other, place in zip(labels, places, strict=True):
                if one is not None and other is not None:
                    assert (one < other) == (its_place < place)


def test_a_table_without_rows_or_columns_is_legal() -> None:
    assert len(as_raw(a_table().take(np.array([], dtype=np.intp)))) == 0
    empty = Rows(pd.DataFrame(index=range(3)), {}, None)
    assert as_raw(empty).frame.shape == (3, 0)


def test_pictures_become_pixels_once_rows_are_taken():
    pixels = np.random.default_rng(0).integers(0, 255, (4, 8, 8, 1), dtype=np.uint8)
    digests = np.array([digest_of(one) for one in pixels], dtype=np.uint64)
    column = pd.Series(PictureArray(pixels, digests, np.array([0, 1, -1, 3])))
    rows = Rows(
        pd.DataFrame({"photo": column, "age": [1.0, 2.0, 3.0, 4.0]}),
        {"photo": "image", "age": "number"},
        None,
    )
    plain = as_raw(rows)
    assert plain.kinds == {"photo": "image", "age": "number"}
    part = with_pixels(plain.take(np.array([3, 2])))
    assert set(part.kinds.values()) == {"number"} and len(part.kinds) == 65
    values = part.frame.drop(columns="age").to_numpy()
    np.testing.assert_allclose(np.sort(values[0]), np.sort(pixels[3].ravel().astype(float)))
    assert np.isnan(values[1]).all()
    assert part.column("age").tolist() == [4.0, 3.0]
