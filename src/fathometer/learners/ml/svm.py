"""A smooth boundary drawn by the rows nearest to it: support vectors with a Gaussian kernel."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression
from sklearn.svm import SVC, SVR

from fathometer.core.files import State
from fathometer.data.rows import Rows
from fathometer.learner import Facts, Learner, Range, Run
from fathometer.learners._inputs import Inputs
from fathometer.learners._matrix import Floats, scaled_matrix
from fathometer.learners._sklearn import MatrixModel, all_classes, softmax, two_columns
from fathometer.task import Prediction, Task


class SvmModel(MatrixModel):
    """Support vectors and their weights; for classes, one decision per pair, made into probabilities."""

    def answer(self, matrix: Floats) -> Prediction:
        decisions = _decisions(matrix, self.parts)
        if self.parts["classes"] == 0:
            return np.asarray(decisions[:, 0] * self.parts["scale"] + self.parts["middle"])
        scores = decisions @ self.parts["weights"].T + self.parts["offsets"]
        return all_classes(softmax(two_columns(scores)), self.parts["seen"], self.parts["classes"])


@dataclass(frozen=True)
class Svm(Learner):
    """Support vector machine with kernel exp(-gamma |x - z|^2) [1]; probabilities are fitted on validation rows.

    [1] Cortes & Vapnik (1995). Support-vector networks. https://doi.org/10.1007/BF00994018
    """

    family = "classical"
    title = "kernel SVM"
    presets: ClassVar[Any] = ((8, {}), (13, {"penalty": 0.5, "reach": 2.0}))
    penalty: float = 2.0  # cost of a row on the wrong side
    reach: float = 1.0  # kernel width, as a multiple of scikit-learn's "scale"

    @classmethod
    def space(cls, task: Task) -> dict[str, Range]:
        return {"penalty": Range(0.1, 50, logarithmic=True), "reach": Range(0.3, 8, logarithmic=True)}

    @classmethod
    def unsuited(cls, facts: Facts) -> str | None:
        # a machine for each pair of classes sees only these two classes' rows
        limit = int(8_000 * (max(facts.outputs, 2) / 2) ** 0.5)
        if facts.rows > limit:
            return (
                f"its time grows with the square of the rows, and there are {facts.rows:,} (limit {limit:,})"
            )
        return None

    def fit(self, train: Rows, valid: Rows, task: Task, run: Run) -> SvmModel:
        inputs = Inputs.fit(train)
        matrix, rows = scaled_matrix(inputs.features(train), train.answers, task, run.seed)
        gamma = 1.0 / (max(rows.shape[1], 1) * max(float(rows.var()), 1e-9) * self.reach)
        if task.outputs == 1:
            middle, scale = float(train.answers.mean()), float(train.answers.std()) or 1.0
            svr = SVR(C=self.penalty, gamma=gamma, epsilon=0.05, cache_size=500)
            svr.fit(rows, (train.answers - middle) / scale)
            parts = _kept(svr, gamma, 0) | {"middle": middle, "scale": scale}
            return SvmModel(inputs, matrix, parts)
        svc = SVC(C=self.penalty, gamma=gamma, cache_size=500)
        svc.fit(rows, train.answers)
        parts = _kept(svc, gamma, task.outputs) | {"seen": svc.classes_}
        checked = _decisions(matrix.transform(inputs.features(valid)), parts)
        return SvmModel(inputs, matrix, parts | _calibrated(checked, valid.answers, svc.classes_))

    @classmethod
    def load(cls, folder: Path) -> SvmModel:
        return SvmModel.read(folder)


def _kept(machine: SVC | SVR, gamma: float, classes: int) -> State:
    counts = machine.n_support_ if classes else np.array([len(machine.support_vectors_)])
    # scikit-learn turns the signs of a two-class machine round in its public attributes
    return {
        "vectors": machine.support_vectors_.astype(np.float32),
        "duals": np.asarray(machine.dual_coef_, dtype=np.float64),
        "intercepts": np.asarray(machine.intercept_, dtype=np.float64),
        "counts": counts.astype(np.int64),
        "gamma": gamma,
        "classes": classes,
    }


def _decisions(rows: Floats, parts: State) -> npt.NDArray[np.float64]:
    """(rows, pairs of classes), or (rows, 1); the sum over support vectors of dual weight times kernel."""
    vectors = parts["vectors"].astype(np.float64)
    asked = rows.astype(np.float64)
    square = (asked**2).sum(axis=1)[:, None] + (vectors**2).sum(axis=1) - 2 * asked @ vectors.T
    kernel = np.exp(-parts["gamma"] * np.maximum(square, 0.0))
    duals, counts = parts["duals"], parts["counts"]
    if len(duals) == 1:
        single: npt.NDArray[np.float64] = kernel @ duals.T + parts["intercepts"]
        return single
    starts = np.concatenate([[0], np.cumsum(counts)])
    pairs = []
    for i in range(len(counts)):
        for j in range(i + 1, len(counts)):
            mine, other = slice(starts[i], starts[i + 1]), slice(starts[j], starts[j + 1])
            pairs.append(kernel[:, mine] @ duals[j - 1, mine] + kernel[:, other] @ duals[i, other])
    return np.asarray(np.stack(pairs, axis=1) + parts["intercepts"])


def _calibrated(decisions: npt.NDArray[np.float64], target: Any, seen: npt.NDArray[Any]) -> State:
    """Weights that turn decisions into class scores, by logistic regression on the validation rows (Platt 1999)."""
    width = 1 if len(seen) == 2 else len(seen)
    weights = np.zeros((width, decisions.shape[1]))
    offsets = np.zeros(width)
    known = np.isin(target, seen)
    present = np.unique(target[known])
    if len(present) < 2:
        return {"weights": weights, "offsets": offsets}
    fitted = LogisticRegression(C=1.0, max_iter=200).fit(decisions[known], target[known])
    if len(seen) == 2:
        return {"weights": fitted.coef_.astype(np.float64), "offsets": fitted.intercept_.astype(np.float64)}
    coefficients, intercepts = fitted.coef_, fitted.intercept_
    if len(present) == 2:
        coefficients = np.concatenate([np.zeros_like(coefficients), coefficients])
        intercepts = np.concatenate([np.zeros(1), intercepts])
    places = np.searchsorted(seen, present)
    offsets[:] = intercepts.min() - 3.0  # a class without validation rows stays possible, but unlikely
    weights[places], offsets[places] = coefficients, intercepts
    return {"weights": weights, "offsets": offsets}
