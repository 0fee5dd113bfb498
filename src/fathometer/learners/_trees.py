"""scikit-learn's trees as plain arrays, and back."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.tree._tree import Tree

from fathometer.core.files import State
from fathometer.errors import BadBundle
from fathometer.learners._matrix import Floats
from fathometer.task import Prediction


def trees_state(trees: list[Tree]) -> State:
    """All trees end to end; children count from each tree's own root, as in scikit-learn."""
    nodes = [tree.__getstate__()["nodes"] for tree in trees]
    return {
        "counts": np.array([len(part) for part in nodes], dtype=np.int64),
        "left": np.concatenate([part["left_child"] for part in nodes]).astype(np.int32),
        "right": np.concatenate([part["right_child"] for part in nodes]).astype(np.int32),
        "feature": np.concatenate([part["feature"] for part in nodes]).astype(np.int32),
        "threshold": np.concatenate([part["threshold"] for part in nodes]).astype(np.float64),
        # only leaves answer, and 7 digits are enough for them
        "values": np.concatenate([tree.value[:, 0, :] for tree in trees]).astype(np.float32),
        "features": int(trees[0].n_features),
    }


def trees_from_state(state: State) -> list[Tree]:
    """The trees again; refused when a child, feature or size points outside.

    Raises:
        BadBundle: the arrays do not describe trees.
    """
    starts = np.concatenate([[0], np.cumsum(state["counts"])])
    trees = []
    for start, end in pairwise(starts):
        trees.append(_tree({key: state[key][start:end] for key in _ARRAYS}, state["features"]))
    return trees


def mean_answer(trees: list[Tree], rows: Floats) -> Prediction:
    """Mean of the trees' answers, (rows, values)."""
    total = np.zeros((len(rows), trees[0].value.shape[2]))
    for tree in trees:
        total += tree.predict(rows).reshape(len(rows), -1)
    mean: Prediction = total / len(trees)
    return mean


_ARRAYS = ("left", "right", "feature", "threshold", "values")


def _tree(arrays: dict[str, npt.NDArray[Any]], features: int) -> Tree:
    count, width = arrays["values"].shape
    _check(arrays, count, features)
    tree = Tree(features, np.array([width], dtype=np.intp), 1)
    nodes = np.zeros(count, dtype=tree.__getstate__()["nodes"].dtype if count == 0 else _node_type())
    nodes["left_child"], nodes["right_child"] = arrays["left"], arrays["right"]
    nodes["feature"], nodes["threshold"] = arrays["feature"], arrays["threshold"]
    values = np.ascontiguousarray(arrays["values"].astype(np.float64)[:, None, :])
    tree.__setstate__({"max_depth": count, "node_count": count, "nodes": nodes, "values": values})
    return tree


def _check(arrays: dict[str, npt.NDArray[Any]], count: int, features: int) -> None:
    left, right = arrays["left"], arrays["right"]
    inner = left != -1
    own = np.arange(count)
    # a child always comes after its parent, so a walk from the root must end
    sound = (
        count > 0
        and bool((inner == (right != -1)).all())
        and bool((left[inner] > own[inner]).all() and (left[inner] < count).all())
        and bool((right[inner] > own[inner]).all() and (right[inner] < count).all())
        and bool((arrays["feature"][inner] >= 0).all() and (arrays["feature"][inner] < features).all())
    )
    if not sound:
        raise BadBundle(
            "A tree in the model points outside itself: the file is damaged. Make the model again."
        )


def _node_type() -> np.dtype[Any]:
    """The node layout of the installed scikit-learn."""
    empty = Tree(1, np.array([1], dtype=np.intp), 1)
    dtype: np.dtype[Any] = empty.__getstate__()["nodes"].dtype
    return dtype
