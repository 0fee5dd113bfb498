"""Every task is held to its laws, on every metric it has."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from fathometer.data.metrics import METRICS
from fathometer.task import TASKS, Task
from fathometer.tasks.classification import Classification
from fathometer.tasks.regression import Regression
from fathometer.testing.tasks import check_task

LABELS = [
    ("no", "yes"),
    ("0", "1", "2"),
    ("../a", "b, c", "<b>d</b>", "=1+1", "prediction", "ü\u2028x", "a b"),
    tuple(f"class {number}" for number in range(60)),
]


def tasks() -> list[tuple[Task, pd.Series]]:
    rng = np.random.default_rng(0)
    made: list[tuple[Task, pd.Series]] = []
    for name, metric in METRICS.items():
        if metric.for_classes:
            for labels in LABELS:
                cells = pd.Series(rng.permutation(list(labels) * 4), name="answer")
                made.append((Classification("answer", name, metric.margin, labels), cells))
        else:
            made += [
                (Regression("answer", name, 1.0), pd.Series(rng.normal(size=50) * scale))
                for scale in (1e-8, 1.0, 1e8)
            ]
    return made


@pytest.mark.parametrize(("task", "cells"), tasks(), ids=lambda value: getattr(value, "metric", ""))
def test_task_keeps_its_laws(task: Task, cells: pd.Series) -> None:
    check_task(task, cells)


def test_every_task_is_tested_here() -> None:
    assert set(TASKS.names()) == {task.name for task, _ in tasks()}


def test_cells_that_are_no_label_are_not_known_and_not_encoded() -> None:
    task = Classification("answer", "accuracy", 0.5, ("a", "b"))
    assert task.knows(pd.Series(["a", "c", "A", None, "b"])).tolist() == [True, False, False, False, True]
    with pytest.raises(ValueError, match="not one of the labels"):
        task.encode(pd.Series(["a", "c"]))


def test_numbers_and_truth_values_are_the_labels_they_are_written_as() -> None:
    task = Classification("answer", "accuracy", 0.5, ("0", "1"))
    assert task.encode(pd.Series([0, 1, 1])).tolist() == [0, 1, 1]
    assert task.encode(pd.Series([0.0, 1.0])).tolist() == [0, 1]


def test_numbers_that_are_none_are_not_known() -> None:
    task = Regression("answer", "rmse", 1.0)
    assert task.knows(pd.Series([1.5, np.inf, np.nan, "x", "2"], dtype=object)).tolist() == [
        True, False, False, False, True,
    ]  # fmt: skip


def test_the_same_weight_on_all_is_the_mean() -> None:
    task = Regression("answer", "mae", 1.0)
    mean = task.average([np.array([1.0, 2.0]), np.array([3.0, 6.0])], [1.0, 1.0])
    assert mean.tolist() == [2.0, 4.0]


def test_under_balanced_accuracy_a_rare_class_is_answered_where_it_is_likelier_than_usual() -> None:
    task = Classification("answer", "balanced_accuracy", 0.5, ("common", "rare"), (0.9, 0.1))
    prediction = np.array([[0.95, 0.05], [0.8, 0.2]])
    assert list(task.answer(prediction)["prediction"]) == ["common", "rare"]
    # what is shipped and what is scored decide alike
    assert task.losses(np.array([0, 1]), prediction).tolist() == [0.0, 0.0]
    plain = Classification("answer", "accuracy", 0.5, ("common", "rare"), (0.9, 0.1))
    assert list(plain.answer(prediction)["prediction"]) == ["common", "common"]
    assert Classification.from_json(task.to_json()) == task
