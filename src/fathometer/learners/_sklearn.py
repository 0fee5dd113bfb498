"""Learners over a matrix: fit a scikit-learn estimator, keep its arrays, predict from them."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from fathometer.core.files import State, read_state, write_state
from fathometer.core.states import array, classes, demand, sound_state, table
from fathometer.data.rows import Rows
from fathometer.learner import Model
from fathometer.learners._inputs import Inputs
from fathometer.learners._matrix import Floats, Matrix
from fathometer.task import Prediction

CHUNK_ROWS = 20_000  # rows predicted at a time, so that memory stays bounded


@dataclass(frozen=True)
class MatrixModel(Model):
    """A fitted model as inputs -> matrix -> arrays; a subclass says how arrays answer."""

    inputs: Inputs
    matrix: Matrix
    parts: State

    @abstractmethod
    def answer(self, matrix: Floats) -> Prediction:
        """The prediction for rows in the matrix, (rows, columns)."""

    def predict(self, rows: Rows) -> Prediction:
        features = self.inputs.features(rows)
        matrix = self.matrix.transform(features)
        chunks = [self.answer(matrix[at : at + CHUNK_ROWS]) for at in range(0, len(matrix), CHUNK_ROWS)]
        return np.concatenate(chunks) if chunks else self.answer(matrix)

    def save(self, folder: Path) -> None:
        state = {"inputs": self.inputs.state(), "matrix": self.matrix.state(), "parts": self.parts}
        write_state(folder, "model", state)

    @classmethod
    def read(cls, folder: Path) -> Self:
        """The model that was saved in this folder.

        Raises:
            BadBundle: its parts do not fit each other.
        """
        state = table(read_state(folder, "model"), "model.json", ("inputs", "matrix", "parts"))
        inputs = Inputs.from_state(state["inputs"])
        with sound_state():
            matrix = Matrix.from_state(state["matrix"], cls.shape_of(inputs, state["parts"]))
            return cls(inputs, matrix, cls.checked(state["parts"], matrix.width))

    @classmethod
    def shape_of(cls, inputs: Inputs, parts: State) -> tuple[int, tuple[int, ...]]:
        """Of the features that become the matrix: how many numbers there are, and the sizes of the codes."""
        return inputs.shape

    @classmethod
    @abstractmethod
    def checked(cls, parts: State, columns: int) -> State:
        """These parts, if they can answer a matrix of so many columns.

        Raises:
            BadBundle: they cannot.
        """


def checked_classes(parts: State, rows: int) -> int:
    """How many classes parts answer with `rows` rows of weights, one for two of them or one each; 0 for a number.

    Raises:
        BadBundle: the numbers disagree.
    """
    count = classes(parts["classes"])
    if count == 0:
        demand(rows == 1, "a number has one row of weights")
        return 0
    seen = checked_seen(parts, count)
    fits = rows == len(seen) or (rows, len(seen)) == (1, 2)
    demand(len(seen) > 1 and fits, "weights and classes disagree")
    return count


def checked_seen(parts: State, count: int) -> npt.NDArray[Any]:
    """The classes that were seen in training, of so many.

    Raises:
        BadBundle: they are none.
    """
    seen = array(parts["seen"], "seen", None, kinds="iu", low=0, high=count - 1)
    demand(len(seen) >= 1, "no class was seen")
    return seen


def softmax(scores: npt.NDArray[Any]) -> Prediction:
    """Scores (rows, classes) as probabilities that sum to one."""
    shifted = np.exp(scores.astype(np.float64) - scores.max(axis=1, keepdims=True))
    probabilities: Prediction = shifted / shifted.sum(axis=1, keepdims=True)
    return probabilities


def two_columns(scores: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Scores of two classes given as one column, as two."""
    flat = scores.reshape(len(scores), -1)
    return np.concatenate([np.zeros_like(flat), flat], axis=1) if flat.shape[1] == 1 else flat


def normalised(probabilities: npt.NDArray[Any]) -> Prediction:
    """Probabilities made to sum to one exactly enough."""
    doubles = probabilities.astype(np.float64)
    result: Prediction = doubles / doubles.sum(axis=1, keepdims=True)
    return result


def all_classes(probabilities: npt.NDArray[Any], seen: npt.NDArray[Any], classes: int) -> Prediction:
    """Probabilities (rows, seen classes) put into (rows, classes); classes never seen in training get 0."""
    full = np.zeros((len(probabilities), classes))
    full[:, seen] = probabilities
    return full
