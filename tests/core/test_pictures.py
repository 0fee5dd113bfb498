"""A column of pictures behaves as any column of pandas does, and copies no pixels."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from fathometer.core import pictures
from fathometer.core.pictures import (
    Picture,
    PictureArray,
    as_pictures,
    blank_pixels,
    digest_of,
    read_pictures,
    write_pictures,
)

PLACES = np.array([0, 1, 2, 3, 4, -1, 1], dtype=np.int64)


@pytest.fixture
def column() -> pd.Series:
    pixels = np.random.default_rng(0).integers(0, 255, (5, 4, 6, 3), dtype=np.uint8)
    pixels[3] = pixels[1]
    digests = np.array([digest_of(one) for one in pixels], dtype=np.uint64)
    return pd.Series(PictureArray(pixels, digests, PLACES.copy()), name="photo")


def test_taking_rows_copies_no_pixels(column):
    taken = column.iloc[[5, 1, 1]].reset_index(drop=True)
    assert as_pictures(taken).pixels is as_pictures(column).pixels
    assert taken.isna().tolist() == [True, False, False]
    np.testing.assert_array_equal(taken[1].pixels, as_pictures(column).pixels[1])


def test_equal_pictures_are_known_by_content(column):
    assert column.nunique() == 4
    assert column.duplicated().tolist() == [False, False, False, True, False, False, True]
    assert pd.factorize(column)[0].tolist() == [0, 1, 2, 1, 3, -1, 1]
    assert (column == column[3]).tolist() == [False, True, False, True, False, False, True]
    hashes = pd.util.hash_pandas_object(column, index=False)
    assert hashes[1] == hashes[3] == hashes[6] != hashes[0]


def test_a_digest_is_of_the_content_whatever_its_layout_in_memory():
    pixels = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    assert digest_of(pixels) == digest_of(np.asfortranarray(pixels)) != digest_of(pixels[::-1])


def test_masking_makes_missing_and_leaves_the_column(column):
    masked = column.mask(pd.Series([True] + [False] * 6))
    assert masked.isna().tolist() == [True, False, False, False, False, True, False]
    assert not column.isna()[0]
    assert column.mask(column.notna()).isna().all()


def test_missing_pictures_are_black_and_chunks_cover_all_rows_in_order(column):
    shown = as_pictures(column)
    whole = shown.shown(slice(None))
    assert whole.shape == (7, 4, 6, 3)
    assert not whole[5].any()
    parts = list(shown.chunks(most_bytes=2 * 4 * 6 * 3))
    assert [rows.start for rows, _ in parts] == [0, 2, 4, 6]
    np.testing.assert_array_equal(np.concatenate([pixels for _, pixels in parts]), whole)
    assert not as_pictures(column).pixels[0].all() or as_pictures(column).pixels[0].any()


def test_showing_a_missing_picture_does_not_blacken_the_first_one(column):
    before = as_pictures(column).pixels.copy()
    as_pictures(column).shown(slice(None))
    np.testing.assert_array_equal(as_pictures(column).pixels, before)


def test_joined_columns_hold_the_rows_of_both(column):
    other = pd.Series(PictureArray._from_sequence([None, Picture.of(np.full((4, 6, 3), 9, dtype=np.uint8))]))
    joined = pd.concat([column, other, column.iloc[:2]], ignore_index=True)
    assert list(joined) == [*column, *other, *column.iloc[:2]]
    same = pd.concat([column, column.iloc[[2]]], ignore_index=True)
    assert as_pictures(same).pixels is as_pictures(column).pixels


def test_a_journey_through_objects_changes_nothing(column):
    again = pd.Series(PictureArray._from_sequence(list(column)))
    assert list(again) == list(column)


def test_what_is_written_is_read_again_mapped_and_only_what_is_shown(column, tmp_path):
    part = column.iloc[[4, 5, 2, 4]].reset_index(drop=True)
    write_pictures(tmp_path, "p", as_pictures(part))
    read = read_pictures(tmp_path, "p")
    assert list(pd.Series(read)) == list(part)
    assert isinstance(read.pixels, np.memmap)
    assert len(read.pixels) == 2


def test_a_column_without_any_picture_is_written_and_read(column, tmp_path):
    none = column.mask(column.notna())
    write_pictures(tmp_path, "p", as_pictures(none))
    assert read_pictures(tmp_path, "p").isna().all()


def test_many_pixels_are_kept_in_a_file(monkeypatch):
    monkeypatch.setattr(pictures, "IN_MEMORY", 100)
    pixels = blank_pixels(10, (5, 5, 3))
    assert isinstance(pixels, np.memmap)
    pixels[3] = 7
    assert pixels[3].sum() == 7 * 75
    assert not pixels[[0, 9]].any()


def test_another_column_is_told_from_pictures():
    with pytest.raises(TypeError, match="pictures"):
        as_pictures(pd.Series(["a.jpg"]))


def test_only_what_belongs_there_can_be_put_in(column):
    with pytest.raises(TypeError, match="missing"):
        column.array[0] = "a.jpg"
