"""Encoders of pictures from their saved weights, layer by layer as `learners._raw_picture_encoders` computes them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fathometer.core.files import State
from fathometer.errors import UserError
from fathometer.export.columns import Inputs
from fathometer.export.graph import Graph, Name
from fathometer.export.networks import Weights

PATCH, EVENNESS = 5, 0.05  # as in learners/_raw_picture_encoders.py
LEFT = 7  # sides are halved until about so many pixels are left
OVER_PLANE = np.array([2, 3], dtype=np.int64)

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Recipe:
    """How a picture encoder is built; height, width: of pictures as it sees them."""

    of: str
    height: int
    width: int
    channels: int
    filters: int
    depth: int
    places: bool

    @classmethod
    def from_state(cls, state: State) -> Recipe:
        """The recipe that a network saved."""
        sight = state["sight"]
        height, width, channels = (int(sight[side]) for side in ("height", "width", "channels"))
        filters, depth = int(state["filters"]), int(state["depth"])
        return cls(str(state["of"]), height, width, channels, filters, depth, bool(state["places"]))

    @property
    def halvings(self) -> int:
        """How often sides are halved."""
        return max(1, round(math.log2(max(self.height, self.width) / LEFT)))


def seen(inputs: Inputs, column: str, recipe: Recipe) -> tuple[Name, Name]:
    """(rows, height, width, channels) float32 pictures of the size that is seen, and (rows, 1) which are missing.

    Raises:
        UserError: colours would have to be joined.
    """
    known, missing = shown(inputs, column, recipe.channels)
    reading = inputs.schema.column(column).reading
    height, width = int(reading["height"]), int(reading["width"])
    if (height, width) != (recipe.height, recipe.width):
        known = _reduced(inputs.graph, known, (height, width), (recipe.height, recipe.width))
    return known, missing


def shown(inputs: Inputs, column: str, channels: int) -> tuple[Name, Name]:
    """(rows, height, width, channels) float32 pictures as they are, and (rows, 1) which are missing.

    Raises:
        UserError: colours would have to be joined.
    """
    graph, reading = inputs.graph, inputs.schema.column(column).reading
    if int(reading["channels"]) != channels:
        raise UserError(f"It joins the {reading['channels']} channels of {column!r}, which is not exported.")
    pixels = inputs.tensor(column)
    unknown = graph.node("IsNaN", pixels)
    every = np.array([1, 2, 3], dtype=np.int64)
    gaps = graph.node("ReduceMax", graph.cast(unknown, np.float32), every, keepdims=0)
    missing = graph.node(
        "Greater", graph.node("Unsqueeze", gaps, np.array([1], dtype=np.int64)), np.float32(0.5)
    )
    return graph.node("Where", unknown, np.float32(0.0), pixels), missing


def encoded(graph: Graph, pictures: Name, weights: Weights, recipe: Recipe, *, mirrored: bool) -> Name:
    """(rows, width) features of pictures."""
    if mirrored:
        backwards = np.arange(recipe.width)[::-1].copy()
        pictures = graph.node("Gather", pictures, backwards, axis=2)
    centred = graph.node("Sub", pictures, weights["mean"].astype(np.float32))
    normed = graph.node("Mul", centred, np.float32(1.0) / weights["spread"].astype(np.float32))
    planes = graph.node("Transpose", normed, perm=[0, 3, 1, 2])
    return ENCODERS[recipe.of](graph, planes, weights.within("encoder"), recipe)


def _reduced(graph: Graph, pixels: Name, size: tuple[int, int], wanted: tuple[int, int]) -> Name:
    """Areas averaged and rounded, as torch's adaptive_avg_pool2d; sums of whole numbers are exact."""
    planes = graph.node("Transpose", pixels, perm=[0, 3, 1, 2])
    down, across = (_areas(before, after) for before, after in zip(size, wanted, strict=True))
    sums = graph.node("MatMul", graph.node("MatMul", down, planes), across.T.copy())
    means = graph.node("Div", sums, down.sum(axis=1)[:, None])
    means = graph.node("Div", means, across.sum(axis=1)[None, :])
    return graph.node("Transpose", graph.node("Round", means), perm=[0, 2, 3, 1])


