"""Read a table part by part, so that it may be larger than the memory: the rows that `sources.read_table` gives.

csv and its kin, JSON records, parquet and feather are never held whole; nor are the pictures or texts of a folder or
archive. Workbooks, database answers and frames are, and are cut afterwards.

>>> import pandas as pd
>>> [len(part.frame) for part in stream_table(pd.DataFrame({"age": [31, 44, 52]}), rows=2).parts]
[2, 1]
"""

from __future__ import annotations

import itertools
import posixpath
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from fathometer.core.attachments import Attachment
from fathometer.data.arrow_files import FEATHER, MARKS, PARQUET
from fathometer.data.attached import ArchiveFiles, Files, FolderFiles, Naming
from fathometer.data.csv_reading import Wanted
from fathometer.data.databases import is_database_url
from fathometer.data.folders import (
    PICTURE,
    about_others,
    frame_of_files,
    media_of,
    nothing_in,
    noun_of,
    table_among,
)
from fathometer.data.idx import is_idx, is_idx_name
from fathometer.data.listing import (
    Entry,
    Listing,
    is_picture,
    is_text,
    list_archive,
    list_folder,
    without_names,
)
from fathometer.data.records import looks_like_records
from fathometer.data.sources import (
    ANSWERS,
    WORKBOOK_MARKS,
    ReadOptions,
    delimiter_of,
    existing,
    files_for,
    is_archive,
    read_table,
    refuse_other,
)
from fathometer.data.streaming.arrow_batches import stream_feather, stream_parquet
from fathometer.data.streaming.csv_text import Text, beginning, stream_csv
from fathometer.data.streaming.json_text import stream_records
from fathometer.data.streaming.packed import READ_BYTES, Bytes, bytes_of
from fathometer.data.streaming.part import (
    Part,
    Stream,
    counted_from,
    portions,
    refusing_too_large,
    rows_within,
    within_memory,
)
from fathometer.data.streaming.spelling import PIECE_BYTES, find_spelling, lines_together
from fathometer.data.table import Table
from fathometer.errors import UnreadableData

__all__ = [
    "ROWS",
    "Part",
    "ReadOptions",
    "Stream",
    "portions",
    "rows_within",
    "stream_table",
    "within_memory",
]

ROWS = 20_000
TEXTS = 2_000
"""Rows of a part, and files of one where they are texts, which are held."""

OLD_WORKBOOK = b"\xd0\xcf\x11\xe0"
ZIPPED = (b"PK\x03\x04", b"PK\x05\x06")


def stream_table(
    source: Any, options: ReadOptions | None = None, rows: int = ROWS, *, text_column: str | None = None
) -> Stream:
    """The table a source holds, in parts of up to so many rows.

    Every picture or text of a folder or archive is a row, whatever folder it lies in.

    Args:
        source: as for `read_table`.
        text_column: the column that is asked for, where texts are and nothing else: then a text file which is no table
            with such a column is one text.

    Raises:
        UnreadableData, UnknownName, MissingExtra: as for `read_table`, some of them only while the parts are taken.
    """
    with refusing_too_large(_origin(source)):
        stream = _opened(source, options or ReadOptions(), rows, text_column)
    stream.parts = within_memory(stream.parts, stream.origin)
    return stream


def _origin(source: Any) -> str:
    """What to call a source that could not be opened; an address may hold a password."""
    is_file = isinstance(source, str | Path) and not is_database_url(str(source))
    return Path(source).name if is_file else "the data"


def _opened(source: Any, options: ReadOptions, rows: int, text_column: str | None) -> Stream:
    if not isinstance(source, str | Path) or (isinstance(source, str) and is_database_url(source)):
        return _cut(read_table(source, options), rows)
    path = existing(source)
    if path.is_dir():
        return _from_listing(list_folder(path), options, partial(FolderFiles, path), rows, text_column)
    if is_picture(path.name):
        return _files(Listing(path, (Entry(path.name, Attachment(path.resolve())),)), options, rows)
    if is_archive(path):
        listing = list_archive(path)
        if any(entry.name in WORKBOOK_MARKS for entry in listing.entries):
            return _cut(read_table(path, options), rows)
        return _from_listing(listing, options, partial(ArchiveFiles, listing), rows, text_column)
    return _from_file(path, options, rows, text_column)


def _from_file(path: Path, options: ReadOptions, rows: int, text_column: str | None) -> Stream:
    raw = bytes_of(Attachment(path))
    if is_idx(raw.start) or (raw.packing is None and raw.start.startswith(OLD_WORKBOOK)):
        return _cut(read_table(path, options), rows)
    if text_column is not None and is_text(path.name):
        stream = _table_or_none(raw, options, rows, text_column)
        if stream is None:
            return _files(Listing(path, (Entry(path.name, Attachment(path.resolve())),)), options, rows)
    else:
        stream = _from_bytes(raw, options, rows)
    files = files_for(options, path.parent)
    return stream if files is None else _with_files(stream, files, options.encoding)


