"""A weighted sum of scaled inputs, held small by a penalty."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from fathometer.core.files import State
from fathometer.data.rows import Rows
from fathometer.learner import Learner, Run
from fathometer.learners._inputs import Inputs
from fathometer.learners._linear import best_strength, checked_weights, solve, weighed
from fathometer.learners._matrix import Floats, scaled_matrix
from fathometer.learners._sklearn import MatrixModel
from fathometer.task import Prediction, Task


class LinearModel(MatrixModel):
    """Weights and offsets; softmax for classes."""

    def answer(self, matrix: Floats) -> Prediction:
        return weighed(matrix, self.parts)

    @classmethod
    def checked(cls, parts: State, columns: int) -> State:
        return checked_weights(parts, columns)


@dataclass(frozen=True)
class Linear(Learner):
    """Logistic or ridge regression; the penalty's strength is chosen on the validation rows.

    strengths: inverse penalties tried, weakest penalty last. bends: whether far values are clipped smoothly.
    """

    family = "classical"
    title = "regularised linear"
    quick = True
    transparent = True
    presets: ClassVar[Any] = ((3, {}), (12, {"bends": False}))
    strengths: tuple[float, ...] = (0.003, 0.03, 0.3, 3.0)
    bends: bool = True

    def fit(self, train: Rows, valid: Rows, task: Task, run: Run) -> LinearModel:
        inputs = Inputs.fit(train)
        matrix, rows = scaled_matrix(inputs.features(train), train.answers, task, run.seed, self.bends)
        checked = matrix.transform(inputs.features(valid))
        return best_strength(
            self.strengths,
            lambda strength: LinearModel(inputs, matrix, solve(rows, train.answers, task, strength)),
            lambda model: task.fitting_loss(valid.answers, model.answer(checked)),
            run,
        )

    @classmethod
    def load(cls, folder: Path) -> LinearModel:
        return LinearModel.read(folder)
