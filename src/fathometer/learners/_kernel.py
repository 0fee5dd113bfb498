"""Smooth functions through the training rows: kernel ridge regression, for classes too.

With a Gaussian kernel k the answer is sum_j w_j k(x, z_j), and the w solve (K + penalty I) w = y [1]. Classes are
learned as numbers (1 for the true one), and the scores times a heat that validation rows choose become probabilities.
On what encoders say this was better than logistic regression at every size tried (docs/decisions/0009).

[1] Rasmussen & Williams (2006). Gaussian Processes for Machine Learning, 2.2 and 6.5. http://gaussianprocess.org/gpml
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from fathometer.core.files import State
from fathometer.core.states import array, classes, demand, number, table
from fathometer.learner import Run
from fathometer.learners._linear import best_strength
from fathometer.learners._matrix import Floats
from fathometer.learners._sklearn import all_classes, checked_seen, softmax
from fathometer.task import Prediction, Task

MOST_CENTRES = 4_000  # rows that stand for all: the time grows with their cube
CENTRES_OF_MANY = 2_000  # where there are more rows, as these then also cost time
PENALTIES = (0.3, 0.1, 1.0, 0.03, 3.0)
HEATS = (2.0, 3.0, 4.5, 6.0, 8.0, 11.0, 15.0, 20.0)
CHUNK = 2_048  # rows whose distances are held at a time


def fit_kernel(
    rows: Floats, target: npt.NDArray[Any], task: Task, valid: tuple[Floats, npt.NDArray[Any]], run: Run
) -> State:
    """Centres (centres, columns), their weights (centres, outputs) and what makes answers of scores."""
    order = np.random.default_rng(run.seed).permutation(len(rows))
    count = len(rows) if len(rows) <= MOST_CENTRES else CENTRES_OF_MANY
    import scipy.linalg  # by fits alone

    # three digits are plenty for a place, and every model of an ensemble keeps its own
    kept = np.clip(rows, -6e4, 6e4).astype(np.float16)
    places = kept.astype(np.float32)
    centres = kept[np.sort(order[:count])]
    gamma = 1.0 / max(float(places.var()) * places.shape[1], 1e-9)
    goal, meaning = _goal(target, task)
    between = _kernel(centres, centres, gamma)
    # with every row a centre the system is the plain one; with fewer it is that of least squares
    is_whole = count == len(rows)
    square, right = (between, goal) if is_whole else _sums(places, centres, goal, gamma)
    side = np.eye(count) if is_whole else between
    checked = _kernel(valid[0], centres, gamma)

    def solved(penalty: float) -> State:
        matrix = square + penalty * side + 1e-6 * np.eye(count)
        weights = scipy.linalg.solve(matrix, right, assume_a="pos", check_finite=False)
        parts = {"centres": centres, "weights": weights, "gamma": gamma, **meaning}
        if task.outputs > 1:
            scores = checked @ weights
            losses = [task.fitting_loss(valid[1], _meant(scores, {**parts, "heat": heat})) for heat in HEATS]
            parts["heat"] = HEATS[int(np.argmin(losses))]
        return parts

    return best_strength(
        PENALTIES,
        solved,
        lambda parts: task.fitting_loss(valid[1], _meant(checked @ parts["weights"], parts)),
        run,
    )


def kernel_answer(rows: Floats, parts: State) -> Prediction:
    """What these parts answer for rows (rows, columns)."""
    starts = range(0, max(len(rows), 1), CHUNK)
    scores = [
        _kernel(rows[start : start + CHUNK], parts["centres"], parts["gamma"]) @ parts["weights"]
        for start in starts
    ]
    return _meant(np.concatenate(scores), parts)


def checked_kernel(parts: State, columns: int) -> State:
    """Parts as `fit_kernel` gives them, for rows of so many columns.

    Raises:
        BadBundle: they are not such parts.
    """
    table(
        parts,
        "parts",
        ("centres", "weights", "gamma", "classes"),
        ("middle", "scale", "seen", "shares", "heat"),
    )
    centres = array(parts["centres"], "centres", None, columns)
    demand(len(centres) <= 4 * MOST_CENTRES, "there are too many centres")
    weights = array(parts["weights"], "weights", len(centres), None)
    number(parts["gamma"], "gamma", 0.0)
    count = classes(parts["classes"])
    if count == 0:
        demand(weights.shape[1] == 1, "a number has one column of weights")
        number(parts["middle"], "middle")
        number(parts["scale"], "scale", 0.0)
        return parts
    seen = checked_seen(parts, count)
    demand(weights.shape[1] == len(seen), "weights and classes disagree")
    array(parts["shares"], "shares", len(seen), low=1e-300, high=1.0)
    number(parts["heat"], "heat", 0.0, 1e6)
    return parts


def _goal(target: npt.NDArray[Any], task: Task) -> tuple[npt.NDArray[np.float64], State]:
    """What the scores should come to, (rows, outputs), and how they are understood."""
    if task.outputs == 1:
        middle, scale = float(target.mean()), float(target.std()) or 1.0
        return ((target - middle) / scale)[:, None], {"classes": 0, "middle": middle, "scale": scale}
    seen = np.unique(target)
    goal = (target[:, None] == seen).astype(np.float64)
    shares = goal.mean(axis=0)
    return goal - shares, {"classes": task.outputs, "seen": seen, "shares": shares}


def _meant(scores: npt.NDArray[np.float64], parts: State) -> Prediction:
    if parts["classes"] == 0:
        return np.asarray(scores[:, 0] * parts["scale"] + parts["middle"])
    # far from every centre scores are nought, and the answer is the classes' shares
    logits = parts["heat"] * scores + np.log(parts["shares"])
    return all_classes(softmax(logits), parts["seen"], parts["classes"])


def _sums(
    rows: Floats, centres: npt.NDArray[np.float16], goal: npt.NDArray[np.float64], gamma: float
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    square = np.zeros((len(centres), len(centres)))
    right = np.zeros((len(centres), goal.shape[1]))
    for start in range(0, len(rows), CHUNK):
        part = _kernel(rows[start : start + CHUNK], centres, gamma)
        square += part.T @ part
        right += part.T @ goal[start : start + CHUNK]
    return square, right


def _kernel(
    rows: npt.NDArray[np.floating[Any]], centres: npt.NDArray[np.floating[Any]], gamma: float
) -> npt.NDArray[np.float64]:
    """(rows, centres) exp(-gamma distance^2)."""
    left, right = rows.astype(np.float64), centres.astype(np.float64)
    square = (left**2).sum(axis=1)[:, None] + (right**2).sum(axis=1) - 2.0 * left @ right.T
    kernel: npt.NDArray[np.float64] = np.exp(-gamma * np.maximum(square, 0.0))
    return kernel
