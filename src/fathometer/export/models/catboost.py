"""Boosted trees of CatBoost, which ask one question a level, with categories."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fathometer.core.files import read_state
from fathometer.export.answers import softmax
from fathometer.export.columns import Inputs, features_of
from fathometer.export.converter import Converter
from fathometer.export.graph import Graph, Name
from fathometer.export.trees import Trees, added
from fathometer.learner import LEARNERS
from fathometer.learners._inputs import Inputs as LearnedInputs
from fathometer.learners._oblivious import ObliviousTrees
from fathometer.task import Task

HALF = 0.5  # between "no" and "yes"


class CatboostConverter(Converter):
    """Every tree, spelled out, in one operator; what it asks of a category is looked up by its code."""

    def answer(self, inputs: Inputs, folder: Path, task: Task) -> Name:
        model: Any = LEARNERS.get("catboost").load(folder)
        saved: ObliviousTrees = model.trees
        state = read_state(folder, "model")["inputs"]
        numbers, _ = LearnedInputs.from_state(state).shape
        graph, features = inputs.graph, features_of(inputs, state)
        parts = [] if features.numbers is None else [graph.cast(features.numbers, np.float64)]
        if features.codes is not None:
            parts += _looked_up(graph, features.codes, saved)
        rows = graph.joined(parts or [inputs.constant(np.zeros((1, 1)))])
        sums = graph.node(
            "Add", added(graph, rows, trees_of(saved, numbers), saved.values), saved.bias.reshape(1, -1)
        )
        if not model.classes:
            return sums
        if saved.values.shape[1] == 1:  # of two classes the first has the score 0
            sums = graph.joined([graph.node("Sub", sums, sums), sums])
        return softmax(graph, sums)


def _looked_up(graph: Graph, codes: Name, saved: ObliviousTrees) -> Sequence[Name]:
    """(rows, questions about codes) 0 or 1, in their order."""
    ends = np.cumsum(saved.sizes)
    told = [saved.truths[end - size : end] for end, size in zip(ends, saved.sizes, strict=True)]
    parts: list[Name] = []
    order: list[int] = []
    for column in sorted(set(saved.coded.tolist())):
        mine = np.flatnonzero(saved.coded == column).tolist()
        table = np.stack([told[place] for place in mine], axis=1).astype(np.float32)
        parts.append(graph.node("Gather", table, graph.column(codes, column), axis=0))
        order += mine
    if not parts:
        return []
    return [graph.cast(graph.columns(graph.joined(parts), np.argsort(order)), np.float64)]


def trees_of(saved: ObliviousTrees, numbers: int) -> Trees:
    """Trees of cuts: level l of a tree asks its question at 2^l places, and yes adds 2^l to the number of the leaf."""
    of_numbers, depths = len(saved.column), saved.depths
    is_number = saved.asked < of_numbers
    place = np.minimum(saved.asked, max(of_numbers - 1, 0))
    column = numbers + saved.asked - of_numbers
    border = np.full(len(column), HALF)
    no_if_missing = np.ones(len(column), dtype=bool)
    column[is_number] = saved.column[place[is_number]]
    border[is_number] = saved.border[place[is_number]]
    no_if_missing[is_number] = ~saved.missing[place[is_number]]
    leaves = 1 << depths
    first_cut, first_leaf = np.cumsum(leaves - 1) - (leaves - 1), np.cumsum(leaves) - leaves
    first_level = np.cumsum(depths) - depths
    count = int((leaves - 1).sum())
    question, no, step = (np.zeros(count, dtype=np.int64) for _ in range(3))
    is_last = np.zeros(count, dtype=bool)
    for level in range(int(depths.max(initial=0))):
        trees = np.flatnonzero(depths > level)[:, None]
        path = np.arange(1 << level)[None, :]
        cut = first_cut[trees] + (1 << level) - 1 + path
        last = depths[trees] == level + 1
        question[cut] = first_level[trees] + level
        no[cut] = np.where(last, first_leaf[trees], first_cut[trees] + (2 << level) - 1) + path
        step[cut], is_last[cut] = 1 << level, last
    made = Trees(
        roots=first_cut,
        feature=column[question].astype(np.int64),
        threshold=border[question],
        on_true=no,
        true_is_leaf=is_last,
        on_false=no + step,
        false_is_leaf=is_last,
        missing_true=no_if_missing[question],
        leaf_tree=np.repeat(np.arange(len(depths)), leaves),
    )
    return made.with_stumps(np.flatnonzero(depths == 0), first_leaf)