def _areas(before: int, after: int) -> Floats:
    """(after, before) 1 where a pixel of the old side belongs to one of the new."""
    areas = np.zeros((after, before), dtype=np.float32)
    for place in range(after):
        areas[place, place * before // after : -(-(place + 1) * before // after)] = 1.0
    return areas


def _convolved(graph: Graph, planes: Name, weights: npt.NDArray[Any], stride: int = 1) -> Name:
    around = weights.shape[2] // 2
    return graph.node("Conv", planes, weights, strides=[stride, stride], pads=[around] * 4)


def _normed(graph: Graph, planes: Name, weights: Weights) -> Name:
    parts = [weights[part] for part in ("weight", "bias", "running_mean", "running_var")]
    return graph.node("BatchNormalization", planes, *parts, epsilon=1e-5)


def _block(graph: Graph, planes: Name, weights: Weights, stride: int = 1) -> Name:
    convolved = _convolved(graph, planes, weights["0.weight"], stride)
    return graph.node("Relu", _normed(graph, convolved, weights.within("1")))


def _halved(graph: Graph, planes: Name, operator: str, by: int = 2) -> Name:
    return graph.node(operator, planes, kernel_shape=[by, by], strides=[by, by], ceil_mode=1)


def _gathered(graph: Graph, planes: Name, recipe: Recipe) -> Name:
    if recipe.places:
        return graph.node("Flatten", _halved(graph, planes, "MaxPool"), axis=1)
    mean = graph.node("ReduceMean", planes, OVER_PLANE, keepdims=0)
    return graph.joined([mean, graph.node("ReduceMax", planes, OVER_PLANE, keepdims=0)])


def _compact(graph: Graph, planes: Name, weights: Weights, recipe: Recipe) -> Name:
    hidden, layer = _block(graph, planes, weights.within("layers.0")), 1
    for _ in range(recipe.halvings):
        hidden = _halved(graph, hidden, "MaxPool")
        for part in range(1, recipe.depth + 1):
            hidden = _block(graph, hidden, weights.within(f"layers.{layer + part}"))
        layer += 1 + recipe.depth
    return _gathered(graph, hidden, recipe)


def _residual(graph: Graph, planes: Name, weights: Weights, recipe: Recipe) -> Name:
    hidden, layer = _block(graph, planes, weights.within("layers.0")), 1
    for stage in range(recipe.halvings + 1):
        for part in range(recipe.depth):
            stride = 2 if stage and part == 0 else 1
            hidden = _residue(graph, hidden, weights.within(f"layers.{layer}"), stride)
            layer += 1
    return _gathered(graph, hidden, recipe)


def _residue(graph: Graph, planes: Name, weights: Weights, stride: int) -> Name:
    first = _block(graph, planes, weights.within("first"), stride)
    second = _normed(graph, _convolved(graph, first, weights["second.weight"]), weights.within("norm"))
    past = planes
    if "past.1.weight" in weights:
        smaller = planes if stride == 1 else _halved(graph, planes, "AveragePool", stride)
        past = _convolved(graph, smaller, weights["past.1.weight"])
    return graph.node("Relu", graph.node("Add", second, past))


def _whitened(graph: Graph, planes: Name, weights: Weights, recipe: Recipe) -> Name:
    strength = _strength(graph, planes, weights["fixed"])
    threshold = weights["threshold"]
    strong = [
        graph.node("Relu", graph.node("Sub", side, threshold))
        for side in (strength, graph.node("Neg", strength))
    ]
    halving = max(1, round(max(recipe.height, recipe.width) / LEFT))
    pooled = _halved(graph, graph.joined(strong), "AveragePool", halving)
    mixed = _convolved(graph, _normed(graph, pooled, weights.within("even")), weights["mix.weight"])
    normed = graph.node("Relu", _normed(graph, mixed, weights.within("norm")))
    hidden = _block(graph, normed, weights.within("look"))
    mean = graph.node("ReduceMean", hidden, OVER_PLANE, keepdims=0)
    return graph.joined([mean, graph.node("ReduceMax", hidden, OVER_PLANE, keepdims=0)])


def _strength(graph: Graph, planes: Name, fixed: Floats) -> Name:
    """(rows, filters, height, width) of each filter at each place, were the patch there evened out."""
    around = PATCH // 2
    pads = np.array([0, 0, around, around, 0, 0, around, around], dtype=np.int64)
    padded = graph.node("Pad", planes, pads, mode="edge")
    over_colours = np.array([1], dtype=np.int64)
    brightness = graph.node("ReduceMean", padded, over_colours, keepdims=1)
    power = graph.node("ReduceMean", graph.node("Mul", padded, padded), over_colours, keepdims=1)
    mean, square = (
        graph.node("AveragePool", part, kernel_shape=[PATCH, PATCH], strides=[1, 1])
        for part in (brightness, power)
    )
    variance = graph.node("Relu", graph.node("Sub", square, graph.node("Mul", mean, mean)))
    spread = graph.node("Sqrt", graph.node("Add", variance, np.float32(EVENNESS)))
    sums = fixed.sum(axis=(1, 2, 3)).reshape(1, -1, 1, 1).astype(np.float32)
    found = graph.node("Conv", padded, fixed)
    return graph.node("Div", graph.node("Sub", found, graph.node("Mul", mean, sums)), spread)


Encoder = Callable[[Graph, Name, Weights, Recipe], Name]
ENCODERS: Mapping[str, Encoder] = {"compact": _compact, "residual": _residual, "whitened": _whitened}
