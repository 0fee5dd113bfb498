"""A column of pictures: one array of pixels of one size, kept in memory or on disk, and which row shows which.

A column may hold more pictures than fit into the memory. So its pixels may lie in a file that is mapped, taking rows
copies places only, and whoever needs pixels asks for a few rows at a time.
"""

from __future__ import annotations

import builtins
import hashlib
import os
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pandas as pd
from pandas.api.extensions import ExtensionArray, ExtensionDtype

Pixels = npt.NDArray[np.uint8]

IN_MEMORY = 1 << 29
"""Bytes of pixels up to which a new column is kept in memory; beyond that in a temporary file."""
CHUNK_BYTES = 1 << 26
NO_DIGEST = np.uint64(0)  # of a missing picture


@dataclass(frozen=True, eq=False)
class Picture:
    """One cell: (height, width, channels) pixels, and the digest by which equal ones are known."""

    pixels: Pixels
    digest: int

    @classmethod
    def of(cls, pixels: Pixels) -> Picture:
        """A picture of these pixels."""
        return cls(pixels, digest_of(pixels))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Picture) and (self.digest, self.pixels.shape) == (
            other.digest,
            other.pixels.shape,
        )

    def __hash__(self) -> int:
        return hash(self.digest)

    def __repr__(self) -> str:
        height, width, channels = self.pixels.shape
        return f"<picture {width} x {height} x {channels} {self.digest:016x}>"


def digest_of(pixels: Pixels) -> int:
    """64 bits of a picture's content (BLAKE2); never 0, which stands for a missing one."""
    raw = hashlib.blake2b(np.ascontiguousarray(pixels).data, digest_size=8).digest()
    return int.from_bytes(raw, "big") or 1


class PictureDtype(ExtensionDtype):
    """The type of a column of pictures."""

    name = "picture"
    na_value = None

    @property
    def type(self) -> builtins.type[Picture]:  # type: ignore[override]
        return Picture

    @classmethod
    def construct_array_type(cls) -> builtins.type[PictureArray]:
        return PictureArray

    @classmethod
    def construct_from_string(cls, string: str) -> PictureDtype:
        if string != cls.name:
            raise TypeError(f"{string!r} is not the type of a column of pictures")
        return cls()


