"""A column of cells -> a column of pictures of one size, a few cells in memory at a time."""

from __future__ import annotations

import os
import statistics
import warnings
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from fathometer.core.attachments import Attachment
from fathometer.core.pictures import Picture, PictureArray, Pixels, blank_pixels, digest_of
from fathometer.kind import Reading
from fathometer.kinds.image.decoding import Frame, Look, NoPictureError, look_at, pixels_of

SAMPLED = 200
KEPT_UP_TO = 64  # pictures all of one size up to this side are kept as they are
SIDES = (32, 48, 64, 96, 128)
MOST_BYTES = 2_000_000_000  # of a column's pixels
AT_ONCE = 256  # cells decoded before the next are begun
THREADS = min(4, os.cpu_count() or 1)
USUAL = Frame(32, 32, 3)  # of a column without a single picture


def sampled(cells: pd.Series, most: int) -> list[Any]:
    """At most so many present cells, evenly spread; a column that is mostly missing is searched through."""
    places = np.unique(np.linspace(0, max(len(cells) - 1, 0), min(most, len(cells))).astype(np.intp))
    some = cells.iloc[places]
    present = np.asarray(some.notna(), dtype=bool)
    if present.sum() * 2 < len(some) and len(cells) > most:
        some = cells[cells.notna()]
        places = np.unique(np.linspace(0, max(len(some) - 1, 0), min(most, len(some))).astype(np.intp))
        return list(some.iloc[places])
    return list(some[present])


def learned_frame(cells: pd.Series) -> Frame:
    """Size, channels and range that suit these cells, from a sample of them."""
    if isinstance(cells.array, PictureArray):
        return Frame(*cells.array.shape_of_one) if len(cells.array.pixels) else USUAL
    with quiet():
        looks = [look for look in map(_glance, sampled(cells, SAMPLED)) if look is not None]
    if not looks:
        return USUAL
    channels = 1 if all(look.is_grey for look in looks) else 3
    height, width = _size(looks, len(cells), channels)
    tops = [look.bytes_high for look in looks if look.bytes_high is not None]
    ranges = [look.numbers for look in looks if look.numbers is not None]
    return Frame(height, width, channels, _range(ranges), 1 if tops and max(tops) <= 1 else 255)


def as_reading(frame: Frame) -> Reading:
    """The frame as plain data."""
    reading: Reading = {"height": frame.height, "width": frame.width, "channels": frame.channels}
    # only where it is not the usual one: most columns are files
    if frame.floats != USUAL.floats:
        reading["floats"] = list(frame.floats)
    if frame.top != USUAL.top:
        reading["top"] = frame.top
    return reading


def as_frame(reading: Reading) -> Frame:
    """The frame that gave this reading."""
    low, high = reading.get("floats", USUAL.floats)
    return Frame(
        int(reading["height"]),
        int(reading["width"]),
        int(reading["channels"]),
        (float(low), float(high)),
        int(reading.get("top", USUAL.top)),
    )


def read_column(cells: pd.Series, frame: Frame) -> PictureArray:
    """Every cell's picture in this frame; missing where there is none."""
    if isinstance(cells.array, PictureArray):
        array = cells.array
        if array.shape_of_one == frame.shape:
            return array.copy()
        if not len(array.pixels):
            return PictureArray(*_nothing(frame), np.full(len(array), -1, dtype=np.int64))
        distinct, codes = np.unique(np.maximum(array.places, 0), return_inverse=True)
        kept = _filled((_resized(array.pixels[place], frame) for place in distinct), len(distinct), frame)
        pixels, digests, places = kept
        return PictureArray(pixels, digests, np.where(array.places < 0, -1, places[codes.reshape(-1)]))
    objects = list(cells) if cells.dtype == object else []
    if not objects:
        return PictureArray(*_nothing(frame), np.full(len(cells), -1, dtype=np.int64))
    return _read_objects(objects, frame)


def _nothing(frame: Frame) -> tuple[Pixels, npt.NDArray[np.uint64]]:
    return np.zeros((0, *frame.shape), dtype=np.uint8), np.zeros(0, dtype=np.uint64)


