"""Weights of networks in 8 bits: a smaller file, sometimes a faster one, and answers that differ a little.

Only products of float32 rows with constant matrices are changed, and only where the matrix is large enough to pay.
Scales of weights are fixed, one per column; those of rows are found when they come (dynamic quantisation).
"""

from __future__ import annotations

import math
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper
from onnxruntime.quantization import QuantType, quantize_dynamic

from fathometer.data.rows import Rows
from fathometer.errors import UserError
from fathometer.task import Prediction, Task

LEAST = 4_096  # weights of a matrix that is worth it
PREPARED = {"onnx.quant.pre_process": "onnxruntime.quant"}
SAME_LABELS = 0.99  # share of the labels that must stay the same
MOST_MOVED = 0.05  # of the spread of numbers, that they may move on average


@dataclass(frozen=True)
class Cost:
    """What 8 bits cost.

    size_bytes, ms: of the file without them, and of a question to it. rows: compared; real: whether they are rows of
    the run, and not made up. labels: the share with the same label (1 for numbers). moved: the mean absolute change of
    a probability, or of a number as a share of its spread. before, after: the score on real rows; None without.
    """

    size_bytes: int
    ms: float
    rows: int
    real: bool
    labels: float
    moved: float
    before: float | None = None
    after: float | None = None

    @property
    def is_small(self) -> bool:
        """Whether it may be paid."""
        return self.labels >= SAME_LABELS and self.moved <= MOST_MOVED


def in_eight_bits(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model with its large matrices in 8 bits.

    Raises:
        UserError: it has none.
    """
    chosen = _large_products(model)
    if not chosen:
        raise UserError(
            f"There is nothing to store in 8 bits: no network with a matrix of {LEAST:,} weights or more answers here. "
            "Export without --quantized, or choose a family with networks: --family deep."
        )
    draft = onnx.ModelProto()
    draft.CopyFrom(model)
    helper.set_model_props(draft, PREPARED)  # shapes are known; without this the library warns of it
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "small.onnx"
        quantize_dynamic(
            draft,
            path,
            op_types_to_quantize=["MatMul"],
            nodes_to_quantize=chosen,
            per_channel=True,
            weight_type=QuantType.QInt8,
            extra_options={"MatMulConstBOnly": True},
        )
        made = onnx.load(path)
    helper.set_model_props(made, {one.key: one.value for one in model.metadata_props})
    return made


def cost_of(
    task: Task, rows: Rows, before: Prediction, after: Prediction, size_bytes: int, ms: float
) -> Cost:
    """Compare answers without and with 8 bits; rows with a target are real ones."""
    scores = [None, None] if rows.target is None else [_score(task, rows, one) for one in (before, after)]
    moved = float(np.abs(after - before).mean())
    if task.outputs == 1:
        labels, moved = 1.0, moved / max(float(np.std(before)), 1e-12)
    else:
        same = task.answer(before)["prediction"] == task.answer(after)["prediction"]
        labels = float(same.mean())
    moved = moved if math.isfinite(moved) else math.inf
    return Cost(size_bytes, ms, len(rows), rows.target is not None, labels, moved, scores[0], scores[1])


def _score(task: Task, rows: Rows, prediction: Prediction) -> float:
    return task.measure.score(float(task.losses(rows.answers, prediction).mean()))


def _large_products(model: onnx.ModelProto) -> list[str]:
    sizes = {
        constant.name: math.prod(constant.dims)
        for constant in model.graph.initializer
        if constant.data_type == TensorProto.FLOAT and len(constant.dims) == 2
    }
    return [
        node.name
        for node in model.graph.node
        if node.op_type == "MatMul" and sizes.get(node.input[1], 0) >= LEAST
    ]
