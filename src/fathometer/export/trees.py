"""Trees of questions as ONNX's TreeEnsemble, which compares and adds up in double precision as the libraries do."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from fathometer.export.graph import ML, Graph, Name

AT_MOST, MEMBER = 0, 6  # modes of a cut: value <= threshold; value among the listed ones
SUM = 1

Wholes = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Trees:
    """Trees end to end. Cuts are inner nodes; a child is a cut or a leaf, each counted over all trees.

    roots: (trees,) cuts. feature, threshold, on_true, true_is_leaf, on_false, false_is_leaf, missing_true: (cuts,).
    leaf_tree: (leaves,). member: (cuts,) whether by membership; sets: of each such cut, in their order, the values that
    go to the true side.
    """

    roots: Wholes
    feature: Wholes
    threshold: npt.NDArray[np.float64]
    on_true: Wholes
    true_is_leaf: npt.NDArray[np.bool_]
    on_false: Wholes
    false_is_leaf: npt.NDArray[np.bool_]
    missing_true: npt.NDArray[np.bool_]
    leaf_tree: Wholes
    member: npt.NDArray[np.bool_] | None = None
    sets: tuple[Wholes, ...] = ()

    @classmethod
    def of_arrays(cls, counts: Wholes, left: Wholes, right: Wholes, feature: Wholes, threshold: Any) -> Self:
        """scikit-learn's arrays: nodes end to end, children counted from each tree's own root, -1 in leaves."""
        starts = np.cumsum(counts) - counts
        offset = np.repeat(starts, counts)
        inner = np.asarray(left) != -1
        cut_of, leaf_of = np.cumsum(inner) - 1, np.cumsum(~inner) - 1
        lefts, rights = (np.asarray(child)[inner] + offset[inner] for child in (left, right))
        trees = cls(
            roots=cut_of[starts],
            feature=np.asarray(feature, dtype=np.int64)[inner],
            threshold=np.asarray(threshold, dtype=np.float64)[inner],
            on_true=np.where(inner[lefts], cut_of[lefts], leaf_of[lefts]),
            true_is_leaf=~inner[lefts],
            on_false=np.where(inner[rights], cut_of[rights], leaf_of[rights]),
            false_is_leaf=~inner[rights],
            missing_true=np.zeros(int(inner.sum()), dtype=bool),
            leaf_tree=np.repeat(np.arange(len(counts)), counts)[~inner],
        )
        return trees.with_stumps(np.flatnonzero(~inner[starts]), leaf_of[starts])

    def with_stumps(self, lone: Wholes, leaves: Wholes) -> Self:
        """A tree that is one leaf becomes a cut both of whose sides are this leaf.

        lone: those trees; leaves: (trees,) the first leaf of each.
        """
        roots, count, more = self.roots.copy(), len(self.feature), len(lone)
        roots[lone] = count + np.arange(more)
        ones, noughts = np.ones(more, dtype=bool), np.zeros(more, dtype=np.int64)
        return replace(
            self,
            roots=roots,
            feature=np.append(self.feature, noughts),
            threshold=np.append(self.threshold, noughts.astype(np.float64)),
            on_true=np.append(self.on_true, leaves[lone]),
            true_is_leaf=np.append(self.true_is_leaf, ones),
            on_false=np.append(self.on_false, leaves[lone]),
            false_is_leaf=np.append(self.false_is_leaf, ones),
            missing_true=np.append(self.missing_true, ~ones),
            member=None if self.member is None else np.append(self.member, ~ones),
        )


def summed(
    graph: Graph, rows: Name, trees: Trees, values: npt.NDArray[np.float64], targets: Wholes, width: int
) -> Name:
    """(rows, width) double: the values of the leaves that each row falls into, added up by their tree's target."""
    member = np.zeros(len(trees.feature), dtype=bool) if trees.member is None else trees.member
    attributes: dict[str, Any] = {}
    if member.any():
        parts = [np.append(values_of.astype(np.float64), np.nan) for values_of in trees.sets]
        attributes["membership_values"] = np.concatenate(parts)
    return graph.node(
        "TreeEnsemble",
        rows,
        domain=ML,
        n_targets=width,
        aggregate_function=SUM,
        post_transform=0,
        tree_roots=trees.roots.tolist(),
        nodes_modes=np.where(member, MEMBER, AT_MOST).astype(np.uint8),
        nodes_featureids=trees.feature.tolist(),
        nodes_splits=np.where(member, 0.0, trees.threshold),
        nodes_truenodeids=trees.on_true.tolist(),
        nodes_trueleafs=trees.true_is_leaf.astype(np.int64).tolist(),
        nodes_falsenodeids=trees.on_false.tolist(),
        nodes_falseleafs=trees.false_is_leaf.astype(np.int64).tolist(),
        nodes_missing_value_tracks_true=trees.missing_true.astype(np.int64).tolist(),
        leaf_targetids=targets[trees.leaf_tree].tolist(),
        leaf_weights=values.astype(np.float64),
        **attributes,
    )


def added(graph: Graph, rows: Name, trees: Trees, values: npt.NDArray[Any]) -> Name:
    """(rows, width) double: the sum over trees of the leaves' values (leaves, width)."""
    count = len(trees.roots)
    if values.shape[1] == 1:
        single = values[:, 0].astype(np.float64)
        return summed(graph, rows, trees, single, np.zeros(count, dtype=np.int64), 1)
    # a leaf of the operator holds one number: that is its place here, and what it says is looked up
    places = np.arange(len(values), dtype=np.float64)
    found = graph.cast(summed(graph, rows, trees, places, np.arange(count), count), np.int64)
    said = graph.cast(graph.node("Gather", values, found, axis=0), np.float64)  # (rows, trees, width)
    return graph.node("ReduceSum", said, np.array([1], dtype=np.int64), keepdims=0)


def averaged(graph: Graph, rows: Name, trees: Trees, values: npt.NDArray[Any]) -> Name:
    """(rows, width) double: the mean over trees of the leaves' values (leaves, width)."""
    return graph.node("Div", added(graph, rows, trees, values), np.array([[float(len(trees.roots))]]))
