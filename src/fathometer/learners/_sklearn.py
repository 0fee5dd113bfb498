"""Learners over a matrix: fit a scikit-learn estimator, keep its arrays, predict from them."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from fathometer.core.files import State, read_state, write_state
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
        """The model that was saved in this folder."""
        state = read_state(folder, "model")
        return cls(Inputs.from_state(state["inputs"]), Matrix.from_state(state["matrix"]), state["parts"])


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
