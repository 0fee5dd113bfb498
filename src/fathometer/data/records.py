"""Read JSON records: one object a line, or one array of objects."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from fathometer.data.column_names import tidy_names
from fathometer.data.sentences import told
from fathometer.data.table import Table, refuse_giant, refuse_too_wide
from fathometer.errors import UnreadableData


def looks_like_records(data: bytes) -> bool:
    """Whether a text begins as JSON records do."""
    start = data[:4096].lstrip()
    if start.startswith(b"{"):
        return start[1:].lstrip()[:1] in (b'"', b"}")
    return start.startswith(b"[") and start[1:].lstrip()[:1] in (b"{", b"]", b"")


def read_records(data: bytes, origin: str) -> Table:
    """The table of JSON records; objects and lists inside a cell stay JSON text.

    Raises:
        UnreadableData: the text is not JSON, or not records.
    """
    text = data.decode("utf-8", "replace").strip()
    records = _array(text, origin) if text.startswith("[") else _lines(text, origin)
    if not records:
        raise UnreadableData(f"Expected a table, but {origin} holds no records.")
    columns: dict[str, ColumnType] = {}
    for record in records:
        for key, cell in record.items():
            columns.setdefault(key, ColumnType()).see(cell)
    if not columns:
        raise UnreadableData(f"Expected a table, but the records of {origin} have no fields.")
    refuse_too_wide(len(columns))
    names, notes = tidy_names(columns)
    types = {key: column.type_of(len(records)) for key, column in columns.items()}
    frame = frame_of_records(records, names, types)
    return Table(frame, notes + about_nested(columns.values()), origin)


class ColumnType:
    """What the cells of one field are like, each seen once."""

    def __init__(self) -> None:
        self._count = 0
        self._types: set[type] = set()
        self._is_large = False

    @property
    def is_nested(self) -> bool:
        """Whether a cell is an object or a list."""
        return bool(self._types & {dict, list})

    def see(self, cell: Any) -> None:
        """One more cell; UnreadableData where it is too long."""
        if cell is None:
            return
        if type(cell) is str:
            refuse_giant(len(cell))
        self._count += 1
        self._types.add(type(cell))
        if type(cell) is int and abs(cell) >= 2**63:
            self._is_large = True

    def type_of(self, rows: int) -> str:
        """The column's type in a table of so many rows, as pandas names it."""
        if self._types == {bool}:
            return "bool" if self._count == rows else "boolean"
        if self._types and self._types <= {int, float} and not self._is_large:
            return "int64" if self._types == {int} and self._count == rows else "float64"
        return "str"


def frame_of_records(
    records: Sequence[Mapping[str, Any]], names: Sequence[str], types: Mapping[str, str]
) -> pd.DataFrame:
    """Some records as a table. types: field -> type; names: of these fields' columns, in the same order."""
    columns = {}
    for name, (key, kind) in zip(names, types.items(), strict=True):
        cells = [record.get(key) for record in records]
        if kind == "str":
            cells = [None if cell is None else _as_text(cell) for cell in cells]
        columns[name] = pd.Series(cells, dtype=kind)
    return pd.DataFrame(columns)


def about_nested(columns: Iterable[ColumnType]) -> tuple[str, ...]:
    """What to say of cells that are objects or lists."""
    nested = sum(column.is_nested for column in columns)
    return (told(nested, "column", "of objects or lists", "kept as JSON text"),) if nested else ()


def _array(text: str, origin: str) -> list[dict[str, Any]]:
    value = parsed(text, origin, "")
    if isinstance(value, list) and all(isinstance(item, dict) for item in value):
        return value
    raise UnreadableData(
        f"Expected an array of JSON objects in {origin}, but some of its items are no objects."
    )


def _lines(text: str, origin: str) -> list[dict[str, Any]]:
    lines = text.split("\n")
    if len(lines) > 1 and lines[0].strip() == "{":  # one object written over several lines
        lines = [text]
    return [record_of_line(line, origin, number) for number, line in enumerate(lines, 1) if line.strip()]


def record_of_line(line: str, origin: str, number: int) -> dict[str, Any]:
    """The record that one line is.

    Raises:
        UnreadableData: it is none.
    """
    value = parsed(line, origin, f" (line {number:,})")
    if not isinstance(value, dict):
        raise UnreadableData(
            f"Expected a JSON object on every line of {origin}, but line {number:,} is none."
        )
    return value


def parsed(text: str, origin: str, where: str) -> Any:
    """The value that a JSON text is; UnreadableData where it is none."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UnreadableData(
            f"The file {origin} begins like JSON, but is not{where}: {_reason(error)}."
        ) from error


def _reason(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg} at character {error.pos:,}"
    return "too deeply nested" if isinstance(error, RecursionError) else "a value is out of range"


def _as_text(cell: Any) -> str:
    if isinstance(cell, str):
        return cell.encode("utf-8", "replace").decode("utf-8")  # JSON may hold half of a surrogate pair
    text = json.dumps(cell, ensure_ascii=False)
    refuse_giant(len(text))
    return text.encode("utf-8", "replace").decode("utf-8")
