"""Rows come back from disk as they were written."""

from __future__ import annotations

import numpy as np
import pandas as pd

from fathometer.core.pictures import PictureArray, digest_of
from fathometer.data.rows import Rows
from fathometer.data.storage import read_names, read_rows, write_names, write_rows


def pictures(count: int) -> pd.Series:
    pixels = np.random.default_rng(1).integers(0, 255, (count, 3, 3, 1), dtype=np.uint8)
    digests = np.array([digest_of(one) for one in pixels], dtype=np.uint64)
    places = np.arange(count)
    places[0] = -1
    return pd.Series(PictureArray(pixels, digests, places))


def test_a_table_with_pictures_comes_back_in_its_order(tmp_path):
    frame = pd.DataFrame(
        {"age": [1.0, np.nan, 3.0], "photo": pictures(3), "note": pd.Series(["a", None, "c"], dtype=object)}
    )
    kinds = {"age": "number", "photo": "image", "note": "text"}
    write_rows(tmp_path, Rows(frame, kinds))
    read = read_rows(tmp_path, kinds, np.array([0, 1, 0]))
    assert list(read.frame.columns) == list(kinds)
    assert list(read.column("photo")) == list(frame["photo"])
    pd.testing.assert_series_equal(read.column("age"), frame["age"])
    assert read.column("note").isna().tolist() == [False, True, False]
    assert read.column("note").dropna().tolist() == ["a", "c"]
    assert read.answers.tolist() == [0, 1, 0]


def test_a_table_of_pictures_alone_keeps_its_length(tmp_path):
    rows = Rows(pd.DataFrame({"a": pictures(4), "b": pictures(4)}), {"a": "image", "b": "image"})
    write_rows(tmp_path, rows)
    read = read_rows(tmp_path, rows.kinds)
    assert len(read) == 4
    for name in rows.kinds:
        assert list(read.column(name)) == list(rows.column(name))


def test_rows_are_called_by_their_files_or_by_nothing(tmp_path):
    assert read_names(tmp_path) is None
    write_names(tmp_path, ())
    assert read_names(tmp_path) is None
    write_names(tmp_path, ("a/1.jpg", "../b <i>"))
    assert read_names(tmp_path) == ["a/1.jpg", "../b <i>"]
