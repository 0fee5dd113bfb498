"""Read a csv text part by part: what `csv_reading.read_csv` gives, of a text that does not fit into the memory.

What only the whole text can say (where quotes mean quoting, whether all rows are as wide as the header, which columns
hold nothing) is found by going through it first; then it is cut between rows, and each part is read by itself.
"""

from __future__ import annotations

import io
import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow

from fathometer.data.column_names import about_names, tidy_names
from fathometer.data.csv_dialect import (
    SAMPLE_BYTES,
    Quoting,
    first_lines,
    likeliest_quoting,
    prepare,
    settle_quotes,
)
from fathometer.data.csv_ragged import (
    Line,
    Strays,
    frame_of,
    larger_fields,
    ragged_rows,
    refusing_giants,
    survey,
)
from fathometer.data.csv_reading import (
    LAYOUT_BYTES,
    Plan,
    Wanted,
    about_reading,
    plan_of,
    read_regular,
    refuse_no_table,
    without_separator_line,
)
from fathometer.data.csv_structure import Structure, Walk, structure
from fathometer.data.sentences import told
from fathometer.data.streaming.part import PART_BYTES, Part, Stream
from fathometer.data.streaming.tidying import Tidied, unused_columns
from fathometer.data.table import CELL_BYTES_LIMIT

Pieces = Callable[[], Iterable[bytes]]
Block = tuple[pd.DataFrame, npt.NDArray[np.int64]]
"""Rows as they stand in the text, and their numbers."""

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
LINE_ENDS = b"\r\n\x1a"  # a DOS file may end in control-Z


@dataclass(frozen=True)
class Text:
    """A text as UTF-8, gone through as often as needed, in pieces that end at line ends.

    encoding: how the file spelled it. notes: what was decided or repaired so far.
    """

    pieces: Pieces
    encoding: str
    notes: tuple[str, ...]


def stream_csv(text: Text, origin: str, wanted: Wanted, rows: int) -> Stream:
    """The table a text holds, in parts of up to so many rows.

    Raises:
        UnreadableData: the text is empty, no table, or beyond the limits.
    """
    head = beginning(text.pieces(), max(LAYOUT_BYTES, SAMPLE_BYTES))
    data, separator = without_separator_line(head, wanted)
    refuse_no_table(data, origin)
    found = likeliest_quoting(first_lines(data, SAMPLE_BYTES), separator or wanted.delimiter)
    prepared = _Prepared(text.pieces, len(head) - len(data), found)
    quoting = settle_quotes(prepared, found)
    plan = plan_of(beginning(prepared, LAYOUT_BYTES), quoting, wanted)
    body = _Body(prepared, plan)
    notes = [*text.notes, *about_reading(plan, text.encoding, wanted, separator), *body.notes]
    stream = Stream(iter(()), origin, notes)
    stream.parts = _parts(body, rows, stream)
    return stream


def beginning(pieces: Iterable[bytes], size: int) -> bytes:
    """The first pieces, as many as make more than this size."""
    taken, length = [], 0
    for piece in pieces:
        taken.append(piece)
        length += len(piece)
        if length > size:
            break
    return b"".join(taken)


@dataclass(frozen=True)
class _Prepared:
    """The text less its first bytes, as `prepare` leaves it."""

    pieces: Pieces
    skipped: int
    quoting: Quoting

    def __iter__(self) -> Iterator[bytes]:
        return (prepare(piece, self.quoting) for piece in _from(self.pieces(), self.skipped))


def _from(pieces: Iterable[bytes], skipped: int) -> Iterator[bytes]:
    for piece in pieces:
        if skipped < len(piece):
            yield piece[skipped:] if skipped else piece
        skipped = max(0, skipped - len(piece))


