"""Weights of networks in 8 bits: a smaller file, sometimes a faster one, and answers that differ a little.

Only products of float32 rows with constant matrices are changed, and only where the matrix is large enough to pay.
Scales of weights are fixed, one per column; those of rows are found when they come (dynamic quantisation).
"""

from __future__ import annotations

import onnx
from onnx import TensorProto
from onnxruntime.quantization import QuantType, quantize_dynamic

from fathometer.errors import UserError

LEAST = 4_096  # weights of a matrix that is worth it


def quantized(model: onnx.ModelProto) -> onnx.ModelProto:
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
    made = quantize_dynamic(
        draft,
        None,
        op_types_to_quantize=["MatMul"],
        nodes_to_quantize=chosen,
        per_channel=True,
        weight_type=QuantType.QInt8,
        extra_options={"MatMulConstBOnly": True},
    )
    return made


def _large_products(model: onnx.ModelProto) -> list[str]:
    sizes = {
        constant.name: _size(constant)
        for constant in model.graph.initializer
        if constant.data_type == TensorProto.FLOAT and len(constant.dims) == 2
    }
    return [
        node.name
        for node in model.graph.node
        if node.op_type == "MatMul" and sizes.get(node.input[1], 0) >= LEAST
    ]


def _size(constant: onnx.TensorProto) -> int:
    count = 1
    for length in constant.dims:
        count *= length
    return count
