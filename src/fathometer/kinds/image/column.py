"""Picture: a cell is a file's, a program's or an array's grid of pixels; all of a column get one size."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pandas as pd

from fathometer.core.files import State
from fathometer.core.pictures import PictureDtype, as_pictures
from fathometer.kind import Kind, Reading
from fathometer.kinds.image.decoding import NoPictureError, claimed_pixels, may_be_picture, pixels_of
from fathometer.kinds.image.features import PictureFeaturizer
from fathometer.kinds.image.likeness import near_duplicates
from fathometer.kinds.image.reading import (
    USUAL,
    as_frame,
    as_reading,
    learned_frame,
    quiet,
    read_column,
    sampled,
)
from fathometer.kinds.image.seen import disturbed_pictures, plain_pixels, seen_facts
from fathometer.kinds.image.toys import toy_pictures

GLANCED = 60  # cells looked at for a guess
LARGEST_SIDE = 1024  # of what pictures are read as; several times what is ever learned


class Image(Kind):
    """Cells that are pictures; values are a column of pictures of one size, missing stays missing."""

    name: ClassVar[str] = "image"
    unstructured: ClassVar[bool] = True

    def guess(self, cells: pd.Series) -> float:
        """High where nearly all cells are files with a picture's name, or pictures themselves."""
        if isinstance(cells.dtype, PictureDtype):
            return 0.99
        if cells.dtype != object:
            return 0.0
        some = sampled(cells, GLANCED)
        share = sum(map(_is_picture, some)) / max(len(some), 1)
        return round(0.99 * share, 4) if share > 0.5 else 0.0

    def learn_reading(self, cells: pd.Series) -> Reading:
        """Size and channels, from a sample."""
        return as_reading(learned_frame(cells))

    def read(self, cells: pd.Series, reading: Reading) -> pd.Series:
        """Pictures of the size in the reading; files are decoded a few at a time."""
        return pd.Series(read_column(cells, as_frame(reading)), index=cells.index, name=cells.name)

    def fault_of_reading(self, reading: Mapping[str, Any]) -> str:
        sizes = [reading.get(side) for side in ("height", "width")]
        if not all(type(size) is int and 0 < size <= LARGEST_SIDE for size in sizes):
            return f"its height and width are not from 1 to {LARGEST_SIDE:,}"
        if type(reading.get("channels")) is not int or reading["channels"] not in (1, 3):
            return "its channels are neither 1 nor 3"
        floats, top = reading.get("floats", list(USUAL.floats)), reading.get("top", USUAL.top)
        numbers = [*floats, top] if isinstance(floats, list) and len(floats) == 2 else []
        if not numbers or not all(type(one) in (int, float) for one in numbers):
            return "what is black and what is white are no numbers"
        return "" if floats[0] < floats[1] and top > 0 else "what is black is no darker than what is white"

    def describe(self, reading: Reading) -> str:
        frame = as_frame(reading)
        return f"read as {frame.width} x {frame.height} {'grey' if frame.channels == 1 else 'colour'}"

    def summary(self, values: pd.Series) -> dict[str, Any]:
        """How many, and of what size."""
        pictures = as_pictures(values)
        height, width, channels = pictures.shape_of_one
        absent = pictures.isna()
        return {
            "rows": len(values),
            "missing": int(absent.sum()),
            "distinct": len(np.unique(pictures.digests()[~absent])),
            "height": height,
            "width": width,
            "channels": channels,
        }

    def fit_features(self, values: pd.Series) -> PictureFeaturizer:
        return PictureFeaturizer.of(values)

    def load_features(self, state: State) -> PictureFeaturizer:
        return PictureFeaturizer.from_state(state)

    def alike(self, values: pd.Series) -> npt.NDArray[np.int64]:
        return near_duplicates(as_pictures(values))

    def complaint(self, cell: Any) -> str:
        try:
            with quiet():
                pixels_of(cell, USUAL)
        except NoPictureError as error:
            return "" if cell is None or (isinstance(cell, float) and np.isnan(cell)) else str(error)
        return ""

    def claimed(self, cells: pd.Series) -> int:
        """Pixels that the files' headers tell of."""
        with quiet():
            return sum(map(claimed_pixels, cells))

    def disturbed(self, values: pd.Series, size: float, rng: np.random.Generator) -> pd.Series | None:
        pictures = disturbed_pictures(as_pictures(values), size, rng)
        return pd.Series(pictures, index=values.index, name=values.name)

    def facts(self, values: pd.Series) -> Mapping[str, npt.NDArray[np.float64]]:
        return seen_facts(as_pictures(values))

    def plain(self, values: pd.Series) -> Mapping[str, npt.NDArray[np.float64]] | None:
        return plain_pixels(as_pictures(values))

    def toy(self, signal: npt.NDArray[np.float64], rng: np.random.Generator) -> pd.Series:
        return pd.Series(toy_pictures(signal, rng), dtype=object, name="photo")


def _is_picture(cell: Any) -> bool:
    try:
        return may_be_picture(cell)
    except NoPictureError:
        return False
