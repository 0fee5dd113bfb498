"""Nearest neighbours in a space that a network learned."""

from __future__ import annotations

import math
from pathlib import Path
from typing import ClassVar

import numpy as np

from fathometer.export.columns import Inputs
from fathometer.export.converter import Converter
from fathometer.export.graph import Graph, Name
from fathometer.export.networks import (
    Kept,
    Tensors,
    Weights,
    dense,
    front,
    layers,
    network_answer,
    one_member,
)
from fathometer.export.places import squared_distances
from fathometer.task import Task

BLUR, SMALLEST = 0.01, 1e-6  # as in learners/dl/nca.py


class NcaConverter(Converter):
    """Layers, and the mean answer of the rows kept in mind, weighted by nearness."""

    quantizes: ClassVar[bool] = True
    limits: ClassVar[str] = (
        "the root of a small distance is uncertain in single precision, and so is what the network itself answers; a "
        "model whose answers this moves by more than 1e-5 is refused by the check"
    )

    def answer(self, inputs: Inputs, folder: Path, task: Task) -> Name:
        return network_answer(inputs, folder, _neighbourhood)


def _neighbourhood(graph: Graph, tensors: Tensors, weights: Weights, kept: Kept) -> Name:
    rows = graph.node(
        "Mul", front(graph, tensors, weights.within("front"), kept.layout), weights["scale.factors"]
    )
    hidden = layers(graph, rows, weights.several("layers"), str(kept.settings["activation"]))
    reach = np.float32(math.sqrt(int(kept.settings["space_width"])) / 4)
    places = graph.node("Div", dense(graph, hidden, weights.within("last")), reach)
    # the root of a small difference of large numbers: single precision would add to the network's own rounding
    square = squared_distances(graph, graph.cast(places, np.float64), weights["keys"])
    values = weights["values"]
    blurred = graph.node("Add", square, np.array([[BLUR]]))
    nearness = graph.node("Neg", graph.node("Sqrt", blurred))
    shares = graph.node("Softmax", graph.cast(nearness, np.float32), axis=1)
    answers = graph.node("MatMul", shares, values)
    if values.shape[1] > 1:
        answers = graph.node("Log", graph.node("Add", answers, np.float32(SMALLEST)))
    return one_member(graph, answers)
