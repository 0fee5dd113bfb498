"""Read a table from wherever it is: text files of any dialect, workbooks, parquet, JSON records, frames, SQL.

>>> import pandas as pd
>>> read_table(pd.DataFrame({"age": [31, 44]})).origin
'DataFrame'
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow
import pyarrow.feather
import pyarrow.parquet

from fathometer.data.column_names import tidy_names
from fathometer.data.csv_reading import Wanted, read_csv
from fathometer.data.databases import is_database_url, query_database
from fathometer.data.encodings import decode
from fathometer.data.outputs import write_table
from fathometer.data.records import looks_like_records, read_records
from fathometer.data.spreadsheets import SheetWanted, read_workbook
from fathometer.data.table import Dialect, Table, refuse_too_wide
from fathometer.data.unpacking import packed_as, read_bytes, refuse_zip_bomb
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
    """

    delimiter: str | None = None
    encoding: str | None = None
    header: bool | None = None
    sheet: str | None = None
    skip_lines: int | None = None
    query: str | None = None


def read_table(source: Any, options: ReadOptions | None = None) -> Table:
    """The table a source holds.

    source: a path, a database's address (with `options.query`), or a frame (pandas; or polars, pyarrow and
        whatever else has `to_pandas`).

    Raises:
        UnreadableData: the source cannot be read as a table; the message says why.
        UnknownName: an encoding or sheet that does not exist is asked for.
        MissingExtra: a package is needed that is not installed.
    """
    options = options or ReadOptions()
    if isinstance(source, pd.DataFrame):
        return _from_frame(source, "DataFrame")
    if hasattr(source, "to_pandas"):
        return _from_frame(_as_pandas(source), "DataFrame")
    if isinstance(source, str) and is_database_url(source):
        return _from_frame(query_database(source, options.query), "query")
    if isinstance(source, str | Path):
        return _from_file(_existing(source), options)
    raise UnreadableData(
        f"Expected a path, a database's address or a DataFrame, but got a {type(source).__name__}."
    )


def _existing(source: str | Path) -> Path:
    if isinstance(source, str) and "://" in source:
        raise UnreadableData("Nothing is fetched from the network. Download the file and give its path.")
    path = Path(source).expanduser()
    try:
        if path.is_dir():
            raise UnreadableData(f"Expected a file, but {path} is a folder. Name the file in it.")
        if not path.exists():
            folder = path.parent
            names = [other.name for other in folder.iterdir()] if folder.is_dir() else []
            raise UnreadableData(f"There is no file {str(path)!r}.{did_you_mean(path.name, names)}")
    except (OSError, ValueError) as error:
        raise UnreadableData("The path is malformed or may not be read.") from error
    if not path.is_file():
        raise UnreadableData(f"Expected a file, but {path} is none.")
    return path


def _from_file(path: Path, options: ReadOptions) -> Table:
    raw, notes = read_bytes(path)
    table = _from_bytes(raw, path.name, options)
    return replace(table, notes=(*notes, *table.notes))


def _from_bytes(raw: bytes, name: str, options: ReadOptions) -> Table:
    """What a file holds is told from its first bytes; endings may lie."""
    if not raw:
        raise UnreadableData(f"Expected a table, but {name} is empty.")
    if packed_as(raw):
        raise UnreadableData(f"The file {name} is packed twice. Unpack it first.")
    if raw.startswith((b"PK\x03\x04", b"PK\x05\x06", b"\xd0\xcf\x11\xe0")):
        return _from_workbook(raw, name, options)
    if raw.startswith((b"PAR1", b"ARROW1", b"FEA1")):
        return _from_frame(_arrow_frame(raw, name), name)
    for magic, what in NOT_TABLES.items():
        if raw.startswith(magic):
            raise UnreadableData(f"Expected a table, but {name} is {what}.")
    text = decode(raw, options.encoding)
    if options.delimiter is None and looks_like_records(text.data):
        table = read_records(text.data, name)
        return replace(table, notes=(*text.notes, *table.notes))
    wanted = Wanted(_delimiter(options.delimiter), options.header, options.skip_lines)
    return read_csv(text, name, wanted)


def _from_workbook(raw: bytes, name: str, options: ReadOptions) -> Table:
    if raw.startswith(b"PK"):
        members = refuse_zip_bomb(raw, name)
        if not any(member in ("content.xml", "[Content_Types].xml") for member in members):
            raise UnreadableData(
                f"Expected a table, but {name} is a zip archive. Unpack it and name a file of it."
            )
    return read_workbook(raw, name, SheetWanted(options.sheet, options.header, options.skip_lines))


def _arrow_frame(raw: bytes, name: str) -> pd.DataFrame:
    try:
        source = pyarrow.BufferReader(raw)
        table = (
            pyarrow.parquet.read_table(source)
            if raw.startswith(b"PAR1")
            else pyarrow.feather.read_table(source)
        )
        table.validate(full=True)  # offsets of a damaged file may point anywhere in memory
        frame: pd.DataFrame = table.to_pandas()
    except (
        Exception
    ) as error:  # what a damaged file raises, in pyarrow's and in pandas' own notes in it, is any error
        reason = "it is damaged, cut off, or too large for the memory"
        raise UnreadableData(f"The file {name} cannot be read as parquet or feather: {reason}.") from error
    return frame


def _as_pandas(source: Any) -> pd.DataFrame:
    frame = source.to_pandas()
    if isinstance(frame, pd.Series):
        return frame.to_frame()
    if not isinstance(frame, pd.DataFrame):
        raise UnreadableData(f"Expected a table, but to_pandas() of {type(source).__name__} gives none.")
    return frame


def _from_frame(given: pd.DataFrame, origin: str) -> Table:
    """A typed source's table: names tidied, index dropped, cells as they are."""
    if not len(given.columns):
        raise UnreadableData("Expected a table, but there are no columns.")
    refuse_too_wide(len(given.columns))
    names, notes = tidy_names(given.columns)
    if not isinstance(given.index, pd.RangeIndex):
        notes += ("The frame's index is not a column and was left out; use reset_index() to keep it.",)
    frame = given.reset_index(drop=True).set_axis(names, axis=1)
    return Table(frame, notes, origin)


def _delimiter(given: str | None) -> str | None:
    if given is None:
        return None
    delimiter = DELIMITER_WORDS.get(given, given)
    if len(delimiter) != 1 or not delimiter.isascii() or delimiter in "\"'\r\n\0\\":
        raise UserError(
            f"Expected one character as delimiter, or one of {', '.join(DELIMITER_WORDS)}, but got {given!r}."
        )
    return delimiter
