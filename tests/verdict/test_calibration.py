"""Calibration against scikit-learn and brute force, and what one temperature must do."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from outcomes import CLASSES, NUMBERS, outcome
from sklearn.metrics import brier_score_loss, log_loss

from fathometer.study.outcome import Outcome
from fathometer.task import Task
from fathometer.tasks.classification import Classification
from fathometer.verdict import calibration
from fathometer.verdict.calibration import (
    BINS,
    calibrations,
    expected_error,
    fit_temperature,
    reliability,
    tempered,
)
from fathometer.verdict.compare import score

Floats = npt.NDArray[np.float64]
THREE = Classification("answer", "log_loss", 1.0, ("a", "b", "c"))


def told_truly(rows: int, classes: int, seed: int = 0) -> tuple[Floats, npt.NDArray[np.int64]]:
    """Probabilities, and answers drawn by them."""
    rng = np.random.default_rng(seed)
    probabilities = 0.95 * rng.dirichlet(np.ones(classes), rows) + 0.05 / classes
    drawn = (probabilities.cumsum(axis=1) > rng.random((rows, 1))).argmax(axis=1)
    return probabilities, drawn.astype(np.int64)


def study(rows: int = 3_000, task: Task = CLASSES, temperature: float = 1.0, **how: Any) -> Outcome:
    """Every competitor says the truth, but the deep one to the power of `temperature`."""
    truth, target = told_truly(rows, task.outputs)
    bent = tempered(truth, 1 / temperature)
    said = {
        "baseline": np.full_like(truth, 1 / task.outputs),
        "classical": truth,
        "deep": bent,
        "together": truth,
    }
    return outcome(said, target, task=task, **how)


@pytest.mark.parametrize("task", [CLASSES, THREE])
def test_scores_are_scikit_learns(task: Task) -> None:
    of = study(task=task, folds=1, of=1)
    found = calibrations(of)
    for name, folds in of.results.items():
        fold = folds[0]
        target, said = of.target[fold.rows], fold.prediction
        labels = list(range(task.outputs))
        brier = brier_score_loss(target, said[:, 1] if task.outputs == 2 else said, labels=labels)
        assert found[name].brier == pytest.approx(brier)
        assert found[name].log_loss == pytest.approx(log_loss(target, said, labels=labels))


def test_log_loss_is_the_score_where_it_decides() -> None:
    of = study(task=THREE, rows=1_003)
    for name, one in calibrations(of).items():
        assert one.log_loss == pytest.approx(score(of, name).score)


def test_error_is_that_of_sorted_and_cut_rows() -> None:
    rng = np.random.default_rng(0)
    confidence, right = rng.random(600), rng.random(600) < 0.5
    order = np.argsort(confidence)
    parts = np.array_split(order, BINS)
    brute = sum(len(p) * abs(confidence[p].mean() - right[p].mean()) for p in parts) / 600
    assert expected_error(confidence, right) == pytest.approx(brute)


@given(st.lists(st.tuples(st.sampled_from([0.1, 0.3, 0.3001, 0.5, 0.9, 1.0]), st.booleans()), min_size=1))
def test_bins_hold_every_row_once_and_do_not_depend_on_order(rows: list[tuple[float, bool]]) -> None:
    probability = np.array([p for p, _ in rows])
    happened = np.array([h for _, h in rows])
    bins = reliability(probability, happened)
    assert sum(one.rows for one in bins) == len(rows)
    assert sum(one.rows * one.predicted for one in bins) == pytest.approx(probability.sum())
    assert sum(one.rows * one.observed for one in bins) == pytest.approx(happened.sum())
    assert list(bins) == sorted(bins, key=lambda one: one.predicted)
    backwards = reliability(probability[::-1], happened[::-1])
    assert [one.rows for one in backwards] == [one.rows for one in bins]


def test_true_probabilities_need_no_temperature() -> None:
    for classes in (2, 5):
        said, target = told_truly(20_000, classes)
        assert fit_temperature(said, target) == pytest.approx(1, abs=0.03)


@settings(deadline=None, max_examples=30)
@given(st.floats(0.3, 4.0), st.integers(2, 6))
def test_a_bent_prediction_is_straightened(temperature: float, classes: int) -> None:
    said, target = told_truly(2_000, classes)
    straight = fit_temperature(said, target)
    bent = tempered(said, temperature)
    assert fit_temperature(bent, target) * temperature == pytest.approx(straight, rel=1e-3)
    np.testing.assert_allclose(tempered(bent, 1 / temperature), said, atol=1e-9)


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 1_000), st.integers(2, 4))
def test_no_other_temperature_has_a_lower_loss(seed: int, classes: int) -> None:
    rng = np.random.default_rng(seed)
    said = rng.dirichlet(np.ones(classes), 60)
    target = rng.integers(0, classes, 60)

    def loss(temperature: float) -> float:
        return -float(np.log(tempered(said, temperature)[np.arange(60), target]).mean())

    best = loss(fit_temperature(said, target))
    assert all(best <= loss(other) + 1e-6 for other in np.geomspace(0.05, 20, 60))


def test_sure_and_right_stays_within_bounds() -> None:
    target = np.arange(100) % 2
    said = np.where(target[:, None] == np.arange(2), 0.9, 0.1)
    assert fit_temperature(said, target) == pytest.approx(0.05, rel=1e-3)
    assert fit_temperature(said, 1 - target) == pytest.approx(20, rel=1e-3)
    certain = (target[:, None] == np.arange(2)).astype(np.float64)
    assert np.isfinite(fit_temperature(certain, 1 - target))


def test_temperature_mends_what_was_too_sure() -> None:
    found = calibrations(study(temperature=3.0))
    deep, classical = found["deep"], found["classical"]
    assert deep.temperature == pytest.approx(3, rel=0.1)
    assert deep.ece > 0.08 and deep.ece_after is not None and deep.ece_after < 0.04
    assert deep.log_loss_after is not None and deep.log_loss_after < deep.log_loss
    assert deep.log_loss_after == pytest.approx(classical.log_loss, abs=0.005)
    assert classical.ece < 0.04 and classical.temperature == pytest.approx(1, abs=0.1)


def test_a_fold_is_not_judged_by_a_temperature_that_has_seen_its_rows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Repeats test the same rows again, and copies of a row are that row."""
    of = study(rows=200, folds=10, clusters=np.arange(200) // 2)
    folds = of.results["deep"]
    marked = {
        tuple(np.round(fold.prediction[i], 12)): fold.rows[i] for fold in folds for i in range(len(fold.rows))
    }
    asked: list[set[int]] = []

    def spy(prediction: Floats, target: npt.NDArray[np.int64]) -> float:
        asked.append({int(marked[tuple(np.round(row, 12))]) // 2 for row in prediction})
        return 1.0

    monkeypatch.setattr(calibration, "fit_temperature", spy)
    calibration._cross_fitted(folds, [of.target[f.rows] for f in folds], of.clusters)
    assert len(asked) == len(folds)
    for fold, seen in zip(folds, asked, strict=True):
        assert seen and not seen & set((fold.rows // 2).tolist())


def test_one_fold_has_no_temperature() -> None:
    one = calibrations(study(folds=1))["deep"]
    assert (one.temperature, one.ece_after, one.log_loss_after) == (None, None, None)
    assert one.bins


def test_bins_are_of_the_second_class_or_of_the_answer() -> None:
    two = calibrations(study())["classical"].bins
    assert two[0].predicted < 0.1 and two[-1].predicted > 0.9 and len(two) == BINS
    three = calibrations(study(task=THREE))["classical"].bins
    assert three[0].predicted > 1 / 3


def test_a_balanced_answer_keeps_its_own_probability() -> None:
    """Answers for the rare class are given below one half, and their confidence is what was said of them."""
    task = Classification("answer", "balanced_accuracy", 0.5, ("no", "yes"), (0.9, 0.1))
    target = (np.arange(1_000) % 10 == 0).astype(np.int64)
    said = np.tile([0.8, 0.2], (1_000, 1))  # twice the share: the answer is yes
    of = outcome(dict.fromkeys(("baseline", "classical", "deep", "together"), said), target, task=task)
    assert calibrations(of)["deep"].ece == pytest.approx(0.1)


def test_numbers_and_untested_runs_have_none() -> None:
    of = study()
    assert calibrations(replace(of, results=dict.fromkeys(of.results, ()))) == {}
    numbers = {name: np.zeros(50) for name in of.results}
    assert calibrations(outcome(numbers, np.arange(50.0), task=NUMBERS)) == {}


def test_fields_are_those_of_the_record() -> None:
    one = asdict(calibrations(study())["deep"])
    assert list(one) == ["brier", "log_loss", "ece", "temperature", "ece_after", "log_loss_after", "bins"]
    assert list(one["bins"][0]) == ["predicted", "observed", "rows"]
