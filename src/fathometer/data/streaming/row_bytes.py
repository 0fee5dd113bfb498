"""How much memory rows take, said by their cells alone: of the same table the same, whatever it was stored as.

A text counts in every row that means it, be it stored once. Cells of up to `SMALL` bytes count nothing, for a number, a
date or a truth value is text in one format and none in another; what they take is known from how many there are.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow
import pyarrow.compute

SMALL = 64
"""Bytes that any number, date or truth value fits into as text."""


def row_bytes(frame: pd.DataFrame) -> npt.NDArray[np.int64]:
    """(rows,) bytes of each row's long cells, as UTF-8, beyond the first `SMALL` of each."""
    sizes = np.zeros(len(frame), dtype=np.int64)
    for place in range(len(frame.columns)):
        lengths = _lengths(frame.iloc[:, place])
        if lengths is not None:
            sizes += np.maximum(lengths - SMALL, 0)
    return sizes


def _lengths(cells: pd.Series) -> npt.NDArray[np.int64] | None:
    """(rows,) bytes of each cell; None of a column that has only small ones."""
    kind = cells.dtype
    if isinstance(kind, pd.CategoricalDtype):
        different = _lengths(pd.Series(kind.categories))
        # the last is of missing cells, whose code is -1
        return None if different is None else np.append(different, 0)[cells.cat.codes.to_numpy()]
    if isinstance(kind, pd.StringDtype | pd.ArrowDtype):
        return _arrow_lengths(pyarrow.array(cells))
    if isinstance(kind, np.dtype) and kind.kind == "O":
        return np.fromiter(map(_size, cells), dtype=np.int64, count=len(cells))
    return None


def _arrow_lengths(cells: pyarrow.Array | pyarrow.ChunkedArray) -> npt.NDArray[np.int64] | None:
    types = pyarrow.types
    kind = cells.type
    if types.is_dictionary(kind):
        return _arrow_lengths(cells.cast(kind.value_type))
    if not (types.is_string(kind) or types.is_large_string(kind) or types.is_binary(kind)):
        return None
    lengths = pyarrow.compute.fill_null(pyarrow.compute.binary_length(cells), 0)
    return np.asarray(lengths.to_numpy()).astype(np.int64)


def _size(cell: Any) -> int:
    """Bytes of a cell, and of what lies in it."""
    if isinstance(cell, str):
        return len(cell) if cell.isascii() else len(cell.encode("utf-8", "surrogatepass"))
    if isinstance(cell, bytes):
        return len(cell)
    if isinstance(cell, np.ndarray):
        return int(cell.nbytes) + (sum(map(_size, cell.flat)) if cell.dtype == object else 0)
    if isinstance(cell, dict):
        return sum(SMALL + _size(key) + _size(value) for key, value in cell.items())
    if isinstance(cell, list | tuple | set):
        return sum(SMALL + _size(item) for item in cell)
    return 0
