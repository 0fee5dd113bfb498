"""A parquet file of only the wanted columns, described anew: what its pages unpack to is known before they are.

A file of kilobytes may unpack to gigabytes while its footer says otherwise, for the reader allocates what each page's
own header says [1]; and a reader in C++ may end the whole process at a footer that contradicts itself. So the footer
is read here, the headers of the pages too, and a footer of our own is put behind the pages: nothing in it but where
the wanted columns lie and what their types are.

[1] https://github.com/apache/parquet-format/blob/master/src/main/thrift/parquet.thrift
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from fathometer.serve.codecs.thrift import (
    BINARY,
    I32,
    I64,
    LIST,
    STRUCT,
    BadThriftError,
    Listed,
    Struct,
    read_struct,
    write_struct,
)

MAGIC = b"PAR1"
MOST_FOOTER = 2**20  # bytes, which are read in Python
MOST_PAGES = 20_000
TEXTS, FIXED = 6, 7  # physical types: of any length, of a fixed one
WIDEST = 16  # bytes of a value of any other
DELTA_BYTE_ARRAY = 7  # an encoding by which few bytes become many

# fields of the file, of an element of the schema, of a group of rows, of a column in it, and of a page's header
SCHEMA, ROWS, GROUPS = (2, LIST), (3, I64), (4, LIST)
TYPE, WIDTH, REPETITION, NAME, CHILDREN = (1, I32), (2, I32), (3, I32), (4, BINARY), (5, I32)
KEPT_OF_COLUMN = (TYPE, WIDTH, REPETITION, (6, I32), (7, I32), (8, I32), (10, STRUCT))
COLUMNS, GROUP_BYTES, GROUP_ROWS = (1, LIST), (2, I64), (3, I64)
FILE, FILE_OFFSET, CHUNK, ENCRYPTED, HIDDEN = (1, BINARY), (2, I64), (3, STRUCT), (8, STRUCT), (9, BINARY)
ENCODINGS, PATH, CODEC, VALUES = (2, LIST), (3, LIST), (4, I32), (5, I64)
UNPACKED, PACKED, DATA_AT, DICTIONARY_AT = (6, I64), (7, I64), (9, I64), (11, I64)
PAGE_UNPACKED, PAGE_PACKED = (2, I32), (3, I32)
PAGES_OF_DATA = (((5, STRUCT), (2, I32)), ((8, STRUCT), (4, I32)))  # header of either version, encoding in it


class BadParquetError(ValueError):
    """The file is damaged, or of a kind that is not read; the text says why, as a clause."""


@dataclass(frozen=True)
class Described:
    """A file with a footer of our own.

    rows: in all groups. unpacked: bytes of all pages and of the numbers they hold. names: of the columns, in the file's
    order. texts: those of texts or bytes.
    """

    raw: bytes
    rows: int
    unpacked: int
    names: tuple[str, ...]
    texts: tuple[str, ...]


def describe_anew(raw: bytes, wanted: Collection[str]) -> Described:
    """The file cut down to the columns of these names, apart from blanks; lists and records are none.

    Raises:
        BadParquetError: it cannot be read.
    """
    try:
        footer = _footer(raw)
        columns = _columns(_structs(footer, SCHEMA), wanted)
        groups = [_Group(group, columns) for group in _structs(footer, GROUPS)]
        unpacked = _unpacked(raw, groups, columns)
    except BadThriftError as error:
        raise BadParquetError(f"its description cannot be read: {error}") from error
    rows = sum(group.rows for group in groups)
    new = write_struct(_new_footer(columns, groups, rows))
    return Described(
        raw=b"".join([raw, new, len(new).to_bytes(4, "little"), MAGIC]),
        rows=rows,
        unpacked=unpacked,
        names=tuple(column.name for column in columns),
        texts=tuple(column.name for column in columns if column.element[TYPE] == TEXTS),
    )


@dataclass(frozen=True)
class _Column:
    """place: among all leaves of the schema, by which groups hold it. element: of the schema, cut down."""

    name: str
    place: int
    element: Struct

    @property
    def width(self) -> int:
        """Bytes of one value beyond what its pages hold: texts are kept once."""
        if self.element[TYPE] == FIXED:
            return _whole(self.element, WIDTH)
        return WIDEST


class _Group:
    """A group of rows with the wanted columns' chunks."""

    def __init__(self, group: Struct, columns: Sequence[_Column]) -> None:
        chunks = _structs(group, COLUMNS)
        self.rows = _whole(group, GROUP_ROWS)
        self.chunks = []
        for column in columns:
            if column.place >= len(chunks):
                raise BadParquetError("a group of rows lacks a column")
            self.chunks.append(_chunk(chunks[column.place], self.rows))


def _footer(raw: bytes) -> Struct:
    if len(raw) < 12 or not raw.startswith(MAGIC) or not raw.endswith(MAGIC):
        raise BadParquetError("it does not begin and end as such a file does")
    size = int.from_bytes(raw[-8:-4], "little")
    if size > min(len(raw) - 12, MOST_FOOTER):
        raise BadParquetError(f"its description is cut off, or larger than {MOST_FOOTER:,} bytes")
    footer, _ = read_struct(raw, len(raw) - 8 - size, len(raw) - 8)
    return footer


