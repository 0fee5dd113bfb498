"""Read a sheet of a workbook (xlsx, xls, ods) as a table."""

from __future__ import annotations

import datetime
import io
import os
import re
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd
from python_calamine import CalamineWorkbook

from fathometer.data.column_names import about_names, tidy_names
from fathometer.data.header import about_header, find_layout
from fathometer.data.sentences import listed, told
from fathometer.data.table import Table, refuse_too_wide, without_empty, without_footer
from fathometer.data.unpacking import UNPACKING_ERRORS
from fathometer.errors import UnknownName, UnreadableData

LAYOUT_ROWS = 400
LONGEST_ROW_BYTES = 1 << 20
CELLS_LIMIT = 50_000_000
"""A sheet's cells are laid out in full, from the first used one to the last: one stray cell makes it huge."""

# no tag contains "<": so that unclosed ones are not searched to the end of the file again and again
_ROW = re.compile(rb'<(?:\w+:)?row [^<>]*?r="(\d{1,9})"')
_COLUMN = re.compile(rb'<(?:\w+:)?c [^<>]*?r="([A-Z]{1,3})\d')
_REPEATED_ROW = re.compile(rb'<table:table-row[^<>]*number-rows-repeated="(\d{1,9})"')
_REPEATED_CELL = re.compile(
    rb'<table:table-cell(?=[^<>]*office:value)[^<>]*number-columns-repeated="(\d{1,9})"'
)


@dataclass(frozen=True)
class SheetWanted:
    """What the user says about the workbook; None: to be found out."""

    sheet: str | None = None
    header: bool | None = None
    skip_lines: int | None = None


def read_workbook(raw: bytes, origin: str, wanted: SheetWanted | None = None) -> Table:
    """The table on a workbook's first sheet that holds anything, or on the wanted one.

    Raises:
        UnreadableData: the workbook is damaged, protected, empty, or too large.
        UnknownName: there is no sheet of that name.
    """
    wanted = wanted or SheetWanted()
    refuse_sparse_giant(raw, origin)
    name, rows, others = _pick_sheet(raw, origin, wanted.sheet)
    texts = [[_as_text(cell) for cell in row] for row in rows[:LAYOUT_ROWS]]
    layout = find_layout(texts, wanted.header, wanted.skip_lines)
    if layout.preamble >= len(rows):
        raise UnreadableData(f"Expected a table, but the sheet {name!r} of {origin} is empty.")
    width = max(len(row) for row in rows)
    refuse_too_wide(width)
    given = (*layout.names, *[""] * (width - len(layout.names)))[:width]
    body = rows[layout.preamble + layout.header :]
    columns = [_typed([row[position] for row in body]) for position in range(width)]
    frame = pd.DataFrame(dict(zip(tidy_names(given)[0], columns, strict=True)))
    notes = [f"Sheet {name!r} was read." + (f" Others: {listed(others)}." if others else "")]
    if layout.preamble:
        notes.append(told(layout.preamble, "row", "before the table", "left out"))
    notes += about_header(layout, is_given=wanted.header is not None)
    table = Table(frame, tuple(notes), origin)
    table = without_footer(without_empty(table, [bool(cell.strip()) for cell in given]))
    about = about_names(given, table.frame.columns) if layout.header else ()
    return replace(table, notes=table.notes + about)


def refuse_sparse_giant(raw: bytes, origin: str) -> None:
    """Raise UnreadableData where a few cells far apart would be laid out as billions."""
    if not raw.startswith(b"PK"):
        return
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            for member in archive.namelist():
                if re.fullmatch(r"xl/worksheets/[^/]+\.xml", member) or member == "content.xml":
                    _refuse_sparse_sheet(archive.read(member), origin)
    except UNPACKING_ERRORS as error:
        raise UnreadableData(f"The workbook {origin} is damaged or protected by a password.") from error


