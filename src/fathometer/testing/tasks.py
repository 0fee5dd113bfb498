"""The laws of a task, as a test for any task: call `check_task` with one and cells of its target."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd

from fathometer.task import Prediction, Task, task_from_json

PROPER = frozenset({"accuracy", "balanced_accuracy", "log_loss", "rmse", "mae"})  # no row's loss is below 0


def check_task(task: Task, cells: pd.Series) -> None:
    """Hold a task to its laws.

    Args:
        cells: known target cells, at least one of every class, in any order.

    Raises:
        AssertionError: a law is broken.
    """
    check_encoding(task, cells)
    check_losses(task, cells)
    check_averages(task, cells)
    check_answers(task, cells)
    check_json(task)


def check_encoding(task: Task, cells: pd.Series) -> None:
    """Cells that are known are encoded, row by row, and decoding gives them back."""
    assert task.knows(cells).all()
    assert not task.knows(pd.Series([None, float("nan")], dtype=object)).any()
    before = cells.copy()
    target = task.encode(cells)
    assert cells.equals(before), "the cells were changed"
    assert len(target) == len(cells)
    order = np.random.default_rng(0).permutation(len(cells))
    assert np.array_equal(task.encode(cells.iloc[order]), target[order])
    if task.outputs > 1:
        assert target.dtype.kind == "i"
        assert target.min() >= 0
        assert target.max() < task.outputs
        decoded = task.answer(np.eye(task.outputs)[target])["prediction"]
        assert [str(label) for label in decoded] == [str(cell) for cell in cells]
    else:
        assert target.dtype == np.float64
        assert np.array_equal(task.answer(target)["prediction"], pd.to_numeric(cells).to_numpy(np.float64))


def check_losses(task: Task, cells: pd.Series) -> None:
    """Finite, one per row, in the order of the rows; the right answer is never worse than another."""
    target = task.encode(cells)
    rng = np.random.default_rng(1)
    for prediction in (predicted(task, len(cells), rng), constant(task, len(cells))):
        losses = task.losses(target, prediction)
        assert losses.shape == (len(cells),)
        assert np.isfinite(losses).all()
        if task.metric in PROPER:
            assert losses.min() >= 0
        order = rng.permutation(len(cells))
        assert np.allclose(task.losses(target[order], prediction[order]), losses[order])
        assert np.isfinite(task.fitting_loss(target, prediction))
        right = np.eye(task.outputs)[target] if task.outputs > 1 else target
        assert task.losses(target, right).mean() <= losses.mean() + 1e-12
        assert task.fitting_loss(target, right) <= task.fitting_loss(target, prediction) + 1e-12


def check_averages(task: Task, cells: pd.Series) -> None:
    """An average is a prediction; of one it is that one; the order does not matter; nothing given is changed."""
    rng = np.random.default_rng(2)
    several = [predicted(task, len(cells), rng) for _ in range(3)]
    before = [one.copy() for one in several]
    weights = [0.5, 0.3, 0.2]
    mean = task.average(several, weights)
    assert mean.shape == several[0].shape
    if task.outputs > 1:
        assert np.allclose(mean.sum(axis=1), 1)
        assert mean.min() >= 0
    assert np.allclose(task.average(several[:1], [1.0]), several[0])
    assert np.allclose(task.average(several[::-1], weights[::-1]), mean)
    assert np.allclose(task.average([several[0]] * 2, [0.5, 0.5]), several[0])
    assert all(np.array_equal(one, other) for one, other in zip(several, before, strict=True))


def check_answers(task: Task, cells: pd.Series) -> None:
    """One row each, `prediction` first; for classes a probability each, the answer being the most probable."""
    prediction = predicted(task, len(cells), np.random.default_rng(3))
    table = task.answer(prediction)
    assert len(table) == len(cells)
    assert table.columns[0] == "prediction"
    assert table.columns.is_unique
    assert len(task.answer(prediction[:0])) == 0
    if task.outputs > 1:
        assert len(table.columns) == 1 + task.outputs
        assert np.array_equal(table.iloc[:, 1:].to_numpy(np.float64), prediction)
        assert np.array_equal(task.encode(table["prediction"]), prediction.argmax(axis=1))


def check_json(task: Task) -> None:
    """Written as JSON and read back it is equal."""
    again = task_from_json(json.loads(json.dumps(task.to_json())))
    assert again == task
    assert type(again) is type(task)
    assert again.measure is task.measure


def predicted(task: Task, rows: int, rng: np.random.Generator) -> Prediction:
    """Some prediction."""
    if task.outputs == 1:
        return rng.normal(size=rows)
    raw = rng.dirichlet(np.ones(task.outputs), rows)
    return np.asarray(raw, dtype=np.float64)


def constant(task: Task, rows: int) -> Prediction:
    """What a baseline answers: the same for every row."""
    if task.outputs == 1:
        return np.zeros(rows)
    return np.full((rows, task.outputs), 1 / task.outputs)
