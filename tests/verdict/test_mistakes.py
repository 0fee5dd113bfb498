"""Mistakes against scikit-learn, and what the tables must keep."""

from __future__ import annotations

from dataclasses import asdict, replace
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from outcomes import NAMES, NUMBERS, by_errors, outcome
from sklearn.metrics import confusion_matrix, r2_score

from fathometer.tasks.classification import Classification
from fathometer.verdict.mistakes import (
    LABELS_MOST,
    OTHER,
    Confusion,
    Residuals,
    confusion,
    mistakes,
    residuals,
)


def drawn(rows: int, classes: int, seed: int = 0) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    rng = np.random.default_rng(seed)
    shares = np.arange(1, classes + 1) / np.arange(1, classes + 1).sum()
    target = rng.choice(classes, rows, p=shares)
    return target, np.where(rng.random(rows) < 0.7, target, rng.integers(0, classes, rows))


def test_confusion_is_scikit_learns() -> None:
    target, answers = drawn(500, 4)
    found = confusion(("a", "b", "c", "d"), target, answers)
    assert found.labels == ("a", "b", "c", "d")
    assert np.array(found.counts).tolist() == confusion_matrix(target, answers, labels=range(4)).tolist()


@settings(max_examples=30)
@given(st.integers(2, 40), st.integers(1, 300))
def test_every_row_is_in_one_cell(classes: int, rows: int) -> None:
    target, answers = drawn(rows, classes, seed=classes)
    found = confusion(tuple(f"class {code:02}" for code in range(classes)), target, answers)
    counts = np.array(found.counts)
    assert counts.sum() == rows
    assert len(found.labels) == min(classes, LABELS_MOST) == len(counts) == len(counts[0])


def test_rare_classes_are_joined() -> None:
    target, answers = drawn(5_000, 20)
    found = confusion(tuple("abcdefghijklmnopqrst"), target, answers)
    assert found.labels == (*"jklmnopqrst", OTHER)
    whole = confusion_matrix(target, answers, labels=range(20))
    counts = np.array(found.counts)
    assert counts[:-1, :-1].tolist() == whole[9:, 9:].tolist()
    assert counts[-1].tolist() == [*whole[:9, 9:].sum(axis=0), whole[:9, :9].sum()]


def test_a_row_tested_on_several_repeats_counts_once() -> None:
    target = (np.arange(300) % 3 == 0).astype(np.int64)
    wrong = np.arange(300) % 7 == 0
    said = by_errors(target, {"classical": wrong, "deep": ~wrong, "together": wrong})
    once, thrice = outcome(said, target, folds=5), outcome(said, target, folds=15)
    assert mistakes(once) == mistakes(thrice)
    found = mistakes(thrice).competitors["classical"]
    assert isinstance(found, Confusion)
    assert (
        np.array(found.counts).tolist()
        == confusion_matrix(target, np.where(wrong, 1 - target, target)).tolist()
    )


def test_balanced_answers_are_those_given() -> None:
    task = Classification("answer", "balanced_accuracy", 0.5, ("no", "yes"), (0.9, 0.1))
    target = np.zeros(100, dtype=np.int64)
    said = dict.fromkeys(NAMES, np.tile([0.8, 0.2], (100, 1)))
    found = mistakes(outcome(said, target, task=task)).competitors["deep"]
    assert isinstance(found, Confusion) and found.counts == ((0, 100), (0, 0))


def test_agreement_counts_who_is_right() -> None:
    target = np.arange(1_000) % 2
    rng = np.random.default_rng(0)
    one, other = rng.random(1_000) < 0.2, rng.random(1_000) < 0.3
    found = mistakes(outcome(by_errors(target, {"classical": one, "deep": other, "together": one}), target))
    assert found.agreement is not None
    shares = asdict(found.agreement)
    assert shares == pytest.approx(
        {
            "both_right": (~one & ~other).mean(),
            "only_classical": (~one & other).mean(),
            "only_deep": (one & ~other).mean(),
            "both_wrong": (one & other).mean(),
        }
    )
    assert sum(shares.values()) == pytest.approx(1)


def numbers(rows: int = 1_000) -> tuple[npt.NDArray[np.float64], dict[str, npt.NDArray[np.float64]]]:
    rng = np.random.default_rng(0)
    target = rng.normal(50, 10, rows)
    said = {"baseline": np.full(rows, 50.0), "classical": target + rng.normal(0, 3, rows)}
    return target, said | {"deep": said["classical"], "together": target + 1.0}


def test_residuals_of_numbers() -> None:
    target, said = numbers()
    found = mistakes(outcome(said, target, task=NUMBERS))
    one = found.competitors["classical"]
    assert isinstance(one, Residuals) and one.r2 == pytest.approx(r2_score(target, said["classical"]))
    assert sum(b.rows for b in one.bins) == 1_000 == sum(step["rows"] for step in one.histogram)
    assert all(b.low <= b.median <= b.high for b in one.bins)
    assert found.competitors["baseline"].r2 == pytest.approx(0, abs=0.01)  # type: ignore[union-attr]
    # answers that are 1 too high leave -1 everywhere
    assert all(b.median == pytest.approx(-1) for b in found.competitors["together"].bins)  # type: ignore[union-attr]


def test_equal_families_agree_on_every_number() -> None:
    target, said = numbers()
    found = mistakes(outcome(said, target, task=NUMBERS)).agreement
    assert found is not None and found.only_classical == found.only_deep == 0
    # off by less than half the median: 26 % of normal errors
    assert found.both_right == pytest.approx(0.264, abs=0.03)


@settings(max_examples=50)
@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=80), st.floats(-1e3, 1e3))
def test_histogram_holds_every_row_and_has_no_gap(truth: list[float], answer: float) -> None:
    target = np.array(truth)
    found = residuals(target, np.full(len(target), answer))
    steps = found.histogram
    assert sum(step["rows"] for step in steps) == len(target)
    assert all(a["to"] == b["from"] for a, b in pairwise(steps))
    assert steps[0]["from"] <= (target - answer).min() and steps[-1]["to"] >= (target - answer).max()
    assert len(found.bins) == 1  # one answer is one bin
    assert found.r2 is None or found.r2 <= 1


def test_no_error_at_all_is_one_step() -> None:
    found = residuals(np.arange(30.0), np.arange(30.0))
    assert found.histogram == ({"from": 0.0, "to": 0.0, "rows": 30},)
    assert found.r2 == 1


def test_nothing_tested_is_nothing_said() -> None:
    target, said = numbers(50)
    empty = replace(outcome(said, target, task=NUMBERS), results=dict.fromkeys(NAMES, ()))
    assert asdict(mistakes(empty)) == {"competitors": {}, "agreement": None}


def test_labels_are_data() -> None:
    label = '<script>"(other)"\n</script>'
    task = Classification("answer", "accuracy", 0.5, ("no", label))
    target = np.arange(100) % 2
    said = by_errors(target, dict.fromkeys(NAMES, np.zeros(100, dtype=bool)))
    found = mistakes(outcome(said, target, task=task)).competitors["deep"]
    assert isinstance(found, Confusion) and found.labels == ("no", label)
    assert found.counts == ((50, 0), (0, 50))