def _refuse_sparse_sheet(xml: bytes, origin: str) -> None:
    last_row = max((int(row) for row in _ROW.findall(xml)), default=1)
    columns = {_column_number(letters) for letters in set(_COLUMN.findall(xml))}
    cells = max([last_row * max(columns, default=1), *_repeated_cells(xml)])
    if cells > CELLS_LIMIT:
        raise UnreadableData(
            f"A sheet of {origin} reaches over {cells:,} cells, more than {CELLS_LIMIT:,}. "
            "Save the table alone, without cells far outside it, or as csv."
        )


def _repeated_cells(xml: bytes) -> Iterator[int]:
    """Numbers of cells that an ods sheet writes down once and repeats."""
    yield from (int(times) for times in _REPEATED_CELL.findall(xml))
    for row in _REPEATED_ROW.finditer(xml):
        end = xml.find(b"</table:table-row>", row.end(), row.end() + LONGEST_ROW_BYTES)
        cells = xml[row.end() : end if end >= 0 else row.end() + LONGEST_ROW_BYTES]
        if b"office:value" in cells:
            yield int(row[1]) * max([int(times) for times in _REPEATED_CELL.findall(cells)], default=1)


def _column_number(letters: bytes) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + letter - ord("A") + 1
    return number


@contextmanager
def _quiet_panics() -> Iterator[None]:
    """The reader is written in Rust and writes to standard error, past Python, when a damaged file makes it panic."""
    try:
        kept = os.dup(2)
    except OSError:  # there is no standard error
        yield
        return
    with Path(os.devnull).open("w") as nowhere:
        os.dup2(nowhere.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)


def _pick_sheet(raw: bytes, origin: str, wanted: str | None) -> tuple[str, list[list[Any]], list[str]]:
    with _quiet_panics():
        return _first_filled_sheet(raw, origin, wanted)


def _first_filled_sheet(
    raw: bytes, origin: str, wanted: str | None
) -> tuple[str, list[list[Any]], list[str]]:
    try:
        workbook = CalamineWorkbook.from_filelike(io.BytesIO(raw))
        names = list(workbook.sheet_names)
        if wanted is not None and wanted not in names:
            raise UnknownName(f"sheet in {origin}", wanted, names)
        for name in [wanted] if wanted is not None else names:
            rows: list[list[Any]] = workbook.get_sheet_by_name(name).to_python(skip_empty_area=True)
            if any(_as_text(cell).strip() for row in rows for cell in row):
                return name, rows, [other for other in names if other != name]
    except (UnknownName, KeyboardInterrupt, SystemExit, MemoryError):
        raise
    except BaseException as error:  # a panic in Rust is no Exception
        raise UnreadableData(f"The workbook {origin} is damaged, protected or of an unknown kind.") from error
    raise UnreadableData(f"Expected a table, but {origin} has no sheet with a filled cell.")


def _typed(cells: Sequence[Any]) -> pd.Series:
    """A column in the one type its filled cells have, else as text."""
    filled = [cell for cell in cells if not (cell is None or cell == "")]
    kinds = {type(cell) for cell in filled}
    blanked = [None if cell is None or cell == "" else cell for cell in cells]
    if kinds and kinds <= {int, float}:
        numbers = pd.Series(blanked, dtype="float64")
        whole = numbers.notna().all() and (numbers == numbers.round()).all() and numbers.abs().max() < 2**53
        return numbers.astype("int64") if whole else numbers
    if kinds == {bool}:
        return pd.Series(blanked, dtype="bool" if len(filled) == len(cells) else "boolean")
    if kinds and kinds <= {datetime.date, datetime.datetime}:
        moments = pd.to_datetime(pd.Series(blanked, dtype="object"), errors="coerce")
        if int(moments.notna().sum()) == len(filled):
            return moments
    return pd.Series([_as_text(cell) or None for cell in cells], dtype="str")


def _as_text(cell: Any) -> str:
    if cell is None:
        return ""
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < 1e15:
        return str(int(cell))
    if isinstance(cell, datetime.datetime) and cell.time() == datetime.time(0):
        return cell.date().isoformat()
    return str(cell)
