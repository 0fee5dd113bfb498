"""A weighted sum of scaled inputs."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from fathometer.export.answers import weighed
from fathometer.export.columns import Inputs
from fathometer.export.converter import Converter
from fathometer.export.graph import Name
from fathometer.export.saved import saved_matrix
from fathometer.task import Task


class LinearConverter(Converter):
    """One product of matrices, in double precision."""

    def answer(self, inputs: Inputs, folder: Path, task: Task) -> Name:
        matrix, parts = saved_matrix(inputs, folder)
        return weighed(inputs.graph, inputs.graph.cast(matrix, np.float64), parts)
