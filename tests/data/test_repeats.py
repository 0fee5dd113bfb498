"""Equal rows and equal columns, against brute force."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fathometer.data.repeats import find_repeats, row_codes, same_columns
from fathometer.data.rows import Rows

CELL = st.one_of(st.none(), st.sampled_from(["a", "b"]))
ROW = st.tuples(CELL, st.sampled_from([0.0, 1.0, float("nan")]), CELL)


def table(rows: list[tuple[str | None, float, str | None]]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["x", "n", "z"]).astype({"x": "category", "z": "category", "n": float})


@settings(deadline=None, max_examples=60)
@given(st.lists(ROW, max_size=12))
def test_two_rows_share_a_number_just_when_they_are_equal(
    rows: list[tuple[str | None, float, str | None]],
) -> None:
    frame = table(rows)
    codes = row_codes([frame[name] for name in frame], len(frame))
    as_text = [repr(row) for row in rows]
    for left in range(len(rows)):
        for right in range(left):
            assert (codes[left] == codes[right]) == (as_text[left] == as_text[right])


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(ROW, st.sampled_from(["yes", "no"])), min_size=1, max_size=20))
def test_the_least_error_is_that_of_the_best_lookup_table(
    pairs: list[tuple[tuple[str | None, float, str | None], str]],
) -> None:
    frame = table([row for row, _ in pairs])
    answers = pd.Series([answer for _, answer in pairs])
    rows = Rows(frame, {"x": "category", "n": "number", "z": "category"})
    by_row: dict[str, list[str]] = {}
    for row, answer in pairs:
        by_row.setdefault(repr(row), []).append(answer)
    wrong = sum(len(found) - max(found.count("yes"), found.count("no")) for found in by_row.values())
    found = find_repeats(rows, ("x", "n", "z"), answers)
    assert found.least_error == wrong / len(pairs)
    assert found.repeated == len(pairs) - len(by_row)


def test_equal_columns_and_columns_that_stand_for_each_other_are_told_apart() -> None:
    frame = pd.DataFrame({"a": [1.0, 2, 3, 1, 2, 3], "b": [1.0, 2, 3, 1, 2, 3], "c": [1.0, 4, 9, 1, 4, 9]})
    frame["unlike"] = [1.0, 1, 3, 1, 2, 3]
    frame["all different"], frame["too"] = range(6), range(10, 16)
    equal, stand_ins = same_columns(Rows(frame, dict.fromkeys(frame, "number")))
    assert equal == [("a", "b")] and stand_ins == [("a", "c")]


@pytest.mark.parametrize(
    ("texts", "copies", "is_changed"), [(100, 3, False), (30, 20, False), (30, 20, True)]
)
def test_copies_of_texts_stay_together_however_many_there_are(
    texts: int, copies: int, is_changed: bool
) -> None:
    rng = np.random.default_rng(0)
    said = np.repeat(rng.integers(0, 3_000, (texts, 40)), copies, axis=0)
    if is_changed:  # a word of each, as people do who want more rows
        said[np.arange(len(said)), rng.integers(0, 40, len(said))] = rng.integers(0, 3_000, len(said))
    frame = pd.DataFrame({"said": [" ".join(f"w{word}" for word in row) for row in said]}, dtype=object)
    found = find_repeats(Rows(frame, {"said": "text"}), ["said"], None)
    source = np.repeat(np.arange(texts), copies)
    assert not found.by_nature
    assert len(np.unique(found.clusters)) == texts == len(np.unique(found.clusters[source * copies]))
    assert (found.clusters == found.clusters[source * copies]).all()


def test_what_is_said_very_often_is_a_common_case() -> None:
    frame = pd.DataFrame({"said": ["no remark at all"] * 60 + [f"word{k} here" for k in range(140)]})
    found = find_repeats(Rows(frame.astype(object), {"said": "text"}), ["said"], None)
    assert len(np.unique(found.clusters)) == 200


def test_a_text_that_comes_again_beside_other_numbers_stays_in_one_part() -> None:
    long = [f"a{k} b{k} c{k} d{k} e{k} f{k} g{k} h{k} i{k}" for k in range(50)]
    short = [f"title {k}" for k in range(50)]
    for texts, clusters in ((long, 50), (short, 200)):
        said = pd.Series(np.tile(texts, 4), dtype=object)
        frame = pd.DataFrame({"said": said, "number": np.arange(200.0)})
        found = find_repeats(Rows(frame, {"said": "text", "number": "number"}), ["said", "number"], None)
        assert len(np.unique(found.clusters)) == clusters
        if clusters == 50:
            assert (found.clusters == np.tile(found.clusters[:50], 4)).all()
