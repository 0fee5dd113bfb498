"""Boosted trees of CatBoost, with categories.

CatBoost's own export has no categories. Here every question of a tree about a category is a question about its code,
and the answer for each of the few hundred codes is what the library itself answers: so neither hashes nor target
statistics have to be computed in a graph.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import catboost
import numpy as np
import numpy.typing as npt
import pandas as pd

from fathometer.core.files import read_state
from fathometer.errors import UserError
from fathometer.export.answers import normalised, softmax
from fathometer.export.columns import Inputs, features_of
from fathometer.export.converter import Converter
from fathometer.export.graph import Graph, Name
from fathometer.export.trees import Trees, added
from fathometer.learner import LEARNERS
from fathometer.learners._inputs import Inputs as LearnedInputs
from fathometer.task import Task

NUMBER = "FloatFeature"
ABOVE = "AsTrue"  # missing numbers answer as very large ones
HALF = 0.5  # between "no" and "yes"

Wholes = npt.NDArray[np.int64]
Truths = npt.NDArray[np.bool_]


class CatboostConverter(Converter):
    """Every tree, spelled out, in one operator."""

    def answer(self, inputs: Inputs, folder: Path, task: Task) -> Name:
        state = read_state(folder, "model")
        numbers, sizes = LearnedInputs.from_state(state["inputs"]).shape
        model: Any = LEARNERS.get("catboost").load(folder)
        asked = _Questions.of(model.trees, numbers, sizes)
        trees, values = _spelled(_described(model.trees, numbers, sizes), asked)
        graph, features = inputs.graph, features_of(inputs, state["inputs"])
        parts = [] if features.numbers is None else [graph.cast(features.numbers, np.float64)]
        if features.codes is not None:
            parts += asked.answered(graph, features.codes)
        rows = graph.joined(parts or [inputs.constant(np.zeros((1, 1)))])
        sums = added(graph, rows, trees, values)
        scale, bias = model.trees.get_scale_and_bias()
        scaled = graph.node("Mul", sums, np.array([[float(scale)]]))
        raw = graph.node("Add", scaled, np.atleast_2d(np.asarray(bias, dtype=np.float64)))
        if int(state["classes"]) == 0:
            return raw
        if values.shape[1] == 1:
            second = graph.node("Sigmoid", raw)
            return normalised(graph, graph.joined([graph.node("Sub", np.ones((1, 1)), second), second]))
        return softmax(graph, raw)


def _described(model: Any, numbers: int, sizes: Sequence[int]) -> Mapping[str, Any]:
    """The model as the library itself describes it."""
    cells = _cells(numbers, sizes, max(sizes, default=1))
    for place, size in enumerate(sizes):
        cells[numbers + place] = np.minimum(np.arange(len(cells)), size - 1)
    pool = catboost.Pool(cells, cat_features=list(range(numbers, numbers + len(sizes))))
    with tempfile.TemporaryDirectory() as place_of_file:
        path = Path(place_of_file) / "model.json"
        model.save_model(str(path), format="json", pool=pool)
        described: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    if any(len(ctr["elements"]) > 1 for ctr in described["features_info"].get("ctrs") or ()):
        raise UserError("It asks about several categories at once, which is not exported.")
    return described


def _cells(numbers: int, sizes: Sequence[int], rows: int) -> pd.DataFrame:
    """Rows of noughts, as the learner gives them to the library."""
    first = pd.DataFrame(np.zeros((rows, numbers), dtype=np.float32), columns=range(numbers))
    codes = np.zeros((rows, len(sizes)), dtype=np.int32)
    return pd.concat([first, pd.DataFrame(codes, columns=range(numbers, numbers + len(sizes)))], axis=1)


@dataclass
class _Questions:
    """What trees ask of codes. bits: per code column (codes, trees, depth) what each question answers, others being 0.

    known: per code column the different questions so far, each as its answers and its place.
    """

    numbers: int
    bits: list[Truths]
    known: list[dict[bytes, int]] = field(default_factory=list)
    columns: list[tuple[int, Truths]] = field(default_factory=list)

    @classmethod
    def of(cls, model: Any, numbers: int, sizes: Sequence[int]) -> _Questions:
        """Ask the library about every code of every column."""
        bits = []
        for place, size in enumerate(sizes):
            cells = _cells(numbers, sizes, size)
            cells[numbers + place] = np.arange(size, dtype=np.int32)
            leaves = np.asarray(model.calc_leaf_indexes(cells), dtype=np.int64)  # (codes, trees)
            bits.append((leaves[:, :, None] >> np.arange(16) & 1).astype(bool))
        return cls(numbers, bits, [{} for _ in sizes])

    def place(self, tree: int, level: int) -> int | None:
        """The column of a tree's question about a category, counted after the numbers; None where all answer alike."""
        for column, bits in enumerate(self.bits):
            told = bits[:, tree, level]
            if told.any() and not told.all():
                mark = told.tobytes()
                if mark not in self.known[column]:
                    self.known[column][mark] = len(self.columns)
                    self.columns.append((column, told))
                return self.numbers + self.known[column][mark]
        return None

    def constant(self, tree: int, level: int) -> bool:
        """What a question answers for every code."""
        return bool(self.bits[0][0, tree, level])

    def answered(self, graph: Graph, codes: Name) -> list[Name]:
        """(rows, questions) 0 or 1 of each, in order."""
        parts = []
        order: list[int] = []
        for column in range(len(self.bits)):
            mine = [place for place, (other, _) in enumerate(self.columns) if other == column]
            if mine:
                table = np.stack([self.columns[place][1] for place in mine], axis=1).astype(np.float32)
                parts.append(graph.node("Gather", table, graph.column(codes, column), axis=0))
                order += mine
        if not parts:
            return []
        return [graph.cast(graph.columns(graph.joined(parts), np.argsort(order)), np.float64)]


