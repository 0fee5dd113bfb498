"""Naive Bayes: each input speaks for itself."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from fathometer.export.answers import all_classes, softmax
from fathometer.export.columns import Inputs
from fathometer.export.converter import Converter
from fathometer.export.graph import Name
from fathometer.export.saved import saved_matrix
from fathometer.task import Task


class BayesConverter(Converter):
    """The sum over columns of (x - m)^2 / v, multiplied out as the model does it."""

    def answer(self, inputs: Inputs, folder: Path, task: Task) -> Name:
        matrix, parts = saved_matrix(inputs, folder)
        graph = inputs.graph
        rows = graph.cast(matrix, np.float64)
        means, variances = parts["means"], parts["variances"]  # (classes, columns)
        inverse = 1.0 / variances
        squares = graph.node("MatMul", graph.node("Mul", rows, rows), inverse.T.copy())
        crossed = graph.node("MatMul", rows, (-2.0 * means * inverse).T.copy())
        constant = (means**2 * inverse).sum(axis=1)
        with np.errstate(divide="ignore"):
            start = np.log(parts["shares"]) - 0.5 * (np.log(variances).sum(axis=1) + constant)
        distance = graph.node("Mul", graph.node("Add", squares, crossed), np.array([[-0.5]]))
        scores = graph.node("Add", distance, start.reshape(1, -1))
        heated = graph.node("Mul", scores, np.array([[float(parts["heat"])]]))
        return all_classes(graph, softmax(graph, heated), parts["seen"], int(parts["classes"]))
