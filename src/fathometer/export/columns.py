"""A table's columns as a graph takes them, and their features, equal to those of the kinds' featurizers."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper

from fathometer.core.files import State
from fathometer.core.pictures import as_pictures
from fathometer.data.rows import Rows
from fathometer.data.schema import Column, Schema
from fathometer.errors import UserError
from fathometer.export.graph import ML, Graph, Name
from fathometer.export.moments import MICRO, moment_features
from fathometer.kinds.number import LARGEST_FEATURE

OUTPUTS = ("probabilities", "label", "value")
ROWS = "rows"  # the name of the length that differs from question to question
SAID = {
    "number": ("double", "NaN"),
    "category": ("string", '""'),
    "moment": ("double", "NaN"),
    "image": ("float", "NaN in every pixel"),
}
"""Kind of column -> type of its input, and what stands for a missing cell."""


@dataclass(frozen=True)
class Inputs:
    """The inputs of a graph, one per column that is used.

    names: column -> input; they differ where a column is called as an output is.
    """

    graph: Graph
    schema: Schema
    names: dict[str, Name]
    used: set[str] = field(default_factory=set)

    @classmethod
    def of(cls, schema: Schema) -> Inputs:
        """For these columns."""
        names: dict[str, Name] = {}
        for column in schema.names:
            name = column.encode("utf-8", "replace").decode("utf-8")
            while not name or name in OUTPUTS or name in names.values():
                name = f"column {name}"
            names[column] = name
        return cls(Graph((*names.values(), *OUTPUTS)), schema, names)

    def tensor(self, column: str) -> Name:
        """The input of a column."""
        self.used.add(column)
        return self.names[column]

    def constant(self, values: npt.NDArray[Any]) -> Name:
        """(rows, columns) the same (1, columns) values for every row that is asked."""
        graph = self.graph
        shape = graph.node("Shape", self.tensor(self.schema.columns[0].name))
        rows = graph.node("Gather", shape, np.array([0], dtype=np.int64), axis=0)
        both = graph.node("Concat", rows, np.array([values.shape[1]], dtype=np.int64), axis=0)
        return graph.node("Expand", values, both)

    def declared(self) -> list[onnx.ValueInfoProto]:
        """The inputs that are used, as a model declares them."""
        return [
            helper.make_tensor_value_info(self.names[column.name], *_type_of(column))
            for column in self.schema.columns
            if column.name in self.used
        ]

    def told(self) -> str:
        """The inputs that are used, as JSON for people and programs."""
        listed = []
        for column in self.schema.columns:
            if column.name in self.used:
                kind, missing = SAID[column.kind]
                entry = {"column": column.name, "input": self.names[column.name], "kind": column.kind}
                listed.append(entry | {"type": kind, "missing": missing} | _unit_of(column))
        return json.dumps(listed)

    def fed(self, rows: Rows) -> dict[Name, npt.NDArray[Any]]:
        """Rows that the schema has read, as the inputs take them."""
        return {self.names[name]: _values(rows, name, rows.kinds[name]) for name in sorted(self.used)}


def _type_of(column: Column) -> tuple[int, list[Any]]:
    if column.kind == "image":
        reading = column.reading
        return TensorProto.FLOAT, [ROWS, reading["height"], reading["width"], reading["channels"]]
    return (TensorProto.STRING if column.kind == "category" else TensorProto.DOUBLE), [ROWS, 1]


def _unit_of(column: Column) -> dict[str, Any]:
    if column.kind == "moment":
        return {"unit": "seconds since 1970-01-01 00:00 UTC"}
    if column.kind == "image":
        return {"unit": "brightness 0 to 255", "shape": "rows, height, width, channels"}
    return {}


def _values(rows: Rows, name: str, kind: str) -> npt.NDArray[Any]:
    values = rows.column(name)
    if kind == "category":
        texts = values.astype(object).where(values.notna(), "")
        return np.array([str(text) for text in texts], dtype=object).reshape(-1, 1)
    if kind == "moment":
        moments = values.to_numpy().astype("datetime64[us]")
        seconds = moments.astype(np.int64) / MICRO
        return np.where(np.isnat(moments), np.nan, seconds).reshape(-1, 1)
    if kind == "image":
        pictures = as_pictures(values)
        shown = np.asarray(pictures.pixels[np.maximum(pictures.places, 0)], dtype=np.float32)
        shown[pictures.places < 0] = np.nan
        return shown
    return values.to_numpy(dtype=np.float64).reshape(-1, 1)


@dataclass(frozen=True)
class Features:
    """Features of some columns; None where there are none.

    numbers: (rows, a) float32, NaN where missing. codes: (rows, b) int64.
    """

    numbers: Name | None
    codes: Name | None


def features_of(inputs: Inputs, state: State) -> Features:
    """The features of all columns side by side, from what `learners._inputs.Inputs.state` gave.

    Raises:
        UserError: a column is of a kind whose features no graph can make.
    """
    numbers: list[Name] = []
    codes: list[Name] = []
    runs = groupby(state["columns"], key=lambda item: str(item["kind"]))
    for kind, items in runs:
        if kind == "number":  # hundreds of them go through as one tensor
            numbers.append(_numbers(inputs, list(items)))
            continue
        for item in items:
            column = inputs.schema.column(item["name"])
            if kind == "category":
                part = _category(inputs, column, item["state"])
            elif kind == "moment":
                part = Features(*moment_features(inputs.graph, inputs.tensor(column.name), item["state"]))
            else:
                raise UserError(_refused(column))
            numbers += [] if part.numbers is None else [part.numbers]
            codes += [] if part.codes is None else [part.codes]
    graph = inputs.graph
    return Features(
        graph.joined(numbers) if numbers else None,
        graph.joined(codes) if codes else None,
    )


def _refused(column: Column) -> str:
    wanted = {
        "text": "words are found, folded and counted by rules that ONNX has no operators for",
        "image": "edges, texture and colours are counted by rules that ONNX has no operators for",
    }.get(column.kind, f"there is no ONNX form of what is made of {column.kind} columns")
    return f"It reads {column.name!r} ({column.kind}) by engineered features, which cannot be exported: {wanted}."


def _numbers(inputs: Inputs, items: Sequence[State]) -> Name:
    """(rows, columns) float32 of number columns; their centres are taken off in double precision."""
    graph = inputs.graph
    doubles = graph.joined([inputs.tensor(item["name"]) for item in items])
    centres = np.array([[item["state"]["centre"] for item in items]], dtype=np.float64)
    unknown = graph.node("Or", graph.node("IsNaN", doubles), _is_infinite(graph, doubles))
    known = graph.node("Where", unknown, np.zeros((1, 1)), doubles)
    if centres.any():
        known = graph.node("Sub", known, centres)
    clipped = graph.node("Clip", known, np.array(-LARGEST_FEATURE), np.array(LARGEST_FEATURE))
    return graph.node(
        "Where", unknown, np.full((1, 1), np.nan, dtype=np.float32), graph.cast(clipped, np.float32)
    )


def _is_infinite(graph: Graph, doubles: Name) -> Name:
    return graph.node("Equal", graph.node("Abs", doubles), np.array([[math.inf]]))


def _category(inputs: Inputs, column: Column, state: State) -> Features:
    """A code per level, 0 for missing and never seen; with counts also log(1 + how often it was seen)."""
    graph, tensor = inputs.graph, inputs.tensor(column.name)
    whole = bool(column.reading.get("whole"))
    levels = [str(level) for level in state["levels"]]
    keys, values = _spelled(levels or [""], list(range(1, len(levels) + 1)) or [0], whole)
    codes = graph.node(
        "LabelEncoder", tensor, domain=ML, keys_strings=keys, values_int64s=values, default_int64=0
    )
    if state["counts"] is None:
        return Features(None, codes)
    counted = {str(level): int(count) for level, count in dict(state["counts"]).items()}
    shown = np.log1p(np.array(list(counted.values()), dtype=np.float64)).astype(np.float32).tolist()
    nothing = sorted({"", *map(str, column.reading.get("missing", ()))} - counted.keys())
    keys, values = _spelled(list(counted), shown, whole)
    common = graph.node(
        "LabelEncoder",
        tensor,
        domain=ML,
        keys_strings=[*keys, *nothing],
        values_floats=[*values, *[math.nan] * len(nothing)],
        default_float=0.0,
    )
    return Features(common, codes)


def _spelled(levels: list[str], values: list[Any], whole: bool) -> tuple[list[str], list[Any]]:
    """Levels and their values; where all levels are whole numbers, 3 may be written 3.0."""
    if not whole:
        return levels, values
    known = set(levels)
    further = [(f"{level}.0", value) for level, value in zip(levels, values, strict=True)]
    more = [(text, value) for text, value in further if text not in known]
    return [*levels, *(text for text, _ in more)], [*values, *(value for _, value in more)]
