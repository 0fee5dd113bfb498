"""Read a table from a parquet or feather file, and any frame as a table: typed sources."""

from __future__ import annotations

import pandas as pd
import pyarrow
import pyarrow.compute
import pyarrow.feather
import pyarrow.parquet

from fathometer.data.column_names import tidy_names
from fathometer.data.table import Table, refuse_giant, refuse_too_wide
from fathometer.errors import UnreadableData

PARQUET, FEATHER, OLD_FEATHER = b"PAR1", b"ARROW1", b"FEA1"
MARKS = (PARQUET, FEATHER, OLD_FEATHER)


def read_arrow(raw: bytes, name: str) -> pd.DataFrame:
    """What a parquet or feather file holds.

    Raises:
        UnreadableData: it is damaged, or too large.
    """
    try:
        source = pyarrow.BufferReader(raw)
        table = (
            pyarrow.parquet.read_table(source)
            if raw.startswith(PARQUET)
            else pyarrow.feather.read_table(source)
        )
        return as_pandas(table)
    except UnreadableData:
        raise
    except Exception as error:
        # what a damaged file raises, in pyarrow's and in pandas' own notes in it, is any error
        raise not_readable(name) from error


def as_pandas(table: pyarrow.Table) -> pd.DataFrame:
    """The table, checked first: offsets of a damaged file may point anywhere in memory.

    Raises:
        UnreadableData: a cell of text is too long.
    """
    table.validate(full=True)
    for column in table.columns:
        for chunk in column.chunks:
            _refuse_giants(chunk)
    frame: pd.DataFrame = table.to_pandas()
    return frame


def _refuse_giants(cells: pyarrow.Array) -> None:
    if pyarrow.types.is_dictionary(cells.type):
        cells = cells.dictionary
    if pyarrow.types.is_string(cells.type) or pyarrow.types.is_large_string(cells.type):
        longest = pyarrow.compute.max(pyarrow.compute.binary_length(cells)).as_py()
        refuse_giant(longest or 0)


def not_readable(name: str) -> UnreadableData:
    """What to raise where pyarrow will not have a file."""
    reason = "it is damaged, cut off, or too large for the memory"
    return UnreadableData(f"The file {name} cannot be read as parquet or feather: {reason}.")


def from_frame(given: pd.DataFrame, origin: str) -> Table:
    """A typed source's table: names tidied, index dropped, cells as they are."""
    if not len(given.columns):
        raise UnreadableData("Expected a table, but there are no columns.")
    refuse_too_wide(len(given.columns))
    names, notes = tidy_names(given.columns)
    if not isinstance(given.index, pd.RangeIndex):
        notes += ("The frame's index is not a column and was left out; use reset_index() to keep it.",)
    frame = given.reset_index(drop=True).set_axis(names, axis=1)
    return Table(frame, notes, origin)
