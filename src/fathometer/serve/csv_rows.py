"""Rows as csv, with a header line or without, as a frame of cells.

A request is written by a program, so nothing is guessed but the header: commas, double quotes, UTF-8 (RFC 4180). Every
cell stays text, as in a file that is read for training.
"""

from __future__ import annotations

import io
from collections.abc import Sequence

import pandas as pd

from fathometer.data.csv_structure import structure
from fathometer.data.schema import Schema
from fathometer.serve.limits import Limits
from fathometer.serve.question import RefusedError
from fathometer.serve.tables import columns_of_bytes, demand_different, pictures_decoded

MOST_MARKS = 5_000_000  # commas, quotes and line ends; many more than any rows that are answered at once have
HEADERS = ("present", "absent")
BOM = b"\xef\xbb\xbf"


def from_csv(body: bytes, schema: Schema, limits: Limits, header: str | None = None) -> pd.DataFrame:
    """Cells as text, under the header's names, or the schema's where there is no header.

    header: "present" or "absent" where the client says so. Otherwise the first line is a header where one of its cells
    is the name of a column; without one, every line must hold as many cells as the schema has columns.

    Raises:
        RefusedError: rows of different lengths, stray quotes, not UTF-8, too many columns, no header that fits.
    """
    body = body.removeprefix(BOM)
    width = _checked_width(body, limits)
    if not width:
        raise RefusedError(400, "Expected csv with a line for each row, but the body is empty.")
    table = _read(body)
    first = [" ".join(str(cell).split()) for cell in table.iloc[0]]
    names = set(schema.names)
    if header == "present" or (header is None and any(cell in names for cell in first)):
        table = table.iloc[1:].reset_index(drop=True)
        return _named(table, _different(first), schema)
    if width != len(schema.names):
        raise RefusedError(
            400,
            f"Expected a first line with the names of the columns, or {len(schema.names)} cells in every line in the "
            f"model's order, got {width} cells and no known name.",
        )
    return _named(table, schema.names, schema)


def _checked_width(body: bytes, limits: Limits) -> int:
    """Cells in every line, which are equally many; 0 where there is no line."""
    if sum(body.count(mark) for mark in (b",", b"\n", b"\r", b'"')) > MOST_MARKS:  # before they are looked at
        raise RefusedError(413, f"At most {MOST_MARKS:,} cells are read from csv. Send fewer rows at once.")
    shape = structure(body, ",", '"')
    if not shape.widths:
        return 0
    if shape.is_open or shape.malformed:
        raise RefusedError(
            400, 'A double quote stands where none can. Write a cell that holds one so: "5"" wide".'
        )
    if len(shape.widths) > 1:
        fewest, most = min(shape.widths), max(shape.widths)
        raise RefusedError(400, f"Expected as many cells in every line, got from {fewest:,} to {most:,}.")
    (width,) = shape.widths
    if width > limits.columns:
        raise RefusedError(413, f"At most {limits.columns:,} columns are read, got {width:,}. Send fewer.")
    if shape.widths[width] > limits.rows + 1:
        raise RefusedError(413, f"At most {limits.rows:,} rows are answered at once. Send them in parts.")
    return width


def _read(body: bytes) -> pd.DataFrame:
    try:
        return pd.read_csv(
            io.BytesIO(body),
            header=None,
            index_col=False,
            dtype=str,
            keep_default_na=False,
            na_filter=False,
            encoding="utf-8",
            engine="c",
            low_memory=False,
        )
    except UnicodeDecodeError as error:
        raise RefusedError(400, "Expected csv in UTF-8, but the body is not.") from error
    except (pd.errors.ParserError, pd.errors.EmptyDataError, ValueError) as error:
        raise RefusedError(400, "Expected csv with commas and double quotes, but the body is not.") from error


def _different(names: Sequence[str]) -> Sequence[str]:
    demand_different(name for name in names if name)
    # a column without a name is none of the model's; frames saved with their index have one
    return [name or f"column {place + 1} without a name" for place, name in enumerate(names)]


def _named(table: pd.DataFrame, names: Sequence[str], schema: Schema) -> pd.DataFrame:
    table = table.set_axis(list(names), axis=1)
    for name in columns_of_bytes(schema) & set(table.columns):
        cells = [cell or None for cell in table[name]]
        table[name] = pd.Series(pictures_decoded(cells, name), dtype=object)
    return table
