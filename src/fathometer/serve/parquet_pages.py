"""How large a parquet file's pages say they are unpacked, read from the pages themselves.

A file of kilobytes may unpack to gigabytes, and its footer may say otherwise; the reader allocates what each page's own
header says [1]. So these headers (Thrift's compact encoding [2]) are read before anything is unpacked.

[1] https://parquet.apache.org/docs/file-format/data-pages/
[2] https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

MOST_PAGES = 20_000
DEEPEST = 4
UNPACKED_SIZE, PACKED_SIZE, DATA_PAGE, DATA_PAGE_2 = 2, 3, 5, 8  # fields of a page's header
ENCODING, ENCODING_2 = 2, 4  # fields of the header of a page of data, of either version
DELTA_BYTE_ARRAY = 7


class BadPageError(ValueError):
    """What stands there is no header of a page; the text says why, as a clause."""


@dataclass(frozen=True)
class Pages:
    """The pages of one column chunk. unpacked: bytes of all. encodings: of the pages of data."""

    count: int
    unpacked: int
    encodings: frozenset[int]


def pages_of(raw: bytes, start: int, size: int) -> Pages:
    """The pages from `start` on, which together have `size` bytes with their headers.

    Raises:
        BadPageError: they do not; or there are too many.
    """
    if not 0 <= start <= start + size <= len(raw):
        raise BadPageError("a column lies beyond the end of the file")
    place, end, count, unpacked = start, start + size, 0, 0
    encodings = set()
    while place < end:
        header, place = _struct(raw, place, end, 0)
        packed = _whole(header, PACKED_SIZE)
        unpacked += _whole(header, UNPACKED_SIZE)
        for field, encoding in ((DATA_PAGE, ENCODING), (DATA_PAGE_2, ENCODING_2)):
            if isinstance(header.get(field), dict):
                encodings.add(_whole(header[field], encoding))
        place += packed
        count += 1
        if count > MOST_PAGES:
            raise BadPageError(f"it has more than {MOST_PAGES:,} pages")
    if place != end:
        raise BadPageError("its last page is cut off")
    return Pages(count, unpacked, frozenset(encodings))


def _whole(header: dict[int, Any], field: int) -> int:
    value = header.get(field)
    if type(value) is not int or value < 0:
        raise BadPageError("a page does not say its size")
    return value


def _struct(raw: bytes, place: int, end: int, depth: int) -> tuple[dict[int, Any], int]:
    """(field -> value, where it ends). Texts are skipped; lists and maps do not occur in headers of pages."""
    if depth > DEEPEST:
        raise BadPageError("the header of a page is nested too deeply")
    fields: dict[int, Any] = {}
    number = 0
    while True:
        if place >= end:
            raise BadPageError("the header of a page is cut off")
        mark = raw[place]
        place += 1
        if mark == 0:
            return fields, place
        if mark >> 4:
            number += mark >> 4
        else:
            number, place = _zigzag(raw, place, end)
        kind = mark & 15
        if kind in (1, 2):
            fields[number] = kind == 1
        elif kind == 3:
            place += 1
        elif kind in (4, 5, 6):
            fields[number], place = _zigzag(raw, place, end)
        elif kind == 7:
            place += 8
        elif kind == 8:
            length, place = _varint(raw, place, end)
            place += length
        elif kind == 12:
            fields[number], place = _struct(raw, place, end, depth + 1)
        else:
            raise BadPageError("the header of a page holds what none should")


def _zigzag(raw: bytes, place: int, end: int) -> tuple[int, int]:
    value, place = _varint(raw, place, end)
    return (value >> 1) ^ -(value & 1), place


def _varint(raw: bytes, place: int, end: int) -> tuple[int, int]:
    value, shift = 0, 0
    while place < end and shift < 70:
        byte = raw[place]
        place += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, place
        shift += 7
    raise BadPageError("a number in the header of a page is cut off")
