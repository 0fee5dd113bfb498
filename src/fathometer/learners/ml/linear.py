"""A weighted sum of scaled inputs, held small by a penalty."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, Ridge

from fathometer.core.files import State
from fathometer.data.rows import Rows
from fathometer.learner import Learner, Run
from fathometer.learners._inputs import Inputs
from fathometer.learners._matrix import Floats, scaled_matrix
from fathometer.learners._sklearn import MatrixModel, all_classes, softmax, two_columns
from fathometer.task import Prediction, Task


class LinearModel(MatrixModel):
    """Weights and offsets; softmax for classes."""

    def answer(self, matrix: Floats) -> Prediction:
        scores = matrix.astype(np.float64) @ self.parts["weights"].T + self.parts["offsets"]
        if self.parts["classes"] == 0:
            return np.asarray(scores[:, 0])
        return all_classes(softmax(two_columns(scores)), self.parts["seen"], self.parts["classes"])


@dataclass(frozen=True)
class Linear(Learner):
    """Logistic or ridge regression; the penalty's strength is chosen on the validation rows.

    strengths: inverse penalties tried, weakest penalty last. bends: whether far values are clipped smoothly.
    """

    family = "classical"
    title = "regularised linear"
    presets: ClassVar[Any] = ((3, {}), (12, {"bends": False}))
    strengths: tuple[float, ...] = (0.003, 0.03, 0.3, 3.0)
    bends: bool = True

    def fit(self, train: Rows, valid: Rows, task: Task, run: Run) -> LinearModel:
        inputs = Inputs.fit(train)
        matrix, rows = scaled_matrix(inputs.features(train), train.answers, task, run.seed, self.bends)
        checked = matrix.transform(inputs.features(valid))
        best: tuple[float, LinearModel] | None = None
        for step, strength in enumerate(self.strengths):
            if not run.goes_on(step):
                break
            parts = _solve(rows, train.answers, task, strength)
            model = LinearModel(inputs, matrix, parts)
            loss = task.fitting_loss(valid.answers, model.answer(checked))
            run.report(step, loss)
            if best is None or loss < best[0]:
                best = (loss, model)
        if best is None:
            raise ValueError("no strength was given")
        return best[1]

    @classmethod
    def load(cls, folder: Path) -> LinearModel:
        return LinearModel.read(folder)


def _solve(rows: Floats, target: Any, task: Task, strength: float) -> State:
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
        logistic = LogisticRegression(C=strength, max_iter=200, tol=1e-3).fit(rows, target)
    return {
        "weights": logistic.coef_.astype(np.float64),
        "offsets": logistic.intercept_.astype(np.float64),
        "classes": task.outputs,
        "seen": seen,
    }
