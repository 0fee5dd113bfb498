"""Read csv text whose rows are not equally wide, with Python's csv module, and say what was done to it."""

from __future__ import annotations

import csv
import io
import itertools
import threading
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import pandas as pd

from fathometer.data.column_names import tidy_names
from fathometer.data.csv_dialect import Quoting, reader
from fathometer.data.sentences import counted, short, told
from fathometer.data.table import CELL_BYTES_LIMIT, refuse_too_wide
from fathometer.errors import UnreadableData

WIDER_SHARE = 0.1
"""Where more rows than this have surplus cells, the table has more columns than its header says."""
STRAY_QUOTES_LIMIT = 100
SHOWN = 5

_field_limit = threading.Lock()


@dataclass(frozen=True)
class Line:
    """A row and the number of the line it begins on, counted from 1."""

    number: int
    cells: list[str]


class Some:
    """Line numbers, of which the first few are kept to be told."""

    def __init__(self) -> None:
        self.count = 0
        self._first: list[int] = []

    def add(self, number: int) -> None:
        self.count += 1
        if len(self._first) < SHOWN:
            self._first.append(number)

    def __str__(self) -> str:
        more = f" and {self.count - SHOWN:,} more" if self.count > SHOWN else ""
        return ", ".join(map(str, self._first)) + more


@dataclass(frozen=True)
class Raggedness:
    """What is known of a text's rows when all were seen.

    names: as given, with "" for each column that only wider rows have. remarks: rows at the end that are none.
    is_wider: whether rows with surplus cells are rows all the same.
    """

    names: tuple[str, ...]
    is_wider: bool
    remarks: int
    notes: tuple[str, ...]

    def is_row(self, line: Line) -> bool:
        """Whether it is clear which of its cells belongs where."""
        return self.is_wider or not _is_surplus(line, len(self.names))


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
    lines = io.StringIO(text, newline="")
    with larger_fields(), refusing_giants():
        strays = Strays(lines_before)
        rows = list(strays.noticed(ragged_rows(lines, quoting, width, has_stray_quotes=has_stray_quotes)))
    found = survey(rows, given_names, lines_before)
    if has_stray_quotes and quoting.quote:
        found = replace(found, notes=(*strays.notes, *found.notes))
    kept = [row for row in rows[: len(rows) - found.remarks] if found.is_row(row)]
    return frame_of(kept, found.names), [bool(name.strip()) for name in found.names], found.notes


def frame_of(rows: Sequence[Line], given_names: tuple[str, ...]) -> pd.DataFrame:
    """Rows as a table; surplus cells are taken off, and missing ones filled up."""
    width = len(given_names)
    even = [row.cells[:width] + [""] * (width - len(row.cells)) for row in rows]
    columns = zip(*even, strict=True) if even else itertools.repeat((), width)
    names, _ = tidy_names(given_names)
    series = [pd.Series([cell or None for cell in column], dtype="str") for column in columns]
    return pd.DataFrame(dict(zip(names, series, strict=True)))


def ragged_rows(
    lines: Iterator[str], quoting: Quoting, width: int, *, has_stray_quotes: bool
) -> Iterator[tuple[Line, bool]]:
    """The rows of a text given line by line, and whether a quote in each was taken as an ordinary character.

    Raises:
        csv.Error: a cell is longer than any; see `refusing_giants`.
    """
    if has_stray_quotes and quoting.quote:
        yield from _recovering_rows(lines, quoting, width)
        return
    number = 1
    parser = reader(lines, quoting)
    for cells in parser:
        yield Line(number, cells), False
        number = parser.line_num + 1


class Strays:
    """Notices rows in which a quote was taken as an ordinary character."""

    def __init__(self, lines_before: int) -> None:
        self._lines_before = lines_before
        self._lines = Some()

    def noticed(self, rows: Iterable[tuple[Line, bool]]) -> Iterator[Line]:
        """The rows.

        Raises:
            UnreadableData: there are too many to be strays.
        """
        for row, is_stray in rows:
            if is_stray:
                self._lines.add(row.number + self._lines_before)
                if self._lines.count > STRAY_QUOTES_LIMIT:
                    raise UnreadableData(
                        f"More than {STRAY_QUOTES_LIMIT} quote characters open a cell and are not closed (lines "
                        f"{self._lines}). Double the quote characters inside cells, or give the delimiter."
                    )
            yield row

    @property
    def notes(self) -> tuple[str, ...]:
        """What to say, after the last row."""
        if not self._lines.count:
            return ("Some quote characters stand where none is expected; cells near them may be misread.",)
        done = f"taken as ordinary characters (lines {self._lines})"
        return (told(self._lines.count, "quote", "never closed", done),)


