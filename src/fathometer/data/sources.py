"""Read a table from wherever it is: tables in files of any kind, frames, SQL, and folders or archives of files.

>>> import pandas as pd
>>> read_table(pd.DataFrame({"age": [31, 44]})).origin
'DataFrame'
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from fathometer.core.attachments import Attachment
from fathometer.data.arrow_files import MARKS, from_frame, read_arrow
from fathometer.data.attached import ArchiveFiles, Files, FolderFiles, attach
from fathometer.data.csv_reading import Wanted, read_csv
from fathometer.data.databases import is_database_url, query_database
from fathometer.data.encodings import decode
from fathometer.data.folders import files_as_table, layout_of, media_of, table_among
from fathometer.data.idx import idx_table, is_idx, is_idx_name, pair_of, pair_to_train
from fathometer.data.listing import Entry, Listing, is_picture, list_archive, list_folder, without_names
from fathometer.data.outputs import write_table
from fathometer.data.records import looks_like_records, read_records
from fathometer.data.spreadsheets import SheetWanted, read_workbook
from fathometer.data.table import Dialect, Table
from fathometer.data.unpacking import packed_as, read_attached, read_bytes, refuse_zip_bomb
from fathometer.errors import UnreadableData, UserError, did_you_mean

__all__ = ["Dialect", "ReadOptions", "Table", "read_table", "write_table"]

NOT_TABLES = {
    b"%PDF": "a PDF document",
    b"\x89PNG": "a picture",
    b"\xff\xd8\xff": "a picture",
    b"GIF8": "a picture",
    b"RIFF": "a sound or video file",
    b"7z\xbc\xaf\x27\x1c": "a 7z archive; unpack it first",
    b"Rar!": "a rar archive; unpack it first",
    b"\x7fELF": "a program",
    b"\x80\x04\x95": "a pickle, which is never read because it can run code",
    b"SQLite format 3": "an SQLite database; give its address as sqlite:///FILE and a query",
    b"\x89HDF": "an HDF5 file; save the table as parquet or csv",
    b"\x93NUMPY": "a NumPy array; save it as csv",
}
WORKBOOK_MARKS = ("content.xml", "[Content_Types].xml")
ANSWERS = ["file", "prediction"]
"""How a table of answers begins that was written among the files it is about."""

DELIMITER_WORDS = {
    "tab": "\t",
    "\\t": "\t",
    "comma": ",",
    "semicolon": ";",
    "blank": " ",
    "space": " ",
    "pipe": "|",
}


@dataclass(frozen=True)
class ReadOptions:
    """What the user says about a source; None: found out.

    delimiter: one character, or tab, comma, semicolon, blank, pipe.
    encoding: as Python names it.
    header: whether the first row of the table names the columns.
    sheet: which sheet of a workbook.
    skip_lines: how many lines (or rows of a sheet) come before the table.
    query: what to ask a database.
    files: the folder (or zip archive) below which files lie that cells name; "none": no cell names a file.
    """

    delimiter: str | None = None
    encoding: str | None = None
    header: bool | None = None
    sheet: str | None = None
    skip_lines: int | None = None
    query: str | None = None
    files: str | None = None


def read_table(source: Any, options: ReadOptions | None = None) -> Table:
    """The table a source holds.

    source: a path of a file, a folder or a zip archive, a database's address (with `options.query`), or a frame
        (pandas; or polars, pyarrow and whatever else has `to_pandas`).

    Raises:
        UnreadableData: the source cannot be read as a table; the message says why.
        UnknownName: an encoding or sheet that does not exist is asked for.
        MissingExtra: a package is needed that is not installed.
    """
    options = options or ReadOptions()
    if isinstance(source, pd.DataFrame):
        return _with_files(from_frame(source, "DataFrame"), options, Path())
    if hasattr(source, "to_pandas"):
        return _with_files(from_frame(frame_in(source), "DataFrame"), options, Path())
    if isinstance(source, str) and is_database_url(source):
        return _with_files(from_frame(query_database(source, options.query), "query"), options, Path())
    if isinstance(source, str | Path):
        path = existing(source)
        return _from_folder(path, options) if path.is_dir() else _from_file(path, options)
    raise UnreadableData(
        f"Expected a path, a database's address or a DataFrame, but got a {type(source).__name__}."
    )


def existing(source: str | Path) -> Path:
    """The file or folder of that name; UnreadableData where there is none."""
    if isinstance(source, str) and "://" in source:
        raise UnreadableData("Nothing is fetched from the network. Download the file and give its path.")
    path = Path(source).expanduser()
    try:
        if not path.exists():
            folder = path.parent
            names = [other.name for other in folder.iterdir()] if folder.is_dir() else []
            raise UnreadableData(f"There is no file {str(path)!r}.{did_you_mean(path.name, names)}")
    except (OSError, ValueError) as error:
        raise UnreadableData("The path is malformed or may not be read.") from error
    if not path.is_file() and not path.is_dir():
        raise UnreadableData(f"Expected a file or a folder, but {path} is neither.")
    return path


def _from_folder(path: Path, options: ReadOptions) -> Table:
    return _from_listing(list_folder(path), options, partial(FolderFiles, path))


def _from_file(path: Path, options: ReadOptions) -> Table:
    if is_picture(path.name):
        return _from_picture(path)
    if is_archive(path):
        listing = list_archive(path)
        if not any(entry.name in WORKBOOK_MARKS for entry in listing.entries):
            return _from_listing(listing, options, partial(ArchiveFiles, listing))
    raw, notes = read_bytes(path)
    if is_idx(raw):
        return from_idx(path, raw)
    table = _from_bytes(raw, path.name, options)
    return _with_files(replace(table, notes=(*notes, *table.notes)), options, path.parent)


def is_archive(path: Path) -> bool:
    """Whether a file is a zip archive, of whatever name; workbooks are, too."""
    try:
        with path.open("rb") as stream:
            return stream.read(4) in (b"PK\x03\x04", b"PK\x05\x06")
    except OSError as error:
        raise UnreadableData(f"The file {path.name} cannot be read: {error.strerror}.") from error


def _from_picture(path: Path) -> Table:
    """A table of one row: something to be answered."""
    entry = Entry(path.name, Attachment(path.resolve()))
    return files_as_table(Listing(path, (entry,)))


def from_idx(path: Path, raw: bytes) -> Table:
    """One idx file and the one that belongs to it, from the same folder."""
    beside = FolderFiles(path.parent)
    pair = pair_of(path.name, raw, beside.names())
    if pair.images is None:
        raise UnreadableData(f"Expected the idx file of pictures beside {path.name}, but it is not there.")
    parts = {path.name: raw}
    for name in (pair.images, pair.labels):
        file = beside.direct(name) if name is not None and name not in parts else None
        if file is not None:
            parts[file.path.name] = read_attached(file)[0]
    labels = None if pair.labels is None else parts[pair.labels]
    return idx_table(parts[pair.images], labels, pair, path.name)


def _from_listing(listing: Listing, options: ReadOptions, files: Callable[[str], Files]) -> Table:
    """What a folder or an archive holds: idx files, a table (perhaps with the files that it names), or files.

    files: gives where named files may lie, from the folder in which the table does.
    """
    idx = {entry.name: entry for entry in listing.entries if is_idx_name(entry.name)}
    if any("images" in name.lower() for name in idx):
        pair, notes = pair_to_train(idx)
        images, labels = (None if name is None else read_attached(idx[name].attachment)[0] for name in pair)
        table = idx_table(images or b"", labels, pair, listing.title)
        return replace(table, notes=(*notes, *table.notes))
    media = media_of(listing)
    entry = table_among(listing, media)
    if entry is None:
        return files_as_table(listing, options.encoding)
    raw, notes = read_attached(entry.attachment)
    table = _from_bytes(raw, posixpath.basename(entry.name), options)
    notes = (*listing.notes, f"The table {entry.name!r} was read.", *notes, *table.notes)
    table = replace(table, origin=listing.title, notes=notes)
    if media and list(table.frame.columns[:2]) == ANSWERS:
        return files_as_table(without_names(listing, [entry.name]), options.encoding)
    if options.files is not None:
        return _with_files(table, options, listing.root)
    attached = attach(table, files(posixpath.dirname(entry.name)), options.encoding)
    if attached.frame is table.frame and layout_of(media).classes is not None:
        table = files_as_table(listing, options.encoding)
        unused = f"The table {entry.name!r} names none of the files and was left out."
        return replace(table, notes=(*table.notes, unused))
    return attached


def _with_files(table: Table, options: ReadOptions, folder: Path) -> Table:
    """The table with the files that its cells name."""
    files = files_for(options, folder)
    return table if files is None else attach(table, files, options.encoding)


def files_for(options: ReadOptions, folder: Path) -> Files | None:
    """Where files that cells name may lie: below this folder unless the user says otherwise; None: nowhere.

    Raises:
        UnreadableData: what the user names is neither a folder nor a zip archive.
    """
    if options.files == "none":
        return None
    if options.files is None:
        return FolderFiles(folder)
    path = existing(options.files)
    if path.is_dir():
        return FolderFiles(path)
    if not is_archive(path):
        raise UnreadableData(f"Expected a folder or a zip archive of files, but {path} is neither.")
    return ArchiveFiles(list_archive(path))


def _from_bytes(raw: bytes, name: str, options: ReadOptions) -> Table:
    """What a file holds is told from its first bytes; endings may lie."""
    if not raw:
        raise UnreadableData(f"Expected a table, but {name} is empty.")
    if packed_as(raw):
        raise UnreadableData(f"The file {name} is packed twice. Unpack it first.")
    if raw.startswith((b"PK\x03\x04", b"PK\x05\x06", b"\xd0\xcf\x11\xe0")):
        return from_workbook(raw, name, options)
    if raw.startswith(MARKS):
        return from_frame(read_arrow(raw, name), name)
    refuse_other(raw, name)
    text = decode(raw, options.encoding)
    if options.delimiter is None and looks_like_records(text.data):
        table = read_records(text.data, name)
        return replace(table, notes=(*text.notes, *table.notes))
    wanted = Wanted(delimiter_of(options.delimiter), options.header, options.skip_lines)
    return read_csv(text, name, wanted)


def refuse_other(raw: bytes, name: str) -> None:
    """Raise UnreadableData where a file's first bytes say that it is something else than a table."""
    for magic, what in NOT_TABLES.items():
        if raw.startswith(magic):
            raise UnreadableData(f"Expected a table, but {name} is {what}.")


