"""Tensors of the Open Inference Protocol as JSON and as raw bytes, there and back.

A tensor says its shape before its data, so the shape is never believed: the data must be as long as it says, and no
more room is taken than the data already have. Numbers are little-endian and row by row; a text in raw bytes is a
4-byte length and then its bytes.
"""

from __future__ import annotations

import itertools
import math
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fathometer.serve.question import RefusedError

BYTES = "BYTES"
DTYPES: Mapping[str, np.dtype[Any]] = {
    "BOOL": np.dtype("?"),
    "UINT8": np.dtype("u1"),
    "UINT16": np.dtype("<u2"),
    "UINT32": np.dtype("<u4"),
    "UINT64": np.dtype("<u8"),
    "INT8": np.dtype("i1"),
    "INT16": np.dtype("<i2"),
    "INT32": np.dtype("<i4"),
    "INT64": np.dtype("<i8"),
    "FP16": np.dtype("<f2"),
    "FP32": np.dtype("<f4"),
    "FP64": np.dtype("<f8"),
}
DATATYPES = (*DTYPES, BYTES)
MOST_AXES = 8
LONGEST_AXIS = 2**31 - 1
LENGTH = struct.Struct("<I")

Element = str | bytes | None


@dataclass(frozen=True)
class Tensor:
    """A named array.

    numbers: (elements,) row by row, of the datatype's dtype; None for BYTES. texts: (elements,) of BYTES, None where
    missing; empty for numbers. missing: (elements,) which numbers are missing where the datatype has no NaN for it.
    """

    name: str
    datatype: str
    shape: tuple[int, ...]
    numbers: npt.NDArray[Any] | None = None
    texts: tuple[Element, ...] = ()
    missing: npt.NDArray[np.bool_] | None = None

    @property
    def elements(self) -> int:
        """How many there are."""
        return len(self.texts) if self.numbers is None else len(self.numbers)

    def cells(self) -> npt.NDArray[Any] | list[Any]:
        """(elements,) what a table holds: an array of numbers, or a list with None where one is missing."""
        if self.numbers is None:
            return list(self.texts)
        if self.missing is None:
            return self.numbers
        return [
            None if absent else number
            for number, absent in zip(self.numbers.tolist(), self.missing.tolist(), strict=True)
        ]

    def without(self, places: Sequence[int]) -> Tensor:
        """The tensor with the elements at these places missing.

        Raises:
            RefusedError: there is no such place.
        """
        if any(not 0 <= place < self.elements for place in places):
            raise RefusedError(
                400,
                f"The null_index of {self.name!r} names an element that is not there; there are {self.elements:,}.",
            )
        if self.numbers is None:
            absent = set(places)
            texts = tuple(None if place in absent else text for place, text in enumerate(self.texts))
            return Tensor(self.name, self.datatype, self.shape, None, texts)
        mask = np.zeros(self.elements, dtype=bool) if self.missing is None else self.missing.copy()
        mask[list(places)] = True
        return Tensor(self.name, self.datatype, self.shape, self.numbers, (), mask)

    def null_index(self) -> str:
        """The places of missing texts, as `null_index` says them; empty where none is missing."""
        return ",".join(str(place) for place, text in enumerate(self.texts) if text is None)


def checked_shape(name: str, datatype: Any, shape: Any) -> tuple[int, ...]:
    """The shape, if datatype and shape are ones that can be.

    Raises:
        RefusedError: an unknown datatype; a shape that is no list of whole numbers from 0.
    """
    if not isinstance(datatype, str) or datatype not in DATATYPES:
        raise RefusedError(
            400,
            f"Expected {name!r} to have one of the datatypes {', '.join(DATATYPES)}, got {_shown(datatype)}.",
        )
    if (
        not isinstance(shape, list)
        or not 1 <= len(shape) <= MOST_AXES
        or not all(type(size) is int and 0 <= size <= LONGEST_AXIS for size in shape)
    ):
        raise RefusedError(
            400,
            f"Expected the shape of {name!r} as a list of 1 to {MOST_AXES} whole numbers, got {_shown(shape)}.",
        )
    return tuple(shape)


def from_json(name: str, datatype: str, shape: tuple[int, ...], data: Any) -> Tensor:
    """A tensor of JSON values, nested as the shape says or flat; null is missing.

    Raises:
        RefusedError: not as many as the shape says, or a value that the datatype does not hold.
    """
    values = _flattened(name, shape, data)
    types = set(map(type, values))
    if datatype == BYTES:
        _demand_types(name, datatype, types, {str}, "texts")
        return Tensor(name, datatype, shape, None, tuple(values))
    if datatype == "BOOL":
        _demand_types(name, datatype, types, {bool}, "true and false")
    elif datatype.startswith("FP"):
        _demand_types(name, datatype, types, {int, float}, "numbers")
        return Tensor(name, datatype, shape, _floats(name, datatype, values))
    else:
        _demand_types(name, datatype, types, {int}, "whole numbers")
    absent = [value is None for value in values] if type(None) in types else None
    try:
        numbers = np.array([value or 0 for value in values], dtype=DTYPES[datatype])
    except OverflowError as error:
        raise RefusedError(400, f"A number in {name!r} is too large for {datatype}.") from error
    return Tensor(
        name, datatype, shape, numbers, (), None if absent is None else np.array(absent, dtype=bool)
    )


