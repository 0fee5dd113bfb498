"""What reading in parts gives: some rows of a table, and their numbers in the source."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pandas as pd


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
    """The same rows in parts of just so many, but for the last; one part at least."""
    held: list[Part] = []
    size = 0
    is_first = True
    for part in parts:
        held.append(part)
        size += len(part.frame)
        while size >= rows:
            whole = _joined(held)
            yield _sliced(whole, 0, rows)
            is_first = False
            size -= rows
            held = [_sliced(whole, rows, rows + size)] if size else []
    if held and (size or is_first):
        yield _joined(held)


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
