"""Read a csv text (or tsv, psv, blanks, one column) as a table of text cells."""

from __future__ import annotations

import csv
import io
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import pandas as pd

from fathometer.data.column_names import listed, tidy_names
from fathometer.data.csv_dialect import Quoting, find_quoting, first_lines, parse, prepare
from fathometer.data.csv_structure import structure
from fathometer.data.encodings import Decoded
from fathometer.data.header import Layout, find_layout, usual_width
from fathometer.data.table import CELL_BYTES_LIMIT, Dialect, Table, refuse_too_wide, without_empty
from fathometer.errors import UnreadableData

LAYOUT_ROWS = 400
LAYOUT_BYTES = 1 << 20
WIDER_SHARE = 0.1
"""Where more rows than this have surplus cells, the table has more columns than its header says."""

SHOWN = {
    ",": "comma",
    ";": "semicolon",
    "\t": "tab",
    "|": "vertical bar",
    " ": "blanks",
    "": "none: one column",
}

_field_limit = threading.Lock()
_SEPARATOR_LINE = re.compile(rb'^"?sep=(.)"?\r?\n')


@dataclass(frozen=True)
class Wanted:
    """What the user says about the text; None: to be found out."""

    delimiter: str | None = None
    header: bool | None = None
    skip_lines: int | None = None


@dataclass(frozen=True)
class _Plan:
    """How the text will be read: the layout, its place in the text, and the table's width."""

    quoting: Quoting
    layout: Layout
    body_at: int  # bytes before the first data row
    lines_before: int  # lines before the first data row
    lines_of_header: int
    width: int
    names: tuple[str, ...]  # as found, one per column; "" where there is none


def read_csv(text: Decoded, origin: str, wanted: Wanted | None = None) -> Table:
    """The table a text holds.

    Raises:
        UnreadableData: the text is empty, no table, or beyond the limits.
    """
    wanted = wanted or Wanted()
    data, wanted, first_notes = _without_separator_line(text.data, wanted)
    if not data.strip(b"\x00 \t\r\n\x1a"):
        raise UnreadableData(f"Expected a table, but {origin} is empty.")
    found = find_quoting(data, wanted.delimiter)
    data = prepare(data, found)
    plan = _plan(data, found, wanted)
    refuse_too_wide(plan.width)
    notes = (*text.notes, *first_notes, *_about(plan, text, wanted))
    if not wanted.delimiter and _looks_like_prose(data, plan):
        raise UnreadableData(
            f"Expected a table, but the lines of {origin} look like running text or markup. "
            "Give the delimiter if it is a table all the same."
        )
    names, name_notes = tidy_names(plan.names)
    frame, body_notes = _read_body(data, plan, names)
    table = Table(frame, (*notes, *body_notes), origin, _dialect(plan, text, len(first_notes)))
    named = [bool(name.strip()) for name in plan.names]
    named += [False] * (len(frame.columns) - len(named))
    table = without_empty(_without_repeats(table, plan), named)
    table = _without_footer(table)
    if plan.layout.header:
        table = replace(table, notes=(*table.notes, *_still_true(name_notes, plan, table)))
    return table


def _without_separator_line(data: bytes, wanted: Wanted) -> tuple[bytes, Wanted, tuple[str, ...]]:
    """Spreadsheet programs write `sep=;` as a first line to tell each other the delimiter."""
    match = _SEPARATOR_LINE.match(data)
    if (
        match is None
        or wanted.delimiter is not None
        or wanted.skip_lines is not None
        or match[1] in b'"\x80-\xff'
    ):
        return data, wanted, ()
    delimiter = match[1].decode("ascii", "replace")
    note = f"The first line gives the delimiter {delimiter!r} and was left out."
    return data[match.end() :], replace(wanted, delimiter=delimiter), (note,)


def _plan(data: bytes, quoting: Quoting, wanted: Wanted) -> _Plan:
    sample = first_lines(data, LAYOUT_BYTES).decode("utf-8", "replace")
    lines, rows = [], []
    with _larger_fields():
        for line, row in parse(sample, quoting):
            lines.append(line)
            rows.append(row)
            if len(rows) >= LAYOUT_ROWS:
                break
    skip = None
    if wanted.skip_lines is not None:
        skip = sum(line <= wanted.skip_lines for line in lines)
    layout = find_layout(rows, wanted.header, skip)
    if layout.preamble >= len(rows):
        raise UnreadableData("Expected a table, but nothing is left after the lines before it.")
    first = layout.preamble + layout.header
    before = lines[first - 1] if first else 0
    header_lines = before - (lines[layout.preamble - 1] if layout.preamble else 0) if layout.header else 0
    body = rows[first:]
    width = max(usual_width(body), _trimmed(layout.names))
    return _Plan(
        quoting=quoting,
        layout=layout,
        body_at=_bytes_of_lines(data, before),
        lines_before=before,
        lines_of_header=header_lines,
        width=max(width, 1),
        names=_names(layout.names, body, max(width, 1)),
    )


