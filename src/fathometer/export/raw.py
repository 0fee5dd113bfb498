"""Networks that read pictures themselves, beside the columns of a table, from their saved weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from fathometer.core.files import State, read_state
from fathometer.errors import UserError
from fathometer.export.columns import Inputs, features_of
from fathometer.export.converter import Converter
from fathometer.export.graph import Graph, Name
from fathometer.export.networks import Weights, dense, front, normed, scaled, understood
from fathometer.export.pictures import Recipe, encoded, seen
from fathometer.task import Task


class PictureConverter(Converter):
    """A network of pictures, which takes their pixels; reading the files stays outside."""

    quantizes: ClassVar[bool] = True
    limits: ClassVar[str] = (
        "it takes pixels, decoded and brought to the column's size by the caller, and no columns of text"
    )

    def answer(self, inputs: Inputs, folder: Path, task: Task) -> Name:
        state = read_state(folder, "network")
        if state["inputs"]["words"]:
            column = state["inputs"]["words"][0]["column"]
            raise UserError(
                f"It reads the texts of {column!r} word by word, and ONNX has no operators that find and number words "
                "as it does."
            )
        graph = inputs.graph
        weights = Weights(state["weights"])
        parts = _parts(inputs, state)
        views = (False, True) if state["plan"].get("flip") and parts.pictures else (False,)
        answers = []
        for network, heat in zip(weights.several("networks"), weights["heats"], strict=True):
            for mirrored in views:
                outputs = _outputs(graph, parts, network, mirrored=mirrored)
                answers.append(graph.node("Div", outputs, np.float32(heat)))
        members = [graph.node("Unsqueeze", answer, np.array([0], dtype=np.int64)) for answer in answers]
        return understood(graph, graph.joined(members, axis=0), state["answers"])


@dataclass(frozen=True)
class _Parts:
    """What such a network reads. table: state and tensors of columns of tables; pictures: (recipe, pixels, missing)."""

    inputs: Inputs
    state: State
    pictures: Sequence[tuple[Recipe, Name, Name]]


def _parts(inputs: Inputs, state: State) -> _Parts:
    recipes = [Recipe.from_state(one) for one in state["readers"]["pictures"]]
    columns = [str(item["column"]) for item in state["inputs"]["pictures"]]
    shown = [(recipe, *seen(inputs, column, recipe)) for recipe, column in zip(recipes, columns, strict=True)]
    return _Parts(inputs, state["inputs"], shown)


def _outputs(graph: Graph, parts: _Parts, weights: Weights, *, mirrored: bool) -> Name:
    """(rows, outputs) of one network for one view."""
    found: list[Name] = []
    if "table.layer.weight" in weights:
        found.append(_table(graph, parts, weights.within("table")))
    for place, (recipe, pixels, missing) in enumerate(parts.pictures):
        reader = weights.within(f"pictures.{place}")
        features = encoded(graph, pixels, reader, recipe, mirrored=mirrored)
        found.append(graph.node("Where", missing, reader["nothing"], features))
    if not found:
        return parts.inputs.constant(weights["last.bias"].reshape(1, -1))
    if "evens.0.weight" in weights:
        found = [normed(graph, part, weights.within(f"evens.{place}")) for place, part in enumerate(found)]
    joined = graph.joined(found)
    if "hidden.weight" in weights:
        joined = graph.node("Relu", dense(graph, joined, weights.within("hidden")))
    return dense(graph, joined, weights.within("last"))


def _table(graph: Graph, parts: _Parts, weights: Weights) -> Name:
    tensors = scaled(graph, features_of(parts.inputs, parts.state["table"]), parts.state["scaling"])
    rows = front(graph, tensors, weights.within("front"), parts.state["layout"])
    return graph.node(
        "Relu", dense(graph, graph.node("Mul", rows, weights["scale.factors"]), weights.within("layer"))
    )
