"""The nearest training rows."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import numpy as np

from fathometer.core.files import State
from fathometer.export.answers import normalised
from fathometer.export.columns import Inputs
from fathometer.export.converter import Converter
from fathometer.export.graph import Graph, Name
from fathometer.export.places import squared_distances
from fathometer.export.saved import saved_matrix
from fathometer.task import Task

NEAR = 0.1  # as in learners/ml/neighbours.py
LEAST = 1e-9


class NeighboursConverter(Converter):
    """Every training row is compared with; the file holds them all."""

    limits: ClassVar[str] = (
        "of training rows that are equally far the library takes one by the order of its search, and a graph another; "
        "a model in which this moves answers is refused by the check"
    )

    def answer(self, inputs: Inputs, folder: Path, task: Task) -> Name:
        matrix, parts = saved_matrix(inputs, folder)
        graph = inputs.graph
        square = squared_distances(graph, graph.cast(matrix, np.float64), parts["rows"])
        count = min(int(parts["count"]), len(parts["rows"]))
        nearest, index = graph.both(
            "TopK", square, np.array([count], dtype=np.int64), axis=1, largest=0, sorted=1
        )
        distances = graph.node("Sqrt", nearest)
        middle = graph.columns(distances, [(count - 1) // 2, count // 2])
        scale = graph.node("ReduceMean", middle, np.array([1], dtype=np.int64), keepdims=1)
        share = graph.node("Div", distances, graph.node("Max", scale, np.array([[LEAST]])))
        weights = graph.node("Div", np.ones((1, 1)), graph.node("Add", share, np.array([[NEAR]])))
        return _vote(graph, weights, index, parts, count)


def _vote(graph: Graph, weights: Name, index: Name, parts: State, count: int) -> Name:
    """What the neighbours say; class shares are drawn a little towards even."""
    classes = int(parts["classes"])
    target = np.asarray(parts["target"])
    said = np.eye(classes)[target] if classes else target.astype(np.float64).reshape(-1, 1)
    told = graph.node("Gather", said.astype(np.float64), index, axis=0)  # (rows, count, outputs)
    shaped = graph.node("Unsqueeze", weights, np.array([1], dtype=np.int64))  # (rows, 1, count)
    votes = graph.node("Squeeze", graph.node("MatMul", shaped, told), np.array([1], dtype=np.int64))
    total = graph.node("ReduceSum", weights, np.array([1], dtype=np.int64), keepdims=1)
    if not classes:
        return graph.node("Div", votes, total)
    even = graph.node("Mul", total, np.array([[1.0 / count / classes]]))
    return normalised(graph, graph.node("Add", votes, even))
