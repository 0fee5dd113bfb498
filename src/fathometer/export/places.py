"""Distances between rows that are asked and places that a model keeps."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from fathometer.export.graph import Graph, Name


def squared_distances(graph: Graph, rows: Name, places: npt.NDArray[Any]) -> Name:
    """(rows, places) of double rows (rows, columns) and float32 places (places, columns), not below 0."""
    own = graph.node("ReduceSumSquare", rows, np.array([1], dtype=np.int64), keepdims=1)
    # kept in single precision, in which doubling is exact: half the file
    doubled = np.ascontiguousarray(-2.0 * places.T.astype(np.float32), dtype=np.float32)
    crossed = graph.node("MatMul", rows, graph.cast(doubled, np.float64))
    lengths = (places.astype(np.float64) ** 2).sum(axis=1).reshape(1, -1)
    square = graph.node("Add", graph.node("Add", own, lengths), crossed)
    return graph.node("Max", square, np.zeros((1, 1)))
