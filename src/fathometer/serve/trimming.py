"""Keep a log within its size: the oldest rows go first, and always from the table that is larger.

So neither table can push out more of the other than brings both to half of what there is room for, however much is
written to it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping

from fathometer.serve.settings import LogSettings

TABLES: Mapping[str, str] = {
    "prediction": "length(row_key) + length(request_id) + ifnull(length(features), 0) + length(score)",
    "feedback": "2 * length(row_key) + length(value) + ifnull(length(ts_event), 0) + ifnull(length(note), 0)",
}
"""Table -> what tells how large one of its rows is."""
ROW_BYTES = 100  # what every row takes besides
SAMPLED = 200  # rows by which the size of a table is told
SHARE = 10  # the oldest of so many parts go at a time


def trim(connection: sqlite3.Connection, settings: LogSettings) -> None:
    """Remove the oldest rows beyond what may be kept; within a transaction of the caller's."""
    for table in TABLES:
        newest = connection.execute(f"SELECT max(id) FROM {table}").fetchone()[0] or 0
        connection.execute(f"DELETE FROM {table} WHERE id <= ?", (newest - settings.rows,))
    if used_bytes(connection) <= settings.size_bytes:
        return
    while used_bytes(connection) > settings.size_bytes:
        table = max(TABLES, key=lambda name: _table_bytes(connection, name))
        oldest, newest = connection.execute(f"SELECT min(id), max(id) FROM {table}").fetchone()
        if oldest is None:
            break  # nothing is left but the tables themselves
        latest = oldest + (newest - oldest) // SHARE
        connection.execute(f"DELETE FROM {table} WHERE id <= ?", (latest,))
    for _ in range(_pragma(connection, "freelist_count")):
        connection.execute(
            "PRAGMA incremental_vacuum(1)"
        )  # sqlite3 takes but one step, which gives back one page


def used_bytes(connection: sqlite3.Connection) -> int:
    """Bytes of the file that hold something."""
    pages, free, size = (_pragma(connection, name) for name in ("page_count", "freelist_count", "page_size"))
    return (pages - free) * size


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    return int(connection.execute(f"PRAGMA {name}").fetchone()[0])


def _table_bytes(connection: sqlite3.Connection, table: str) -> float:
    """About how large a table is, by rows spread over all of it; 0 where it is empty, and above it otherwise."""
    oldest, newest = connection.execute(f"SELECT min(id), max(id) FROM {table}").fetchone()
    if oldest is None:
        return 0.0
    span = newest - oldest + 1
    asked = sorted({oldest + place * (span - 1) // (SAMPLED - 1) for place in range(SAMPLED)})
    marks = ",".join("?" * len(asked))
    told = connection.execute(
        f"SELECT total({TABLES[table]} + {ROW_BYTES}) FROM {table} WHERE id IN ({marks})", asked
    ).fetchone()[0]
    return float(max(told * span / len(asked), 1.0))
