"""Patches of pictures, compared with those of a dictionary and counted over quarters."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import numpy as np

from fathometer.core.files import State, read_state
from fathometer.export.answers import weighed
from fathometer.export.columns import Features, Inputs, features_of
from fathometer.export.graph import Graph, Name
from fathometer.export.matrix import matrix_of
from fathometer.export.pictures import shown
from fathometer.export.raw import PictureConverter
from fathometer.kinds.image.grids import area_weights
from fathometer.task import Task

SIDE, PATCH, FAINT, NEAREST = 32, 6, 10.0, 0.1  # as in learners/ml/patches.py
LAST = np.array([3], dtype=np.int64)


class PatchesConverter(PictureConverter):
    """Every patch by a convolution, its distances to all words by a product of matrices, and a linear model."""

    quantizes: ClassVar[bool] = False

    def answer(self, inputs: Inputs, folder: Path, task: Task) -> Name:
        state, graph = read_state(folder, "model"), inputs.graph
        table = features_of(inputs, state["inputs"])
        found = [_counted(inputs, dictionary) for dictionary in state["parts"]["dictionaries"]]
        numbers = [*([] if table.numbers is None else [table.numbers]), *found]
        features = Features(graph.joined(numbers) if numbers else None, table.codes)
        matrix = matrix_of(graph, features, state["matrix"])
        return weighed(graph, graph.cast(matrix, np.float64), state["parts"])


def _counted(inputs: Inputs, dictionary: State) -> Name:
    """(rows, quarters * words) how much of each word is found in each quarter, standardised; NaN where missing."""
    graph = inputs.graph
    height, width, channels = (int(length) for length in dictionary["shape"])
    pixels, missing = shown(inputs, str(dictionary["column"]), channels)
    planes = _reduced(graph, graph.node("Transpose", pixels, perm=[0, 3, 1, 2]), height, width)
    patches = _patches(graph, planes, min(PATCH, height), min(PATCH, width), channels)
    white = graph.node("MatMul", graph.node("Sub", patches, dictionary["middle"]), dictionary["whitener"])
    near = _nearness(graph, white, dictionary["words"])  # (rows, down, across, words)
    sides = [max(min(length, SIDE) - PATCH, 0) + 1 for length in (height, width)]
    quarters = [
        graph.node("ReduceSum", _cut(graph, _cut(graph, near, 1, *down), 2, *across), _axes(1, 2), keepdims=0)
        for down in _halves(sides[0])
        for across in _halves(sides[1])
    ]
    sums = graph.node("Div", graph.joined(quarters), np.float32(sides[0] * sides[1]))
    centred = graph.node("Sub", sums, dictionary["centre"].reshape(1, -1))
    scaled = graph.node("Div", centred, dictionary["spread"].reshape(1, -1))
    return graph.node("Where", missing, np.full((1, 1), np.nan, dtype=np.float32), scaled)


def _reduced(graph: Graph, planes: Name, height: int, width: int) -> Name:
    """(rows, channels, height, width) no larger than SIDE: means over areas."""
    if height > SIDE:
        planes = graph.node("MatMul", area_weights(height, SIDE), planes)
    if width > SIDE:
        planes = graph.node("MatMul", planes, np.ascontiguousarray(area_weights(width, SIDE).T))
    return planes


def _patches(graph: Graph, planes: Name, down: int, across: int, channels: int) -> Name:
    """(rows, down, across, numbers) the patch at every place, of one brightness and contrast."""
    count = channels * down * across
    each = np.eye(count, dtype=np.float32).reshape(count, channels, down, across)
    patches = graph.node("Transpose", graph.node("Conv", planes, each), perm=[0, 2, 3, 1])
    centred = graph.node("Sub", patches, graph.node("ReduceMean", patches, LAST, keepdims=1))
    variance = graph.node("ReduceMean", graph.node("Mul", centred, centred), LAST, keepdims=1)
    return graph.node("Div", centred, graph.node("Sqrt", graph.node("Add", variance, np.float32(FAINT))))


def _nearness(graph: Graph, white: Name, words: np.ndarray[tuple[int, ...], np.dtype[np.float32]]) -> Name:
    """How much nearer than all words in the mean each is; 0 where it is further."""
    own = graph.node("ReduceSumSquare", white, LAST, keepdims=1)
    crossed = graph.node("MatMul", white, np.ascontiguousarray(np.float32(2) * words.T))
    square = graph.node("Sub", graph.node("Add", own, (words**2).sum(axis=1)), crossed)
    away = graph.node("Add", graph.node("Relu", square), np.float32(NEAREST**2))
    distance = graph.node("Sqrt", away)
    mean = graph.node("ReduceMean", distance, LAST, keepdims=1)
    return graph.node("Relu", graph.node("Sub", mean, distance))


def _halves(side: int) -> list[tuple[int, int]]:
    """Where the parts of a side begin and end."""
    middle = side // 2
    return [(0, middle), (middle, side)] if middle else [(0, side)]


def _cut(graph: Graph, tensor: Name, axis: int, start: int, end: int) -> Name:
    bounds = (np.array([place], dtype=np.int64) for place in (start, end, axis))
    return graph.node("Slice", tensor, *bounds)


def _axes(*axes: int) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    return np.array(axes, dtype=np.int64)
