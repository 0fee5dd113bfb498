"""Read a table from a parquet or feather file, and any frame as a table: typed sources."""

from __future__ import annotations

import pandas as pd
import pyarrow
import pyarrow.feather
import pyarrow.parquet

from fathometer.data.column_names import tidy_names
from fathometer.data.table import Table, refuse_too_wide
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
    except Exception as error:
        # what a damaged file raises, in pyarrow's and in pandas' own notes in it, is any error
        raise not_readable(name) from error


def as_pandas(table: pyarrow.Table) -> pd.DataFrame:
    """The table, checked first: offsets of a damaged file may point anywhere in memory."""
    table.validate(full=True)
    frame: pd.DataFrame = table.to_pandas()
    return frame


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
