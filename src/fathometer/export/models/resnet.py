"""A residual network for tables."""

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
    bent,
    dense,
    front,
    network_answer,
    normed,
    one_member,
)
from fathometer.task import Task


class ResNetConverter(Converter):
    """Blocks that each add a correction."""

    quantizes: ClassVar[bool] = True

    def answer(self, inputs: Inputs, folder: Path, task: Task) -> Name:
        return network_answer(inputs, folder, _residual)


def _residual(graph: Graph, tensors: Tensors, weights: Weights, kept: Kept) -> Name:
    activation = str(kept.settings["activation"])
    rows = graph.node(
        "Mul", front(graph, tensors, weights.within("front"), kept.layout), weights["scale.factors"]
    )
    hidden = dense(graph, rows, weights.within("first"))
    for block in weights.several("blocks"):
        wide = dense(graph, normed(graph, hidden, block.within("normalise")), block.within("widen"))
        hidden = graph.node(
            "Add", hidden, dense(graph, bent(graph, wide, activation), block.within("narrow"))
        )
    evened = bent(graph, normed(graph, hidden, weights.within("normalise")), activation)
    return one_member(graph, dense(graph, evened, weights.within("last")))
