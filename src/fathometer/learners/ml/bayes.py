"""Each input speaks for itself: naive Bayes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from fathometer.core.files import State
from fathometer.core.states import array, classes, number, table
from fathometer.data.rows import Rows
from fathometer.learner import Learner, Run
from fathometer.learners._inputs import Inputs
from fathometer.learners._matrix import Floats, scaled_matrix
from fathometer.learners._sklearn import MatrixModel, all_classes, checked_seen, softmax
from fathometer.task import Prediction, Task


class BayesModel(MatrixModel):
    """Mean and variance of every column in every class; `heat` flattens over-sure answers."""

    def answer(self, matrix: Floats) -> Prediction:
        means, variances = self.parts["means"], self.parts["variances"]  # (classes, columns)
        rows = matrix.astype(np.float64)
        inverse = 1.0 / variances
        # sum over columns of (x - m)^2 / v, multiplied out so that no (rows, classes, columns) array is made
        square = rows**2 @ inverse.T - 2 * rows @ (means * inverse).T + (means**2 * inverse).sum(axis=1)
        scores = np.log(self.parts["shares"]) - 0.5 * (np.log(variances).sum(axis=1) + square)
        return all_classes(softmax(scores * self.parts["heat"]), self.parts["seen"], self.parts["classes"])

    @classmethod
    def checked(cls, parts: State, columns: int) -> State:
        table(parts, "parts", ("means", "variances", "shares", "seen", "classes", "heat"))
        count = len(checked_seen(parts, classes(parts["classes"])))
        array(parts["means"], "means", count, columns)
        array(parts["variances"], "variances", count, columns, low=1e-300)
        array(parts["shares"], "shares", count, low=0.0, high=1.0)
        number(parts["heat"], "heat", 0.0, 1e3)
        return parts


@dataclass(frozen=True)
class Bayes(Learner):
    """Gaussian naive Bayes; its over-sure probabilities are flattened by one number fitted on validation rows."""

    family = "classical"
    title = "naive Bayes"
    quick = True
    transparent = True
    solves = frozenset({"classification"})
    presets: ClassVar[Any] = ((11, {}),)

    def fit(self, train: Rows, valid: Rows, task: Task, run: Run) -> BayesModel:
        # imported by fits alone: it takes most of a second, and an answer needs none of it
        from sklearn.naive_bayes import GaussianNB

        inputs = Inputs.fit(train)
        matrix, rows = scaled_matrix(inputs.features(train), train.answers, task, run.seed)
        bayes = GaussianNB(var_smoothing=1e-2).fit(rows, train.answers)
        parts = {
            "means": bayes.theta_.astype(np.float64),
            "variances": bayes.var_.astype(np.float64),
            "shares": bayes.class_prior_.astype(np.float64),
            "seen": bayes.classes_,
            "classes": task.outputs,
        }
        checked = matrix.transform(inputs.features(valid))
        models = [
            BayesModel(inputs, matrix, {**parts, "heat": heat}) for heat in (1.0, 0.5, 0.2, 0.1, 0.03, 0.01)
        ]
        losses = [task.fitting_loss(valid.answers, model.answer(checked)) for model in models]
        return models[int(np.argmin(losses))]

    @classmethod
    def load(cls, folder: Path) -> BayesModel:
        return BayesModel.read(folder)
