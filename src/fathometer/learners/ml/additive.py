"""A glass box: the sum of one curve per input, each of which can be drawn."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from fathometer.core.files import State
from fathometer.core.states import array, demand
from fathometer.data.rows import Rows
from fathometer.learner import Facts, Learner, Range, Run
from fathometer.learners._inputs import Inputs
from fathometer.learners._linear import best_strength, checked_weights, solve, weighed
from fathometer.learners._matrix import Floats, scaled_matrix
from fathometer.learners._sklearn import MatrixModel
from fathometer.task import Prediction, Task

NARROWEST = 1e-9  # stretch between knots that counts as one


class AdditiveModel(MatrixModel):
    """Weights over straight-line pieces of each column."""

    def answer(self, matrix: Floats) -> Prediction:
        return weighed(_pieces(matrix, self.parts["knots"], self.parts["bent"]), self.parts)

    @classmethod
    def checked(cls, parts: State, columns: int) -> State:
        bent = array(parts["bent"], "bent", None, kinds="i", low=0, high=columns - 1)
        knots = array(parts["knots"], "knots", len(bent), None)
        demand(len(np.unique(bent)) == len(bent), "a column bends twice")
        demand(not len(bent) or (np.diff(knots) >= 0).all(), "knots should rise")
        pieces = columns + int((np.diff(knots.astype(np.float64)) > NARROWEST).sum())
        return checked_weights(parts, pieces, ("bent", "knots"))


@dataclass(frozen=True)
class Additive(Learner):
    """A generalised additive model [1]: every number bends at its quantiles, every category has its own level.

    [1] Hastie & Tibshirani (1986). Generalized additive models. https://doi.org/10.1214/ss/1177013604
    """

    family = "classical"
    title = "additive curves (glass box)"
    transparent = True
    presets: ClassVar[Any] = ((4, {}),)
    knots: int = 12  # bends a number's curve may have
    strengths: tuple[float, ...] = (0.01, 0.1, 1.0)  # inverse penalties tried on the validation rows

    @classmethod
    def space(cls, task: Task) -> dict[str, Range]:
        return {"knots": Range(4, 30, logarithmic=True, whole=True)}

    @classmethod
    def unsuited(cls, facts: Facts) -> str | None:
        if "image" in facts.kinds or facts.structured == 0:
            return (
                "its curves are there to be read, and nobody reads thousands of them over words or pictures"
            )
        return None

    def fit(self, train: Rows, valid: Rows, task: Task, run: Run) -> AdditiveModel:
        inputs = Inputs.fit(train)
        matrix, rows = scaled_matrix(inputs.features(train), train.answers, task, run.seed)
        bent, knots = _knots(rows, self.knots)
        pieces = _pieces(rows, knots, bent)
        checked = matrix.transform(inputs.features(valid))
        places = {"knots": knots, "bent": bent}
        return best_strength(
            self.strengths,
            lambda strength: AdditiveModel(
                inputs, matrix, places | solve(pieces, train.answers, task, strength)
            ),
            lambda model: task.fitting_loss(valid.answers, model.answer(checked)),
            run,
        )

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
    for place, column in enumerate(bent.tolist()):
        edges = knots[place].astype(np.float64)
        width = np.maximum(np.diff(edges), NARROWEST)
        filled = (rows[:, [column]] - edges[:-1]) / width
        parts.append(np.clip(filled, 0.0, 1.0)[:, np.diff(edges) > NARROWEST])
    return np.concatenate(parts, axis=1)
