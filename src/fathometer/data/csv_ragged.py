"""Read csv text whose rows are not equally wide, with Python's csv module, and say what was done to it."""

from __future__ import annotations

import csv
import io
import itertools
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import pandas as pd

from fathometer.data.column_names import tidy_names
from fathometer.data.csv_dialect import Quoting, reader
from fathometer.data.sentences import counted, listed, short, told
from fathometer.data.table import CELL_BYTES_LIMIT, refuse_too_wide
from fathometer.errors import UnreadableData

WIDER_SHARE = 0.1
"""Where more rows than this have surplus cells, the table has more columns than its header says."""
STRAY_QUOTES_LIMIT = 100

_field_limit = threading.Lock()


@dataclass(frozen=True)
class _Line:
    """A row and the number of the line it begins on, counted from 1."""

    number: int
    cells: list[str]


def read_ragged(
    text: str, quoting: Quoting, given_names: tuple[str, ...], lines_before: int, *, has_stray_quotes: bool
) -> tuple[pd.DataFrame, list[bool], tuple[str, ...]]:
    """Rows of any width made as wide as the table: (frame, whether each column has a given name, notes).

    Short rows are filled up. Rows with surplus cells are left out, because it is unclear which of their cells
    belongs where; unless there are many: then the table is wider than its header.

    given_names: as found, one per column, "" where there is none.
    lines_before: how many lines of the file came before the text, for line numbers.
    """
    width = len(given_names)
    with larger_fields():
        try:
            rows, notes = _rows(text, quoting, width, has_stray_quotes, lines_before)
        except csv.Error as error:
            raise UnreadableData(
                f"A cell is longer than {CELL_BYTES_LIMIT // 1_000_000} MB. If a quote character is left "
                "open there, close it; or give another delimiter."
            ) from error
    rows, footer_notes = _without_remarks(rows, width)
    surplus = [row for row in rows if any(cell.strip() for cell in row.cells[width:])]
    is_wider = len(surplus) > WIDER_SHARE * len(rows)
    notes += _about_widths(rows, surplus, width, lines_before, is_wider=is_wider) + footer_notes
    if is_wider:
        width = max(len(row.cells) for row in surplus)
        refuse_too_wide(width)
        given_names += ("",) * (width - len(given_names))
    else:
        unclear = {row.number for row in surplus}
        rows = [row for row in rows if row.number not in unclear]
    return _frame(rows, given_names), [bool(name.strip()) for name in given_names], notes


def _frame(rows: list[_Line], given_names: tuple[str, ...]) -> pd.DataFrame:
    width = len(given_names)
    even = [row.cells[:width] + [""] * (width - len(row.cells)) for row in rows]
    columns = zip(*even, strict=True) if even else itertools.repeat((), width)
    names, _ = tidy_names(given_names)
    series = [pd.Series([cell or None for cell in column], dtype="str") for column in columns]
    return pd.DataFrame(dict(zip(names, series, strict=True)))


def _rows(
    text: str, quoting: Quoting, width: int, has_stray_quotes: bool, lines_before: int
) -> tuple[list[_Line], tuple[str, ...]]:
    if not has_stray_quotes or not quoting.quote:
        rows, number = [], 1
        parser = reader(io.StringIO(text, newline=""), quoting)
        for cells in parser:
            rows.append(_Line(number, cells))
            number = parser.line_num + 1
        return rows, ()
    rows, stray = [], []
    for row, is_stray in _recovering_rows(text, quoting, width):
        rows.append(row)
        if is_stray:
            stray.append(row.number + lines_before)
            if len(stray) > STRAY_QUOTES_LIMIT:
                raise UnreadableData(
                    f"More than {STRAY_QUOTES_LIMIT} quote characters open a cell and are not closed (lines "
                    f"{listed(stray)}). Double the quote characters inside cells, or give the delimiter."
                )
    if not stray:
        return rows, ("Some quote characters stand where none is expected; cells near them may be misread.",)
    return rows, (
        told(len(stray), "quote", "never closed", f"taken as ordinary characters (lines {listed(stray)})"),
    )


def _recovering_rows(text: str, quoting: Quoting, width: int) -> Iterator[tuple[_Line, bool]]:
    """Rows, where a quote that is never closed costs its own line only and not what it swallows."""
    lines = io.StringIO(text, newline="").readlines()
    bare = replace(quoting, quote="", escape="")
    at = 0
    while at < len(lines):
        parser = reader(iter(lines[at:]) if at else lines, quoting)
        begin, restart = at, False
        for cells in parser:
            start, at = at, begin + parser.line_num
            if at - start > 1 and len(cells) != width and _has_swallowed(lines, start, quoting, bare, width):
                yield _Line(start + 1, next(reader([lines[start]], bare))), True
                at, restart = start + 1, True
                break
            yield _Line(start + 1, cells), False
        if not restart:
            return


def _has_swallowed(lines: list[str], start: int, quoting: Quoting, bare: Quoting, width: int) -> bool:
    """Whether a line is a whole row when its quotes mean nothing, and the next line is a whole row too."""
    alone = next(reader([lines[start]], bare), [])
    following = next(reader([lines[start + 1]], quoting), [])
    return len(alone) == width == len(following)


def _without_remarks(rows: list[_Line], width: int) -> tuple[list[_Line], tuple[str, ...]]:
    """Take off remarks: last lines that have one cell only, where the table has three columns or more."""
    end = len(rows)
    while width > 2 and end > 1 and len(rows[end - 1].cells) <= 1:
        end -= 1
    words = " ".join(cell for row in rows[end:] for cell in row.cells)
    if not words.strip():
        return rows, ()
    return rows[:end], (told(len(rows) - end, "line", "below the table", f"left out: {short(words)}"),)


def _about_widths(
    rows: list[_Line], surplus: list[_Line], width: int, lines_before: int, *, is_wider: bool
) -> tuple[str, ...]:
    notes: tuple[str, ...] = ()
    narrow = [row.number + lines_before for row in rows if 0 < len(row.cells) < width]
    if narrow:
        done = f"filled up (lines {listed(narrow)})"
        notes += (told(len(narrow), "row", f"with fewer than {counted(width, 'cell')}", done),)
    which = f"with more than {counted(width, 'cell')}"
    wide = listed(row.number + lines_before for row in surplus)
    if surplus and is_wider:
        notes += (told(len(surplus), "row", which, f"found, so that columns were added (lines {wide})"),)
    elif surplus:
        done = f"left out, because it is unclear which cell belongs where (lines {wide})"
        notes += (told(len(surplus), "row", which, done),)
    return notes


@contextmanager
def larger_fields() -> Iterator[None]:
    """The csv module's limit on a cell's length is global: raise it for one reading at a time."""
    with _field_limit:
        before = csv.field_size_limit(CELL_BYTES_LIMIT)
        try:
            yield
        finally:
            csv.field_size_limit(before)
