"""Read JSON records part by part: what `records.read_records` gives, of a text that does not fit into the memory.

The columns, and what type each has, are known when all records were seen; so the text is gone through twice.
"""

from __future__ import annotations

import codecs
import itertools
import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from fathometer.data.column_names import tidy_names
from fathometer.data.records import ColumnType, about_nested, frame_of_records, record_of_line
from fathometer.data.streaming.part import PART_BYTES, Part, Stream, counted_from
from fathometer.data.table import refuse_too_wide
from fathometer.errors import UnreadableData

RECORD_LIMIT = 1 << 28
"""Bytes of one record of an array; a longer one is none."""

Chunks = Callable[[], Iterable[bytes]]
"""UTF-8, cut anywhere; gone through as often as needed."""

Sized = tuple[dict[str, Any], int]
"""A record, and how many characters its text has."""

BLANKS = " \t\r\n"


def stream_records(chunks: Chunks, notes: tuple[str, ...], origin: str, rows: int) -> Stream:
    """The table of JSON records, one object a line or one array of objects, in parts of up to so many rows.

    Raises:
        UnreadableData: the text is not JSON, or not records.
    """
    columns: dict[str, ColumnType] = {}
    count = 0
    for record, _ in _records(chunks(), origin):
        count += 1
        for key, cell in record.items():
            column = columns.get(key)
            if column is None:
                column = columns[key] = ColumnType()
                refuse_too_wide(len(columns))
            column.see(cell)
    if not count:
        raise UnreadableData(f"Expected a table, but {origin} holds no records.")
    if not columns:
        raise UnreadableData(f"Expected a table, but the records of {origin} have no fields.")
    names, about = tidy_names(columns)
    told = [*notes, *about, *about_nested(columns.values())]
    types = {key: column.type_of(count) for key, column in columns.items()}
    return Stream(_parts(_records(chunks(), origin), names, types, rows), origin, told, count)


def _parts(records: Iterator[Sized], names: list[str], types: dict[str, str], rows: int) -> Iterator[Part]:
    number, length = 1, 0
    batch: list[dict[str, Any]] = []
    for record, characters in records:
        batch.append(record)
        length += characters
        if len(batch) == rows or length >= PART_BYTES:
            yield Part(frame_of_records(batch, names, types), counted_from(number, len(batch)))
            number, length, batch = number + len(batch), 0, []
    if batch:
        yield Part(frame_of_records(batch, names, types), counted_from(number, len(batch)))


def _records(chunks: Iterable[bytes], origin: str) -> Iterator[Sized]:
    """The records of a text whose first sign says which of the two ways it is written."""
    texts = _texts(chunks)
    start = next((text.lstrip() for text in texts if text.strip()), "")
    if start.startswith("["):
        yield from _of_array(itertools.chain([start], texts), origin)
        return
    lines = _lines(itertools.chain([start], texts), origin)
    first = next(lines)
    if first.strip() == "{":  # one object written over several lines
        text = "\n".join(_limited(itertools.chain([first], lines), origin))
        yield record_of_line(text, origin, 1), len(text)
        return
    for number, line in enumerate(itertools.chain([first], lines), 1):
        if line.strip():
            yield record_of_line(line, origin, number), len(line)


def _texts(chunks: Iterable[bytes]) -> Iterator[str]:
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    for chunk in chunks:
        yield decoder.decode(chunk)
    yield decoder.decode(b"", True)


def _lines(texts: Iterable[str], origin: str) -> Iterator[str]:
    held: list[str] = []
    for text in texts:
        first, *others = text.split("\n")
        held.append(first)
        if others:
            yield "".join(held)
            yield from others[:-1]
            held = [others[-1]]
        elif sum(map(len, held)) > RECORD_LIMIT:
            raise _too_long(origin)
    yield "".join(held)


def _limited(lines: Iterable[str], origin: str) -> Iterator[str]:
    length = 0
    for line in lines:
        length += len(line)
        if length > RECORD_LIMIT:
            raise _too_long(origin)
        yield line


def _of_array(texts: Iterator[str], origin: str) -> Iterator[Sized]:
    """The objects of one array, each taken out as soon as it is there."""
    decoder = json.JSONDecoder()
    text, at, number, is_over = next(texts)[1:], 0, 0, False
    while True:
        at = _after_blanks(text, at)
        start = _after_blanks(text, at + 1) if number and text[at : at + 1] == "," else at
        if text[at : at + 1] == "]":
            if text[at + 1 :].strip() or any(further.strip() for further in texts):
                raise _broken(origin, number)
            return
        is_due = start > at or not number  # a value, for a comma stands before it
        value, end = _next_value(decoder, text, start) if is_due else (None, 0)
        if end:
            number, at = number + 1, end
            if not isinstance(value, dict):
                raise UnreadableData(
                    f"Expected an array of JSON objects in {origin}, but some of its items are no objects."
                )
            yield value, end - start
            continue
        if is_over or (at < len(text) and not is_due):
            raise _broken(origin, number + 1)
        if len(text) - at > RECORD_LIMIT:
            raise _too_long(origin)
        further = next(texts, None)
        is_over = further is None
        text, at = text[at:] + (further or ""), 0


def _after_blanks(text: str, at: int) -> int:
    while text[at : at + 1] in BLANKS and at < len(text):
        at += 1
    return at


def _next_value(decoder: json.JSONDecoder, text: str, start: int) -> tuple[Any, int]:
    """The value that stands there and where it ends; 0 where none does, or more of the text is needed."""
    try:
        return decoder.raw_decode(text, start)
    except (ValueError, RecursionError):
        return None, 0


def _broken(origin: str, number: int) -> UnreadableData:
    return UnreadableData(
        f"The file {origin} begins like JSON, but is not: look at item {number:,} of its array."
    )


def _too_long(origin: str) -> UnreadableData:
    return UnreadableData(f"A record of {origin} is longer than {RECORD_LIMIT >> 20} MB. Write smaller ones.")
