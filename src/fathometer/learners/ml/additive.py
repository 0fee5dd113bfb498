"""A glass box: the sum of one curve per input, each of which can be drawn."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, Ridge

from fathometer.data.rows import Rows
from fathometer.learner import Learner, Range, Run
from fathometer.learners._inputs import Inputs
from fathometer.learners._matrix import Floats, scaled_matrix
from fathometer.learners._sklearn import MatrixModel, all_classes, softmax, two_columns
from fathometer.task import Prediction, Task


class AdditiveModel(MatrixModel):
    """Weights over straight-line pieces of each column."""

    def answer(self, matrix: Floats) -> Prediction:
        pieces = _pieces(matrix, self.parts["knots"], self.parts["bent"])
        scores = pieces @ self.parts["weights"].T + self.parts["offsets"]
        if self.parts["classes"] == 0:
            return np.asarray(scores[:, 0])
        return all_classes(softmax(two_columns(scores)), self.parts["seen"], self.parts["classes"])


@dataclass(frozen=True)
class Additive(Learner):
    """A generalised additive model [1]: every number bends at its quantiles, every category has its own level.

    [1] Hastie & Tibshirani (1986). Generalized additive models. https://doi.org/10.1214/ss/1177013604
    """

    family = "classical"
    title = "additive curves (glass box)"
    presets: ClassVar[Any] = ((4, {}),)
    knots: int = 12  # bends a number's curve may have
    strengths: tuple[float, ...] = (0.01, 0.1, 1.0)  # inverse penalties tried on the validation rows

    @classmethod
    def space(cls, task: Task) -> dict[str, Range]:
        return {"knots": Range(4, 30, logarithmic=True, whole=True)}

    def fit(self, train: Rows, valid: Rows, task: Task, run: Run) -> AdditiveModel:
        inputs = Inputs.fit(train)
        matrix, rows = scaled_matrix(inputs.features(train), train.answers, task, run.seed)
        bent, knots = _knots(rows, self.knots)
        pieces = _pieces(rows, knots, bent)
        checked = matrix.transform(inputs.features(valid))
        best: tuple[float, AdditiveModel] | None = None
        for step, strength in enumerate(self.strengths):
            if not run.goes_on(step):
                break
            parts = {"knots": knots, "bent": bent, **_solve(pieces, train.answers, task, strength)}
            model = AdditiveModel(inputs, matrix, parts)
            loss = task.fitting_loss(valid.answers, model.answer(checked))
            run.report(step, loss)
            if best is None or loss < best[0]:
                best = (loss, model)
        if best is None:
            raise ValueError("no strength was given")
        return best[1]

    @classmethod
    def load(cls, folder: Path) -> AdditiveModel:
        return AdditiveModel.read(folder)


def _knots(rows: Floats, count: int) -> tuple[npt.NDArray[np.int64], Floats]:
    """Which columns bend (those with more than two values) and where: (bending columns, knots)."""
    shares = np.linspace(0, 1, count + 1)
    bent = [i for i in range(rows.shape[1]) if len(np.unique(rows[:2_000, i])) > 2]
    places = [np.quantile(rows[:, i], shares).astype(np.float32) for i in bent]
    table = np.stack(places) if places else np.zeros((0, count + 1), dtype=np.float32)
    return np.asarray(bent, dtype=np.int64), table


def _pieces(rows: Floats, knots: Floats, bent: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Every column, and for a bending one how far the value fills each stretch between knots, 0 to 1.

    The encoding is that of Gorishniy et al. 2022 (arXiv:2203.05556), so a weight is the rise over one stretch.
    """
    parts: list[npt.NDArray[np.float64]] = [rows.astype(np.float64)]
    for place, column in enumerate(bent):
        edges = knots[place].astype(np.float64)
        width = np.maximum(np.diff(edges), 1e-9)
        filled = (rows[:, [column]] - edges[:-1]) / width
        parts.append(np.clip(filled, 0.0, 1.0)[:, np.diff(edges) > 1e-9])
    return np.concatenate(parts, axis=1)


def _solve(pieces: npt.NDArray[np.float64], target: Any, task: Task, strength: float) -> dict[str, Any]:
    if task.outputs == 1:
        middle, scale = target.mean(), target.std() or 1.0
        ridge = Ridge(alpha=1.0 / strength).fit(pieces, (target - middle) / scale)
        offset = np.array([ridge.intercept_ * scale + middle])
        return {"weights": ridge.coef_.reshape(1, -1) * scale, "offsets": offset, "classes": 0}
    seen = np.unique(target)
    if len(seen) == 1:
        zeros = np.zeros((1, pieces.shape[1]))
        return {"weights": zeros, "offsets": np.zeros(1), "classes": task.outputs, "seen": np.repeat(seen, 2)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # stopping early is a penalty too
        logistic = LogisticRegression(C=strength, max_iter=150, tol=1e-3).fit(pieces, target)
    return {
        "weights": logistic.coef_,
        "offsets": logistic.intercept_,
        "classes": task.outputs,
        "seen": seen,
    }