def _columns(elements: Sequence[Struct], wanted: Collection[str]) -> list[_Column]:
    """The wanted leaves right below the root."""
    found: dict[str, _Column] = {}
    open_children: list[int] = []  # still to come, of each element that the walk is within
    leaves = 0
    for element in elements:
        depth = len(open_children)
        if depth:
            open_children[-1] -= 1
        children = element.get(CHILDREN, 0)
        if children < 0 or (not depth and element is not elements[0]):
            raise BadParquetError("its columns do not form a tree")
        if children or not depth:
            open_children.append(children)
        else:
            column = _column(element, leaves, wanted) if depth == 1 else None
            leaves += 1
            if column is not None and found.setdefault(column.name, column) is not column:
                raise BadParquetError(f"two columns are called {column.name[:80]!r}")
        while open_children and not open_children[-1]:
            open_children.pop()
    return list(found.values())


def _column(element: Struct, place: int, wanted: Collection[str]) -> _Column | None:
    name = " ".join(element.get(NAME, b"").decode("utf-8", "replace").split())
    if name not in wanted or element.get(REPETITION) not in (0, 1) or TYPE not in element:
        return None
    kept = {key: element[key] for key in KEPT_OF_COLUMN if key in element}
    return _Column(name, place, kept | {NAME: name.encode()})


def _chunk(chunk: Struct, rows: int) -> Struct:
    told = chunk.get(CHUNK)
    if told is None or chunk.get(FILE) or ENCRYPTED in chunk or HIDDEN in chunk:
        raise BadParquetError("a column lies in another file, or is encrypted")
    if _whole(told, VALUES) != rows:
        raise BadParquetError("a column has more or fewer cells than there are rows")
    kept = {key: _whole(told, key) for key in (TYPE, CODEC, VALUES, UNPACKED, PACKED, DATA_AT)}
    dictionary_at = told.get(DICTIONARY_AT, 0)
    return kept | ({DICTIONARY_AT: dictionary_at} if 0 < dictionary_at < kept[DATA_AT] else {})


def _unpacked(raw: bytes, groups: Sequence[_Group], columns: Sequence[_Column]) -> int:
    """Bytes that all pages and their values take."""
    count = unpacked = 0
    for group in groups:
        for column, chunk in zip(columns, group.chunks, strict=True):
            if not group.rows:
                continue  # nothing of it is read, and what it says of its place may be anything
            if chunk[TYPE] != column.element[TYPE]:
                raise BadParquetError("a column is of another type than its description says")
            start = chunk[DICTIONARY_AT] if DICTIONARY_AT in chunk else chunk[DATA_AT]
            pages, size = pages_of(raw, start, chunk[PACKED], MOST_PAGES - count)
            count, unpacked = count + pages, unpacked + size + column.width * group.rows
    return unpacked


def pages_of(raw: bytes, start: int, size: int, most: int = MOST_PAGES) -> tuple[int, int]:
    """(pages, their bytes unpacked) from `start` on, which together have `size` bytes with their headers.

    Raises:
        BadParquetError: they do not; or there are too many, or one is of an encoding that makes much of little.
        BadThriftError: a page's header cannot be read.
    """
    if not 0 <= start <= start + size <= len(raw):
        raise BadParquetError("a column lies beyond the end of the file")
    place, end, count, unpacked = start, start + size, 0, 0
    while place < end:
        header, place = read_struct(raw, place, end)
        packed = _whole(header, PAGE_PACKED)
        unpacked += _whole(header, PAGE_UNPACKED)
        for page, encoding in PAGES_OF_DATA:
            if header.get(page, {}).get(encoding) == DELTA_BYTE_ARRAY:
                raise BadParquetError("texts saved as DELTA_BYTE_ARRAY are not read")
        place += packed
        count += 1
        if count > most:
            raise BadParquetError(f"it has more than {MOST_PAGES:,} pages")
    if place != end:
        raise BadParquetError("its last page is cut off")
    return count, unpacked


def _new_footer(columns: Sequence[_Column], groups: Sequence[_Group], rows: int) -> Struct:
    root: Struct = {NAME: b"schema", CHILDREN: len(columns)}
    return {
        (1, I32): 2,
        SCHEMA: Listed(STRUCT, [root, *(column.element for column in columns)]),
        ROWS: rows,
        GROUPS: Listed(STRUCT, [_new_group(group, columns) for group in groups if group.rows]),
    }


def _new_group(group: _Group, columns: Sequence[_Column]) -> Struct:
    chunks: list[Struct] = []
    for column, chunk in zip(columns, group.chunks, strict=True):
        path = Listed(BINARY, [column.name.encode()])
        chunks.append({FILE_OFFSET: 0, CHUNK: chunk | {ENCODINGS: Listed(I32, [0]), PATH: path}})
    size = sum(chunk[UNPACKED] for chunk in group.chunks)
    return {COLUMNS: Listed(STRUCT, chunks), GROUP_BYTES: min(size, 2**62), GROUP_ROWS: group.rows}


def _structs(within: Struct, key: tuple[int, int]) -> list[Struct]:
    listed = within.get(key)
    if not isinstance(listed, Listed) or (listed.values and listed.kind != STRUCT):
        raise BadParquetError("its description lacks a part")
    return listed.values


def _whole(within: Struct, key: tuple[int, int]) -> int:
    value: Any = within.get(key)
    if type(value) is not int or value < 0:
        raise BadParquetError("its description lacks a number")
    return value
