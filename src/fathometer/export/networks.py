"""Networks for tables from their saved weights, layer by layer as `learners._network` computes them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fathometer.core.files import State, read_state
from fathometer.export.answers import normalised
from fathometer.export.columns import Features, Inputs, features_of
from fathometer.export.graph import Graph, Name
from fathometer.export.matrix import squeezed

ONE_HOT_UP_TO = 9  # as in learners/_network.py
CODE_WIDTH = 8
SQUEEZE, FARTHEST = 3.0, 1e6  # as in learners/_tensors.py

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Tensors:
    """Rows as networks for tables take them: numbers, flags float32, codes int64; None: there are none."""

    numbers: Name | None
    flags: Name | None
    codes: Name | None


@dataclass(frozen=True)
class Weights:
    """A network's weights, by their names below a prefix."""

    arrays: Mapping[str, npt.NDArray[Any]]
    prefix: str = ""

    def __getitem__(self, name: str) -> npt.NDArray[Any]:
        return self.arrays[self.prefix + name]

    def __contains__(self, name: str) -> bool:
        return self.prefix + name in self.arrays

    def within(self, name: str) -> Weights:
        """Those of a part."""
        return Weights(self.arrays, f"{self.prefix}{name}.")

    def several(self, name: str) -> list[Weights]:
        """Those of the parts of a list."""
        start = f"{self.prefix}{name}."
        places = {int(key[len(start) :].split(".")[0]) for key in self.arrays if key.startswith(start)}
        return [self.within(f"{name}.{place}") for place in sorted(places)]


@dataclass(frozen=True)
class Kept:
    """What a network for tables saved besides its weights."""

    settings: Mapping[str, Any]
    layout: Mapping[str, Any]


Body = Callable[[Graph, Tensors, Weights, Kept], Name]
"""Makes (members, rows, outputs) float32 of a network."""


def network_answer(inputs: Inputs, folder: Path, body: Body) -> Name:
    """What the networks that `learners._deep.DeepModel.save` wrote answer together."""
    state = read_state(folder, "network")
    graph = inputs.graph
    tensors = scaled(graph, features_of(inputs, state["inputs"]), state["scaling"])
    kept = Kept(state["settings"], state["layout"])
    weights = Weights(state["weights"])
    networks = weights.several("networks")
    parts = [
        graph.node("Div", body(graph, tensors, network, kept), np.float32(heat))
        for network, heat in zip(networks, weights["heats"], strict=True)
    ]
    return understood(graph, graph.joined(parts, axis=0), state["answers"])


def scaled(graph: Graph, features: Features, state: State) -> Tensors:
    """Features as `Scaling.apply` makes tensors of them."""
    numbers, flags, codes = None, None, None
    if features.numbers is not None and len(state["kept"]):
        kept = graph.columns(features.numbers, state["kept"])
        centred = graph.node("Sub", kept, _row(state["centre"]))
        moved = graph.node("Mul", centred, _row(state["factor"]))
        known = graph.node("Where", graph.node("IsNaN", kept), np.zeros((1, 1), dtype=np.float32), moved)
        numbers = squeezed(graph, known, FARTHEST, SQUEEZE)
    if features.numbers is not None and len(state["gappy"]):
        gaps = graph.node("IsNaN", graph.columns(features.numbers, state["gappy"]))
        flags = graph.cast(gaps, np.float32)
    if features.codes is not None and len(state["coded"]):
        codes = graph.columns(features.codes, state["coded"])
    return Tensors(numbers, flags, codes)


def front(graph: Graph, tensors: Tensors, weights: Weights, layout: Mapping[str, Any]) -> Name:
    """All columns of a row side by side, (rows, width)."""
    parts: list[Name] = []
    if tensors.numbers is not None:
        parts.append(_embedded(graph, tensors.numbers, weights.within("numbers")))
    if tensors.flags is not None:
        parts.append(tensors.flags)
    if tensors.codes is not None:
        parts += _coded(graph, tensors.codes, weights.within("codes"), layout)
    return graph.joined(parts)


