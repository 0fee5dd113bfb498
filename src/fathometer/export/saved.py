"""What members saved, and the matrix that those made of features read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from fathometer.core.files import State, read_state
from fathometer.export.columns import Inputs, features_of
from fathometer.export.graph import Name
from fathometer.export.matrix import matrix_of
from fathometer.export.trees import Trees

Floats = npt.NDArray[np.float32]


def saved_matrix(inputs: Inputs, folder: Path) -> tuple[Name, State]:
    """The (rows, columns) float32 matrix of a model of `learners._sklearn.MatrixModel`, and its arrays."""
    state = read_state(folder, "model")
    features = features_of(inputs, state["inputs"])
    return matrix_of(inputs.graph, features, state["matrix"]), state["parts"]


def saved_trees(state: State) -> tuple[Trees, Floats]:
    """scikit-learn's trees of `learners._trees.trees_state`, and their leaves' values (leaves, width)."""
    inner = state["left"] != -1
    trees = Trees.of_arrays(
        counts=state["counts"].astype(np.int64),
        left=state["left"].astype(np.int64),
        right=state["right"].astype(np.int64),
        feature=state["feature"].astype(np.int64),
        threshold=state["threshold"],
    )
    return trees, state["values"][~inner]
