"""What was asked and answered, kept in one SQLite file: written behind the answers' backs, bounded, never waited for.

The tables are described in docs/serve.md; whoever watches for drift reads them.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import secrets
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pandas as pd

from fathometer.data.wire import to_wire
from fathometer.errors import UserError
from fathometer.serve.question import Reply
from fathometer.serve.settings import LogSettings
from fathometer.serve.trimming import trim

APPLICATION = 0x66617468  # "fath", by which SQLite files say whose they are
FORMAT = 1
QUEUED_ROWS = 50_000  # beyond these an answer is not logged, but counted
QUEUED_BYTES = 128 * 2**20  # likewise
WRITTEN_BYTES = 32 * 2**20  # what is written as one transaction at most, or a single answer
JOURNAL_BYTES = 4 * 2**20  # beside the file, once what it holds is in it
CELL_BYTES = 64  # of memory, about, besides the characters of a text
WRITE_SECONDS = 0.25  # what has gathered is written as one transaction so often
LOCK_SECONDS = 5.0
TRIES, RETRY_SECONDS = 3, 0.1  # to write what found the file locked by another worker
LARGE_BYTES = 1024  # of a picture or a text: the digest of a longer one is kept instead
HASH_BYTES = 8

TABLES = """
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS prediction (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    ts REAL NOT NULL,
    deployment TEXT NOT NULL,
    model_version TEXT NOT NULL,
    role TEXT NOT NULL DEFAULT 'champion',
    row_key TEXT NOT NULL,
    request_id TEXT NOT NULL,
    row_no INTEGER NOT NULL,
    family TEXT NOT NULL,
    features TEXT,
    score TEXT NOT NULL,
    label TEXT,
    protocol TEXT NOT NULL,
    latency_ms REAL NOT NULL
);
CREATE INDEX IF NOT EXISTS prediction_row_key ON prediction (row_key);
CREATE TABLE IF NOT EXISTS feedback (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    row_key TEXT NOT NULL,
    ts_received REAL NOT NULL,
    ts_event TEXT,
    value TEXT NOT NULL,
    weight REAL NOT NULL DEFAULT 1,
    source TEXT NOT NULL,
    annotator TEXT,
    kind TEXT NOT NULL DEFAULT 'truth',
    note TEXT,
    supersedes INTEGER,
    UNIQUE (row_key, source, value)
);
CREATE TABLE IF NOT EXISTS deployment_event (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    ts REAL NOT NULL,
    deployment TEXT NOT NULL,
    actor TEXT NOT NULL,
    from_version TEXT,
    to_version TEXT,
    action TEXT NOT NULL,
    gates TEXT
);
"""

INSERT = (
    "INSERT INTO prediction (ts, deployment, model_version, row_key, request_id, row_no, family, features, score, "
    "label, protocol, latency_ms) VALUES (?,?,?,?,?,?,?,?,?,?,?,?)"
)

logger = logging.getLogger("fathometer.serve")


@dataclass(frozen=True)
class Entry:
    """One reply with what it answers. text_bytes: of the texts and pictures among the cells, about."""

    reply: Reply
    frame: pd.DataFrame
    protocol: str
    time: float
    seconds: float
    text_bytes: int = 0

    @property
    def rows(self) -> int:
        """How many are answered."""
        return len(self.reply.row_ids)

    @property
    def held_bytes(self) -> int:
        """About how much memory it holds while it waits; told without a look at the cells, which takes longer."""
        return self.text_bytes + CELL_BYTES * self.frame.size + self.reply.prediction.nbytes


def default_place(model: str) -> Path:
    """The log of a model of that name, where the user gives no other place."""
    state = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    return Path(state) / "fathometer" / "served" / model / "log.sqlite"


def open_log(path: Path) -> sqlite3.Connection:
    """A connection to a log, which is made where there is none; nobody else may read it.

    Raises:
        UserError: the file is something else, or cannot be written.
    """
    try:
        if not path.parent.exists():
            path.parent.mkdir(parents=True, mode=0o700)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o600))
        connection = sqlite3.connect(
            path, timeout=LOCK_SECONDS, isolation_level=None, check_same_thread=False
        )
        _prepare(connection, path)
    except (OSError, sqlite3.Error) as error:
        raise UserError(
            f"The log {path} cannot be written ({error}). Name another file with --log, or say --no-log."
        ) from error
    return connection


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    if tables and application != APPLICATION:
        raise UserError(f"{path} is a database of something else. Name another file with --log.")
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > FORMAT:
        raise UserError(f"{path} is of a newer version of fathometer. Name another file with --log.")
    connection.execute("PRAGMA trusted_schema=0")
    if not tables:
        connection.execute("PRAGMA auto_vacuum=INCREMENTAL")
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=NORMAL")
    connection.execute(f"PRAGMA journal_size_limit={JOURNAL_BYTES}")
    if version < FORMAT:
        connection.executescript(
            f"BEGIN IMMEDIATE; PRAGMA application_id={APPLICATION}; PRAGMA user_version={FORMAT}; {TABLES} COMMIT;"
        )


class PredictionLog:
    """The log of one process; several may write one file.

    on_error: called for a write that failed. on_drop: called with rows that found the queue full, or were lost with a
    write.
    """

    def __init__(
        self,
        settings: LogSettings,
        columns: Sequence[str],
        on_error: Callable[[], None],
        on_drop: Callable[[int], None],
    ) -> None:
        if settings.file is None:
            raise ValueError("a log needs a file")
        self.settings = settings
        self.path = settings.file
        self._columns = tuple(columns)
        self._on_error, self._on_drop = on_error, on_drop
        self._queue: deque[tuple[Entry, int] | threading.Event] = deque()
        """Answers, each with the bytes that it holds, and who waits for those before them to be written."""
        self._queued_rows, self._queued_bytes = 0, 0
        self._lock = threading.Lock()
        self._hurry = threading.Event()
        self._is_open = True
        self._connection = open_log(self.path)
        self._key = self._kept_key()
        self._thread = threading.Thread(target=self._work, name="log", daemon=True)
        self._thread.start()

    def put(self, entry: Entry) -> None:
        """Log an answer some time soon, or drop and count it; never waits."""
        rows, size = entry.rows, entry.held_bytes
        with self._lock:
            is_full = (
                self._queued_rows + rows > QUEUED_ROWS
                or self._queued_bytes + size > QUEUED_BYTES
                or not self._is_open
            )
            if not is_full:
                self._queued_rows += rows
                self._queued_bytes += size
                self._queue.append((entry, size))
        if is_full:
            self._on_drop(rows)

    def flush(self, seconds: float = LOCK_SECONDS) -> bool:
        """Wait until all that was put is written; False where that takes longer."""
        reached = threading.Event()
        with self._lock:
            if not self._is_open:
                return False
            self._queue.append(reached)
        self._hurry.set()
        return reached.wait(seconds)

    def close(self) -> None:
        """Write what is left, and let the file go."""
        with self._lock:
            if not self._is_open:
                return
            self._is_open = False
        self._hurry.set()
        self._thread.join(TRIES * LOCK_SECONDS + 1.0)
        self._connection.close()

    def note_deployment(self, deployment: str, version: str, action: str) -> None:
        """Note that a model of this version began, or ceased, to answer."""
        try:
            with closing(open_log(self.path)) as connection:
                connection.execute(
                    "INSERT INTO deployment_event (ts, deployment, actor, to_version, action) VALUES (?,?,?,?,?)",
                    (time.time(), deployment, "fathom serve", version, action),
                )
        except (sqlite3.Error, UserError):
            self._on_error()

    def _kept_key(self) -> bytes:
        """The key of this file's hashes: equal cells have equal ones here, and others elsewhere."""
        self._connection.execute(
            "INSERT OR IGNORE INTO meta (name, value) VALUES ('hash_key', ?)", (secrets.token_hex(32),)
        )
        found = self._connection.execute("SELECT value FROM meta WHERE name='hash_key'").fetchone()
        return bytes.fromhex(found[0])

    def _work(self) -> None:
        while self._is_open:
            self._hurry.wait(WRITE_SECONDS)
            self._hurry.clear()
            self._write_queued()
        self._write_queued()

    def _write_queued(self) -> None:
        while taken := self._taken():
            entries = [item[0] for item in taken if isinstance(item, tuple)]
            if entries:
                rows = sum(entry.rows for entry in entries)
                try:
                    self._write_patiently(entries)
                except Exception as error:  # a full disk, a lock, cells that cannot be written: answers go on
                    logger.warning("the log could not be written: %s", error)
                    self._on_error()
                    self._on_drop(rows)
                finally:
                    with self._lock:
                        self._queued_rows -= rows
                        self._queued_bytes -= sum(item[1] for item in taken if isinstance(item, tuple))
            for item in taken:
                if isinstance(item, threading.Event):
                    item.set()

    def _taken(self) -> list[tuple[Entry, int] | threading.Event]:
        """The oldest of the queue, as many as are written at a time."""
        taken: list[tuple[Entry, int] | threading.Event] = []
        left = WRITTEN_BYTES
        with self._lock:
            while self._queue and left > 0:
                item = self._queue.popleft()
                left -= item[1] if isinstance(item, tuple) else 0
                taken.append(item)
        return taken

    def _write_patiently(self, entries: Sequence[Entry]) -> None:
        """Several workers write one file: what finds it locked is not lost at once."""
        for left in reversed(range(TRIES)):
            try:
                self._write(entries)
            except sqlite3.OperationalError as error:
                if left == 0 or error.sqlite_errorcode & 0xFF not in (
                    sqlite3.SQLITE_BUSY,
                    sqlite3.SQLITE_LOCKED,
                ):
                    raise
                time.sleep(RETRY_SECONDS)
            else:
                return

    def _write(self, entries: Sequence[Entry]) -> None:
        connection = self._connection
        rows = [row for entry in entries for row in self._rows(entry)]  # before other workers are kept out
        connection.execute("BEGIN IMMEDIATE")
        try:
            connection.executemany(INSERT, rows)
            trim(connection, self.settings)
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise

    def _rows(self, entry: Entry) -> Iterator[tuple[Any, ...]]:
        reply = entry.reply
        scores = reply.prediction.tolist()
        labels = reply.answers["prediction"].tolist() if reply.labels else [None] * len(scores)
        features = self._features(entry.frame, reply.places.tolist())
        milliseconds = round(entry.seconds * 1e3, 3)
        for row_key, place, cells, score, label in zip(
            reply.row_ids, reply.places.tolist(), features, scores, labels, strict=True
        ):
            yield (
                entry.time,
                reply.model,
                reply.version,
                row_key,
                reply.request,
                place,
                reply.family,
                cells,
                orjson.dumps(score).decode(),
                label,
                entry.protocol,
                milliseconds,
            )

    def _features(self, frame: pd.DataFrame, places: Sequence[int]) -> Iterable[str | None]:
        """The cells of each row as JSON, or None; of the columns learned from alone."""
        if self.settings.features == "none":
            return [None] * len(places)
        names = [name for name in self._columns if name in frame.columns]
        columns = [frame[name].tolist() for name in names]
        shown = self._hashed if self.settings.features == "hash" else _logged
        return [
            orjson.dumps(
                {name: shown(column[place]) for name, column in zip(names, columns, strict=True)}
            ).decode()
            for place in places
        ]

    def _hashed(self, cell: Any) -> str | None:
        value = to_wire(cell)
        if value is None:
            return None
        text = json.dumps(value, sort_keys=True).encode()
        return hashlib.blake2b(text, digest_size=HASH_BYTES, key=self._key).hexdigest()


def _logged(cell: Any) -> Any:
    """A cell as the log keeps it: as on the wire, but a picture or a long text by its digest."""
    if isinstance(cell, str) and len(cell) > LARGE_BYTES:
        cell = cell.encode("utf-8", "replace")
    if isinstance(cell, bytes) and len(cell) > LARGE_BYTES:
        return {"blake2b": hashlib.blake2b(cell, digest_size=16).hexdigest(), "bytes": len(cell)}
    value = to_wire(cell)
    if isinstance(value, int) and not isinstance(value, bool) and not -(2**63) <= value < 2**63:
        return float(value)
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    return value
