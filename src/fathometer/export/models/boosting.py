"""Boosted trees of LightGBM."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from fathometer.core.files import read_state, read_text
from fathometer.errors import UserError
from fathometer.export.answers import softmax
from fathometer.export.columns import Features, Inputs, features_of
from fathometer.export.converter import Converter
from fathometer.export.graph import Graph, Name
from fathometer.export.trees import Trees, summed
from fathometer.learners._inputs import Inputs as LearnedInputs
from fathometer.learners._lightgbm_text import CATEGORICAL, BoostedTrees, read_trees
from fathometer.task import Task

DEFAULT_LEFT = 2  # bit of a decision: missing values go to the left
NONE, NOUGHT = 0, 1  # types of missing: there were none (one counts as 0); 0 itself
WORD = 32  # bits

Wholes = npt.NDArray[np.int64]


class BoostingConverter(Converter):
    """All trees in one operator, with cuts by sets of categories and the side of missing values."""

    def answer(self, inputs: Inputs, folder: Path, task: Task) -> Name:
        state = read_state(folder, "model")
        numbers, sizes = LearnedInputs.from_state(state["inputs"]).shape
        classes, columns = int(state["classes"]), numbers + len(sizes)
        saved = read_trees(
            read_text(folder / "trees.txt"), columns=columns, coded=len(sizes), outputs=max(classes, 1)
        )
        graph = inputs.graph
        rows = _table(graph, features_of(inputs, state["inputs"]))
        targets = np.arange(len(saved.leaves)) % saved.per_round
        raw = summed(graph, rows, trees_of(saved), saved.values, targets, saved.per_round)
        if classes == 0:
            return raw
        if classes == 2:
            second = graph.node("Sigmoid", raw)
            return graph.joined([graph.node("Sub", np.ones((1, 1)), second), second])
        return softmax(graph, raw)


def _table(graph: Graph, features: Features) -> Name:
    """(rows, numbers + codes) double; code 0 is missing."""
    parts = [] if features.numbers is None else [graph.cast(features.numbers, np.float64)]
    if features.codes is not None:
        nothing = graph.node("Equal", features.codes, np.array([[0]], dtype=np.int64))
        doubles = graph.cast(features.codes, np.float64)
        parts.append(graph.node("Where", nothing, np.array([[np.nan]]), doubles))
    return graph.joined(parts)


def trees_of(saved: BoostedTrees) -> Trees:
    """LightGBM's arrays as trees of the operator.

    Raises:
        UserError: zeros were read as missing, which no setting of ours does.
    """
    cuts = saved.leaves - 1
    tree = np.repeat(np.arange(len(cuts)), cuts)
    first_cut, first_leaf = np.cumsum(cuts) - cuts, np.cumsum(saved.leaves) - saved.leaves
    kind = (saved.decision >> 2) & 3
    by_category = (saved.decision & CATEGORICAL) > 0
    if (kind[~by_category] == NOUGHT).any():
        raise UserError("It takes nought for missing, which ONNX's trees cannot.")
    goes_left = np.where(kind == NONE, saved.threshold >= 0.0, (saved.decision & DEFAULT_LEFT) > 0)
    children = {
        side: np.where(child >= 0, child + first_cut[tree], ~child + first_leaf[tree])
        for side, child in (("left", saved.left), ("right", saved.right))
    }
    first_set = np.cumsum(saved.sets) - saved.sets
    chosen = first_set[tree[by_category]] + saved.threshold[by_category].astype(np.int64)
    trees = Trees(
        roots=first_cut.astype(np.int64),
        feature=saved.feature,
        threshold=saved.threshold,
        on_true=children["left"],
        true_is_leaf=saved.left < 0,
        on_false=children["right"],
        false_is_leaf=saved.right < 0,
        missing_true=goes_left & ~by_category,
        leaf_tree=np.repeat(np.arange(len(cuts)), saved.leaves),
        member=by_category,
        sets=_sets(saved, chosen),
    )
    return trees.with_stumps(np.flatnonzero(cuts == 0), first_leaf)


def _sets(saved: BoostedTrees, chosen: Wholes) -> tuple[Wholes, ...]:
    """Of each cut by categories, the categories that go left."""
    starts = np.cumsum(saved.sizes) - saved.sizes
    bits = (saved.words[:, None] >> np.arange(WORD)) & 1  # (words, bits)
    return tuple(
        np.flatnonzero(bits[starts[place] : starts[place] + saved.sizes[place]].ravel()) for place in chosen
    )