def _from_bytes(raw: Bytes, options: ReadOptions, rows: int) -> Stream:
    """What a file holds is told from its first bytes; endings may lie."""
    start = raw.start
    if start.startswith((*MARKS, *ZIPPED, OLD_WORKBOOK)):
        if raw.packing is None and not raw.file.member and start.startswith(PARQUET):
            return stream_parquet(raw.file.path, raw.name, rows)
        if raw.packing is None and not raw.file.member and start.startswith(FEATHER):
            return stream_feather(raw.file.path, raw.name, rows)
        return _cut(read_table(raw.file.path, options), rows)
    refuse_other(start, raw.name)
    spelling = find_spelling(raw.chunks, options.encoding)
    notes = (*raw.notes, *spelling.notes)

    def utf8() -> Iterator[bytes]:
        return spelling.utf8(raw.chunks(READ_BYTES))

    if options.delimiter is None and looks_like_records(beginning(utf8(), 4096)):
        return stream_records(utf8, notes, raw.name, rows)
    wanted = Wanted(delimiter_of(options.delimiter), options.header, options.skip_lines)
    text = Text(lambda: lines_together(utf8(), PIECE_BYTES), spelling.encoding, notes)
    return stream_csv(text, raw.name, wanted, rows)


def _table_or_none(raw: Bytes, options: ReadOptions, rows: int, column: str) -> Stream | None:
    """The table of a text file that has such a column; None where it is no such table."""
    try:
        stream = _from_bytes(raw, options, rows)
        first = next(stream.parts)
    except UnreadableData:
        return None
    if column not in first.frame.columns:
        return None
    stream.parts = itertools.chain([first], stream.parts)
    return stream


def _from_listing(
    listing: Listing,
    options: ReadOptions,
    files: Callable[[str], Files],
    rows: int,
    text_column: str | None,
) -> Stream:
    """What a folder or an archive holds: idx files, a table (perhaps with the files that it names), or files."""
    if any("images" in entry.name.lower() and is_idx_name(entry.name) for entry in listing.entries):
        return _cut(read_table(listing.root, options), rows)
    media = media_of(listing)
    if len(listing.entries) == 1 and text_column is not None and is_text(listing.entries[0].name):
        raw = bytes_of(listing.entries[0].attachment)
        if _table_or_none(raw, options, rows, text_column) is None:
            return _files(listing, options, rows)
    entry = table_among(listing, media)
    if entry is None:
        return _files(listing, options, rows)
    stream = _from_bytes(bytes_of(entry.attachment), options, rows)
    stream.origin = listing.title
    stream.notes[:0] = [*listing.notes, f"The table {entry.name!r} was read."]
    first = next(stream.parts)
    stream.parts = itertools.chain([first], stream.parts)
    if media and list(first.frame.columns[:2]) == ANSWERS:
        return _files(without_names(listing, [entry.name]), options, rows)
    if options.files is not None:
        found = files_for(options, listing.root)
        return stream if found is None else _with_files(stream, found, options.encoding)
    named = _with_files(stream, files(posixpath.dirname(entry.name)), options.encoding)
    if media and not named.names_files:
        unused = f"The table {entry.name!r} names none of the files and was left out."
        answered = _files(without_names(listing, [entry.name]), options, rows)
        answered.notes.append(unused)
        return answered
    return named


class _Named(Stream):
    """A table whose cells may name files. names_files: whether any does, among the first."""

    names_files = False


def _with_files(stream: Stream, files: Files, encoding: str | None) -> _Named:
    """The table with files in place of their names; which columns name files is said by the first part."""
    first = next(stream.parts)
    naming = Naming(first.frame, files, encoding)
    named = _Named(iter(()), stream.origin, stream.notes, stream.size)
    named.names_files = naming.names_files

    def parts() -> Iterator[Part]:
        for part in itertools.chain([first], stream.parts):
            yield Part(naming.filled(part.frame), part.numbers, part.names)
        stream.notes.extend(naming.notes)

    named.parts = parts()
    return named


def _files(listing: Listing, options: ReadOptions, rows: int) -> Stream:
    """Pictures or texts, some at a time."""
    media = media_of(listing)
    if not media:
        raise nothing_in(listing)
    notes = [*listing.notes, *about_others(listing, media)]
    stream = Stream(iter(()), listing.title, notes, len(media))
    step = rows if noun_of(media) == PICTURE else min(rows, TEXTS)

    def parts() -> Iterator[Part]:
        for start in range(0, len(media), step):
            some = media[start : start + step]
            frame, notes = frame_of_files(some, options.encoding)
            stream.notes.extend(notes)
            yield Part(frame, counted_from(start + 1, len(some)), tuple(entry.name for entry in some))

    stream.parts = parts()
    return stream


def _cut(table: Table, rows: int) -> Stream:
    """A table that is held whole."""
    size = len(table.frame)

    def parts() -> Iterator[Part]:
        for start in range(0, max(size, 1), rows):
            frame = table.frame.iloc[start : start + rows].reset_index(drop=True)
            names = None if table.row_names is None else table.row_names[start : start + rows]
            yield Part(frame, counted_from(start + 1, len(frame)), names)

    return Stream(parts(), table.origin, list(table.notes), size)
