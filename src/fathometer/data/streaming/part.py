"""What reading in parts gives: some rows of a table, and their numbers in the source."""

from __future__ import annotations

from collections.abc import Iterator
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
