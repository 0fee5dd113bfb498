"""Read JSON records: one object a line, or one array of objects."""

from __future__ import annotations

import json
from typing import Any

import pandas as pd

from fathometer.data.column_names import tidy_names
from fathometer.data.sentences import told
from fathometer.data.table import Table, refuse_too_wide
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
    keys = list(dict.fromkeys(key for record in records for key in record))
    if not keys:
        raise UnreadableData(f"Expected a table, but the records of {origin} have no fields.")
    refuse_too_wide(len(keys))
    names, notes = tidy_names(keys)
    nested = 0
    columns = {}
    for name, key in zip(names, keys, strict=True):
        cells = [record.get(key) for record in records]
        nested += any(isinstance(cell, dict | list) for cell in cells)
        columns[name] = _typed(cells)
    if nested:
        notes += (told(nested, "column", "of objects or lists", "kept as JSON text"),)
    return Table(pd.DataFrame(columns), notes, origin)


def _array(text: str, origin: str) -> list[dict[str, Any]]:
    value = _parsed(text, origin, "")
    if isinstance(value, list) and all(isinstance(item, dict) for item in value):
        return value
    raise UnreadableData(
        f"Expected an array of JSON objects in {origin}, but some of its items are no objects."
    )


def _lines(text: str, origin: str) -> list[dict[str, Any]]:
    records = []
    lines = text.split("\n")
    if len(lines) > 1 and lines[0].strip() == "{":  # one object written over several lines
        lines = [text]
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        value = _parsed(line, origin, f" (line {number:,})")
        if not isinstance(value, dict):
            raise UnreadableData(
                f"Expected a JSON object on every line of {origin}, but line {number:,} is none."
            )
        records.append(value)
    return records


def _parsed(text: str, origin: str, where: str) -> Any:
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


def _typed(cells: list[Any]) -> pd.Series:
    filled = [cell for cell in cells if cell is not None]
    kinds = {type(cell) for cell in filled}
    if kinds == {bool}:
        return pd.Series(cells, dtype="bool" if len(filled) == len(cells) else "boolean")
    if kinds and kinds <= {int, float} and all(abs(cell) < 2**63 for cell in filled if isinstance(cell, int)):
        whole = kinds == {int} and len(filled) == len(cells)
        return pd.Series(cells, dtype="int64" if whole else "float64")
    return pd.Series([None if cell is None else _as_text(cell) for cell in cells], dtype="str")


def _as_text(cell: Any) -> str:
    if isinstance(cell, str):
        return cell.encode("utf-8", "replace").decode("utf-8")  # JSON may hold half of a surrogate pair
    return json.dumps(cell, ensure_ascii=False).encode("utf-8", "replace").decode("utf-8")