def survey(rows: Iterable[Line], given_names: tuple[str, ...], lines_before: int) -> Raggedness:
    """What the rows are like, each looked at once."""
    width = len(given_names)
    narrow, wide, seen, widest = Some(), Some(), 0, 0
    remarks: list[Line] = []  # last lines that have one cell only, where the table has three columns or more

    def take(row: Line) -> None:
        nonlocal widest
        if 0 < len(row.cells) < width:
            narrow.add(row.number + lines_before)
        if _is_surplus(row, width):
            wide.add(row.number + lines_before)
            widest = max(widest, len(row.cells))

    for row in rows:
        seen += 1
        if width > 2 and seen > 1 and len(row.cells) <= 1:
            remarks.append(row)
            continue
        for passed in remarks:
            take(passed)
        remarks.clear()
        take(row)
    words = " ".join(cell for row in remarks for cell in row.cells)
    if not words.strip():
        for passed in remarks:
            take(passed)
        remarks.clear()
    is_wider = wide.count > WIDER_SHARE * (seen - len(remarks))
    notes = _about_widths(narrow, wide, width, is_wider=is_wider)
    if remarks:
        notes += (told(len(remarks), "line", "below the table", f"left out: {short(words)}"),)
    if is_wider:
        refuse_too_wide(widest)
        given_names += ("",) * (widest - width)
    return Raggedness(given_names, is_wider, len(remarks), notes)


def _is_surplus(row: Line, width: int) -> bool:
    return any(cell.strip() for cell in row.cells[width:])


class _Held:
    """Lines that were taken and may be needed again."""

    def __init__(self, lines: Iterator[str]) -> None:
        self.lines: deque[str] = deque()
        self._further = lines

    def again(self) -> Iterator[str]:
        """Those that are held, then further ones, which are held as well."""
        yield from tuple(self.lines)
        for line in self._further:
            self.lines.append(line)
            yield line

    def drop(self, count: int) -> None:
        for _ in range(count):
            self.lines.popleft()


def _recovering_rows(lines: Iterator[str], quoting: Quoting, width: int) -> Iterator[tuple[Line, bool]]:
    """Rows, where a quote that is never closed costs its own line only and not what it swallows."""
    held = _Held(lines)
    bare = replace(quoting, quote="", escape="")
    at = 0
    while True:
        parser = reader(held.again(), quoting)
        begin, restart = at, False
        for cells in parser:
            start, at = at, begin + parser.line_num
            if at - start > 1 and len(cells) != width and _has_swallowed(held.lines, quoting, bare, width):
                yield Line(start + 1, next(reader([held.lines[0]], bare))), True
                at, restart = start + 1, True
                held.drop(1)
                break
            held.drop(at - start)
            yield Line(start + 1, cells), False
        if not restart:
            return


def _has_swallowed(lines: Sequence[str], quoting: Quoting, bare: Quoting, width: int) -> bool:
    """Whether a line is a whole row when its quotes mean nothing, and the next line is a whole row too."""
    alone = next(reader([lines[0]], bare), [])
    following = next(reader([lines[1]], quoting), [])
    return len(alone) == width == len(following)


def _about_widths(narrow: Some, surplus: Some, width: int, *, is_wider: bool) -> tuple[str, ...]:
    notes: tuple[str, ...] = ()
    if narrow.count:
        which = f"with fewer than {counted(width, 'cell')}"
        notes += (told(narrow.count, "row", which, f"filled up (lines {narrow})"),)
    which = f"with more than {counted(width, 'cell')}"
    if surplus.count and is_wider:
        done = f"found, so that columns were added (lines {surplus})"
        notes += (told(surplus.count, "row", which, done),)
    elif surplus.count:
        done = f"left out, because it is unclear which cell belongs where (lines {surplus})"
        notes += (told(surplus.count, "row", which, done),)
    return notes


@contextmanager
def refusing_giants() -> Iterator[None]:
    """Raise UnreadableData where the csv module meets a cell beyond the limit."""
    try:
        yield
    except csv.Error as error:
        raise UnreadableData(
            f"A cell is longer than {CELL_BYTES_LIMIT // 1_000_000} MB. If a quote character is left "
            "open there, close it; or give another delimiter."
        ) from error


@contextmanager
def larger_fields() -> Iterator[None]:
    """The csv module's limit on a cell's length is global: raise it for one reading at a time."""
    with _field_limit:
        before = csv.field_size_limit(CELL_BYTES_LIMIT)
        try:
            yield
        finally:
            csv.field_size_limit(before)