def from_bytes(name: str, datatype: str, shape: tuple[int, ...], raw: bytes | memoryview) -> Tensor:
    """A tensor of raw bytes; the numbers are a copy.

    Raises:
        RefusedError: not as many bytes as the shape says, or a truth value that is neither 0 nor 1.
    """
    elements = math.prod(shape)
    if datatype == BYTES:
        return Tensor(name, datatype, shape, None, _split_texts(name, elements, memoryview(raw)))
    wanted = elements * DTYPES[datatype].itemsize
    if len(raw) != wanted:
        raise RefusedError(
            400,
            f"Expected {wanted:,} bytes for {name!r} ({datatype} of shape {list(shape)}), got {len(raw):,}.",
        )
    if datatype == "BOOL":
        whole = np.frombuffer(raw, dtype=np.uint8)
        if (whole > 1).any():
            raise RefusedError(400, f"Expected every byte of {name!r} to be 0 or 1, as BOOL is written.")
        return Tensor(name, datatype, shape, whole.astype(bool))
    return Tensor(name, datatype, shape, np.frombuffer(raw, dtype=DTYPES[datatype]).copy())


def to_json(tensor: Tensor) -> list[Any]:
    """(elements,) JSON values row by row; what is missing, NaN or infinite is null. Bytes must be UTF-8.

    Raises:
        UnicodeDecodeError: they are not.
    """
    if tensor.numbers is None:
        return [text.decode() if isinstance(text, bytes) else text for text in tensor.texts]
    values: list[Any] = tensor.numbers.tolist()
    absent = tensor.missing
    if absent is None and tensor.numbers.dtype.kind == "f" and not np.isfinite(tensor.numbers).all():
        absent = ~np.isfinite(tensor.numbers)
    if absent is None:
        return values
    return [None if gone else value for value, gone in zip(values, absent.tolist(), strict=True)]


def to_bytes(tensor: Tensor) -> bytes:
    """Raw bytes; a missing text is an empty one (see `Tensor.null_index`)."""
    if tensor.numbers is not None:
        return tensor.numbers.astype(DTYPES[tensor.datatype], copy=False).tobytes()
    parts = []
    for text in tensor.texts:
        raw = text.encode() if isinstance(text, str) else text or b""
        parts += [LENGTH.pack(len(raw)), raw]
    return b"".join(parts)


def _flattened(name: str, shape: tuple[int, ...], data: Any) -> list[Any]:
    if not isinstance(data, list):
        raise RefusedError(400, f"Expected the data of {name!r} as a list, got {_shown(data)}.")
    flat = data
    if len(shape) > 1 and data and isinstance(data[0], list):
        for axis in range(1, len(shape)):
            width = shape[axis]
            # so much is known before: how many lists there are, and that they are lists
            if len(flat) != math.prod(shape[:axis]) or not all(
                isinstance(part, list) and len(part) == width for part in flat
            ):
                raise RefusedError(
                    400, f"The data of {name!r} are not nested as its shape {list(shape)} says."
                )
            flat = list(itertools.chain.from_iterable(flat))
    if len(flat) != math.prod(shape):
        raise RefusedError(
            400,
            f"Expected {math.prod(shape):,} values for {name!r} of shape {list(shape)}, got {len(flat):,}.",
        )
    return flat


def _demand_types(name: str, datatype: str, types: set[type], wanted: set[type], what: str) -> None:
    odd = types - wanted - {type(None)}
    if odd:
        shown = ", ".join(sorted(kind.__name__ for kind in odd))
        raise RefusedError(400, f"Expected {what} in {name!r}, which is {datatype}, got {shown}.")


def _floats(name: str, datatype: str, values: list[Any]) -> npt.NDArray[Any]:
    try:
        exact = np.array([math.nan if value is None else value for value in values], dtype=np.float64)
    except OverflowError as error:
        raise RefusedError(400, f"A number in {name!r} is too large for {datatype}.") from error
    with np.errstate(over="ignore", under="ignore"):
        numbers = exact.astype(DTYPES[datatype])
    if (np.isinf(numbers) & np.isfinite(exact)).any():
        raise RefusedError(400, f"A number in {name!r} is too large for {datatype}.")
    return numbers


def _split_texts(name: str, elements: int, raw: memoryview) -> tuple[bytes, ...]:
    torn = f"Expected {elements:,} texts in {name!r}, each as 4 bytes of length and its bytes."
    if elements * LENGTH.size > len(raw):
        raise RefusedError(400, torn)
    texts = []
    place = 0
    for _ in range(elements):
        if place + LENGTH.size > len(raw):
            raise RefusedError(400, torn)
        (length,) = LENGTH.unpack_from(raw, place)
        place += LENGTH.size
        if length > len(raw) - place:
            raise RefusedError(400, torn)
        texts.append(bytes(raw[place : place + length]))
        place += length
    if place != len(raw):
        raise RefusedError(400, torn)
    return tuple(texts)


def _shown(value: Any) -> str:
    return repr(value)[:60] if isinstance(value, str | int | float) else f"a {type(value).__name__}"
