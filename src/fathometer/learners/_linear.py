"""Weighted sums with a penalty, solved by scikit-learn, kept as arrays."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from fathometer.core.files import State
from fathometer.core.states import array, table
from fathometer.learner import Run
from fathometer.learners._sklearn import all_classes, checked_classes, softmax, two_columns
from fathometer.task import Prediction, Task

T = TypeVar("T")

MOST_ADDED = 2_000  # columns; of more of them matrices are multiplied, which is then several times as fast


def solve(
    rows: npt.NDArray[Any],
    target: npt.NDArray[Any],
    task: Task,
    strength: float,
    *,
    tolerance: float = 1e-3,
    rounds: int = 200,
) -> State:
    """Weights (outputs, columns) and offsets of ridge or logistic regression; `strength` is the inverse penalty.

    rows: may be sparse. tolerance: of the gradient, at which logistic regression stops, at the latest after `rounds`.
    """
    # imported by fits alone: it takes most of a second, and an answer needs none of it
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression, Ridge

    if task.outputs == 1:
        middle, scale = target.mean(), target.std() or 1.0
        ridge = Ridge(alpha=1.0 / strength).fit(rows.astype(np.float64), (target - middle) / scale)
        weights = ridge.coef_.reshape(1, -1) * scale
        return {"weights": weights, "offsets": np.array([ridge.intercept_ * scale + middle]), "classes": 0}
    seen = np.unique(target)
    if len(seen) == 1:
        zeros = np.zeros((1, rows.shape[1]))
        return {"weights": zeros, "offsets": np.zeros(1), "classes": task.outputs, "seen": np.repeat(seen, 2)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # stopping early is a penalty too
        logistic = LogisticRegression(C=strength, max_iter=rounds, tol=tolerance).fit(rows, target)
    return {
        "weights": logistic.coef_.astype(np.float64),
        "offsets": logistic.intercept_.astype(np.float64),
        "classes": task.outputs,
        "seen": seen,
    }


def checked_weights(parts: State, columns: int, others: tuple[str, ...] = ()) -> State:
    """Parts as `solve` gives them, for rows of so many columns.

    Raises:
        BadBundle: they are not such parts.
    """
    table(parts, "parts", ("weights", "offsets", "classes"), ("seen", *others))
    weights = array(parts["weights"], "weights", None, columns)
    array(parts["offsets"], "offsets", len(weights))
    checked_classes(parts, len(weights))
    return parts


def weighed(rows: npt.NDArray[Any], parts: State) -> Prediction:
    """What these weights answer for rows (rows, columns)."""
    scores = _products(rows.astype(np.float64), parts["weights"]) + parts["offsets"]
    if parts["classes"] == 0:
        return np.asarray(scores[:, 0])
    return all_classes(softmax(two_columns(scores)), parts["seen"], parts["classes"])


def _products(rows: npt.NDArray[Any], weights: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """(rows, outputs); of a table of usual width to the last bit the same whatever other rows are asked with a row.

    The kernels behind `@` add up in an order that depends on how many rows there are; sparse rows are summed alone.
    """
    if isinstance(rows, np.ndarray) and rows.shape[1] <= MOST_ADDED:
        scores: npt.NDArray[np.float64] = np.einsum("ij,kj->ik", rows, weights, optimize=False)
        return scores
    return np.asarray(rows @ weights.T)


def best_strength(
    strengths: Sequence[float],
    fit: Callable[[float], T],
    loss_of: Callable[[T], float],
    run: Run,
) -> T:
    """The model of the strength with the lowest validation loss, as far as time allows to try them."""
    best: tuple[float, T] | None = None
    for step, strength in enumerate(strengths):
        if not run.goes_on(step):
            break
        model = fit(strength)
        loss = loss_of(model)
        run.report(step, loss)
        if best is None or loss < best[0]:
            best = (loss, model)
    if best is None:
        raise ValueError("no strength was given")
    return best[1]