def _read_objects(cells: Sequence[Any], frame: Frame) -> PictureArray:
    """Each different cell is read once; equal pictures are kept once."""
    first: dict[object, int] = {}
    codes = np.empty(len(cells), dtype=np.int64)
    distinct: list[Any] = []
    for place, cell in enumerate(cells):
        key: object = cell if isinstance(cell, Attachment) else id(cell)
        code = first.setdefault(key, len(distinct))
        codes[place] = code
        if code == len(distinct):
            distinct.append(cell)
    with quiet(), ThreadPoolExecutor(THREADS) as pool:
        pixels, digests, places = _filled(_decoded(distinct, frame, pool), len(distinct), frame)
    return PictureArray(pixels, digests, places[codes])


def _filled(
    pictures: Iterable[Pixels | None], count: int, frame: Frame
) -> tuple[Pixels, npt.NDArray[np.uint64], npt.NDArray[np.int64]]:
    """(pixels, digests, places): the pictures put one after another, each different one once."""
    pixels: Pixels | None = None
    places = np.full(count, -1, dtype=np.int64)
    seen: dict[int, int] = {}
    for number, picture in enumerate(pictures):
        if picture is None:
            continue
        if pixels is None:  # a column of anything else needs no room
            pixels = blank_pixels(count - number, frame.shape)
        digest = digest_of(picture)
        if digest not in seen:
            pixels[len(seen)] = picture
            seen[digest] = len(seen)
        places[number] = seen[digest]
    if pixels is None:
        return *_nothing(frame), places
    return pixels[: len(seen)], np.array(list(seen), dtype=np.uint64), places


def _decoded(cells: Sequence[Any], frame: Frame, pool: ThreadPoolExecutor) -> Iterator[Pixels | None]:
    """One after another, in order; files on several threads, for pillow lets others work while it decodes."""

    def decode(cell: Any) -> Pixels | None:
        return _or_missing(cell, frame)

    for start in range(0, len(cells), AT_ONCE):
        some = cells[start : start + AT_ONCE]
        # an image of pillow may share its open file with another cell, and arrays gain nothing from threads
        aside = all(isinstance(cell, Attachment | bytes | dict) for cell in some)
        yield from pool.map(decode, some) if aside else map(decode, some)


def _or_missing(cell: Any, frame: Frame) -> Pixels | None:
    try:
        return pixels_of(cell, frame)
    except NoPictureError:
        return None


def _resized(pixels: Pixels, frame: Frame) -> Pixels | None:
    return _or_missing(Picture(pixels, 0), frame)


def _glance(cell: Any) -> Look | None:
    try:
        return look_at(cell)
    except NoPictureError:
        return None


def _size(looks: list[Look], rows: int, channels: int) -> tuple[int, int]:
    """(height, width) for pictures of these sizes."""
    sizes = {(look.height, look.width) for look in looks}
    if len(sizes) == 1 and max(next(iter(sizes))) <= KEPT_UP_TO:
        return next(iter(sizes))
    usual = statistics.median(min(look.height, look.width) for look in looks)
    fitting = [
        side for side in SIDES[1:] if side <= usual and rows * side * side * channels <= MOST_BYTES
    ] or [SIDES[0]]
    return fitting[-1], fitting[-1]


def _range(found: list[tuple[float, float]]) -> tuple[float, float]:
    """What is black and what is white in arrays of numbers of these ranges."""
    if not found:
        return USUAL.floats
    low, high = min(pair[0] for pair in found), max(pair[1] for pair in found)
    if low >= 0:
        # 0 to 1 and 0 to 255 are customs; anything else (16 shades, 12 bits) is taken at its own brightest
        return (0.0, 1.0) if high <= 1 else (0.0, 255.0) if 64 < high <= 255 else (0.0, high)
    return (-1.0, 1.0) if low >= -1 and high <= 1 else (low, high)


@contextmanager
def quiet() -> Iterator[None]:
    """Pillow warns of odd files on the terminal; the reason stands in `complaint` instead."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
