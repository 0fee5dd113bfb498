"""Read a sheet of a workbook (xlsx, xls, ods) as a table."""

from __future__ import annotations

import datetime
import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from fathometer.data import workbook_cells
from fathometer.data.column_names import about_names, tidy_names
from fathometer.data.header import about_header, find_layout
from fathometer.data.sentences import listed, told
from fathometer.data.table import Table, refuse_too_wide, without_empty, without_footer
from fathometer.errors import UnknownName, UnreadableData

LAYOUT_ROWS = 400
MEMORY_BYTES = 4 << 30
SECONDS = 20.0
SECONDS_PER_BYTE = 1e-5


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
    names, name, rows = _cells_of(raw, origin, wanted.sheet)
    if name is None:
        if wanted.sheet is not None and wanted.sheet not in names:
            raise UnknownName(f"sheet in {origin}", wanted.sheet, names)
        raise UnreadableData(f"Expected a table, but {origin} has no sheet with a filled cell.")
    others = [other for other in names if other != name]
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


def _cells_of(
    raw: bytes, origin: str, sheet: str | None
) -> tuple[list[str], str | None, workbook_cells.Rows]:
    """Sheets and rows, taken out by a process that may be ended without harm."""
    script = str(workbook_cells.__file__)
    try:
        done = subprocess.run(
            [sys.executable, "-P", script, json.dumps(sheet), str(MEMORY_BYTES)],
            input=raw,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=SECONDS + SECONDS_PER_BYTE * len(raw),
            check=True,
        )
    except (subprocess.SubprocessError, OSError) as error:
        raise UnreadableData(
            f"The workbook {origin} cannot be read: it is damaged, protected by a password, or a cell far outside "
            "the table makes it huge. Save the table alone, or as csv."
        ) from error
    return workbook_cells.decoded(done.stdout)


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
