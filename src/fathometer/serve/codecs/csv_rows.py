"""Rows as csv, with a header line or without, as a frame of cells.

A request is written by a program, so nothing is guessed but the header: commas, double quotes, UTF-8 (RFC 4180). Every
cell stays text, as in a file that is read for training.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

import pandas as pd
import pyarrow
import pyarrow.csv

from fathometer.data.csv_structure import structure
from fathometer.data.schema import Schema
from fathometer.data.sentences import counted
from fathometer.serve.codecs.tables import columns_of_bytes, demand_different, pictures_decoded
from fathometer.serve.limits import Limits
from fathometer.serve.question import RefusedError

MOST_MARKS = 5_000_000
"""Commas, quotes and line ends; many more than any rows that are answered at once have."""
SMALL = 20_000  # bytes up to which plain Python is the quickest
HEADERS = ("present", "absent")
BOM = b"\xef\xbb\xbf"
LINE_END = re.compile(r"\r\n|\n|\r")


def from_csv(body: bytes, schema: Schema, limits: Limits, header: str | None = None) -> pd.DataFrame:
    """Cells as text, under the header's names, or the schema's where there is no header.

    header: "present" or "absent" where the client says so. Otherwise the first line is a header where one of its cells
    is the name of a column; without one, every line must hold as many cells as the schema has columns.

    Raises:
        RefusedError: rows of different lengths, stray quotes, not UTF-8, too many columns, no header that fits.
    """
    columns = _columns(body.removeprefix(BOM), limits)
    if not columns:
        raise RefusedError(400, "Expected csv with a line for each row, but the body is empty.")
    first = [" ".join(cells[0].split()) for cells in columns]
    names = set(schema.names)
    if header == "present" or (header is None and any(cell in names for cell in first)):
        return _named([cells[1:] for cells in columns], _different(first), schema)
    if len(columns) != len(names):
        raise RefusedError(
            400,
            f"Expected a first line with the names of the columns, or {counted(len(names), 'cell')} in every line in "
            f"the model's order, got {counted(len(columns), 'cell')} and no known name.",
        )
    return _named(columns, schema.names, schema)


def _columns(body: bytes, limits: Limits) -> list[list[str]]:
    """The cells of every column, the header's among them; none where there is no line."""
    if len(body) <= SMALL and b'"' not in body:
        try:
            lines = [line.split(",") for line in LINE_END.split(body.decode()) if line]
        except UnicodeDecodeError as error:
            raise RefusedError(400, "Expected csv in UTF-8, but the body is not.") from error
        _check_widths({len(line) for line in lines}, len(lines), limits)
        return [list(cells) for cells in zip(*lines, strict=True)]
    if sum(body.count(mark) for mark in (b",", b"\n", b"\r", b'"')) > MOST_MARKS:  # before they are looked at
        raise RefusedError(413, f"At most {MOST_MARKS:,} cells are read from csv. Send fewer rows at once.")
    shape = structure(body, ",", '"')
    if shape.is_open or shape.malformed:
        raise RefusedError(
            400, 'A double quote stands where none can. Write a cell that holds one so: "5"" wide".'
        )
    _check_widths(shape.widths, sum(shape.widths.values()), limits)
    return _parsed(body, next(iter(shape.widths), 0))


def _check_widths(widths: Collection[int], lines: int, limits: Limits) -> None:
    if len(widths) > 1:
        fewest, most = min(widths), max(widths)
        raise RefusedError(400, f"Expected as many cells in every line, got from {fewest:,} to {most:,}.")
    width = max(widths, default=0)
    if width > limits.columns:
        raise RefusedError(413, f"At most {limits.columns:,} columns are read, got {width:,}. Send fewer.")
    if lines > limits.rows + 1:  # one may be the header
        raise RefusedError(413, f"At most {limits.rows:,} rows are answered at once. Send them in parts.")


def _parsed(body: bytes, width: int) -> list[list[str]]:
    if not width:
        return []
    names = [str(place) for place in range(width)]
    try:
        table = pyarrow.csv.read_csv(
            pyarrow.BufferReader(body),
            read_options=pyarrow.csv.ReadOptions(
                column_names=names, use_threads=False, block_size=len(body) + 1
            ),
            parse_options=pyarrow.csv.ParseOptions(newlines_in_values=True),
            convert_options=pyarrow.csv.ConvertOptions(
                column_types=dict.fromkeys(names, pyarrow.string()), strings_can_be_null=False
            ),
        )
    except pyarrow.ArrowInvalid as error:
        reason = "is not" if "UTF8" in str(error) else "cannot be taken apart"
        raise RefusedError(
            400, f"Expected csv in UTF-8 with commas and double quotes, but the body {reason}."
        ) from error
    return [column.to_pylist() for column in table.columns]


def _different(names: Sequence[str]) -> Sequence[str]:
    demand_different(name for name in names if name)
    # a column without a name is none of the model's; frames saved with their index have one
    return [name or f"column {place + 1} without a name" for place, name in enumerate(names)]


def _named(columns: Sequence[list[str]], names: Sequence[str], schema: Schema) -> pd.DataFrame:
    pictures = columns_of_bytes(schema)
    cells = {
        name: pictures_decoded([cell or None for cell in texts], name) if name in pictures else texts
        for name, texts in zip(names, columns, strict=True)
    }
    return pd.DataFrame(cells, dtype=object)
