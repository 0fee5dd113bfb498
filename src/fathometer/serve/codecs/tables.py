"""Rows as JSON writes them in every grammar that clients speak, as a frame of cells.

Names and cells stay as the client wrote them: what a cell means is for the schema to decide, as in every other way of
asking. The room taken follows the body: of names that no row shares, only the first are kept.
"""

from __future__ import annotations

import base64
import binascii
import itertools
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import orjson
import pandas as pd

from fathometer.data.schema import Schema
from fathometer.data.sentences import counted
from fathometer.data.wire import from_wire
from fathometer.errors import UnreadableData
from fathometer.serve.limits import check_parts
from fathometer.serve.openapi import holds_bytes
from fathometer.serve.question import RefusedError

MOST_UNKNOWN = 64  # names besides those of the model that are kept, to be named where one is missing
PLAIN = {str, int, float, bool, type(None)}


def read_json(body: bytes) -> Any:
    """The value; NaN and Infinity, which clients in Python write, are read too.

    Raises:
        RefusedError: it is no JSON, or has more parts than may be.
    """
    check_parts(body)
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        if b"NaN" not in body and b"Infinity" not in body:
            raise no_json(body, error) from error
    check_parts(body, values=True)
    try:
        value = json.loads(body.decode(), parse_int=_whole)
        if b"\\u" in body:
            json.dumps(value, ensure_ascii=False).encode()  # half a character can be read, but not be written
    except (ValueError, RecursionError) as error:
        raise no_json(body, "even where NaN is allowed") from error
    return value


def no_json(body: bytes, why: object) -> RefusedError:
    """The refusal of a body that is no JSON; bytes that are no text at all are told first."""
    try:
        body.decode()
    except UnicodeDecodeError as error:
        return RefusedError(
            400, f"The body is not valid UTF-8 (from byte {error.start:,} on), as JSON must be."
        )
    return RefusedError(400, f"The body is not JSON ({why}).")


def _whole(digits: str) -> int | float:
    """A whole number, as a fraction where it has more than 64 bits, as in JSON without NaN."""
    number = int(digits)
    return number if -(2**63) <= number < 2**64 else float(digits)


def from_instances(rows: Any, schema: Schema) -> pd.DataFrame:
    """Rows as objects by name, as lists in the schema's order, or bare cells where there is but one column.

    Raises:
        RefusedError: no list, or not all of one sort, or lists of another length.
    """
    if not isinstance(rows, list):
        raise RefusedError(400, f"Expected a list of rows, got {_what(rows)}.")
    sorts = set(map(type, rows))
    if sorts == {list}:
        return from_lists(rows, schema.names, schema)
    if sorts == {dict} and not (len(schema.names) == 1 and all(set(row) == {"b64"} for row in rows)):
        return from_records(rows, schema)
    if not rows or (len(schema.names) == 1 and list not in sorts):
        return _frame(dict.fromkeys(schema.names, rows), schema)
    raise RefusedError(
        400,
        "Expected every row as an object of cells by name, or every row as a list of "
        f"{counted(len(schema.names), 'cell')} in this order: {_listed(schema.names)}.",
    )


def from_records(rows: Any, schema: Schema) -> pd.DataFrame:
    """Rows as objects: name of a column -> cell; a name that one row lacks is a missing cell.

    Raises:
        RefusedError: no list of objects.
    """
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise RefusedError(400, "Expected a list of objects, each of cells by the names of their columns.")
    if not rows:
        return _frame({name: [] for name in schema.names}, schema)
    names = _kept(dict.fromkeys(itertools.chain.from_iterable(rows)), schema)
    return _frame({name: [row.get(name) for row in rows] for name in names}, schema)


def from_lists(rows: Any, names: Sequence[str], schema: Schema) -> pd.DataFrame:
    """Rows as lists of cells, in the order of these names.

    Raises:
        RefusedError: no list of lists of that length, or a name twice.
    """
    if not isinstance(rows, list) or not all(isinstance(row, list) for row in rows):
        raise RefusedError(400, "Expected the rows as a list of lists of cells.")
    for place, row in enumerate(rows):
        if len(row) != len(names):
            raise RefusedError(
                400,
                f"Expected {counted(len(names), 'cell')} in every row, got {len(row)} in row {place} (the first is 0). "
                f"The columns are {_listed(names)}.",
            )
    demand_different(names)
    columns = zip(*rows, strict=True) if rows else itertools.repeat(())
    return _frame({name: list(cells) for name, cells in zip(names, columns, strict=False)}, schema)


