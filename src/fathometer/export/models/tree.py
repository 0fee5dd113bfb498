"""One small tree of questions."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from fathometer.export.answers import all_classes, normalised
from fathometer.export.columns import Inputs
from fathometer.export.converter import Converter
from fathometer.export.graph import Name
from fathometer.export.saved import saved_matrix, saved_trees
from fathometer.export.trees import averaged
from fathometer.task import Task

OWN, COMMON = 0.98, 0.02  # how much of its answer is a leaf's own, and how much what all rows say


class TreeConverter(Converter):
    """The tree's cuts, and its leaves drawn a little towards the overall shares."""

    def answer(self, inputs: Inputs, folder: Path, task: Task) -> Name:
        matrix, parts = saved_matrix(inputs, folder)
        graph = inputs.graph
        trees, values = saved_trees(parts["trees"])
        mean = averaged(graph, graph.cast(matrix, np.float64), trees, values)
        if not parts["classes"]:
            return mean
        own = graph.node("Mul", mean, np.array([[OWN]]))
        drawn = graph.node("Add", own, COMMON * np.asarray(parts["shares"]).reshape(1, -1))
        return all_classes(graph, normalised(graph, drawn), parts["seen"], int(parts["classes"]))
