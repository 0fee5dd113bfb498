"""The laws of a kind of column, for every kind, ours and yours.

>>> from fathometer.kinds.number import Number
>>> check_kind(Number())
"""

from __future__ import annotations

import datetime
import decimal
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fathometer.core.attachments import Attachment
from fathometer.core.files import read_state, write_state
from fathometer.core.pictures import Picture
from fathometer.kind import Features, Kind, Reading

ODD_CELLS: tuple[Any, ...] = (
    None, float("nan"), pd.NaT, pd.NA, "", " ", "\t\n", "NA", "?", "0", "-0", "007", "1,234.5", "1.234,5",
    "1e400", "-1e-400", "inf", "\u0661\u0662", "$4.99", "(12)", "12 kg", "31/02/2020", "2020-02-30",
    "0000-00-00", "99999-01-01", "24:00", "25:61", "a" * 3000, "\ud83d \U0001f600 \u4f60\u597d", "\x00",
    "\ufeff1", "null", "True", True, 0, -1, 10**400, 2**63, 1e308, -1e308, float("inf"), 5e-324,
    decimal.Decimal("1.10"), b"\xff12", [1, 2], {"a": 1}, (1,), 1 + 2j, datetime.date(1, 1, 1),
    datetime.datetime(9999, 12, 31, 23, 59), datetime.time(12, 30), datetime.timedelta(days=3),
    pd.Timestamp("2020-01-01", tz="Asia/Tokyo"), np.float32(0.1), np.int8(-3), np.datetime64("2020-01-01"),
    object, np.zeros((9, 7), dtype=np.uint8), np.ones((8, 8, 2)), np.array([1.0, np.nan]), np.full((8, 8), np.nan),
    b"\x89PNG\r\n\x1a\n cut off", {"bytes": b"GIF89a", "path": "a.gif"}, Attachment(Path("nowhere.jpg")),
    Attachment(Path("nowhere.zip"), "member.png"), Picture.of(np.full((6, 5, 3), 200, dtype=np.uint8)),
)  # fmt: skip
"""Cells no one wants and everyone meets."""

ROWS = 300


def check_kind(kind: Kind, seed: int = 0) -> None:
    """Check every law of `fathometer.kind` on this kind; AssertionError names the one that is broken."""
    rng = np.random.default_rng(seed)
    signal = rng.random(ROWS)
    cells = kind.toy(signal, rng)
    assert len(cells) == ROWS, "a toy has as many cells as its signal"
    check_reading(kind, cells)
    for odd in odd_columns():
        check_reading(kind, odd)
        check_reading(kind, odd, kind.learn_reading(cells))
    values = kind.read(cells, kind.learn_reading(cells))
    assert float(values.notna().mean()) > 0.99, "a kind reads its own toy"
    check_features(kind, values)
    gaps = values.mask(pd.Series(rng.random(ROWS) < 0.3, index=values.index))
    check_features(kind, gaps)
    check_features(kind, values.mask(values.notna()))
    check_features(kind, values.iloc[:1])
    for some in (values, gaps, values.mask(values.notna()), values.iloc[:1], values.iloc[:0]):
        check_content(kind, some)
        check_seen(kind, some)
    for cell in ODD_CELLS:
        assert isinstance(kind.complaint(cell), str), "a complaint is a clause"
    assert kind.complaint(None) == "", "nothing is said of a missing cell"
    assert signal_carried(kind, values, signal) > 0.3, "the features of a toy carry its signal"