def _trimmed(names: tuple[str, ...]) -> int:
    """Number of names without the empty ones at the end."""
    count = len(names)
    while count and not names[count - 1].strip():
        count -= 1
    return count


def _names(names: tuple[str, ...], body: list[list[str]], width: int) -> tuple[str, ...]:
    """One name per column; a header one name short may lack the name of the row names, as R writes it."""
    short = width - len(names)
    full = [row for row in body if len(row) == width]
    if short == 1 and names and len(full) > 2 and all(name.strip() for name in names):
        firsts = {row[0] for row in full}
        if len(firsts) == len(full) and all(row[-1].strip() for row in full):
            return ("row_name", *names)
    return (*names[:width], *[""] * max(short, 0))


def _bytes_of_lines(data: bytes, count: int) -> int:
    """Bytes of the first lines, with their ends; a line ends in \\n, \\r or \\r\\n, as for the csv module."""
    position = 0
    for _ in range(count):
        match = _LINE_END.search(data, position)
        position = match.end() if match else len(data)
    return position


_LINE_END = re.compile(rb"\r\n|\r|\n")


def _read_body(data: bytes, plan: _Plan, names: list[str]) -> tuple[pd.DataFrame, tuple[str, ...]]:
    body = data[plan.body_at :] if plan.body_at else data
    quoting = plan.quoting
    shape = structure(
        body, quoting.splits_at, quoting.quote, quoting.escape, blank_before=quoting.blank_after
    )
    regular = not shape.malformed and not shape.is_open and bool((shape.widths == plan.width).all())
    if regular and len(shape.widths) and shape.longest <= CELL_BYTES_LIMIT:
        try:
            return _read_regular(body, quoting, names), ()
        except pd.errors.ParserError:
            pass  # the slower reader takes what pandas will not
    faults = shape.malformed + shape.is_open
    notes: tuple[str, ...] = ()
    if faults:
        notes = (
            f"{faults:,} quote characters stand where none is expected; cells near them may be misread.",
        )
    frame, ragged = _read_ragged(body.decode("utf-8", "replace"), plan, names)
    return frame, (*notes, *ragged)


def _read_regular(body: bytes, quoting: Quoting, names: list[str]) -> pd.DataFrame:
    return pd.read_csv(
        io.BytesIO(body),
        sep=quoting.splits_at,
        header=None,
        names=names,
        index_col=False,
        dtype=str,
        keep_default_na=False,
        na_values=[""],
        quotechar=quoting.quote or '"',
        quoting=csv.QUOTE_MINIMAL if quoting.quote else csv.QUOTE_NONE,
        escapechar=quoting.escape or None,
        skipinitialspace=quoting.blank_after,
        encoding="utf-8",
        engine="c",
    )


def _read_ragged(text: str, plan: _Plan, names: list[str]) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Rows of any width with Python's csv module, made as wide as the table."""
    with _larger_fields():
        try:
            rows = [(line, row) for line, row in parse(text, plan.quoting) if row]
        except csv.Error as error:
            raise UnreadableData(
                f"A cell is longer than {CELL_BYTES_LIMIT // 1_000_000} MB. If a quote character is left open "
                "there, close it; or give another delimiter."
            ) from error
    rows, footer = _split_footer(rows, plan.width)
    surplus = [(line, row) for line, row in rows if any(cell.strip() for cell in row[plan.width :])]
    width, wider = plan.width, len(surplus) > WIDER_SHARE * len(rows)
    if wider:
        width = max(len(row) for _, row in surplus)
        refuse_too_wide(width)
    notes = _about_ragged(rows, surplus, plan, wider) + footer
    left_out = set() if wider else {line for line, _ in surplus}
    kept = [row[:width] + [""] * (width - len(row)) for line, row in rows if line not in left_out]
    if wider:
        names = tidy_names([*plan.names, *[""] * (width - plan.width)])[0]
    columns = list(zip(*kept, strict=True)) if kept else [()] * width
    cells = {
        name: pd.Series([cell or None for cell in column], dtype="str")
        for name, column in zip(names, columns, strict=True)
    }
    return pd.DataFrame(cells), notes


def _split_footer(
    rows: list[tuple[int, list[str]]], width: int
) -> tuple[list[tuple[int, list[str]]], tuple[str, ...]]:
    """Remarks below the table: last rows that have one cell only, where the table has several columns."""
    end = len(rows)
    while width > 2 and end > 1 and len(rows[end - 1][1]) == 1:
        end -= 1
    if end == len(rows):
        return rows, ()
    words = " ".join(row[0] for _, row in rows[end:])
    return rows[:end], (f"{len(rows) - end:,} lines below the table were left out: {_short(words)}",)