def _without_end(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The pieces without line ends after the last row."""
    held: list[bytes] = []
    for piece in pieces:
        if piece.strip(LINE_ENDS):
            yield from held
            held = [piece]
        elif held:  # nothing but line ends before the first row are blank lines, too
            held.append(piece)
        else:
            held = [piece]
    rest = b"".join(held).rstrip(LINE_ENDS)
    if rest:
        yield rest


class _Body:
    """The rows of a text, which is looked through when this is made.

    names: as given, "" for columns without one. notes: what was found.
    """

    def __init__(self, prepared: _Prepared, plan: Plan) -> None:
        self.plan = plan
        self._prepared = prepared
        quoting = plan.quoting
        self._shape = shape = structure(
            self._pieces(),
            quoting.splits_at,
            quoting.quote,
            quoting.escape,
            blank_before=quoting.blank_after,
        )
        self._has_stray_quotes = bool(shape.malformed or shape.is_open)
        is_even = not self._has_stray_quotes and set(shape.widths) <= {len(plan.names)}
        self.names, self.notes = plan.names, _about_blank_lines(shape)
        self._ragged = None
        if not is_even or shape.longest > CELL_BYTES_LIMIT:
            strays = Strays(plan.body_line)
            seen = (row for batch in self._batches(strays, 10_000) for row in batch)
            self._ragged = survey(seen, plan.names, plan.body_line)
            self.names, self.notes = self._ragged.names, self._ragged.notes
            if self._has_stray_quotes and quoting.quote:
                self.notes = (*strays.notes, *self.notes)

    def blocks(self, rows: int) -> Iterator[Block]:
        """All rows, in order; broken ones are left out, blank and empty ones may be."""
        return self._even_blocks(rows) if self._ragged is None else self._ragged_blocks(rows)

    def _pieces(self) -> Iterator[bytes]:
        return _without_end(_from(self._prepared, self.plan.body_at))

    def _even_blocks(self, rows: int) -> Iterator[Block]:
        quoting = self.plan.quoting
        walk = Walk(quoting.splits_at, quoting.quote, quoting.escape, blank_before=quoting.blank_after)
        names, _ = tidy_names(self.names)
        number, rest = 1, b""
        for piece in self._pieces():
            ended = walk.take(piece)
            before, text = len(rest), rest + piece
            start = 0
            for first in range(0, len(ended.ends), rows):
                ends = ended.ends[first : first + rows]
                end = min(before + int(ends[-1]), len(text))  # the last line may lack its end
                is_blank = ended.is_blank[first : first + rows]
                numbers = number + np.flatnonzero(~is_blank)
                yield _even_frame(text[start:end], quoting, names, self._shape.longest, numbers), numbers
                number, start = number + len(ends), end
            rest = text[start:]

    def _ragged_blocks(self, rows: int) -> Iterator[Block]:
        found = self._ragged
        assert found is not None
        number, held = 1, list[tuple[int, Line]]()
        for batch in self._batches(Strays(self.plan.body_line), rows):
            held += enumerate(batch, number)
            number += len(batch)
            ready = max(0, len(held) - found.remarks)
            kept, held = held[:ready], held[ready:]
            if kept:
                clear = [(place, row) for place, row in kept if found.is_row(row)]
                numbers = np.array([place for place, _ in clear], dtype=np.int64)
                yield frame_of([row for _, row in clear], found.names), numbers

    def _batches(self, strays: Strays, rows: int) -> Iterator[list[Line]]:
        """The csv module's limit on a cell is global, so that rows are taken some at a time."""
        lines = itertools.chain.from_iterable(
            io.StringIO(piece.decode("utf-8", "replace"), newline="") for piece in self._pieces()
        )
        found = ragged_rows(
            lines, self.plan.quoting, len(self.plan.names), has_stray_quotes=self._has_stray_quotes
        )
        noticed = strays.noticed(found)
        while True:
            with larger_fields(), refusing_giants():
                batch = _taken(noticed, rows)
            if not batch:
                return
            yield batch


def _taken(lines: Iterator[Line], rows: int) -> list[Line]:
    """The next lines, as many as make a part."""
    taken: list[Line] = []
    length = 0
    for line in itertools.islice(lines, rows):
        taken.append(line)
        length += sum(map(len, line.cells))
        if length >= PART_BYTES:
            break
    return taken


def _about_blank_lines(shape: Structure) -> tuple[str, ...]:
    if not shape.blank_lines:
        return ()
    return (told(shape.blank_lines, "blank line", "among the rows", "left out"),)


def _even_frame(
    text: bytes, quoting: Quoting, names: list[str], longest: int, numbers: npt.NDArray[np.int64]
) -> pd.DataFrame:
    """Some whole rows, by the fast reader where it takes them."""
    if not len(numbers):
        return frame_of([], tuple(names))
    if not text.startswith(BYTE_ORDER_MARK):  # the fast reader would take it off
        try:
            frame = read_regular(text, quoting, names, longest)
        except (pd.errors.ParserError, pyarrow.ArrowInvalid):
            pass  # the slower reader takes what the fast ones will not
        else:
            if len(frame) == len(numbers):
                return frame
    lines = io.StringIO(text.decode("utf-8", "replace"), newline="")
    with larger_fields(), refusing_giants():
        rows = [
            row for row, _ in ragged_rows(lines, quoting, len(names), has_stray_quotes=False) if row.cells
        ]
    return frame_of(rows, tuple(names))


def _parts(body: _Body, rows: int, stream: Stream) -> Iterator[Part]:
    plan = body.plan
    repeated = plan.names if plan.layout.header == 1 else ()
    named = [bool(name.strip()) for name in body.names]
    columns, _ = tidy_names(body.names)
    unused = unused_columns(
        (frame for frame, _ in body.blocks(rows)),
        [name for name, has_name in zip(columns, named, strict=True) if not has_name],
        repeated,
    )
    tidied = Tidied(repeated, [] if len(unused) == len(columns) else unused)
    seen: pd.DataFrame = frame_of([], body.names)
    is_empty = True
    for frame, numbers in tidied.blocks(body.blocks(rows)):
        is_empty = False
        yield Part(frame, numbers)
    if is_empty:
        seen = seen.drop(columns=tidied.unused)
        yield Part(seen, np.zeros(0, dtype=np.int64))
    stream.notes += tidied.notes
    if plan.layout.header:
        stream.notes += about_names(plan.names, [name for name in columns if name not in tidied.unused])
    if is_empty:
        stream.notes.append("There are no rows.")
