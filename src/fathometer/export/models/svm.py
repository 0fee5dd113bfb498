"""Support vectors with a Gaussian kernel."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from fathometer.core.files import State
from fathometer.export.answers import weighed
from fathometer.export.columns import Inputs
from fathometer.export.converter import Converter
from fathometer.export.graph import Graph, Name
from fathometer.export.places import squared_distances
from fathometer.export.saved import saved_matrix
from fathometer.task import Task


class SvmConverter(Converter):
    """Distances to the support vectors as a product of matrices, in double precision."""

    def answer(self, inputs: Inputs, folder: Path, task: Task) -> Name:
        matrix, parts = saved_matrix(inputs, folder)
        graph = inputs.graph
        axes = parts.get("axes")
        if axes is not None and axes.size:
            matrix = graph.node("MatMul", matrix, axes)
        decisions = _decisions(graph, graph.cast(matrix, np.float64), parts)
        if not parts["classes"]:
            scaled = graph.node("Mul", decisions, np.array([[float(parts["scale"])]]))
            return graph.node("Add", scaled, np.array([[float(parts["middle"])]]))
        sharpness = float(parts.get("sharpness", 0.0))
        if sharpness:
            decisions = graph.node("Tanh", graph.node("Mul", decisions, np.array([[sharpness]])))
        return weighed(graph, decisions, parts)


def _decisions(graph: Graph, rows: Name, parts: State) -> Name:
    """(rows, pairs of classes), or (rows, 1)."""
    distance = squared_distances(graph, rows, parts["vectors"])
    kernel = graph.node("Exp", graph.node("Mul", distance, np.array([[-float(parts["gamma"])]])))
    duals = np.asarray(parts["duals"], dtype=np.float64)
    weights = duals.T if len(duals) == 1 else _of_pairs(duals, parts["counts"])
    said = graph.node("MatMul", kernel, np.ascontiguousarray(weights))
    return graph.node("Add", said, np.asarray(parts["intercepts"], dtype=np.float64).reshape(1, -1))


def _of_pairs(duals: npt.NDArray[np.float64], counts: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """(vectors, pairs) the weight of each vector in each pair's machine."""
    starts = np.concatenate([[0], np.cumsum(counts)])
    classes = len(counts)
    pairs = [(i, j) for i in range(classes) for j in range(i + 1, classes)]
    weights = np.zeros((duals.shape[1], len(pairs)))
    for pair, (i, j) in enumerate(pairs):
        mine, other = slice(starts[i], starts[i + 1]), slice(starts[j], starts[j + 1])
        weights[mine, pair] = duals[j - 1, mine]
        weights[other, pair] = duals[i, other]
    return weights