class PictureArray(ExtensionArray):
    """Pictures of one size.

    pixels: (pictures, height, width, channels), perhaps mapped from a file; never changed.
    digests: (pictures,) of each.
    places: (rows,) which picture each row shows; -1: none.
    """

    def __init__(
        self, pixels: Pixels, digests: npt.NDArray[np.uint64], places: npt.NDArray[np.int64]
    ) -> None:
        self.pixels = pixels
        self._digests = digests
        self.places = places

    # What makes it a column of pandas.

    @classmethod
    def _from_sequence(cls, scalars: Sequence[Any], *, dtype: Any = None, copy: bool = False) -> Self:
        if isinstance(scalars, PictureArray):
            return cls(scalars.pixels, scalars._digests, scalars.places.copy())
        known = [item for item in scalars if isinstance(item, Picture)]
        shape = known[0].pixels.shape if known else (1, 1, 1)
        pixels = np.stack([item.pixels for item in known]) if known else np.zeros((0, *shape), dtype=np.uint8)
        digests = np.array([item.digest for item in known], dtype=np.uint64)
        is_known = np.array([isinstance(item, Picture) for item in scalars], dtype=bool)
        return cls(pixels, digests, np.where(is_known, np.cumsum(is_known) - 1, -1).astype(np.int64))

    @classmethod
    def _from_factorized(cls, values: npt.NDArray[np.int64], original: PictureArray) -> Self:
        return cls(original.pixels, original._digests, np.asarray(values, dtype=np.int64))

    def _values_for_factorize(self) -> tuple[npt.NDArray[np.int64], Any]:
        _, first, same = np.unique(self._digests, return_index=True, return_inverse=True)
        one = np.append(first[same], -1).astype(np.int64)  # of equal pictures the first stands for all
        return one[self.places], -1

    def _hash_pandas_object(
        self, *, encoding: str, hash_key: str, categorize: bool
    ) -> npt.NDArray[np.uint64]:
        return self.digests()

    def __getitem__(self, item: Any) -> Any:
        if isinstance(item, int | np.integer):
            place = int(self.places[item])
            return None if place < 0 else Picture(np.asarray(self.pixels[place]), int(self._digests[place]))
        item = pd.api.indexers.check_array_indexer(self, item)
        return type(self)(self.pixels, self._digests, self.places[item])

    def __setitem__(self, key: Any, value: Any) -> None:
        key = pd.api.indexers.check_array_indexer(self, key)
        if isinstance(value, PictureArray) and value.pixels is self.pixels:
            self.places[key] = value.places
        elif value is None or (pd.api.types.is_scalar(value) and pd.isna(value)):
            self.places[key] = -1
        else:
            raise TypeError("only a missing value, or pictures of the same column, can be put into one")

    def __len__(self) -> int:
        return len(self.places)

    def __eq__(self, other: object) -> Any:
        if isinstance(other, Picture):
            return self.digests() == np.uint64(other.digest)
        if isinstance(other, PictureArray) and len(other) == len(self):
            return (self.digests() == other.digests()) & ~self.isna()
        return np.zeros(len(self), dtype=bool)

    @property
    def dtype(self) -> PictureDtype:
        return PictureDtype()

    @property
    def nbytes(self) -> int:
        return int(self.places.nbytes + self._digests.nbytes)

    def isna(self) -> npt.NDArray[np.bool_]:
        missing: npt.NDArray[np.bool_] = self.places < 0
        return missing

    def take(self, indices: Any, *, allow_fill: bool = False, fill_value: Any = None) -> Self:
        index = np.asarray(indices, dtype=np.intp)
        if not allow_fill:
            return type(self)(self.pixels, self._digests, self.places.take(index))
        if (index < -1).any():
            raise ValueError("a place to take from is -1 or larger")
        padded = np.append(self.places, -1)
        if (index >= len(self)).any():
            raise IndexError("a place to take from lies beyond the column")
        return type(self)(self.pixels, self._digests, padded[index])

    def copy(self) -> Self:
        return type(self)(self.pixels, self._digests, self.places.copy())

    @classmethod
    def _concat_same_type(cls, to_concat: Sequence[Self]) -> Self:
        one = to_concat[0]
        if all(part.pixels is one.pixels for part in to_concat):
            return cls(one.pixels, one._digests, np.concatenate([part.places for part in to_concat]))
        filled = [part for part in to_concat if len(part.pixels)] or list(to_concat[:1])
        starts = dict(zip(map(id, filled), np.cumsum([0] + [len(p.pixels) for p in filled]), strict=False))
        places = [np.where(part.places < 0, -1, part.places + starts.get(id(part), 0)) for part in to_concat]
        return cls(
            np.concatenate([part.pixels for part in filled]),
            np.concatenate([part._digests for part in filled]),
            np.concatenate(places).astype(np.int64),
        )

    # What is asked of a column of pictures.

    @property
    def shape_of_one(self) -> tuple[int, int, int]:
        """(height, width, channels) of every picture."""
        _, height, width, channels = self.pixels.shape
        return int(height), int(width), int(channels)

    def digests(self) -> npt.NDArray[np.uint64]:
        """(rows,) of each row's picture; 0 where there is none."""
        return np.append(self._digests, NO_DIGEST)[self.places]

    def chunks(self, most_bytes: int = CHUNK_BYTES) -> Iterator[tuple[slice, Pixels]]:
        """Some rows at a time: (rows, pixels (rows, height, width, channels)); a missing picture is black."""
        size = max(1, int(np.prod(self.shape_of_one)))
        step = max(1, most_bytes // size)
        for start in range(0, len(self), step):
            rows = slice(start, min(start + step, len(self)))
            yield rows, self.shown(rows)

    def shown(self, rows: slice | npt.NDArray[np.intp]) -> Pixels:
        """(rows, height, width, channels) pixels of these rows; a missing picture is black."""
        places = self.places[rows]
        if not len(self.pixels):
            return np.zeros((len(places), *self.shape_of_one), dtype=np.uint8)
        # one run of neighbours is read as one piece; the mapped file is then read in its order
        pixels = np.asarray(self.pixels[np.maximum(places, 0)])
        if (places < 0).any():
            pixels[places < 0] = 0
        return pixels


def blank_pixels(count: int, shape: tuple[int, int, int]) -> Pixels:
    """(count, *shape) pixels to be filled; in a temporary file that is gone with the array where they are many.

    Raises:
        OSError: the disk has no room for them.
    """
    size = count * int(np.prod(shape))
    if size <= IN_MEMORY:
        return np.zeros((count, *shape), dtype=np.uint8)
    with tempfile.TemporaryFile(prefix="fathometer-") as stream:
        # room is claimed now: a mapped file on a full disk ends the process when it is written to
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(stream.fileno(), 0, size)
        else:
            stream.truncate(size)
        return np.memmap(stream, dtype=np.uint8, mode="r+", shape=(count, *shape))


def write_pictures(folder: Path, name: str, column: PictureArray) -> None:
    """Write a column as `name.npy` (the pixels that are shown) and `name.places.npy`, `name.digests.npy`."""
    shown = np.unique(column.places[column.places >= 0])
    new = np.full(len(column.pixels) + 1, -1, dtype=np.int64)
    new[shown] = np.arange(len(shown))
    np.save(folder / f"{name}.places.npy", new[column.places], allow_pickle=False)
    np.save(folder / f"{name}.digests.npy", column._digests[shown], allow_pickle=False)
    shape = (len(shown), *column.shape_of_one)
    with (folder / f"{name}.npy").open("wb") as stream:
        header = {
            "descr": np.lib.format.dtype_to_descr(np.dtype(np.uint8)),
            "fortran_order": False,
            "shape": shape,
        }
        np.lib.format.write_array_header_1_0(stream, header)
        step = max(1, CHUNK_BYTES // max(1, int(np.prod(column.shape_of_one))))
        for start in range(0, len(shown), step):
            stream.write(np.ascontiguousarray(column.pixels[shown[start : start + step]]).tobytes())


def read_pictures(folder: Path, name: str) -> PictureArray:
    """The column that was written; its pixels are mapped, not read."""
    path = folder / f"{name}.npy"
    places = np.load(folder / f"{name}.places.npy", allow_pickle=False)
    digests = np.load(folder / f"{name}.digests.npy", allow_pickle=False)
    # an empty file cannot be mapped
    pixels = np.load(path, mmap_mode="r" if len(digests) else None, allow_pickle=False)
    return PictureArray(pixels, digests, places)


def as_pictures(values: pd.Series) -> PictureArray:
    """The column itself; raises TypeError for a column of anything else."""
    if not isinstance(values.array, PictureArray):
        raise TypeError(f"expected a column of pictures, got {values.dtype}")
    return values.array
