"""Weights of networks in 8 bits: a file of a third to a quarter of the size, whose answers differ a little.

Only what is stored is in 8 bits, with one scale per column of a matrix; products are those of single precision. The
other way, products in 8 bits too with scales found while asking (onnxruntime's dynamic quantisation), was measured and
left: no question was answered faster that would count, answers moved ten times as far (log-loss .0237 to .0395 on one
table, against .0237), and a row's answer depended on those asked with it, whose largest number sets the scale.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

from fathometer.data.rows import Rows
from fathometer.errors import UserError
from fathometer.task import Prediction, Task

LEAST = 1_024  # weights of an array that is worth it
LARGEST = 127
SAME_LABELS = 0.99  # share of the labels that must stay the same
MOST_MOVED = 0.05  # of the spread of numbers, that they may move on average
SCALED = {"MatMul": -1, "Conv": 0}
"""Operator -> the axis of its weights along which each place has a scale of its own."""


@dataclass(frozen=True)
class Cost:
    """What 8 bits cost.

    size_bytes, ms: of the file without them, and of a question to it. rows: compared; real: whether they are rows of
    the run, and not made up. labels: the share with the same label; None for numbers. moved: the mean absolute change
    of a probability, or of a number as a share of its spread. before, after: the score on real rows; None without.
    matters: whether these differ by more than the margin.
    """

    size_bytes: int
    ms: float
    rows: int
    real: bool
    labels: float | None
    moved: float
    before: float | None = None
    after: float | None = None
    matters: bool = False

    @property
    def is_small(self) -> bool:
        """Whether it may be paid."""
        return (self.labels is None or self.labels >= SAME_LABELS) and self.moved <= MOST_MOVED


def in_eight_bits(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model with its large arrays of weights in 8 bits.

    Raises:
        UserError: it has none.
    """
    axes = _large_arrays(model)
    if not axes:
        raise UserError(
            f"There is nothing to store in 8 bits: no network with {LEAST:,} weights or more in one layer answers "
            "here. Export without --quantized, or choose a family with networks: --family deep."
        )
    small = onnx.ModelProto()
    small.CopyFrom(model)
    graph = small.graph
    constants = list(graph.initializer)
    nodes = list(graph.node)
    taken = {one.name for one in [*graph.input, *graph.output, *constants]}
    del graph.initializer[:], graph.node[:]
    for constant in constants:
        if constant.name not in axes:
            graph.initializer.append(constant)
            continue
        array = numpy_helper.to_array(constant)
        whole, scale = _rounded(array, axes[constant.name] % array.ndim)
        bits, size, wide = (
            _free(f"{constant.name}{ending}", taken) for ending in (".bits", ".scale", ".wide")
        )
        graph.initializer.extend([numpy_helper.from_array(whole, bits), numpy_helper.from_array(scale, size)])
        # DequantizeLinear would be worked out at every question; these two are when the file is opened
        graph.node.append(helper.make_node("Cast", [bits], [wide], to=TensorProto.FLOAT, name=wide))
        graph.node.append(helper.make_node("Mul", [wide, size], [constant.name], name=constant.name))
    graph.node.extend(nodes)
    return small


def cost_of(
    task: Task, rows: Rows, before: Prediction, after: Prediction, size_bytes: int, ms: float
) -> Cost:
    """Compare answers without and with 8 bits; rows with a target are real ones."""
    moved, labels = float(np.abs(after - before).mean()), None
    if task.outputs == 1:
        moved /= max(float(np.std(before)), 1e-12)
    else:
        same = task.answer(before)["prediction"] == task.answer(after)["prediction"]
        labels = float(same.mean())
    cost = Cost(size_bytes, ms, len(rows), False, labels, moved if math.isfinite(moved) else math.inf)
    if rows.target is None:
        return cost
    first, second = (float(task.losses(rows.answers, one).mean()) for one in (before, after))
    gap = abs(second - first) * task.measure.gap_scale(first)
    scores = task.measure.score(first), task.measure.score(second)
    return Cost(size_bytes, ms, len(rows), True, labels, cost.moved, *scores, matters=gap > task.margin)


def _large_arrays(model: onnx.ModelProto) -> dict[str, int]:
    """Constants that are worth it -> the axis of their scales; those that only operators with weights use."""
    users: dict[str, set[str]] = {}
    for node in model.graph.node:
        for place, name in enumerate(node.input):
            is_weight = node.op_type in SCALED and place == 1
            users.setdefault(name, set()).add(node.op_type if is_weight else "")
    return {
        constant.name: SCALED[next(iter(users[constant.name]))]
        for constant in model.graph.initializer
        if constant.data_type == TensorProto.FLOAT
        and math.prod(constant.dims) >= LEAST
        and len(constant.dims) > 1
        and len(users[constant.name]) == 1
        and "" not in users[constant.name]
    }


def _rounded(
    array: npt.NDArray[np.float32], axis: int
) -> tuple[npt.NDArray[np.int8], npt.NDArray[np.float32]]:
    """Whole numbers of 8 bits, and the scale of each place along an axis, by which they are multiplied."""
    others = tuple(place for place in range(array.ndim) if place != axis)
    most = np.maximum(np.abs(array).max(axis=others, keepdims=True), np.float32(1e-30))
    scale = (most / np.float32(LARGEST)).astype(np.float32)
    whole = np.clip(np.round(array / scale), -LARGEST, LARGEST)
    return whole.astype(np.int8), scale


def _free(name: str, taken: set[str]) -> str:
    while name in taken:
        name += "_"
    taken.add(name)
    return name
