"""What reading gives: a table of named columns, and everything that was decided or repaired on the way."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pandas as pd

from fathometer.data.sentences import listed, short, told
from fathometer.errors import UnreadableData

COLUMN_LIMIT = 20_000
CELL_BYTES_LIMIT = 10_000_000
FOOTER_ROWS = 20


@dataclass(frozen=True)
class Dialect:
    """How a csv file was found to be written.

    encoding: as Python names it.
    delimiter: one character; a blank stands for any run of blanks and tabs, "" for a single column.
    quote, escape: the character, or "" where there is none.
    preamble_lines: lines before the header (or before the data, without header).
    header_lines: lines of the header; 0: there is none.
    """

    encoding: str
    delimiter: str
    quote: str = ""
    escape: str = ""
    preamble_lines: int = 0
    header_lines: int = 1


@dataclass(frozen=True)
class Table:
    """A table as its source has it.

    frame: column names are unique and not empty. From text sources (csv and its kin) every cell is a `str` or
        missing (NaN), in pandas' type for text; "NA", "null" and blanks stay text, because what counts as
        missing is for a column's kind to decide. Typed sources (workbooks, parquet, frames, SQL, JSON) keep
        their types; workbook columns of several types become text.
    notes: everything that was decided or repaired, one plain sentence each.
    origin: for people: the file's name, "DataFrame" or "query".
    dialect: how the file was written, for csv and its kin.
    target: the column that the source itself says is to be predicted: the folders' names, an idx file's labels.
    row_names: (rows,) the file each row is, within the folder or archive; None where rows are no files.
    """

    frame: pd.DataFrame
    notes: tuple[str, ...]
    origin: str
    dialect: Dialect | None = None
    target: str | None = None
    row_names: tuple[str, ...] | None = None


def without_empty(table: Table, named: list[bool]) -> Table:
    """The table without rows that hold nothing, and without nameless columns that hold nothing.

    named: for each column, whether the source gave it a name. A named column stays, however empty: other
    files of the same origin may fill it.
    """
    frame, notes = table.frame, table.notes
    unused = [
        name
        for name, has_name in zip(frame.columns, named, strict=True)
        if not has_name and len(frame) and _holds_nothing(frame[name])
    ]
    if unused and len(unused) < len(frame.columns):
        frame = frame.drop(columns=unused)
        notes += (told(len(unused), "column", "without a name or a cell", f"left out: {listed(unused)}"),)
    missing = frame.isna().all(axis=1)
    empty = int(missing.sum())
    if empty:
        frame = frame[~missing].reset_index(drop=True)
        notes += (told(empty, "row", "without any cell", "left out"),)
    return replace(table, frame=frame, notes=notes)


def without_repeated_header(table: Table, names: tuple[str, ...]) -> Table:
    """The table without rows that say the header again, as files have that were put together from several."""
    frame = table.frame
    given = [(position, name.strip()) for position, name in enumerate(names) if name.strip()]
    if len(given) < 2:
        return table
    rows = frame.index
    for position, name in given:
        cells = frame.iloc[:, position].loc[rows]
        rows = rows[(cells.str.strip() == name).fillna(False).to_numpy(dtype=bool)]
        if not len(rows):
            return table
    note = told(len(rows), "row", "saying the header again", "left out")
    return replace(table, frame=frame.drop(index=rows).reset_index(drop=True), notes=(*table.notes, note))


def without_footer(table: Table) -> Table:
    """The table without remarks below it: last rows with a long text in their first cell and nothing else."""
    frame = table.frame
    width = len(frame.columns)
    if width < 3 or len(frame) < 3:
        return table
    tail = frame.tail(FOOTER_ROWS)
    alone = (tail.notna().sum(axis=1) == 1) & tail.iloc[:, 0].notna()
    count = int(alone.iloc[::-1].cumprod().sum())
    if count in (0, len(tail)):
        return table
    words = [str(cell) for cell in tail.iloc[len(tail) - count :, 0]]
    usual = frame.iloc[:-count, 0].dropna().astype(str).str.len().max() if count < len(frame) else 0
    if not any(len(text) > max(30, 1.5 * usual) for text in words):
        return table
    note = told(count, "row", "below the table", f"left out: {short(' '.join(words))}")
    return replace(table, frame=frame.iloc[:-count], notes=(*table.notes, note))


def refuse_too_wide(columns: int) -> None:
    """Raise UnreadableData where there are more columns than can be studied."""
    if columns > COLUMN_LIMIT:
        raise UnreadableData(
            f"Expected at most {COLUMN_LIMIT:,} columns, but there are {columns:,}. "
            "Choose the columns of interest, or transpose the table if its rows are the columns."
        )


def _holds_nothing(cells: pd.Series) -> bool:
    filled = cells.dropna()
    return all(isinstance(cell, str) and not cell.strip() for cell in filled.head(1000)) and not (
        len(filled) > 1000 and filled.astype(str).str.strip().ne("").any()
    )
