"""What reading in parts gives: some rows of a table, and their numbers in the source."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pandas as pd

from fathometer.data.streaming.row_bytes import SMALL, row_bytes
from fathometer.errors import UnreadableData

PART_BYTES = 1 << 25
"""Of the text that is made one part of a table, where its rows are taken one by one."""

PORTION_BYTES = 1 << 28
"""Of the long cells of rows that are answered at a time."""


@dataclass(frozen=True)
class Part:
    """Some rows of a table.

    numbers: (rows,) of each row as a person counts them in the source: the first below the header is 1, and rows that
        were left out as broken, blank or empty count too.
    names: (rows,) the file each row is, where rows are files.
    """

    frame: pd.DataFrame
    numbers: npt.NDArray[np.int64]
    names: tuple[str, ...] | None = None


@dataclass
class Stream:
    """A table that is read once, from its beginning to its end.

    parts: at least one, be it without rows; all have the same columns.
    notes: what was decided or repaired; complete when the last part was taken.
    origin: for people. size: rows in all, where that is known before reading.
    """

    parts: Iterator[Part]
    origin: str
    notes: list[str] = field(default_factory=list)
    size: int | None = None


def counted_from(first: int, rows: int) -> npt.NDArray[np.int64]:
    """Numbers of rows that follow one another."""
    return np.arange(first, first + rows, dtype=np.int64)


def portions(parts: Iterable[Part], rows: int) -> Iterator[Part]:
    """The same rows in parts of just so many, but for the last; one part at least.

    A portion ends earlier before the row with which its long cells would take more than `PORTION_BYTES`. As each row
    counts by its own cells, where portions end is said by the rows alone, not by how the source was cut or stored.
    """
    held: list[Part] = []
    sizes = np.zeros(0, dtype=np.int64)
    is_first = True
    for part in parts:
        held.append(part)
        sizes = np.concatenate([sizes, row_bytes(part.frame)])
        ends = _ends(sizes, rows)
        if not ends:
            continue
        whole, last = _joined(held), ends[-1]
        sizes, held = sizes[last:], [_sliced(whole, last, len(sizes))] if last < len(sizes) else []
        for start, end in itertools.pairwise([0, *ends]):
            yield _sliced(whole, start, end)
        is_first = False
    if len(sizes) or (held and is_first):
        yield _joined(held)


def rows_within(rows: int, columns: int) -> int:
    """So many rows, or fewer where there are so many columns that their cells, however short, would take too much."""
    return max(1, min(rows, PORTION_BYTES // (SMALL * max(1, columns))))


def _ends(sizes: npt.NDArray[np.int64], rows: int) -> list[int]:
    """Where the portions end that no further row could be part of. sizes: (rows so far,) bytes of each."""
    if len(sizes) < rows and int(sizes.sum()) <= PORTION_BYTES:
        return []
    totals = np.cumsum(sizes)
    ends: list[int] = []
    start = before = 0
    while start < len(sizes):
        fitting = int(np.searchsorted(totals, before + PORTION_BYTES, side="right"))
        end = min(max(fitting, start + 1), start + rows)  # a row beyond the bound is asked alone
        if end == len(sizes) and end - start < rows and fitting > start:
            break
        ends.append(end)
        start, before = end, int(totals[end - 1])
    return ends


@contextmanager
def refusing_too_large(origin: str) -> Iterator[None]:
    """Raise UnreadableData where the memory ends while a source is read; pyarrow's own error is a MemoryError, too."""
    try:
        yield
    except MemoryError as error:
        raise UnreadableData(
            f"The memory is too small to read {origin}. Leave out columns of long texts, or cut it into smaller files."
        ) from error


def within_memory(parts: Iterator[Part], origin: str) -> Iterator[Part]:
    """The same parts.

    Raises:
        UnreadableData: the memory ends while one is read.
    """
    while True:
        with refusing_too_large(origin):
            part = next(parts, None)
        if part is None:
            return
        yield part


def _joined(parts: Sequence[Part]) -> Part:
    filled = [part for part in parts if len(part.frame)] or list(parts[:1])
    if len(filled) == 1:
        return filled[0]
    names = None
    if filled[0].names is not None:
        names = tuple(name for part in filled for name in part.names or ())
    return Part(
        pd.concat([part.frame for part in filled], ignore_index=True),
        np.concatenate([part.numbers for part in filled]),
        names,
    )


def _sliced(part: Part, start: int, end: int) -> Part:
    names = None if part.names is None else part.names[start:end]
    frame = part.frame.iloc[start:end].reset_index(drop=True)
    numbers: npt.NDArray[np.int64] = part.numbers[start:end]
    return Part(frame, numbers, names)
