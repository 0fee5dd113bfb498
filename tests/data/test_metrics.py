"""Scores against scikit-learn's, and what losses per row must do."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as trusted

from fathometer.data.metrics import METRICS

Floats = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]

FOR_CLASSES = sorted(name for name, metric in METRICS.items() if metric.for_classes)
FOR_NUMBERS = sorted(name for name, metric in METRICS.items() if not metric.for_classes)


def classes(rows: int, count: int, seed: int = 0) -> tuple[Codes, Floats]:
    """Targets with unequal classes, and probabilities that know something of them; some are equal."""
    rng = np.random.default_rng(seed)
    target = rng.choice(count, rows, p=np.arange(1, count + 1) / np.arange(1, count + 1).sum())
    target[:count] = np.arange(count)
    raw = rng.normal(size=(rows, count)) + 1.2 * np.eye(count)[target]
    raw = np.round(raw, 1)
    probabilities = np.exp(raw)
    return target, probabilities / probabilities.sum(axis=1, keepdims=True)


def numbers(rows: int, seed: int = 0) -> tuple[Floats, Floats]:
    rng = np.random.default_rng(seed)
    target = rng.normal(size=rows) * 10
    return target, target + rng.normal(size=rows)


def balanced(target: Codes, probabilities: Floats) -> float:
    return float(trusted.balanced_accuracy_score(target, probabilities.argmax(axis=1)))


def area(target: Codes, probabilities: Floats) -> float:
    if probabilities.shape[1] == 2:
        return float(trusted.roc_auc_score(target, probabilities[:, 1]))
    return float(trusted.roc_auc_score(target, probabilities, multi_class="ovr", average="macro"))


TRUSTED: dict[str, Callable[[Codes, Floats], float]] = {
    "accuracy": lambda y, p: 100 * float(trusted.accuracy_score(y, p.argmax(axis=1))),
    "balanced_accuracy": lambda y, p: 100 * balanced(y, p),
    "log_loss": lambda y, p: float(trusted.log_loss(y, p, labels=range(p.shape[1]))),
    "auc": lambda y, p: 100 * area(y, p),
    "rmse": lambda y, p: float(trusted.root_mean_squared_error(y, p)),
    "mae": lambda y, p: float(trusted.mean_absolute_error(y, p)),
}


@pytest.mark.parametrize("count", [2, 3, 7])
@pytest.mark.parametrize("rows", [20, 500])
@pytest.mark.parametrize("name", FOR_CLASSES)
def test_score_of_classes_is_scikit_learns(name: str, rows: int, count: int) -> None:
    target, probabilities = classes(rows, count)
    metric = METRICS[name]
    assert metric.score(float(metric.losses(target, probabilities).mean())) == pytest.approx(
        TRUSTED[name](target, probabilities)
    )


@pytest.mark.parametrize("name", FOR_NUMBERS)
def test_score_of_numbers_is_scikit_learns(name: str) -> None:
    target, prediction = numbers(300)
    metric = METRICS[name]
    assert metric.score(float(metric.losses(target, prediction).mean())) == pytest.approx(
        TRUSTED[name](target, prediction)
    )


@pytest.mark.parametrize("name", FOR_CLASSES)
@given(seed=st.integers(0, 1_000), count=st.integers(2, 5))
def test_losses_follow_their_rows(name: str, seed: int, count: int) -> None:
    target, probabilities = classes(40, count, seed)
    order = np.random.default_rng(seed).permutation(40)
    losses = METRICS[name].losses(target, probabilities)
    assert losses.shape == (40,)
    assert np.isfinite(losses).all()
    assert METRICS[name].losses(target[order], probabilities[order]) == pytest.approx(losses[order])


@pytest.mark.parametrize("name", [name for name in FOR_CLASSES if name != "auc"])
def test_losses_of_classes_are_never_negative(name: str) -> None:
    assert METRICS[name].losses(*classes(200, 3)).min() >= 0


@pytest.mark.parametrize("name", FOR_CLASSES)
def test_a_class_that_is_not_there_is_no_trouble(name: str) -> None:
    target, probabilities = classes(50, 4)
    target = np.where(target == 3, 0, target)
    assert np.isfinite(METRICS[name].losses(target, probabilities)).all()
    alone = np.zeros(50, dtype=np.int64)
    assert np.isfinite(METRICS[name].losses(alone, probabilities)).all()


def test_certain_and_wrong_is_a_finite_loss() -> None:
    losses = METRICS["log_loss"].losses(np.array([0, 1]), np.array([[0.0, 1.0], [0.0, 1.0]]))
    assert losses[0] == pytest.approx(-math.log(1e-15))
    assert losses[1] == pytest.approx(0)


def test_balanced_accuracy_of_a_constant_answer_is_chance() -> None:
    target, _ = classes(500, 4)
    shares = np.bincount(target) / 500
    metric = METRICS["balanced_accuracy"]
    assert metric.score(float(metric.losses(target, np.tile(shares, (500, 1))).mean())) == pytest.approx(25)


@pytest.mark.parametrize(("rows", "share"), [(400, 0.5), (400, 0.1)])
def test_rows_of_the_auc_vary_as_delong_says(rows: int, share: float) -> None:
    """The spread of the mean of the rows' losses is the spread of the AUC over tables drawn anew."""
    rng = np.random.default_rng(0)
    areas, errors, gaps, gap_errors = [], [], [], []
    for _ in range(600):
        target = (rng.random(rows) < share).astype(np.int64)
        target[:2] = [0, 1]
        common = target + rng.normal(size=rows)
        losses = []
        for _ in range(2):
            scores = 1 / (1 + np.exp(-(common + 0.5 * rng.normal(size=rows))))
            losses.append(METRICS["auc"].losses(target, np.stack([1 - scores, scores], axis=1)))
        areas.append(losses[0].mean())
        errors.append(losses[0].std() / math.sqrt(rows))
        gaps.append((losses[0] - losses[1]).mean())
        gap_errors.append((losses[0] - losses[1]).std() / math.sqrt(rows))
    assert np.mean(errors) == pytest.approx(np.std(areas), rel=0.12)
    assert np.mean(gap_errors) == pytest.approx(np.std(gaps), rel=0.12)


@pytest.mark.parametrize("name", sorted(METRICS))
def test_a_gap_is_the_difference_of_scores_in_its_unit(name: str) -> None:
    """The delta method: for small differences, points of the score or per cent of it."""
    metric = METRICS[name]
    for level in (0.02, 0.3, 2.0):
        step = 1e-6 * level
        change = metric.score(level + step) - metric.score(level)
        wanted = -change if metric.gap_unit == "points" else 100 * change / metric.score(level)
        assert step * metric.gap_scale(level) == pytest.approx(wanted, rel=1e-4)


@pytest.mark.parametrize("name", sorted(METRICS))
def test_lower_loss_is_a_better_score(name: str) -> None:
    metric = METRICS[name]
    assert (metric.score(0.1) > metric.score(0.2)) == metric.higher_is_better
    assert metric.gap_scale(0.2) > 0


@pytest.mark.parametrize("name", sorted(METRICS))
def test_inputs_are_left_as_they_were(name: str) -> None:
    target, prediction = classes(30, 3) if METRICS[name].for_classes else numbers(30)
    before = target.copy(), prediction.copy()
    METRICS[name].losses(target, prediction)
    assert np.array_equal(target, before[0])
    assert np.array_equal(prediction, before[1])