def check_reading(kind: Kind, cells: pd.Series, reading: Reading | None = None) -> None:
    """Check the laws of reading on any cells, under the reading learned from them or another."""
    before = cells.copy(deep=True)
    guess = kind.guess(cells)
    assert 0.0 <= guess <= 1.0, "a guess lies between 0 and 1"
    reading = kind.learn_reading(cells) if reading is None else reading
    values = kind.read(cells, reading)
    assert values.index.equals(cells.index) and values.name == cells.name, "index and name are kept"
    assert _same(kind.read(values, reading), values), "reading what was read changes nothing"
    copied = json.loads(json.dumps(reading, allow_nan=False))
    assert copied == reading, "a reading is plain data"
    assert _same(kind.read(cells, copied), values), "a reading reads the same after a journey as JSON"
    part = np.arange(0, len(cells), 3)[::-1]
    assert _same(kind.read(cells.iloc[part], reading), values.iloc[part]), (
        "a cell is read without its neighbours"
    )
    if len(cells):
        many = np.tile(np.arange(len(cells)), 200 // len(cells) + 1)
        assert _same(kind.read(cells.iloc[many], reading), values.iloc[many]), "many rows are read as few are"
    json.dumps(kind.summary(values), allow_nan=False)
    assert isinstance(kind.describe(reading), str)
    assert cells.index.equals(before.index) and list(map(repr, cells)) == list(map(repr, before)), (
        "cells are kept"
    )


def check_features(kind: Kind, values: pd.Series) -> None:
    """Check the laws of features on values as `read` gives them."""
    before = values.copy(deep=True)
    featurizer = kind.fit_features(values)
    features = featurizer.transform(values)
    _check_shape(features, len(values))
    assert _same(values, before), "values are kept"
    order = np.random.default_rng(0).permutation(len(values))
    assert_equal(featurizer.transform(values.iloc[order]), _take(features, order), "order does not matter")
    for place in order[:5]:
        alone = np.array([place])
        told = "a feature row depends on its own cell only"
        assert_equal(featurizer.transform(values.iloc[alone]), _take(features, alone), told)
    _check_shape(featurizer.transform(values.iloc[:0]), 0)
    absent = featurizer.transform(values.mask(values.notna()))
    _check_shape(absent, len(values))
    news = pd.Series(["never", "1e9", "1999-09-09", "never seen in training"] * 2, dtype=object)
    unseen = kind.read(news, kind.learn_reading(values))
    _check_shape(featurizer.transform(unseen), len(unseen))
    with tempfile.TemporaryDirectory() as folder:
        write_state(Path(folder), "featurizer", featurizer.state())
        loaded = kind.load_features(read_state(Path(folder), "featurizer"))
    assert_equal(
        loaded.transform(values), features, "a featurizer written and read back gives equal features"
    )
    assert_equal(kind.fit_features(values).transform(values), features, "fitting twice gives the same")


def check_content(kind: Kind, values: pd.Series) -> None:
    """Check the laws of digests and of likeness."""
    before = values.copy(deep=True)
    digests = kind.digests(values)
    assert digests.shape == (len(values),) and digests.dtype == np.uint64
    order = np.random.default_rng(1).permutation(len(values))
    assert (kind.digests(values.iloc[order]) == digests[order]).all(), "a digest is of its own value"
    again = pd.concat([values, values.iloc[order]], ignore_index=True)
    assert (kind.digests(again)[len(values) :] == digests[order]).all(), "equal values have equal digests"
    known = values[values.notna()]
    if len(known):
        different = pd.unique(kind.digests(known))
        assert len(different) == known.nunique(), "different values have different digests"
    pairs = kind.alike(values)
    assert pairs.ndim == 2 and pairs.shape[1] == 2 and pairs.dtype == np.int64
    assert (pairs >= 0).all() and (pairs < len(values)).all(), "pairs lie within the column"
    assert (pairs[:, 0] != pairs[:, 1]).all(), "nothing is told to be like itself"
    assert len(np.unique(np.sort(pairs, axis=1), axis=0)) == len(pairs), "each pair is told once"
    assert not values.isna().to_numpy()[pairs].any(), "nothing is like a missing value"
    turned = kind.alike(values.iloc[order])
    assert _told(digests, pairs) == _told(digests[order], turned), "the order of rows changes no pair"
    assert _same(values, before), "values are kept"


def check_seen(kind: Kind, values: pd.Series) -> None:
    """Check the laws of what is shown of values, and of what is done to them to see how a model bears it."""
    absent = values.isna().to_numpy(dtype=bool)
    order = np.random.default_rng(2).permutation(len(values))
    for found, turned in (
        (kind.facts(values), kind.facts(values.iloc[order])),
        (kind.plain(values) or {}, kind.plain(values.iloc[order]) or {}),
    ):
        assert list(found) == list(turned)
        for name, column in found.items():
            assert column.shape == (len(values),) and column.dtype == np.float64, name
            assert np.isnan(column[absent]).all() and np.isfinite(column[~absent]).all(), name
            np.testing.assert_allclose(turned[name], column[order], rtol=1e-5, atol=1e-6)
    for size in (0.0, 0.3):
        spoiled = kind.disturbed(values, size, np.random.default_rng(3))
        if spoiled is None:
            continue
        assert spoiled.index.equals(values.index) and spoiled.name == values.name
        assert (spoiled.isna().to_numpy(dtype=bool) == absent).all(), (
            "what is missing stays missing, and only that"
        )
        again = kind.disturbed(values, size, np.random.default_rng(3))
        assert again is not None and _same(again, spoiled), "all randomness comes from the generator"


def signal_carried(kind: Kind, values: pd.Series, signal: np.ndarray[Any, np.dtype[np.float64]]) -> float:
    """Share of a signal's variance (R2 on rows not used to fit) that a linear model finds in the features."""
    half = len(values) // 2
    featurizer = kind.fit_features(values.iloc[:half])
    matrix = _matrix(featurizer.transform(values))
    penalty = 1e-2 * half * np.eye(matrix.shape[1])
    train = matrix[:half]
    weights = np.linalg.solve(train.T @ train + penalty, train.T @ (signal[:half] - signal[:half].mean()))
    error = signal[half:] - signal[:half].mean() - matrix[half:] @ weights
    return 1.0 - float((error**2).mean() / signal[half:].var())


def odd_columns() -> list[pd.Series]:
    """Columns of odd cells, of every type a table can hold."""
    numbers = pd.Series([1.5, np.nan, np.inf, -np.inf, 1e308, 3.0], name="numbers")
    return [
        pd.Series(list(ODD_CELLS), dtype=object, name="odd"),
        pd.Series([cell for cell in ODD_CELLS if isinstance(cell, str)], dtype=object, name="odd text"),
        pd.Series([], dtype=object, name="empty"),
        pd.Series([None] * 5, dtype=object, name=("a", 1)),
        numbers,
        numbers.astype("Float64"),
        pd.Series([1, 2, 2**62, -5], name=7),
        pd.Series([1, None, 3], dtype="Int64"),
        pd.Series([True, False, True]),
        pd.Series([True, None, False], dtype="boolean"),
        pd.Series(["a", None, "b", "a"], dtype="category", name="levels"),
        pd.Series(["a", None, " b"], dtype="string", index=[5, 5, 2]),
        pd.Series(np.array(["2020-01-01", "NaT", "1677-10-01"], dtype="datetime64[us]")),
        pd.Series(pd.DatetimeIndex(["2020-01-01", "NaT"]).tz_localize("Europe/Berlin")),
        pd.Series(pd.to_timedelta(["1 day", None])),
        pd.Series([datetime.date(2020, 1, 1), None, datetime.date(1, 1, 1)], dtype=object),
        pd.Series(pd.period_range("2020-01", periods=3, freq="M")),
        pd.Series([1 + 2j, 3]),
    ]


def assert_equal(left: Features, right: Features, told: str) -> None:
    """Two sets of features are the same, or AssertionError says what was expected."""
    assert left.number_names == right.number_names and left.code_names == right.code_names, told
    assert left.sizes == right.sizes and left.common == right.common, told
    np.testing.assert_allclose(left.numbers, right.numbers, rtol=1e-4, atol=1e-5, err_msg=told)
    np.testing.assert_array_equal(left.codes, right.codes, err_msg=told)


def _check_shape(features: Features, rows: int) -> None:
    assert features.numbers.dtype == np.float32 and features.codes.dtype == np.int32
    assert features.numbers.shape == (rows, len(features.number_names))
    assert features.codes.shape == (rows, len(features.code_names)) and len(features.sizes) == len(
        features.code_names
    )
    assert not np.isinf(features.numbers).any(), "numbers are finite or NaN"
    assert (features.codes >= 0).all() and (features.codes < np.array(features.sizes, dtype=int)).all()
    assert len(set(features.number_names)) == len(features.number_names), "each number has its own name"
    assert len(set(features.code_names)) == len(features.code_names), "each code has its own name"
    edges = [edge for run in features.common for edge in run]
    assert edges == sorted(edges) and set(edges) <= set(range(len(features.number_names) + 1)), (
        "runs lie apart"
    )


def _take(features: Features, index: np.ndarray[Any, np.dtype[np.intp]]) -> Features:
    return Features(
        features.numbers[index],
        features.codes[index],
        features.number_names,
        features.code_names,
        features.sizes,
        features.common,
    )


def _matrix(features: Features) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Standardised numbers (missing at the mean) and one column per code; (rows, any)."""
    numbers = features.numbers.astype(np.float64)
    scaled = np.nan_to_num((numbers - np.nanmean(numbers, axis=0)) / (np.nanstd(numbers, axis=0) + 1e-9))
    one_hot = [np.eye(size)[features.codes[:, place]] for place, size in enumerate(features.sizes)]
    return np.concatenate([scaled, *one_hot], axis=1)


def _told(
    digests: np.ndarray[Any, np.dtype[np.uint64]], pairs: np.ndarray[Any, np.dtype[np.int64]]
) -> set[tuple[int, ...]]:
    """The pairs as pairs of contents."""
    return {tuple(sorted(map(int, digests[pair]))) for pair in pairs}


def _same(left: pd.Series, right: pd.Series) -> bool:
    """Same values in the same order, missing where missing; a categorical's unused levels do not count."""
    if not left.index.equals(right.index) or len(left) != len(right):
        return False
    left_absent, right_absent = left.isna().to_numpy(dtype=bool), right.isna().to_numpy(dtype=bool)
    if not (left_absent == right_absent).all():
        return False
    return list(left[~left_absent].astype(object)) == list(right[~right_absent].astype(object))
