"""The surrogate is scikit-learn's tree, its rules say what it does, and its measures are the known ones."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest
from sklearn.metrics import r2_score
from sklearn.tree import DecisionTreeRegressor

from fathometer.data.rows import Rows
from fathometer.study.facts import with_facts
from fathometer.study.questions import Asked, best_cut
from fathometer.study.surrogate import grow, measure_surrogate, rules
from fathometer.tasks.classification import Classification
from fathometer.tasks.regression import Regression

COUNT = 600
NUMBERS = Regression("y", "rmse", 1.0)
CLASSES = Classification("y", "accuracy", 0.5, ("no", "yes"))
VALUE = Asked("x", "number", "value")
WHOLE = Asked("x", "number", "value", is_whole=True)
MOMENT = Asked("x", "moment", "value")


def numbers_only(seed: int = 0) -> Rows:
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({name: rng.normal(size=COUNT).round(2) for name in ("a", "b", "c")})
    return Rows(frame, dict.fromkeys(frame.columns, "number"), rng.normal(size=COUNT))


def answers_of(rows: Rows) -> np.ndarray:
    a, b, c = (rows.column(name).to_numpy() for name in ("a", "b", "c"))
    return np.sin(2 * a) + b * c


@pytest.mark.parametrize("classes", [False, True])
def test_on_numbers_it_answers_as_the_trusted_tree(classes: bool) -> None:
    rows = numbers_only()
    answers = answers_of(rows)
    if classes:
        second = 1 / (1 + np.exp(-answers))
        answers = np.stack([1 - second, second], axis=1)
    task = CLASSES if classes else NUMBERS
    trusted = DecisionTreeRegressor(
        max_leaf_nodes=16,
        max_depth=4,
        min_samples_leaf=6,
        min_impurity_decrease=1e-3 * answers.var(),
        random_state=0,
    ).fit(rows.frame[["a", "b", "c"]], answers)
    tree = grow(task, rows, answers)
    expected = trusted.predict(rows.frame).reshape(COUNT, -1)
    np.testing.assert_allclose(tree.predict(rows), expected, atol=1e-12)
    assert (tree.leaves, tree.depth) == (trusted.get_n_leaves(), trusted.get_depth())
    counts = [int(re.search(r"\(([\d,]+) rows\)$", line)[1]) for line in rules(tree, task)]  # type: ignore[index]
    assert sum(counts) == COUNT


def test_fidelity_is_the_known_measure() -> None:
    learned, test = numbers_only(0), numbers_only(1)
    answers = answers_of(learned), answers_of(test)
    measured = measure_surrogate(NUMBERS, learned, answers[0], test, answers[1])
    guess = grow(NUMBERS, learned, answers[0]).predict(test)[:, 0]
    assert measured["fidelity"] == pytest.approx(r2_score(answers[1], guess))
    assert measured["low"] < measured["fidelity"] < measured["high"]
    assert measured["score"] == pytest.approx(math.sqrt(float(((test.answers - guess) ** 2).mean())))

    sure = [np.stack([1 - (one > 0), one > 0], axis=1).astype(float) for one in answers]
    asked = Rows(test.frame, test.kinds, (answers[1] > 0).astype(np.int64))
    measured = measure_surrogate(CLASSES, learned, sure[0], asked, sure[1])
    hits = round(measured["fidelity"] * COUNT)
    interval = binomtest(hits, COUNT).proportion_ci(method="wilson")
    assert (measured["low"], measured["high"]) == pytest.approx((interval.low, interval.high))
    assert measured["score"] == pytest.approx(100 * measured["fidelity"])  # here the answers are the truth


def test_a_constant_answer_is_one_rule() -> None:
    rows = numbers_only()
    measured = measure_surrogate(NUMBERS, rows, np.full(COUNT, 12.345678), rows, np.full(COUNT, 12.345678))
    assert measured["rules"] == ["always: 12.35 (600 rows)"]
    assert measured["fidelity"] == 1.0
    assert measured["low"] is measured["high"] is None


@given(st.floats(-1e300, 1e300), st.floats(-1e300, 1e300))
def test_a_cut_parts_its_neighbours_and_reads_back(one: float, other: float) -> None:
    if one == other:
        return
    low, high = sorted((one, other))
    cut, told = best_cut(VALUE, low, high)
    assert low <= cut < high
    assert float(told) == cut


@given(st.integers(-(10**9), 10**9), st.integers(1, 10**6))
def test_whole_numbers_are_cut_at_whole_numbers(low: int, step: int) -> None:
    cut, told = best_cut(WHOLE, float(low), float(low + step))
    assert cut == int(told)
    assert low <= cut < low + step


@given(st.integers(-(2 * 10**15), 3 * 10**15), st.integers(1, 10**15))
def test_moments_are_cut_before_a_round_moment(low: int, step: int) -> None:
    cut, told = best_cut(MOMENT, low / 1e6, (low + step) / 1e6)
    assert low / 1e6 <= cut < (low + step) / 1e6
    moment = datetime.fromisoformat(told).replace(tzinfo=UTC).timestamp()
    assert low / 1e6 - 1e-5 <= moment <= (low + step) / 1e6 + 1e-5


def test_rules_say_dates_levels_gaps_and_hostile_names_as_they_are() -> None:
    rng = np.random.default_rng(0)
    level = rng.choice(["<b>{x}", "%s\n", "plain", "other"], COUNT)
    when = np.datetime64("2020-01-01", "us") + rng.integers(0, 10**14, COUNT).astype("timedelta64[us]")
    gaps = np.where(rng.random(COUNT) < 0.3, np.nan, rng.integers(0, 100, COUNT))
    frame = pd.DataFrame({"{0}%d": pd.Categorical(level), "when": when, "n": gaps})
    rows = Rows(frame, dict(zip(frame.columns, ("category", "moment", "number"), strict=True)))

    by_level = grow(NUMBERS, rows, np.where(level == "%s\n", 10.0, np.where(level == "plain", 1.0, 0.0)))
    others = sorted(["<b>{x}", "other"], key=lambda one: (-int((level == one).sum()), one))
    assert {line.rsplit(":", 1)[0] for line in rules(by_level, NUMBERS)} == {
        "{0}%d is %s\n",
        "{0}%d is plain",
        f"{{0}}%d is one of {', '.join(others)}",
    }
    by_date = rules(grow(NUMBERS, rows, (when >= np.datetime64("2021-07-01")).astype(float)), NUMBERS)
    assert [re.sub(r"-\d\d-\d\d.*", "", line) for line in by_date] == ["when before 2021", "when from 2021"]
    by_gap = rules(grow(NUMBERS, rows, np.isnan(gaps).astype(float)), NUMBERS)
    assert [line.split(":")[0] for line in by_gap] == ["n is known", "n is missing"]
    filled = np.nan_to_num(gaps, nan=50.0)
    by_value = rules(grow(NUMBERS, rows, (filled > 20).astype(float)), NUMBERS)
    assert [line.split(":")[0] for line in by_value] == ["n <= 20", "(n > 20 or missing)"]


def test_of_many_questions_on_one_column_one_range_is_told() -> None:
    frame = pd.DataFrame({"x": np.arange(COUNT, dtype=float)})
    rows = Rows(frame, {"x": "number"})
    inside = ((frame["x"] > 199) & (frame["x"] <= 399)).to_numpy().astype(float)
    assert rules(grow(NUMBERS, rows, inside), NUMBERS) == [
        "x <= 199: 0 (200 rows)",
        "199 < x <= 399: 1 (200 rows)",
        "x > 399: 0 (200 rows)",
    ]


def test_rows_with_levels_never_seen_are_answered() -> None:
    frame = pd.DataFrame({"c": pd.Categorical(np.tile(["a", "b"], COUNT // 2))})
    rows = Rows(frame, {"c": "category"})
    tree = grow(NUMBERS, rows, np.tile([0.0, 1.0], COUNT // 2))
    odd = Rows(pd.DataFrame({"c": pd.Categorical(["never", None, "b"])}), {"c": "category"})
    assert np.isfinite(tree.predict(odd)).all()
    assert tree.predict(odd)[2, 0] == 1.0


def test_a_clock_and_a_calendar_are_asked_of_moments() -> None:
    start = np.datetime64("2021-03-01T00:30", "us")
    when = start + (np.arange(COUNT) * 7).astype("timedelta64[h]")
    rows = Rows(pd.DataFrame({"when": when}), {"when": "moment"})
    stamps = pd.DatetimeIndex(when)
    expected = {
        "hour of when is 8 to 17": (stamps.hour >= 8) & (stamps.hour <= 17),
        "weekday of when is Saturday to Sunday": stamps.day_of_week >= 5,
        "month of when is June": stamps.month == 6,
    }
    for told, flag in expected.items():
        tree = grow(NUMBERS, rows, np.asarray(flag, dtype=float))
        np.testing.assert_array_equal(tree.predict(rows)[:, 0], flag)
        lines = {line.split(":")[0]: line.split(": ")[1][0] for line in rules(tree, NUMBERS)}
        assert lines[told] == "1"
        assert sum(answer == "1" for answer in lines.values()) == 1


def test_a_gap_passes_a_range_only_where_every_answer_lets_it() -> None:
    when = np.datetime64("2021-01-04T00:00", "us") + (np.arange(COUNT) * 5).astype("timedelta64[h]")
    gone = np.arange(COUNT) % 4 == 0
    rows = Rows(pd.DataFrame({"when": np.where(gone, np.datetime64("NaT"), when)}), {"when": "moment"})
    hours = np.where(gone, 0, pd.DatetimeIndex(when).hour)
    lines = rules(grow(NUMBERS, rows, (hours > 11).astype(float)), NUMBERS)
    assert sum("missing" in line for line in lines) >= 1
    assert sum(int(re.search(r"\((\d+) row", line)[1]) for line in lines) == COUNT  # type: ignore[index]


def test_texts_are_asked_for_the_words_that_tell() -> None:
    rng = np.random.default_rng(0)
    texts = [" ".join(rng.choice(["Great!", "awful", "the", "box", "{0}%s"], 4)) for _ in range(COUNT)]
    said = pd.Series([*texts[:-50], *[None] * 50], dtype=object)
    rows = Rows(said.to_frame("said"), {"said": "text"})
    told = said.map(lambda text: float(isinstance(text, str) and "Great" in text)).to_numpy()
    lines = rules(grow(NUMBERS, rows, told), NUMBERS)
    assert [line.split(":")[0] for line in lines] == ["said without great", "said mentions great"]
    short = said.map(lambda text: float(isinstance(text, str) and len(text) <= 15)).to_numpy()
    lines = rules(grow(NUMBERS, with_facts(rows), short), NUMBERS)
    assert re.match(r"characters of said <= 1[5-9]: 1 \(", lines[0])