def _spelled(described: Mapping[str, Any], asked: _Questions) -> tuple[Trees, npt.NDArray[np.float64]]:
    """Trees whose every level asks one question, as trees of cuts; their leaves' values (leaves, outputs)."""
    floats = described["features_info"].get("float_features") or ()
    flat = {int(one["feature_index"]): int(one["flat_feature_index"]) for one in floats}
    above = {flat[int(one["feature_index"])] for one in floats if one.get("nan_value_treatment") == ABOVE}
    bias = np.atleast_1d(described["scale_and_bias"][1])
    parts = [
        _one(tree, place, asked, flat, above, len(bias))
        for place, tree in enumerate(described["oblivious_trees"])
    ]
    cuts = np.array([len(part.feature) for part, _ in parts])
    leaves = np.array([len(values) for _, values in parts])
    cut_of, leaf_of = np.cumsum(cuts) - cuts, np.cumsum(leaves) - leaves

    def shifted(side: str) -> tuple[Wholes, Truths]:
        is_leaf = np.concatenate([getattr(part, f"{side}_is_leaf") for part, _ in parts])
        child = np.concatenate([getattr(part, f"on_{side}") for part, _ in parts])
        return child + np.where(is_leaf, np.repeat(leaf_of, cuts), np.repeat(cut_of, cuts)), is_leaf

    (on_true, true_is_leaf), (on_false, false_is_leaf) = shifted("true"), shifted("false")
    trees = Trees(
        roots=cut_of,
        feature=np.concatenate([part.feature for part, _ in parts]),
        threshold=np.concatenate([part.threshold for part, _ in parts]),
        on_true=on_true,
        true_is_leaf=true_is_leaf,
        on_false=on_false,
        false_is_leaf=false_is_leaf,
        missing_true=np.concatenate([part.missing_true for part, _ in parts]),
        leaf_tree=np.repeat(np.arange(len(parts)), leaves),
    )
    return trees.with_stumps(np.flatnonzero(cuts == 0), leaf_of), np.concatenate([v for _, v in parts])


def _one(
    tree: Mapping[str, Any],
    place: int,
    asked: _Questions,
    flat: Mapping[int, int],
    above: set[int],
    outputs: int,
) -> tuple[Trees, npt.NDArray[np.float64]]:
    """One tree: level l asks its question l at 2^l places, and yes adds 2^l to the leaf's number."""
    levels = [
        _question(split, place, level, asked, flat, above) for level, split in enumerate(tree["splits"] or ())
    ]
    values = np.asarray(tree["leaf_values"], dtype=np.float64).reshape(2 ** len(levels), outputs)
    feature: list[int] = []
    threshold: list[float] = []
    no: list[int] = []
    yes: list[int] = []
    is_leaf: list[bool] = []
    missing_is_no: list[bool] = []
    for level, (column, border, is_no) in enumerate(levels):
        last = level + 1 == len(levels)
        paths = np.arange(2**level)
        first = 0 if last else 2 ** (level + 1) - 1
        no += (first + paths).tolist()
        yes += (first + paths + 2**level).tolist()
        feature += [column] * len(paths)
        threshold += [border] * len(paths)
        missing_is_no += [is_no] * len(paths)
        is_leaf += [last] * len(paths)
    made = Trees(
        roots=np.zeros(1, dtype=np.int64),
        feature=np.array(feature, dtype=np.int64),
        threshold=np.array(threshold, dtype=np.float64),
        on_true=np.array(no, dtype=np.int64),
        true_is_leaf=np.array(is_leaf, dtype=bool),
        on_false=np.array(yes, dtype=np.int64),
        false_is_leaf=np.array(is_leaf, dtype=bool),
        missing_true=np.array(missing_is_no, dtype=bool),
        leaf_tree=np.zeros(len(values), dtype=np.int64),
    )
    return made, values


def _question(
    split: Mapping[str, Any],
    tree: int,
    level: int,
    asked: _Questions,
    flat: Mapping[int, int],
    above: set[int],
) -> tuple[int, float, bool]:
    """(column, border, whether missing means no): yes is beyond the border."""
    if split["split_type"] == NUMBER:
        column = flat[int(split["float_feature_index"])]
        return column, float(np.float32(split["border"])), column not in above
    found = asked.place(tree, level)
    if found is not None:
        return found, HALF, True
    is_yes = asked.constant(tree, level)
    return 0, -np.inf if is_yes else np.inf, not is_yes
