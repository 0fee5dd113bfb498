"""The sum of one curve per input."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from fathometer.export.answers import weighed
from fathometer.export.columns import Inputs
from fathometer.export.converter import Converter
from fathometer.export.graph import Name
from fathometer.export.saved import saved_matrix
from fathometer.task import Task

NARROWEST = 1e-9  # a stretch between knots that is no wider is none


class AdditiveConverter(Converter):
    """How far each value fills each stretch between knots, times the rise over it."""

    def answer(self, inputs: Inputs, folder: Path, task: Task) -> Name:
        matrix, parts = saved_matrix(inputs, folder)
        graph = inputs.graph
        rows = graph.cast(matrix, np.float64)
        columns: list[int] = []
        starts: list[float] = []
        widths: list[float] = []
        for column, knots in zip(parts["bent"], np.asarray(parts["knots"], dtype=np.float64), strict=True):
            wide = np.diff(knots) > NARROWEST
            columns += [int(column)] * int(wide.sum())
            starts += knots[:-1][wide].tolist()
            widths += np.diff(knots)[wide].tolist()
        if columns:
            above = graph.node("Sub", graph.columns(rows, columns), np.array([starts]))
            filled = graph.node(
                "Clip", graph.node("Div", above, np.array([widths])), np.array(0.0), np.array(1.0)
            )
            rows = graph.joined([rows, filled])
        return weighed(graph, rows, parts)
