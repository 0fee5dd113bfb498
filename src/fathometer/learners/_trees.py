"""scikit-learn's trees as plain arrays, checked, and asked."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from fathometer.core.files import State
from fathometer.core.states import array, counts, demand, table, whole
from fathometer.learners._matrix import Floats
from fathometer.task import Prediction

WALKED = (
    1 << 15
)  # rows times trees up to which they are walked through here; of more scikit-learn's code is quicker
HELD = 1 << 20  # numbers of their answers, held at a time
NODE = -1  # in place of a child: there is none, and the node is a leaf


@dataclass(frozen=True, eq=False)
class Trees:
    """All trees end to end; children count from each tree's own root, as in scikit-learn.

    counts: (trees,) nodes of each. left, right, feature, threshold: (nodes,). values: (nodes, width), of which only
    those of leaves answer. columns: of the matrix that they ask.
    """

    counts: npt.NDArray[np.int64]
    left: npt.NDArray[np.int32]
    right: npt.NDArray[np.int32]
    feature: npt.NDArray[np.int32]
    threshold: npt.NDArray[np.float64]
    values: npt.NDArray[np.float32]
    columns: int

    @classmethod
    def of(cls, trees: list[Any]) -> Trees:
        """Those that scikit-learn grew (`sklearn.tree._tree.Tree`)."""
        nodes = [tree.__getstate__()["nodes"] for tree in trees]
        return cls(
            counts=np.array([len(part) for part in nodes], dtype=np.int64),
            left=np.concatenate([part["left_child"] for part in nodes]).astype(np.int32),
            right=np.concatenate([part["right_child"] for part in nodes]).astype(np.int32),
            feature=np.concatenate([part["feature"] for part in nodes]).astype(np.int32),
            threshold=np.concatenate([part["threshold"] for part in nodes]).astype(np.float64),
            # seven digits are enough for an answer
            values=np.concatenate([tree.value[:, 0, :] for tree in trees]).astype(np.float32),
            columns=int(trees[0].n_features),
        )

    def mean(self, rows: Floats) -> Prediction:
        """Mean of the trees' answers, (rows, width)."""
        walks = len(rows) * len(self.counts)
        if walks > WALKED or walks * self.values.shape[1] > HELD:
            return self._mean_of_many(rows)
        leaves = self._leaves(rows)
        # added up one after the other, as below: another order would give other last digits
        answers = self.values[leaves].astype(np.float64)
        mean: Prediction = np.cumsum(answers, axis=1)[:, -1] / len(self.counts)
        return mean

    def state(self) -> State:
        """This, as data."""
        names = ("counts", "left", "right", "feature", "threshold", "values")
        return {name: getattr(self, name) for name in names} | {"features": self.columns}

    @classmethod
    def from_state(cls, state: State, columns: int, width: int) -> Trees:
        """The trees that gave this state.

        Args:
            columns: of the matrix that will be asked.
            width: of an answer.

        Raises:
            BadBundle: they are no trees, or ask for columns that are not there.
        """
        table(state, "trees", ("counts", "left", "right", "feature", "threshold", "values", "features"))
        whole(state["features"], "features", columns, columns)
        nodes = len(array(state["left"], "left", None, kinds="i"))
        sizes = counts(state["counts"], "counts", nodes, low=1)
        demand(nodes, "there are no trees")
        left, right = (array(state[name], name, nodes, kinds="i", low=NODE) for name in ("left", "right"))
        feature = array(state["feature"], "feature", nodes, kinds="i")
        threshold = array(state["threshold"], "threshold", nodes)
        values = array(state["values"], "values", nodes, width)
        inner = left != NODE
        own = np.arange(nodes) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        beyond = np.repeat(sizes, sizes)[inner]
        sound = (
            (inner == (right != NODE)).all()
            # a child always comes after its parent, so a walk from the root must end
            and all(((child > own)[inner] & (child[inner] < beyond)).all() for child in (left, right))
            and ((feature[inner] >= 0) & (feature[inner] < columns)).all()
        )
        demand(sound, "a tree points outside itself, or beyond the columns")
        return cls(sizes, left, right, feature, threshold, values, columns)

    def _leaves(self, rows: Floats) -> npt.NDArray[np.intp]:
        """(rows, trees) place of the leaf each row comes to, step by step for all at a time."""
        left, right, roots = self._absolute
        nodes = np.tile(roots, (len(rows), 1)).ravel()
        asked = np.repeat(np.arange(len(rows)), len(roots))
        going = np.flatnonzero(self.left[nodes] != NODE)
        while len(going):
            here = nodes[going]
            goes_left = rows[asked[going], self.feature[here]] <= self.threshold[here]
            there = np.where(goes_left, left[here], right[here])
            nodes[going] = there
            going = going[self.left[there] != NODE]
        return nodes.reshape(len(rows), len(roots))

    @cached_property
    def _absolute(self) -> tuple[npt.NDArray[Any], npt.NDArray[Any], npt.NDArray[Any]]:
        """Children counted from the first tree's root, and the roots."""
        roots = np.cumsum(self.counts) - self.counts
        starts = np.repeat(roots, self.counts)
        return self.left + starts, self.right + starts, roots

    def _mean_of_many(self, rows: Floats) -> Prediction:
        total = np.zeros((len(rows), self.values.shape[1]))
        for tree in self._grown:
            total += tree.predict(rows).reshape(total.shape)
        mean: Prediction = total / len(self.counts)
        return mean

    @cached_property
    def _grown(self) -> list[Any]:
        """scikit-learn's own trees."""
        # imported when it is first needed: it takes most of a second, and few rows are answered without
        from sklearn.tree._tree import Tree

        layout = Tree(1, np.array([1], dtype=np.intp), 1).__getstate__()["nodes"].dtype
        ends = np.cumsum(self.counts)
        return [self._tree(Tree, slice(start, end), layout) for start, end in pairwise([0, *ends.tolist()])]

    def _tree(self, make: Any, part: slice, layout: np.dtype[Any]) -> Any:
        count, width = self.values[part].shape
        tree = make(self.columns, np.array([width], dtype=np.intp), 1)
        nodes = np.zeros(count, dtype=layout)
        nodes["left_child"], nodes["right_child"] = self.left[part], self.right[part]
        nodes["feature"], nodes["threshold"] = self.feature[part], self.threshold[part]
        values = np.ascontiguousarray(self.values[part].astype(np.float64)[:, None, :])
        tree.__setstate__({"max_depth": count, "node_count": count, "nodes": nodes, "values": values})
        return tree
