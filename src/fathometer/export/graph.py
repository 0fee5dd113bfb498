"""A graph of ONNX operators that grows node by node; what is there already is not made twice."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

ML = "ai.onnx.ml"
OPSETS = {
    "": 18,
    ML: 5,
}  # ml 5: trees that compare and add up in double precision, and ask for sets of categories
IR_VERSION = 9  # the oldest that knows these operators, so that older runtimes open the file

Array = npt.NDArray[Any]
Name = str
"""A tensor of the graph."""
Given = Name | Array | np.generic
"""A tensor of the graph, or what becomes a constant of it."""


class Graph:
    """Nodes and constants in the order in which they were asked for.

    Folds learned from nearly the same rows, so that their models begin alike: equal nodes of equal inputs are one.
    """

    def __init__(self, taken: Iterable[Name]) -> None:
        """`taken`: names that inputs and outputs have."""
        self._taken = set(taken)
        self._nodes: list[onnx.NodeProto] = []
        self._constants: list[onnx.TensorProto] = []
        self._known: dict[bytes, Name] = {}

    def constant(self, array: Array | np.generic) -> Name:
        """A constant tensor."""
        plain = np.asarray(array)
        is_text = plain.dtype.kind in "OU"
        content = repr(plain.tolist()).encode("utf-8", "surrogatepass") if is_text else plain.tobytes()
        mark = hashlib.sha256(f"{plain.dtype.kind} {plain.dtype} {plain.shape} ".encode() + content).digest()
        if mark not in self._known:
            name = self._new_name()
            self._constants.append(_texts(name, plain) if is_text else numpy_helper.from_array(plain, name))
            self._known[mark] = name
        return self._known[mark]

    def node(self, operator: str, *inputs: Given, domain: str = "", **attributes: Any) -> Name:
        """The one output of an operator; arrays among the inputs become constants."""
        return self._made(operator, inputs, domain, attributes, 1)[0]

    def both(self, operator: str, *inputs: Given, **attributes: Any) -> tuple[Name, Name]:
        """The two outputs of an operator that has two."""
        first, second = self._made(operator, inputs, "", attributes, 2)
        return first, second

    def named(self, tensor: Name, name: Name) -> None:
        """Give a tensor a name of its own, as outputs have."""
        self._nodes.append(helper.make_node("Identity", [tensor], [name], name=name))

    def cast(self, tensor: Given, dtype: npt.DTypeLike) -> Name:
        """The tensor in another type."""
        return self.node("Cast", tensor, to=helper.np_dtype_to_tensor_dtype(np.dtype(dtype)))

    def joined(self, parts: Sequence[Name], axis: int = 1) -> Name:
        """Tensors side by side."""
        return parts[0] if len(parts) == 1 else self.node("Concat", *parts, axis=axis)

    def columns(self, tensor: Name, places: Sequence[int] | Array) -> Name:
        """Some columns of (rows, columns), in this order."""
        return self.node("Gather", tensor, np.asarray(places, dtype=np.int64), axis=1)

    def column(self, tensor: Name, place: int) -> Name:
        """One column of (rows, columns), as (rows,)."""
        return self.node("Gather", tensor, np.array(place, dtype=np.int64), axis=1)

    def model(
        self,
        inputs: Sequence[onnx.ValueInfoProto],
        outputs: Sequence[onnx.ValueInfoProto],
        about: Mapping[str, str],
    ) -> onnx.ModelProto:
        """The whole, as a file holds it."""
        graph = helper.make_graph(self._nodes, "model", inputs, outputs, self._constants)
        opsets = [helper.make_opsetid(domain, version) for domain, version in OPSETS.items()]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION)
        helper.set_model_props(model, dict(about))
        return model

    def _made(
        self, operator: str, inputs: Sequence[Given], domain: str, attributes: Mapping[str, Any], outputs: int
    ) -> list[Name]:
        names = [given if isinstance(given, str) else self.constant(given) for given in inputs]
        made = helper.make_node(operator, names, [], domain=domain, **_as_attributes(attributes))
        mark = hashlib.sha256(made.SerializeToString(deterministic=True)).digest()
        if mark not in self._known:
            made.name = self._new_name()
            made.output.extend([made.name, *(f"{made.name}.{place}" for place in range(1, outputs))])
            self._nodes.append(made)
            self._known[mark] = made.name
        first = self._known[mark]
        return [first, *(f"{first}.{place}" for place in range(1, outputs))]

    def _new_name(self) -> Name:
        name = f"t{len(self._known)}"
        while name in self._taken:
            name += "_"
        return name


def _as_attributes(attributes: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: numpy_helper.from_array(value, name) if isinstance(value, np.ndarray) else value
        for name, value in attributes.items()
    }


def _texts(name: Name, texts: Array) -> onnx.TensorProto:
    encoded = [str(text).encode("utf-8", "replace") for text in texts.ravel()]
    return helper.make_tensor(name, TensorProto.STRING, texts.shape, encoded)
