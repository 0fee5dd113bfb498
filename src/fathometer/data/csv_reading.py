"""Read a csv text (or tsv, psv, blanks, one column) as a table of text cells."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass, replace

import pandas as pd
import pyarrow
import pyarrow.csv

from fathometer.data.column_names import about_names, tidy_names
from fathometer.data.csv_dialect import Quoting, find_quoting, first_lines, prepare, reader
from fathometer.data.csv_ragged import larger_fields, read_ragged
from fathometer.data.csv_structure import structure
from fathometer.data.encodings import Decoded
from fathometer.data.header import Layout, about_header, find_layout, usual_width
from fathometer.data.sentences import told
from fathometer.data.table import (
    CELL_BYTES_LIMIT,
    Dialect,
    Table,
    refuse_too_wide,
    without_empty,
    without_footer,
    without_repeated_header,
)
from fathometer.data.unpacking import refuse_too_large
from fathometer.errors import UnreadableData

LAYOUT_ROWS = 400
LAYOUT_BYTES = 1 << 20
BLOCK_BYTES = 1 << 24
RAGGED_MEMORY_PER_BYTE = 18
"""Rows of Python text take more memory than the file; measured on one of 22 MB."""

DELIMITERS_SHOWN = {",": "comma", ";": "semicolon", "\t": "tab", "|": "vertical bar", " ": "blanks"}
QUOTES_SHOWN = {'"': "double quotes", "'": "single quotes", "": "no quoting"}
MARKUP = (b"<!doctype", b"<html", b"<?xml", b"<svg", b"{\\rtf", b"%!ps")

_SEPARATOR_LINE = re.compile(rb'"?sep=([,;|\t])"?\r?\n', re.IGNORECASE)
_LINE_END = re.compile(rb"\r\n|\r|\n")


@dataclass(frozen=True)
class Wanted:
    """What the user says about the text; None: to be found out."""

    delimiter: str | None = None
    header: bool | None = None
    skip_lines: int | None = None


@dataclass(frozen=True)
class Plan:
    """How a text will be read.

    body_at: bytes before the first data row. body_line: lines before it.
    header_lines: how many of these are header.
    names: as found, one per column, "" where there is none.
    """

    quoting: Quoting
    layout: Layout
    body_at: int
    body_line: int
    header_lines: int
    names: tuple[str, ...]


def read_csv(text: Decoded, origin: str, wanted: Wanted | None = None) -> Table:
    """The table a text holds.

    Raises:
        UnreadableData: the text is empty, no table, or beyond the limits.
    """
    wanted = wanted or Wanted()
    data, separator = without_separator_line(text.data, wanted)
    refuse_no_table(data, origin)
    found = find_quoting(data, separator or wanted.delimiter)
    data = prepare(data, found)
    plan = plan_of(data, found, wanted)
    frame, named, body_notes = _read_body(data, plan)
    notes = (*text.notes, *about_reading(plan, text.encoding, wanted, separator), *body_notes)
    table = Table(frame, notes, origin, dialect_of(plan, text.encoding, separator))
    if plan.layout.header == 1:
        table = without_repeated_header(table, plan.names)
    table = without_footer(without_empty(table, named))
    notes = table.notes
    if plan.layout.header:
        notes += about_names(plan.names, table.frame.columns)
    if not len(table.frame):
        notes += ("There are no rows.",)
    return replace(table, notes=notes)


def without_separator_line(data: bytes, wanted: Wanted) -> tuple[bytes, str | None]:
    """The text, and the delimiter it gives: spreadsheet programs write `sep=;` as a first line to tell each other."""
    match = _SEPARATOR_LINE.match(data)
    if match is None or wanted.delimiter is not None or wanted.skip_lines is not None:
        return data, None
    return data[match.end() :], match[1].decode("ascii")


def refuse_no_table(data: bytes, origin: str) -> None:
    """Raise UnreadableData where the text is blank or a page in markup."""
    start = data[:4096].lstrip()
    if not start and not data.strip():
        raise UnreadableData(f"Expected a table, but {origin} is empty.")
    if start[:20].lower().startswith(MARKUP):
        raise UnreadableData(
            f"Expected a table, but {origin} is a page or drawing in markup. Save the table in it as csv."
        )


def plan_of(data: bytes, quoting: Quoting, wanted: Wanted) -> Plan:
    """How to read a text, as its first lines say.

    data: the prepared text, or as much of it as makes more than `LAYOUT_BYTES`.

    Raises:
        UnreadableData: there is nothing to read, or there are too many columns.
    """
    sample = first_lines(data, LAYOUT_BYTES).decode("utf-8", "replace")
    ends, rows = _first_rows(sample, quoting)
    skip = None if wanted.skip_lines is None else sum(end <= wanted.skip_lines for end in ends)
    layout = find_layout(rows, wanted.header, skip)
    if layout.preamble >= len(rows):
        raise UnreadableData("Expected a table, but nothing is left after the lines before it.")
    first = layout.preamble + layout.header
    body_line = ends[first - 1] if first else 0
    header_at = ends[layout.preamble - 1] if layout.preamble else 0
    body = rows[first:]
    width = max(usual_width(body), _trimmed(layout.names), 1)
    refuse_too_wide(width)
    return Plan(
        quoting=quoting,
        layout=layout,
        body_at=_bytes_of_lines(data, body_line),
        body_line=body_line,
        header_lines=body_line - header_at if layout.header else 0,
        names=_names(layout.names, body, width),
    )


def _first_rows(sample: str, quoting: Quoting) -> tuple[list[int], list[list[str]]]:
    """The first rows, and the number of the line each ends on."""
    ends, rows = [], []
    with larger_fields():
        parser = reader(io.StringIO(sample, newline=""), quoting)
        try:
            for row in parser:
                ends.append(parser.line_num)
                rows.append(row)
                if len(rows) >= LAYOUT_ROWS:
                    break
        except csv.Error:
            pass  # a giant cell: what comes before it may do for the layout; reading the body will refuse it
    return ends, rows


def _trimmed(names: tuple[str, ...]) -> int:
    """Number of names without the empty ones at the end."""
    count = len(names)
    while count and not names[count - 1].strip():
        count -= 1
    return count


def _names(names: tuple[str, ...], body: list[list[str]], width: int) -> tuple[str, ...]:
    """One name per column; a header one name short may lack the name of the row names, as R writes it."""
    full = [row for row in body if len(row) == width]
    if len(names) == width - 1 and len(full) > 2 and all(name.strip() for name in names):
        firsts = {row[0] for row in full}
        if len(firsts) == len(full) and all(row[-1].strip() for row in full):
            return ("row_name", *names)
    return (*names[:width], *[""] * max(width - len(names), 0))


def _bytes_of_lines(data: bytes, count: int) -> int:
    """Bytes of the first lines, with their ends; a line ends in \\n, \\r or \\r\\n, as for the csv module."""
    position = 0
    for _ in range(count):
        match = _LINE_END.search(data, position)
        position = match.end() if match else len(data)
    return position


def _read_body(data: bytes, plan: Plan) -> tuple[pd.DataFrame, list[bool], tuple[str, ...]]:
    """(frame, whether each column has a given name, notes), by the fast reader where all rows are whole."""
    quoting = plan.quoting
    body = data[plan.body_at :].rstrip(b"\r\n\x1a")  # a DOS file may end in control-Z
    shape = structure(
        body, quoting.splits_at, quoting.quote, quoting.escape, blank_before=quoting.blank_after
    )
    has_stray_quotes = bool(shape.malformed or shape.is_open)
    is_regular = not has_stray_quotes and set(shape.widths) <= {len(plan.names)}
    if is_regular and shape.longest <= CELL_BYTES_LIMIT:
        try:
            frame = read_regular(body, quoting, tidy_names(plan.names)[0], shape.longest)
        except (pd.errors.ParserError, pyarrow.ArrowInvalid):
            pass  # the slower reader takes what the fast ones will not
        else:
            notes = (told(shape.blank_lines, "blank line", "among the rows", "left out"),)
            return frame, [bool(name.strip()) for name in plan.names], notes if shape.blank_lines else ()
    refuse_too_large(len(body), RAGGED_MEMORY_PER_BYTE)
    text = body.decode("utf-8", "replace")
    return read_ragged(text, quoting, plan.names, plan.body_line, has_stray_quotes=has_stray_quotes)


def read_regular(body: bytes, quoting: Quoting, names: list[str], longest: int) -> pd.DataFrame:
    """Text in which every row is whole and every quote opens or closes a cell."""
    if not body:
        return pd.DataFrame({name: pd.Series([], dtype="str") for name in names})
    if quoting.escape or quoting.blank_after:
        return _read_with_pandas(body, quoting, names)
    table = pyarrow.csv.read_csv(
        io.BytesIO(body),
        read_options=pyarrow.csv.ReadOptions(
            column_names=names, use_threads=False, block_size=max(BLOCK_BYTES, 2 * longest)
        ),
        parse_options=pyarrow.csv.ParseOptions(
            delimiter=quoting.splits_at,
            quote_char=quoting.quote or False,
            newlines_in_values=bool(quoting.quote),
        ),
        convert_options=pyarrow.csv.ConvertOptions(
            column_types={name: pyarrow.string() for name in names},
            null_values=[""],
            strings_can_be_null=True,
            quoted_strings_can_be_null=True,
        ),
    )
    frame: pd.DataFrame = table.to_pandas()
    return frame


def _read_with_pandas(body: bytes, quoting: Quoting, names: list[str]) -> pd.DataFrame:
    """Slower than pyarrow at text, but it knows backslashes and blanks before quotes."""
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


def about_reading(plan: Plan, encoding: str, wanted: Wanted, separator: str | None) -> tuple[str, ...]:
    """What to say of how the text was taken apart."""
    quoting, layout = plan.quoting, plan.layout
    if quoting.delimiter:
        shown = f"delimiter {DELIMITERS_SHOWN.get(quoting.delimiter, repr(quoting.delimiter))}"
    else:
        shown = "one column"
    notes: tuple[str, ...] = (f"Read as {encoding}, {shown}, {QUOTES_SHOWN[quoting.quote]}.",)
    if separator:
        notes += ("The first line only gives the delimiter and was left out.",)
    if quoting.escape:
        notes += ("A backslash makes the character after it an ordinary one.",)
    if quoting.blank_after:
        notes += ("Blanks after the delimiter were taken off.",)
    skipped = plan.body_line - plan.header_lines
    if skipped:
        notes += (told(skipped, "line", "before the table", "left out"),)
    return notes + about_header(layout, is_given=wanted.header is not None)


def dialect_of(plan: Plan, encoding: str, separator: str | None) -> Dialect:
    """How the file was written."""
    quoting = plan.quoting
    return Dialect(
        encoding=encoding,
        delimiter=quoting.delimiter,
        quote=quoting.quote,
        escape=quoting.escape,
        preamble_lines=plan.body_line - plan.header_lines + bool(separator),
        header_lines=plan.layout.header,
    )