def from_workbook(raw: bytes, name: str, options: ReadOptions) -> Table:
    """The table of a workbook; UnreadableData where the archive is none."""
    if raw.startswith(b"PK"):
        members = refuse_zip_bomb(raw, name)
        if not any(member in WORKBOOK_MARKS for member in members):
            raise UnreadableData(
                f"Expected a table, but {name} is a zip archive within another. Unpack it first."
            )
    return read_workbook(raw, name, SheetWanted(options.sheet, options.header, options.skip_lines))


def frame_in(source: Any) -> pd.DataFrame:
    """What `to_pandas` of another package's frame gives; UnreadableData where that is no table."""
    frame = source.to_pandas()
    if isinstance(frame, pd.Series):
        return frame.to_frame()
    if not isinstance(frame, pd.DataFrame):
        raise UnreadableData(f"Expected a table, but to_pandas() of {type(source).__name__} gives none.")
    return frame


def delimiter_of(given: str | None) -> str | None:
    """The one character that the user's word stands for; UserError where it stands for none."""
    if given is None:
        return None
    delimiter = DELIMITER_WORDS.get(given, given)
    if len(delimiter) != 1 or not delimiter.isascii() or delimiter in "\"'\r\n\0\\":
        raise UserError(
            f"Expected one character as delimiter, or one of {', '.join(DELIMITER_WORDS)}, but got {given!r}."
        )
    return delimiter