def _about_ragged(
    rows: list[tuple[int, list[str]]], surplus: list[tuple[int, list[str]]], plan: _Plan, wider: bool
) -> tuple[str, ...]:
    notes: tuple[str, ...] = ()
    short = [line for line, row in rows if len(row) < plan.width]
    if short:
        where = listed(line + plan.lines_before for line in short)
        notes += (
            f"{len(short):,} rows have fewer than {plan.width:,} cells and were filled up (lines {where}).",
        )
    where = listed(line + plan.lines_before for line, _ in surplus)
    if surplus and wider:
        notes += (
            f"{len(surplus):,} rows have more cells than the header; columns were added (lines {where}).",
        )
    elif surplus:
        notes += (
            f"{len(surplus):,} rows have more than {plan.width:,} cells, so that it is unclear which cell "
            f"belongs where, and were left out (lines {where}).",
        )
    return notes


def _without_repeats(table: Table, plan: _Plan) -> Table:
    """Files put together from several repeat the header among the rows."""
    names = [name.strip() for name in plan.names]
    if (
        plan.layout.header != 1
        or len(names) != len(table.frame.columns)
        or len(names) < 2
        or not len(table.frame)
    ):
        return table
    frame = table.frame
    repeats = pd.Series(True, index=frame.index)
    for position, name in enumerate(names):
        if not name:
            continue
        candidates = frame.loc[repeats].iloc[:, position]
        same = candidates.str.strip() == name
        repeats.loc[repeats] = same.fillna(False).astype(bool).to_numpy()
        if not repeats.any():
            return table
    note = f"{int(repeats.sum()):,} rows repeat the header and were left out."
    return replace(table, frame=frame[~repeats].reset_index(drop=True), notes=(*table.notes, note))


def _without_footer(table: Table) -> Table:
    return table


def _still_true(notes: tuple[str, ...], plan: _Plan, table: Table) -> tuple[str, ...]:
    """Notes on made names only where a column of such a name is left."""
    made = [
        name for name, given in zip(tidy_names(plan.names)[0], plan.names, strict=True) if not given.strip()
    ]
    left = [name for name in made if name in set(table.frame.columns)]
    return tuple(note for note in notes if left or "no name" not in note)


def _about(plan: _Plan, text: Decoded, wanted: Wanted) -> tuple[str, ...]:
    quoting, layout = plan.quoting, plan.layout
    shown = SHOWN.get(quoting.delimiter, repr(quoting.delimiter))
    quotes = {'"': "double quotes", "'": "single quotes", "": "no quoting"}[quoting.quote]
    notes: tuple[str, ...] = (f"Read as {text.encoding}, delimiter {shown}, {quotes}.",)
    if quoting.escape:
        notes += ("A backslash makes the character after it an ordinary one.",)
    if quoting.blank_after:
        notes += ("Blanks after the delimiter were taken off.",)
    skipped = plan.lines_before - plan.lines_of_header
    if skipped:
        notes += (f"{skipped:,} lines before the table were left out.",)
    if not layout.header:
        reason = "" if wanted.header is not None else " (the first row looks like the others)"
        notes += (f"There is no header{reason}; the columns are called column_1, column_2, ...",)
    elif layout.header > 1:
        notes += (f"The header has {layout.header} rows; their cells were joined.",)
    return notes


def _dialect(plan: _Plan, text: Decoded, separator_lines: int) -> Dialect:
    quoting = plan.quoting
    return Dialect(
        encoding=text.encoding,
        delimiter=quoting.delimiter,
        quote=quoting.quote,
        escape=quoting.escape,
        preamble_lines=plan.lines_before - plan.lines_of_header + separator_lines,
        header_lines=plan.layout.header,
    )


def _looks_like_prose(data: bytes, plan: _Plan) -> bool:
    """Markup, or lines that no delimiter splits and that are too long for cells."""
    start = data[:200].lstrip().lower()
    return start.startswith((b"<!doctype", b"<html", b"<?xml", b"%pdf", b"{\\rtf"))


def _short(words: str, most: int = 120) -> str:
    words = " ".join(words.split())
    return repr(words if len(words) <= most else words[: most - 3] + "...") + "."


@contextmanager
def _larger_fields() -> Iterator[None]:
    """The csv module's limit on a cell's length is global: raise it for one reading at a time."""
    with _field_limit:
        before = csv.field_size_limit(CELL_BYTES_LIMIT)
        try:
            yield
        finally:
            csv.field_size_limit(before)
