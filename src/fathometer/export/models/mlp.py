"""A multi-layer perceptron."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

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
from fathometer.task import Task


class MlpConverter(Converter):
    """Front, one factor per column, dense layers, outputs."""

    quantizes: ClassVar[bool] = True

    def answer(self, inputs: Inputs, folder: Path, task: Task) -> Name:
        return network_answer(inputs, folder, _perceptron)


def _perceptron(graph: Graph, tensors: Tensors, weights: Weights, kept: Kept) -> Name:
    activation = str(kept.settings["activation"])
    if activation == "auto":
        activation = "mish" if kept.layout["outputs"] == 1 else "selu"
    rows = graph.node(
        "Mul", front(graph, tensors, weights.within("front"), kept.layout), weights["scale.factors"]
    )
    hidden = layers(graph, rows, weights.several("layers"), activation)
    return one_member(graph, dense(graph, hidden, weights.within("last")))
