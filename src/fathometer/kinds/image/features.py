"""Engineered features of pictures for classical learners: edges, texture, colours and a thumbnail.

A picture's numbers depend on that picture alone; nothing but its size is learned.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from fathometer.core.files import State
from fathometer.core.pictures import Pixels, as_pictures
from fathometer.core.states import demand, table, text, wholes
from fathometer.kind import Features, Featurizer
from fathometer.kinds._cells import column_name
from fathometer.kinds.image.colours import ColourGrid
from fathometer.kinds.image.edges import EdgeGrid
from fathometer.kinds.image.grids import Floats, grey_of, reduced
from fathometer.kinds.image.texture import pattern_names, patterns

MOST_PIXELS = 1 << 14  # along a side
SIDE = 64  # larger pictures are reduced to about this
THUMB = 8
CHUNK_BYTES = 1 << 20  # of pixels at a time: what is made of them is some fifty times as large


@dataclass(frozen=True)
class Part:
    """A run of numbers with one unit: what they are called, and how pixels (0 to 255) become them."""

    names: list[str]
    make: Callable[[Floats], Floats]


@dataclass(frozen=True, eq=False)
class PictureFeaturizer(Featurizer):
    """Features of pictures of one size.

    shape: (height, width, channels) of the pictures.
    """

    name: str
    shape: tuple[int, int, int]
    size: tuple[int, int] = field(init=False)
    parts: tuple[Part, ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        height, width, channels = self.shape
        size = min(height, SIDE), min(width, SIDE)
        object.__setattr__(self, "size", size)
        object.__setattr__(self, "parts", parts_for(*size, channels))

    @classmethod
    def of(cls, values: pd.Series) -> PictureFeaturizer:
        """For a column's pictures."""
        return cls(column_name(values), as_pictures(values).shape_of_one)

    def transform(self, values: pd.Series) -> Features:
        pictures = as_pictures(values)
        names = tuple(f"{self.name}: {name}" for part in self.parts for name in part.names)
        numbers = np.full((len(pictures), len(names)), np.nan, dtype=np.float32)
        absent = pictures.isna()
        if not absent.all() and pictures.shape_of_one == self.shape:
            for rows, pixels in pictures.chunks(CHUNK_BYTES):
                numbers[rows] = self._numbers(pixels)
            numbers[absent] = np.nan
        stops = np.cumsum([len(part.names) for part in self.parts]).tolist()
        common = tuple(zip([0, *stops], stops, strict=False))
        return Features(numbers, np.zeros((len(pictures), 0), dtype=np.int32), names, (), (), common)

    def state(self) -> State:
        return {"name": self.name, "shape": list(self.shape)}

    @classmethod
    def from_state(cls, state: State) -> PictureFeaturizer:
        """The featurizer that gave this state."""
        table(state, "a picture's features", ("name", "shape"))
        height, width, channels = wholes(state["shape"], "shape", 1, MOST_PIXELS, count=3)
        demand(channels in (1, 3), "a picture should be grey or in colour")
        return cls(text(state["name"], "name"), (height, width, channels))

    def _numbers(self, pixels: Pixels) -> Floats:
        small = reduced(pixels, self.size)
        return np.concatenate([part.make(small) for part in self.parts], axis=1)


def parts_for(height: int, width: int, channels: int) -> tuple[Part, ...]:
    """The parts for pictures of this size; a picture of a few pixels is its thumbnail alone."""
    thumb = Part(_thumb_names(height, width, channels), _thumbs)
    if min(height, width) < 3:
        return (thumb,)
    edges = EdgeGrid.over(height, width)
    texture = Part(pattern_names(), lambda pixels: patterns(grey_of(pixels)))
    made = [Part(edges.names(), edges.histograms), thumb, texture]
    if channels == 3:
        colours = ColourGrid.over(height, width)
        made += [Part(colours.share_names(), colours.shares), Part(colours.region_names(), colours.regions)]
    return tuple(made)


def _thumb_names(height: int, width: int, channels: int) -> list[str]:
    told = ("brightness",) if channels == 1 else ("red", "green", "blue")
    down, across = min(height, THUMB), min(width, THUMB)
    return [f"{what} at {i + 1},{j + 1}" for i in range(down) for j in range(across) for what in told]


def _thumbs(pixels: Floats) -> Floats:
    """(pictures, numbers) the picture as a few pixels, 0 to 1."""
    shape = min(pixels.shape[1], THUMB), min(pixels.shape[2], THUMB)
    return reduced(pixels, shape).reshape(len(pixels), -1) / np.float32(255)
