"""Disturbed rows are what they are said to be, always the same, and the rows given stay as they were."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from fathometer.core.pictures import PictureArray, digest_of
from fathometer.data.rows import Rows
from fathometer.study.disturb import (
    as_numbers,
    by_relevance,
    careless_columns,
    noise_scales,
    noise_told,
    shuffled,
    unlikeness,
    with_gaps,
    with_noise,
)
from fathometer.study.facts import with_facts

COUNT = 2_000
NAME = "{0} %s\n"


def a_table(seed: int = 0) -> Rows:
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "x": np.where(rng.random(COUNT) < 0.1, np.nan, 7 + 2 * rng.normal(size=COUNT)),
            NAME: pd.Categorical(rng.choice(["common", "rare", "never"], COUNT, p=[0.9, 0.1, 0.0])),
            "when": np.datetime64("2020-01-01", "us")
            + rng.integers(0, 10**14, COUNT).astype("timedelta64[us]"),
            "said": pd.Series(["a" * n for n in rng.integers(1, 40, COUNT)], dtype=object),
            "same": np.full(COUNT, 3.0),
        }
    )
    frame.loc[5, "when"] = pd.NaT
    kinds = dict(zip(frame.columns, ("number", "category", "moment", "text", "number"), strict=True))
    return Rows(frame, kinds, np.zeros(COUNT, dtype=np.int64))


def test_nothing_given_is_changed_and_dtypes_stay() -> None:
    rows, before = a_table(), a_table()
    scales = noise_scales(rows)
    donors = np.arange(COUNT)[::-1].copy()
    for other in (with_gaps(rows, 0.3, 1), with_noise(rows, scales, 0.3, 1), shuffled(rows, "x", donors)):
        assert other.frame.dtypes.equals(rows.frame.dtypes)
        assert other.kinds == rows.kinds
        assert not other.frame.equals(rows.frame)
        pd.testing.assert_frame_equal(rows.frame, before.frame)


def test_the_share_said_goes_missing_and_a_larger_share_takes_the_same_cells_and_more() -> None:
    rows = a_table()
    few, many = (with_gaps(rows, share, 1).frame.isna() for share in (0.1, 0.3))
    was = rows.frame.isna()
    assert not (was & ~few).any(axis=None)
    assert not (few & ~many).any(axis=None)
    for lost, share in ((few, 0.1), (many, 0.3)):
        assert float(lost[~was].where(~was).mean().mean()) == pytest.approx(share, abs=0.02)
    pd.testing.assert_frame_equal(with_gaps(rows, 0.1, 1).frame, with_gaps(rows, 0.1, 1).frame)


def test_noise_is_as_large_as_said_and_leaves_gaps_and_the_other_kinds_alone() -> None:
    rows = a_table()
    scales = noise_scales(rows)
    assert set(scales) == {"x", "when"}  # what does not vary has no scale
    noisy = with_noise(rows, scales, 0.3, 1)
    for name, scale in scales.items():
        moved = as_numbers(noisy, name) - as_numbers(rows, name)
        assert float(np.nanstd(moved)) == pytest.approx(0.3 * scale, rel=0.05)
        assert abs(float(np.nanmean(moved))) < 0.03 * scale
        assert noisy.column(name).isna().equals(rows.column(name).isna())
    assert noisy.frame[[NAME, "said", "same"]].equals(rows.frame[[NAME, "said", "same"]])


def test_a_moment_moved_by_weeks_keeps_its_hour_and_weekday() -> None:
    rows = a_table()
    noisy = with_noise(rows, {"when": 1e8}, 0.1, 1)
    before, after = rows.column("when").drop(5), noisy.column("when").drop(5)
    assert (before != after).mean() > 0.9
    assert (before.dt.day_of_week == after.dt.day_of_week).all()
    assert (before.dt.time == after.dt.time).all()


def test_extreme_cells_stay_legal() -> None:
    frame = pd.DataFrame(
        {
            "x": [1e308, -1e308, np.nan, 0.0],
            "when": np.array(["1700-01-01", "2200-12-31", "NaT", "9999-12-31"], dtype="datetime64[us]"),
            "none": np.full(4, np.nan),
        }
    )
    rows = Rows(frame, {"x": "number", "when": "moment", "none": "number"})
    scales = noise_scales(rows)
    assert all(np.isfinite(scale) and scale > 0 for scale in scales.values())
    noisy = with_noise(rows, scales | {"when": 1e300}, 0.3, 1)
    assert noisy.column("when").isna().tolist() == [False, False, True, False]
    assert np.isfinite(unlikeness(noisy, rows)).all()


def test_shuffling_takes_the_cells_of_the_donors_in_one_column() -> None:
    rows = a_table()
    donors = np.random.default_rng(0).permutation(COUNT)
    for name in rows.kinds:
        other = shuffled(rows, name, donors)
        expected = rows.column(name).iloc[donors].reset_index(drop=True)
        pd.testing.assert_series_equal(other.column(name), expected)
        assert other.frame.drop(columns=name).equals(rows.frame.drop(columns=name))


def test_unusual_cells_make_a_row_unlike() -> None:
    train = a_table()
    middle = {"x": 7.0, NAME: "common", "when": pd.Timestamp("2021-08-01"), "said": "a" * 20, "same": 3.0}
    odd = {"x": 100.0, NAME: "never", "when": pd.Timestamp("1990-01-01"), "said": "a" * 400, "same": 99.0}
    cells = [middle, *({**middle, name: odd[name]} for name in odd), odd]
    frame = pd.DataFrame(cells).astype({NAME: "category", "said": object})
    found = unlikeness(Rows(frame, train.kinds), train)
    assert (found[1:] > found[0]).all()
    assert (found[:-1] < found[-1]).all()
    assert ((found >= 0) & (found <= 1)).all()
    assert found[-1] > 0.8  # of a text only the length is odd


def test_columns_are_ordered_by_how_the_answers_go_along_with_them() -> None:
    rows = a_table()
    answers = np.nan_to_num(np.abs(as_numbers(rows, "x") - 7)) + (rows.column(NAME) == "rare")
    order = by_relevance(rows, answers.to_numpy())
    assert sorted(order) == sorted(rows.kinds)
    assert order == ["when", "said", "x", NAME, "same"]
    assert set(by_relevance(rows, np.ones((COUNT, 3)))) == set(rows.kinds)


def words_and_pictures(count: int = 60) -> Rows:
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (count, 8, 9, 1)).astype(np.uint8)
    digests = np.array([digest_of(one) for one in pixels], dtype=np.uint64)
    said = pd.Series(
        [f"the {word} of number {n}" for n, word in enumerate(["cat", "dog"] * 30)], dtype=object
    )
    frame = pd.DataFrame(
        {
            "said": said,
            "seen": pd.Series(PictureArray(pixels, digests, np.arange(count))),
            "smelt": pd.Series([object() for _ in range(count)], dtype=object),
        }
    )
    return Rows(frame, {"said": "text", "seen": "image", "smelt": "smell"})


def test_words_and_pictures_go_missing_are_shuffled_and_are_disturbed() -> None:
    rows = words_and_pictures()
    assert careless_columns(rows) == ["said", "seen"]  # of a kind that is not at hand nothing is known
    noisy = with_noise(rows, {}, 0.3, 1, ["said", "seen"])
    assert (noisy.column("said") != rows.column("said")).mean() > 0.3
    assert (noisy.column("seen") != rows.column("seen")).all()
    assert noisy.column("smelt").equals(rows.column("smelt"))
    gaps = with_gaps(rows, 0.5, 1)
    assert all(0.2 < gaps.column(name).isna().mean() < 0.8 for name in rows.kinds)
    assert gaps.column("seen").dtype == rows.column("seen").dtype
    turned = shuffled(rows, "seen", np.arange(60)[::-1].copy())
    assert turned.column("seen").iloc[0] == rows.column("seen").iloc[59]
    assert not rows.frame.isna().any(axis=None)


def test_noise_is_told_by_what_the_columns_are() -> None:
    kinds = {"a": "number", "b": "moment", "c": "text", "d": "image"}
    told = noise_told(kinds, {"a": 1.0, "b": 2.0}, ["c", "d"], 0.1)
    assert told.startswith("noise of 0.1 standard deviations in numbers and dates, ")
    assert "typing errors in 10 % of the words" in told and "slight blur" in told
    assert noise_told(kinds, {}, ["d"], 0.3).startswith("strong blur")
    assert noise_told({"a": "number"}, {"a": 1.0}, [], 0.3) == "noise of 0.3 standard deviations in numbers"


def test_rows_are_unlike_by_what_is_seen_in_them() -> None:
    train = words_and_pictures()
    pixels = np.stack([np.full((8, 9, 1), 128, np.uint8), np.full((8, 9, 1), 255, np.uint8)])
    frame = pd.DataFrame(
        {
            "said": pd.Series(["the cat of number 7", "WHAT!!! " * 40], dtype=object),
            "seen": pd.Series(PictureArray(pixels, np.array([1, 2], dtype=np.uint64), np.arange(2))),
            "smelt": pd.Series([1, 2], dtype=object),
        }
    )
    near, far = unlikeness(Rows(frame, train.kinds), train)
    assert 0 <= near < far <= 1


def test_facts_stand_beside_the_columns_under_names_of_their_own() -> None:
    rows = words_and_pictures()
    rows.frame["brightness of seen"] = 1.0
    rows = Rows(rows.frame, {**rows.kinds, "brightness of seen": "number"})
    told = with_facts(rows)
    assert set(rows.kinds) < set(told.kinds)
    assert "brightness of seen (seen)" in told.kinds
    assert told.column("characters of said").tolist() == [float(len(text)) for text in rows.column("said")]
    plain = Rows(pd.DataFrame({"x": [1.0]}), {"x": "number"})
    assert with_facts(plain) is plain
