"""What was answered on the tested rows, each row counted once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from fathometer.study.record import FoldResult
from fathometer.task import Prediction, Task

Floats = npt.NDArray[np.float64]
Index = npt.NDArray[np.intp]


def answers_given(task: Task, prediction: Prediction) -> npt.NDArray[Any]:
    """(rows,) class codes or numbers that a user would be told; not always the most probable class.

    Where every class counts alike, the answer is the class whose probability exceeds its share most.
    """
    return task.encode(task.answer(prediction)["prediction"])


def first_tests(folds: Sequence[FoldResult]) -> list[npt.NDArray[np.bool_]]:
    """Per fold, (rows,) whether no fold before it tested the row: together, every tested row once."""
    seen: Index = np.zeros(0, dtype=np.intp)
    fresh = []
    for fold in folds:
        fresh.append(~np.isin(fold.rows, seen))
        seen = np.concatenate([seen, fold.rows])
    return fresh


def once_per_row(folds: Sequence[FoldResult], values: Sequence[npt.NDArray[Any]]) -> tuple[Index, Floats]:
    """Positions of all tested rows, rising, and each one's value averaged over the folds that tested it.

    Args:
        values: per fold, (its rows,).
    """
    return averaged(np.concatenate([fold.rows for fold in folds]), np.concatenate(values))


def averaged(rows: Index, values: npt.NDArray[Any]) -> tuple[Index, Floats]:
    """Different rows, rising, and the mean of each one's values."""
    different, place = np.unique(rows, return_inverse=True)
    mean: Floats = np.bincount(place, weights=values.astype(np.float64)) / np.bincount(place)
    return different, mean
