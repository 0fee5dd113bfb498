"""What reading gives: a table of named columns, and everything that was decided or repaired on the way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
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
        if not has_name and len(frame) and holds_nothing(frame[name])
    ]
    if unused and len(unused) < len(frame.columns):
        frame = frame.drop(columns=unused)
        notes += (about_unused(unused),)
    missing = frame.isna().all(axis=1)
    empty = int(missing.sum())
    if empty:
        frame = frame[~missing].reset_index(drop=True)
        notes += (about_empty(empty),)
    return replace(table, frame=frame, notes=notes)


def about_unused(columns: list[str]) -> str:
    """What to say of columns that hold nothing."""
    return told(len(columns), "column", "without a name or a cell", f"left out: {listed(columns)}")


def about_empty(rows: int) -> str:
    """What to say of rows that hold nothing."""
    return told(rows, "row", "without any cell", "left out")


def without_repeated_header(table: Table, names: tuple[str, ...]) -> Table:
    """The table without rows that say the header again, as files have that were put together from several."""
    says = says_header(table.frame, names)
    if not says.any():
        return table
    notes = (*table.notes, about_repeated(int(says.sum())))
    return replace(table, frame=table.frame[~says].reset_index(drop=True), notes=notes)


def says_header(frame: pd.DataFrame, names: tuple[str, ...]) -> npt.NDArray[np.bool_]:
    """(rows,) whether the row says these names of the columns, as far as they have some; two at least."""
    given = [(position, name.strip()) for position, name in enumerate(names) if name.strip()]
    says = np.full(len(frame), len(given) >= 2)
    for position, name in given:
        if not says.any():
            break
        cells = frame.iloc[:, position][says]
        says[says] = (cells.str.strip() == name).fillna(False).to_numpy(dtype=bool)
    return says


def about_repeated(rows: int) -> str:
    """What to say of rows that say the header again."""
    return told(rows, "row", "saying the header again", "left out")


def without_footer(table: Table) -> Table:
    """The table without remarks below it: last rows with a long text in their first cell and nothing else."""
    frame = table.frame
    count = footer_rows(
        frame.tail(FOOTER_ROWS), len(frame), lambda: longest_cell(frame.iloc[:-FOOTER_ROWS, 0])
    )
    if not count:
        return table
    note = about_footer(frame.iloc[len(frame) - count :, 0])
    return replace(table, frame=frame.iloc[:-count], notes=(*table.notes, note))


def footer_rows(tail: pd.DataFrame, rows: int, longest_before: Callable[[], float]) -> int:
    """How many of the last rows are remarks.

    tail: the last `FOOTER_ROWS` rows, or all. rows: how many there are in all. longest_before: characters of the
        longest first cell of the rows before the tail; 0 without any.
    """
    if len(tail.columns) < 3 or rows < 3:
        return 0
    alone = (tail.notna().sum(axis=1) == 1) & tail.iloc[:, 0].notna()
    count = int(alone.iloc[::-1].cumprod().sum())
    if count in (0, len(tail)):
        return 0
    usual = max(longest_before(), longest_cell(tail.iloc[:-count, 0]))
    words = tail.iloc[len(tail) - count :, 0]
    return count if any(len(str(text)) > max(30, 1.5 * usual) for text in words) else 0


def about_footer(words: pd.Series) -> str:
    """What to say of remarks below a table."""
    which = f"left out: {short(' '.join(map(str, words)))}"
    return told(len(words), "row", "below the table", which)


def longest_cell(cells: pd.Series) -> float:
    """Characters of the longest cell; 0 without any."""
    there = cells.dropna()
    return float(there.astype(str).str.len().max()) if len(there) else 0.0


def refuse_too_wide(columns: int) -> None:
    """Raise UnreadableData where there are more columns than can be studied."""
    if columns > COLUMN_LIMIT:
        raise UnreadableData(
            f"Expected at most {COLUMN_LIMIT:,} columns, but there are {columns:,}. "
            "Choose the columns of interest, or transpose the table if its rows are the columns."
        )


def refuse_giant(length: int) -> None:
    """Raise UnreadableData where a cell of text has so many characters, or bytes, that it cannot be meant as one."""
    if length > CELL_BYTES_LIMIT:
        raise UnreadableData(
            f"A cell is longer than {CELL_BYTES_LIMIT // 1_000_000} MB. Leave such cells out, or keep each of these "
            "texts in a file of its own."
        )


def holds_nothing(cells: pd.Series) -> bool:
    """Whether all cells are missing or blank."""
    filled = cells.dropna()
    return all(isinstance(cell, str) and not cell.strip() for cell in filled.head(1000)) and not (
        len(filled) > 1000 and filled.astype(str).str.strip().ne("").any()
    )
