"""Features -> one matrix of numbers, operator by operator in the types of `learners._matrix.Matrix`."""

from __future__ import annotations

import numpy as np

from fathometer.core.files import State
from fathometer.export.columns import Features
from fathometer.export.graph import Graph, Name
from fathometer.learners._matrix import CLIP, outside

FARTHEST = 1e6  # as there


def matrix_of(graph: Graph, features: Features, state: State) -> Name:
    """(rows, columns) float32 without missing values."""
    parts: list[Name] = []
    if features.numbers is not None:
        parts += _numbers(graph, features.numbers, state)
    if features.codes is not None:
        parts += _codes(graph, features.codes, state)
    return graph.joined(parts)


def _numbers(graph: Graph, numbers: Name, state: State) -> list[Name]:
    centre, spread, fill = (_single(state[part]) for part in ("centre", "spread", "fill"))
    missing = graph.node("IsNaN", numbers)
    scaled = graph.node("Where", missing, fill, numbers)
    if centre.any():
        scaled = graph.node("Sub", scaled, centre)
    if (spread != 1).any():
        scaled = graph.node("Div", scaled, spread)
    if state["bends"]:
        lone = outside(
            tuple((int(start), int(stop)) for start, stop in state.get("runs", ())), centre.shape[1]
        )
        bent = squeezed(graph, scaled, FARTHEST, CLIP)
        if not lone.all():  # numbers with one unit keep their distances
            plain = graph.node("Clip", scaled, np.float32(-FARTHEST), np.float32(FARTHEST))
            bent = graph.node("Where", lone.reshape(1, -1), bent, plain)
        scaled = bent
    flagged = list(state["flagged"])
    if not flagged:
        return [scaled]
    return [scaled, graph.cast(graph.columns(missing, flagged), np.float32)]


def squeezed(graph: Graph, scaled: Name, farthest: float, clip: float) -> Name:
    """Smoothly clipped, straight near 0 and never beyond the clip."""
    cut = graph.node("Clip", scaled, np.float32(-farthest), np.float32(farthest))
    share = graph.node("Div", cut, np.float32(clip))
    root = graph.node("Sqrt", graph.node("Add", graph.node("Mul", share, share), np.float32(1.0)))
    return graph.node("Div", cut, root)


def _codes(graph: Graph, codes: Name, state: State) -> list[Name]:
    parts: list[Name] = []
    levels = [(column, level + 1) for column, count in enumerate(state["levels"]) for level in range(count)]
    if levels:
        columns, wanted = zip(*levels, strict=True)
        repeated = graph.columns(codes, columns)
        parts.append(
            graph.cast(graph.node("Equal", repeated, np.array([wanted], dtype=np.int64)), np.float32)
        )
    if state["ordinal"]:
        parts.append(graph.cast(codes, np.float32))
    for column in sorted(int(place) for place in state["tables"]):
        table = np.asarray(state["tables"][str(column)], dtype=np.float32)
        parts.append(graph.node("Gather", table, graph.column(codes, column), axis=0))
    return parts


def _single(values: object) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    return np.asarray(values, dtype=np.float32).reshape(1, -1)
