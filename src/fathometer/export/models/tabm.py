"""Many perceptrons in one that share nearly all of their weights."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import numpy as np

from fathometer.export.columns import Inputs
from fathometer.export.converter import Converter
from fathometer.export.graph import Graph, Name
from fathometer.export.networks import Kept, Tensors, Weights, bent, dense, front, network_answer
from fathometer.task import Task


class TabMConverter(Converter):
    """Each member's weights are worked out beforehand: the shared ones times its own factors."""

    quantizes: ClassVar[bool] = True

    def answer(self, inputs: Inputs, folder: Path, task: Task) -> Name:
        return network_answer(inputs, folder, _ensemble)


def _ensemble(graph: Graph, tensors: Tensors, weights: Weights, kept: Kept) -> Name:
    hidden = front(graph, tensors, weights.within("front"), kept.layout)
    for layer in weights.several("layers"):
        # worked out here, in the order and precision in which the network does it
        own = (layer["before"] * layer["weight"] * layer["after"]).astype(np.float32)
        product = graph.node(
            "Add", graph.node("MatMul", hidden, own), layer["bias"]
        )  # (members, rows, width)
        hidden = bent(graph, product, str(kept.settings["activation"]))
    return dense(graph, hidden, weights.within("heads"))
