"""How much one request, one client and all of them together may ask for."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from fathometer.data.sentences import counted
from fathometer.serve.question import Question, RefusedError

MIB = 2**20
TEXTS_PER_BODY = 2
"""Bytes of texts that a question may hold for each byte that a body may have: packed bodies can repeat one text."""

MOST_PARTS, MOST_VALUES = 500_000, 2_000_000
"""Lists and objects in a body of JSON, and values with these where it is read by the slower of two parsers: nobody else
is answered while they are made, which takes half a second for so many."""
TEXT_BYTES = "text bytes"
"""Among the attributes of a frame: how long its texts are, where a codec unpacked more than the body's own length."""


@dataclass(frozen=True)
class Limits:
    """The largest of everything.

    body_bytes: of one request; held_bytes: of all that are being received or answered in this process.
    rows, columns, cell_bytes: of one question; a picture is bounded by the body alone.
    waiting: questions that are being answered or wait for it, in one process; one more is refused with 503.
    seconds: from a question to its answer, then 504. read_seconds: for a client to send a whole request.
    header_bytes, header_seconds, connections: of what the socket takes before any of our code reads it.
    explained_predictions: answers of the model that one explanation may ask for.
    feedback: true answers in one request. pixels: of all pictures of one question, as their headers tell.
    """

    body_bytes: int = 16 * MIB
    held_bytes: int = 256 * MIB
    rows: int = 10_000
    columns: int = 20_000
    cell_bytes: int = MIB
    waiting: int = 64
    seconds: float = 60.0
    read_seconds: float = 30.0
    header_bytes: int = 64 * 1024
    header_seconds: float = 15.0
    connections: int = 2_000
    explained_predictions: int = 200_000
    feedback: int = 10_000
    pixels: int = 200_000_000

    @property
    def text_bytes(self) -> int:
        """Of all texts (and pictures) of one question, each counted as often as it stands there.

        A body that is not packed holds no more than it is long, so whoever unpacks one has to count.
        """
        return TEXTS_PER_BODY * self.body_bytes


def check_size(question: Question, limits: Limits) -> None:
    """Refuse a question that is too large, whatever protocol it came by.

    Raises:
        RefusedError: 413 for rows and columns, 422 for a cell.
    """
    rows, columns = question.frame.shape
    if rows > limits.rows:
        raise RefusedError(
            413,
            f"At most {limits.rows:,} rows are answered at once, got {rows:,}. Send them in parts.",
        )
    if columns > limits.columns:
        raise RefusedError(413, f"At most {limits.columns:,} columns are read, got {columns:,}. Send fewer.")
    if question.keys is not None and len(question.keys) != rows:
        raise RefusedError(
            422,
            f"Expected one key per row, got {counted(len(question.keys), 'key')} for {counted(rows, 'row')}. "
            "Send as many.",
        )


def check_parts(body: bytes, *, values: bool = False) -> None:
    """Refuse JSON of more parts than may be, before any of them is made.

    values: whether single values count as well, for a parser that takes long over each.

    Raises:
        RefusedError: 413.
    """
    most = MOST_VALUES if values else MOST_PARTS
    if len(body) <= most:
        return
    marks = (b"[", b"{", b",") if values else (b"[", b"{")
    if sum(body.count(mark) for mark in marks) > most:
        what = "values (where some are NaN)" if values else "lists and objects"
        raise RefusedError(413, f"At most {most:,} {what} are read from JSON. Send fewer rows at once.")


def check_text(cell: str, column: str, limits: Limits) -> None:
    """Refuse a text that is too long for a cell.

    Raises:
        RefusedError: 422.
    """
    if len(cell) > limits.cell_bytes:
        raise RefusedError(
            422, f"A cell of {column[:80]!r} is longer than {limits.cell_bytes:,} characters. Shorten it."
        )


def check_cells(frame: pd.DataFrame, limits: Limits) -> None:
    """Refuse texts that are too long, where a codec has not looked at each cell itself.

    Raises:
        RefusedError: 422.
    """
    for name, cells in frame.items():
        if cells.dtype.kind in "biufmM":
            continue
        for cell in cells.array:
            if isinstance(cell, str):
                check_text(cell, str(name), limits)
