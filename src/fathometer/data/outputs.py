"""Write tables to files, part by part, whole or not at all.

>>> import pandas as pd, tempfile
>>> path = Path(tempfile.mkdtemp()) / "answers.csv"
>>> with Writer(path) as writer:
...     writer.write(pd.DataFrame({"prediction": ["yes"]}))
...     writer.write(pd.DataFrame({"prediction": ["=1+1"]}))
>>> path.read_text()
"prediction\\nyes\\n'=1+1\\n"
"""

from __future__ import annotations

import contextlib
import csv
import errno
import itertools
import json
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, Literal, Self

import numpy as np
import pandas as pd
import pyarrow
import pyarrow.parquet

from fathometer.core.files import sync_folder
from fathometer.data.wire import to_wire
from fathometer.errors import UnknownName, UserError

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""A spreadsheet program takes a cell that begins so (the last four are the first in full width) for a formula and may
run it (https://owasp.org/www-community/attacks/CSV_Injection)."""

ENDINGS = (".csv", ".json", ".jsonl", ".parquet")


def write_table(frame: pd.DataFrame, path: Path | str, *, raw: bool = False) -> None:
    """Write a table as csv, parquet, JSON (an array) or JSON lines, as the file's ending says.

    In csv a text cell (or column name) that a spreadsheet program could run as a formula gets an apostrophe, unless
    `raw`.

    Raises:
        UnknownName: the ending stands for no known format.
        UserError: the file cannot be written.
    """
    with Writer(path, raw=raw) as writer:
        writer.write(frame)


class Writer:
    """A file that is there when all of it was written, and otherwise is as it was before.

    Used in a `with` statement: what leaves it by an error, or a process that ends, leaves nothing under the file's
    name. All parts have the same columns; at least one is written, be it without rows.

    Args:
        raw: in csv, leave texts as they are that a spreadsheet program could run as formulas.

    Raises:
        UnknownName: the ending stands for no known format.
        UserError: the file cannot be written.
    """

    def __init__(self, path: Path | str, *, raw: bool = False) -> None:
        self.path = Path(path)
        ending = self.path.suffix.lower()
        if ending not in ENDINGS:
            raise UnknownName("file ending", ending, ENDINGS)
        self._draft = self.path.with_name(f".{self.path.name}.{secrets.token_hex(4)}.tmp")
        self._format = _FORMATS[ending](self._draft, raw)

    def __enter__(self) -> Self:
        with self._telling():
            if self.path.is_dir():
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._format.open()
        return self

    def write(self, frame: pd.DataFrame) -> None:
        """Add rows; the first decide the types of the columns."""
        with self._telling():
            self._format.write(frame)

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is not None:
                with contextlib.suppress(Exception):  # what went wrong is on its way
                    self._format.close()
                return
            with self._telling():
                self._format.close()
                with self._draft.open("rb") as stream:
                    os.fsync(stream.fileno())
                self._draft.replace(self.path)
                sync_folder(self.path.parent)
        finally:
            self._remove()

    @contextlib.contextmanager
    def _telling(self) -> Iterator[None]:
        """A full disk, a place that may not be written, or a cell that the format has no way for: in one sentence."""
        try:
            yield
        except (
            *(OSError, ValueError, TypeError, NotImplementedError, OverflowError),
            pyarrow.ArrowException,
        ) as error:
            self._remove()
            reason = error.strerror if isinstance(error, OSError) and error.strerror else _first_line(error)
            raise UserError(f"The file {self.path} cannot be written: {reason}.") from error

    def _remove(self) -> None:
        with contextlib.suppress(OSError):  # what went wrong has been said
            self._draft.unlink(missing_ok=True)


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")


class _Csv:
    def __init__(self, path: Path, raw: bool) -> None:
        self._path, self._raw = path, raw
        self._stream: IO[str] | None = None
        self._is_empty = True

    def open(self) -> None:
        self._stream = self._path.open("w", encoding="utf-8", newline="")

    def write(self, frame: pd.DataFrame) -> None:
        assert self._stream is not None
        self._stream.write(as_csv(frame, header=self._is_empty, raw=self._raw))
        self._is_empty = False

    def close(self) -> None:
        if self._stream is not None:
            self._stream.close()


class _JsonLines:
    """One object a line, or one array of them."""

    begins, between, ends = "", "\n", "\n"

    def __init__(self, path: Path, raw: bool) -> None:
        self._path = path
        self._stream: IO[str] | None = None
        self._is_empty = True

    def open(self) -> None:
        self._stream = self._path.open("w", encoding="utf-8", newline="")

    def write(self, frame: pd.DataFrame) -> None:
        assert self._stream is not None
        for record in _records(frame):
            self._stream.write((self.begins if self._is_empty else self.between) + record)
            self._is_empty = False

    def close(self) -> None:
        if self._stream is None:
            return
        try:
            self._stream.write(self.begins if self._is_empty else "")
            self._stream.write("" if self._is_empty and not self.begins else self.ends)
        finally:
            self._stream.close()


class _Json(_JsonLines):
    begins, between, ends = "[", ",\n", "]\n"


def _records(frame: pd.DataFrame) -> Iterator[str]:
    """Each row as a JSON object; numbers come back as the same numbers."""
    names = [str(name) for name in frame.columns]
    if len(set(names)) < len(names):
        raise ValueError("two columns have the same name")
    columns = [[to_wire(cell) for cell in frame.iloc[:, place]] for place in range(len(names))]
    for cells in zip(*columns, strict=True):
        record = json.dumps(dict(zip(names, cells, strict=True)), ensure_ascii=False, allow_nan=False)
        yield _writable(record)


class _Parquet:
    def __init__(self, path: Path, raw: bool) -> None:
        self._path = path
        self._stream: IO[bytes] | None = None
        self._writer: pyarrow.parquet.ParquetWriter | None = None
        self._schema: pyarrow.Schema | None = None

    def open(self) -> None:
        self._stream = self._path.open("wb")

    def write(self, frame: pd.DataFrame) -> None:
        if self._writer is None or self._schema is None:
            table = pyarrow.Table.from_pandas(frame, preserve_index=False)
            self._schema = _open_schema(table.schema)
            self._writer = pyarrow.parquet.ParquetWriter(self._stream, self._schema)
        table = pyarrow.Table.from_pandas(frame, schema=self._schema, preserve_index=False)
        self._writer.write_table(table)

    def close(self) -> None:
        try:
            if self._writer is not None:
                self._writer.close()
        finally:
            if self._stream is not None:
                self._stream.close()


def _open_schema(schema: pyarrow.Schema) -> pyarrow.Schema:
    """A column that holds nothing yet may hold text later, and one of few levels others."""
    fields = []
    for field in schema:
        if pyarrow.types.is_null(field.type):
            field = field.with_type(pyarrow.string())
        elif pyarrow.types.is_dictionary(field.type):
            field = field.with_type(field.type.value_type)
        fields.append(field)
    return pyarrow.schema(fields)


_FORMATS: dict[str, Any] = {".csv": _Csv, ".json": _Json, ".jsonl": _JsonLines, ".parquet": _Parquet}


def without_formulas(frame: pd.DataFrame) -> pd.DataFrame:
    """The same table with an apostrophe before every text that begins like a formula; numbers stay."""
    safe = frame.copy()
    for position in _places_of_text(frame):
        cells = [_defused(cell) for cell in frame.iloc[:, position]]
        # as a series, for the texts of an array would be checked for what cannot be written
        safe.isetitem(position, pd.Series(cells, frame.index, object))  # type: ignore[arg-type]
    safe.columns = pd.Index([_defused(name) for name in frame.columns])
    return safe


def as_csv(frame: pd.DataFrame, *, header: bool = True, raw: bool = False) -> str:
    """The table as csv text, formulas defused unless `raw`; the text of rows does not depend on their neighbours."""
    safe = frame if raw else without_formulas(frame)
    has_return = np.zeros(len(safe), dtype=bool)
    for place in _places_of_text(safe):
        cells = safe.iloc[:, place]
        has_return |= np.array([isinstance(cell, str) and "\r" in cell for cell in cells], dtype=bool)
    borders = [0, *(np.flatnonzero(np.diff(has_return)) + 1).tolist(), len(safe)]
    parts = []
    if header:
        in_name = any(isinstance(name, str) and "\r" in name for name in safe.columns)
        parts.append(_csv_text(safe.iloc[:0], quoted=in_name, header=True))
    for start, end in itertools.pairwise(borders):
        if end > start:
            parts.append(_csv_text(safe.iloc[start:end], quoted=bool(has_return[start]), header=False))
    return _writable("".join(parts))


def _csv_text(frame: pd.DataFrame, *, quoted: bool, header: bool) -> str:
    # Python's csv module quotes a carriage return only where it ends lines
    quoting: Literal[0, 2] = csv.QUOTE_NONNUMERIC if quoted else csv.QUOTE_MINIMAL
    text: str = frame.to_csv(None, index=False, header=header, lineterminator="\n", quoting=quoting)
    return text


def _writable(text: str) -> str:
    """Half of a surrogate pair, as JSON may bring it, cannot be written."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def _places_of_text(frame: pd.DataFrame) -> list[int]:
    is_number, is_moment = pd.api.types.is_numeric_dtype, pd.api.types.is_datetime64_any_dtype
    types = frame.dtypes.tolist()
    return [place for place, type_ in enumerate(types) if not is_number(type_) and not is_moment(type_)]


def _defused(cell: object) -> object:
    if not isinstance(cell, str) or not cell.startswith(FORMULA_STARTS) or len(cell) == 1:
        return cell
    try:
        float(cell)  # a label such as -1 is no formula, and must compare equal to the truth
    except ValueError:
        return f"'{cell}"
    return cell