def from_columns(columns: Any, schema: Schema) -> pd.DataFrame:
    """Columns as lists of cells by name.

    Raises:
        RefusedError: no object of lists, or lists of different lengths.
    """
    if not isinstance(columns, dict) or not all(isinstance(cells, list) for cells in columns.values()):
        raise RefusedError(400, "Expected an object of lists: the cells of each column by its name.")
    lengths = {len(cells) for cells in columns.values()}
    if len(lengths) > 1:
        raise RefusedError(
            400, f"Expected as many cells in every column, got from {min(lengths)} to {max(lengths)}."
        )
    return _frame(columns, schema)


def from_split(table: Any, schema: Schema) -> pd.DataFrame:
    """A table as pandas splits it: {"columns": names, "index": ignored, "data": rows}; no names: the schema's order.

    Raises:
        RefusedError: it is not so.
    """
    if not isinstance(table, dict) or not set(table) <= {"columns", "index", "data"} or "data" not in table:
        raise RefusedError(400, 'Expected an object with "columns" and "data", and "index" or not.')
    given = table.get("columns")
    if given is None:
        return from_lists(table["data"], schema.names, schema)
    if not isinstance(given, list) or not all(isinstance(name, str | int | float | bool) for name in given):
        raise RefusedError(400, 'Expected "columns" as a list of names.')
    return from_lists(table["data"], [str(name) for name in given], schema)


def columns_of_bytes(schema: Schema) -> frozenset[str]:
    """The columns whose cells are bytes, which JSON and csv can only hold as base64."""
    return frozenset(column.name for column in schema.columns if holds_bytes(column.kind))


def decoded_base64(text: str, column: str) -> bytes:
    """The bytes of a text in base64, which may be broken into lines.

    Raises:
        RefusedError: it is not base64.
    """
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise RefusedError(
            400, f"Expected base64 in column {column[:80]!r}, for it holds bytes, but a text is not."
        ) from error


def pictures_decoded(cells: Iterable[Any], column: str) -> list[Any]:
    """Texts among the cells of a column of pictures as bytes.

    Raises:
        RefusedError: one is not base64.
    """
    return [decoded_base64(cell, column) if isinstance(cell, str) else cell for cell in cells]


def _frame(columns: Mapping[str, list[Any]], schema: Schema) -> pd.DataFrame:
    pictures, known = columns_of_bytes(schema), set(schema.names)
    read = {
        name: _cells(cells, name, name in pictures)
        if name in known or " ".join(name.split()) in known
        else [cell if type(cell) in PLAIN else None for cell in cells]
        for name, cells in columns.items()
    }
    return pd.DataFrame(read, dtype=object)


def _cells(cells: list[Any], name: str, is_bytes: bool) -> list[Any]:
    if not set(map(type, cells)) <= PLAIN:
        try:
            cells = [from_wire(cell) for cell in cells]
        except UnreadableData as error:
            raise RefusedError(400, f"Column {name[:80]!r}: {error}") from error
    return pictures_decoded(cells, name) if is_bytes else cells


def _kept(names: Iterable[str], schema: Schema) -> list[str]:
    known = set(schema.names)
    kept, unknown = [], 0
    for name in names:
        # a name is known with other blanks too, as in every source that is read
        if name in known or " ".join(name.split()) in known:
            kept.append(name)
        elif unknown < MOST_UNKNOWN:
            unknown += 1
            kept.append(name)
    return kept


def demand_different(names: Iterable[str]) -> None:
    """Refuse a name that comes twice.

    Raises:
        RefusedError: one does.
    """
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise RefusedError(400, f"Two columns are called {name[:80]!r}. Rename one.")
        seen.add(name)


def _what(value: Any) -> str:
    return {dict: "an object", str: "a text", type(None): "null"}.get(type(value), type(value).__name__)


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(name[:40] for name in names[:20])
    return f"{shown} and {len(names) - 20} more" if len(names) > 20 else shown
