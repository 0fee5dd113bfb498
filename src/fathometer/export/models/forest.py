"""The mean of many deep random trees."""

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

SOFTENED = 0.5  # rows of each class that every forest is taken to have seen


class ForestConverter(Converter):
    """All trees in one operator."""

    def answer(self, inputs: Inputs, folder: Path, task: Task) -> Name:
        matrix, parts = saved_matrix(inputs, folder)
        graph = inputs.graph
        trees, values = saved_trees(parts["trees"])
        mean = averaged(graph, graph.cast(matrix, np.float64), trees, values)
        if not parts["classes"]:
            return mean
        softened = graph.node("Add", mean, np.array([[SOFTENED / (len(trees.roots) * values.shape[1])]]))
        return all_classes(graph, normalised(graph, softened), parts["seen"], int(parts["classes"]))