def _embedded(graph: Graph, numbers: Name, weights: Weights) -> Name:
    if "slope" in weights:
        spread = graph.columns(numbers, weights["column"])
        risen = graph.node("Add", graph.node("Mul", spread, _row(weights["slope"])), _row(weights["start"]))
        return graph.joined([numbers, graph.node("Clip", risen, np.float32(0.0), np.float32(1.0))])
    if "frequency" not in weights:
        return numbers
    across = graph.node("Transpose", numbers, perm=[1, 0])
    columns = graph.node("Unsqueeze", across, np.array([2], dtype=np.int64))  # (a, rows, 1)
    turns = graph.node("Add", graph.node("Mul", columns, weights["frequency"]), weights["phase"])
    mixed = graph.node("MatMul", graph.node("Cos", turns), weights["mixture"])
    both = graph.joined([columns, graph.node("Add", mixed, weights["shift"])], axis=2)  # (a, rows, width)
    width = weights["frequency"].shape[0] * (weights["mixture"].shape[2] + 1)
    rows_first = graph.node("Transpose", both, perm=[1, 0, 2])
    return graph.node("Reshape", rows_first, np.array([0, width], dtype=np.int64))


def _coded(graph: Graph, codes: Name, weights: Weights, layout: Mapping[str, Any]) -> list[Name]:
    parts: list[Name] = []
    small: list[tuple[int, int, bool]] = []
    large = [column for column, size in enumerate(layout["sizes"]) if size > ONE_HOT_UP_TO]
    for column, (size, zero_seen) in enumerate(zip(layout["sizes"], layout["zero_seen"], strict=True)):
        if size <= ONE_HOT_UP_TO:
            # code 0 is a column too, and says nothing where training never showed it
            small += [(column, code, bool(code or zero_seen)) for code in range(size)]
    if small:
        columns, wanted, worth = zip(*small, strict=True)
        equal = graph.node("Equal", graph.columns(codes, columns), np.array([wanted], dtype=np.int64))
        shown = graph.node("And", equal, np.array([worth], dtype=bool))
        parts.append(graph.cast(shown, np.float32))
    if large:
        places = graph.node("Add", graph.columns(codes, large), weights["large_offset"].reshape(1, -1))
        vectors = graph.node("Gather", weights["table"], places, axis=0)  # (rows, columns, width)
        flat = np.array([0, len(large) * CODE_WIDTH], dtype=np.int64)
        parts.append(graph.node("Reshape", vectors, flat))
    return parts


def dense(graph: Graph, rows: Name, weights: Weights) -> Name:
    """A linear layer."""
    return graph.node("Add", graph.node("MatMul", rows, weights["weight"]), weights["bias"])


def normed(graph: Graph, rows: Name, weights: Weights) -> Name:
    """Each row evened out, as torch's LayerNorm."""
    return graph.node("LayerNormalization", rows, weights["weight"], weights["bias"], axis=-1, epsilon=1e-5)


def bent(graph: Graph, rows: Name, activation: str) -> Name:
    """The activation of that name."""
    if activation == "relu":
        return graph.node("Relu", rows)
    if activation == "selu":
        return graph.node("Selu", rows)
    if activation == "silu":
        return graph.node("Mul", rows, graph.node("Sigmoid", rows))
    # mish; x tanh(log(1 + e^x)), multiplied out as learners/_network.py does it
    power = graph.node("Exp", graph.node("Clip", rows, "", np.float32(20.0)))
    product = graph.node("Mul", graph.node("Add", power, np.float32(2.0)), power)
    factor = graph.node("Div", product, graph.node("Add", product, np.float32(2.0)))
    return graph.node("Mul", rows, factor)


def one_member(graph: Graph, rows: Name) -> Name:
    """(rows, outputs) as (1, rows, outputs)."""
    return graph.node("Unsqueeze", rows, np.array([0], dtype=np.int64))


def understood(graph: Graph, outputs: Name, answers: State) -> Name:
    """(members, rows, outputs) float32 as the members' mean answer, (rows, outputs) double."""
    doubles = graph.cast(outputs, np.float64)
    first = np.array([0], dtype=np.int64)
    if answers["of"] == "classes":
        shares = graph.node("ReduceMean", graph.node("Softmax", doubles, axis=2), first, keepdims=0)
        return normalised(graph, shares)
    mean = graph.node("ReduceMean", doubles, first, keepdims=0)
    spread = graph.node("Mul", mean, np.array([[float(answers["scale"])]]))
    values = graph.node("Add", spread, np.array([[float(answers["centre"])]]))
    return graph.node("Clip", values, np.array(float(answers["low"])), np.array(float(answers["high"])))


def layers(graph: Graph, rows: Name, parts: Sequence[Weights], activation: str) -> Name:
    """Dense layers, each bent."""
    for part in parts:
        rows = bent(graph, dense(graph, rows, part), activation)
    return rows


def _row(values: npt.NDArray[Any]) -> Floats:
    return np.asarray(values, dtype=np.float32).reshape(1, -1)
