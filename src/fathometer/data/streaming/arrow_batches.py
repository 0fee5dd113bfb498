"""Read a parquet or feather file part by part: what `arrow_files.read_arrow` gives, of one larger than the memory.

A file of a few kilobytes can stand for a table of any size: a long text that is stored once and meant a million times.
Columns that are stored so are therefore taken as they are stored, and written out only as far as the memory allows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow
import pyarrow.compute
import pyarrow.ipc
import pyarrow.parquet

from fathometer.data.arrow_files import as_pandas, from_frame, not_readable
from fathometer.data.streaming.part import Part, Stream, counted_from
from fathometer.errors import UnreadableData

BATCH_BYTES = 1 << 28
"""Of the cells of one part, written out."""

NESTED_BYTES = 16
"""What one value of a list takes at least, with its place."""


def stream_parquet(path: Path, name: str, rows: int) -> Stream:
    """The table of a parquet file, in parts of up to so many rows.

    Raises:
        UnreadableData: it is damaged, or a cell is too large.
    """
    with _refusing(name):
        with pyarrow.parquet.ParquetFile(path) as file:
            metadata, schema = file.metadata, file.schema_arrow
            stored_once = _stored_once(metadata, schema)
            batch_rows = min(rows, _rows_of_lists(metadata, file.schema, name), _rows_as_stored(metadata))
        source = _Parquet(path, batch_rows)
        nulls = _with_nulls(source, schema, _known_nulls(metadata))
    return _stream(source.batches(None, stored_once), nulls, schema, name, rows, int(metadata.num_rows))


def stream_feather(path: Path, name: str, rows: int) -> Stream:
    """The table of a feather (Arrow) file, in parts of up to so many rows.

    Raises:
        UnreadableData: it is damaged.
    """
    source = _Feather(path)
    with _refusing(name):
        with pyarrow.memory_map(str(path)) as stream:
            schema = pyarrow.ipc.open_file(stream).schema
        nulls = _with_nulls(source, schema, {})
    return _stream(source.batches(None, []), nulls, schema, name, rows, None)


@dataclass(frozen=True)
class _Parquet:
    path: Path
    rows: int

    def batches(self, columns: list[str] | None, stored_once: list[str]) -> Iterator[pyarrow.RecordBatch]:
        """columns: only these; all unless given. stored_once: those to be left as they are stored."""
        with pyarrow.parquet.ParquetFile(self.path, read_dictionary=stored_once, pre_buffer=False) as file:
            yield from file.iter_batches(self.rows, columns=columns, use_threads=False)


@dataclass(frozen=True)
class _Feather:
    path: Path

    def batches(self, columns: list[str] | None, stored_once: list[str]) -> Iterator[pyarrow.RecordBatch]:
        """As of a parquet file; what is stored once stays so anyway."""
        with pyarrow.memory_map(str(self.path)) as source:
            reader = pyarrow.ipc.open_file(source)
            for place in range(reader.num_record_batches):
                yield reader.get_batch(place)


@contextmanager
def _refusing(name: str) -> Iterator[None]:
    """What a damaged file raises, in pyarrow's and in pandas' own notes in it, is any error."""
    try:
        yield
    except UnreadableData:
        raise
    except Exception as error:
        raise not_readable(name) from error


def _stream(
    batches: Iterator[pyarrow.RecordBatch],
    nulls: set[str],
    schema: pyarrow.Schema,
    name: str,
    rows: int,
    size: int | None,
) -> Stream:
    stream = Stream(iter(()), name, [], size)
    stream.parts = _parts(_within_memory(batches, name, rows), nulls, schema, stream)
    return stream


def _parts(
    batches: Iterator[pyarrow.RecordBatch], nulls: set[str], schema: pyarrow.Schema, stream: Stream
) -> Iterator[Part]:
    number = 1
    while True:
        with _refusing(stream.origin):
            batch = next(batches, None)
            if batch is None and number > 1:
                return
            frame = _frame(schema.empty_table() if batch is None else batch, nulls, schema)
            table = from_frame(frame, stream.origin)
        if number == 1:
            stream.notes += table.notes
        yield Part(table.frame, counted_from(number, len(table.frame)))
        if batch is None:
            return
        number += len(table.frame)


def _within_memory(
    batches: Iterable[pyarrow.RecordBatch], name: str, rows: int
) -> Iterator[pyarrow.RecordBatch]:
    """The batches, cut so that each has few enough rows, and few enough bytes when it is written out."""
    for batch in batches:
        ends = np.cumsum(_written_out(batch))
        start = 0
        while start < batch.num_rows:
            before = ends[start - 1] if start else 0
            end = int(np.searchsorted(ends, before + BATCH_BYTES, side="right"))
            if end <= start:
                raise UnreadableData(
                    f"A row of {name} is larger than {BATCH_BYTES >> 20} MB. Leave such cells out."
                )
            end = min(end, start + rows)
            yield batch.slice(start, end - start)
            start = end


def _written_out(batch: pyarrow.RecordBatch) -> npt.NDArray[np.int64]:
    """(rows,) bytes of each row's texts that are stored once and meant often; 0 for all others."""
    sizes = np.zeros(batch.num_rows, dtype=np.int64)
    for column in batch.columns:
        if not pyarrow.types.is_dictionary(column.type) or not _is_text(column.type.value_type):
            continue
        lengths = pyarrow.compute.fill_null(pyarrow.compute.binary_length(column.dictionary), 0)
        indices = column.indices.cast(pyarrow.int64()).to_numpy(zero_copy_only=False)
        there = column.is_valid().to_numpy(zero_copy_only=False)
        sizes[there] += lengths.to_numpy(zero_copy_only=False)[indices[there].astype(np.int64)]
    return sizes


def _frame(
    rows: pyarrow.RecordBatch | pyarrow.Table, nulls: set[str], schema: pyarrow.Schema
) -> pd.DataFrame:
    """The rows as pandas has them in the whole table, where a missing cell anywhere changes a column's type."""
    columns = [_plain(column, field.type) for column, field in zip(rows.columns, schema, strict=True)]
    frame = as_pandas(pyarrow.Table.from_arrays(columns, schema=schema))
    for name in nulls & set(map(str, frame.columns)):
        kind = frame[name].dtype
        if isinstance(kind, np.dtype) and kind.kind in "iub":
            frame[name] = frame[name].astype(object if kind.kind == "b" else np.float64)
    return frame


def _plain(column: pyarrow.Array, kind: pyarrow.DataType) -> pyarrow.Array:
    """The column as its file says, which may have been taken as it is stored."""
    if column.type == kind:
        return column
    if pyarrow.types.is_dictionary(column.type) and not pyarrow.types.is_dictionary(kind):
        column = column.dictionary_decode()
    return column.cast(kind)


def _is_text(kind: pyarrow.DataType) -> bool:
    types = pyarrow.types
    return bool(
        types.is_string(kind)
        or types.is_binary(kind)
        or types.is_large_string(kind)
        or types.is_large_binary(kind)
    )


def _stored_once(metadata: pyarrow.parquet.FileMetaData, schema: pyarrow.Schema) -> list[str]:
    """Columns of text of which a part, at least, is stored as a list of different texts and places in it."""
    found: dict[str, None] = {}
    for group in range(metadata.num_row_groups):
        for place in range(metadata.num_columns):
            column = metadata.row_group(group).column(place)
            if any("DICTIONARY" in encoding for encoding in column.encodings):
                found[column.path_in_schema] = None
    return [name for name in found if name in schema.names and _is_text(schema.field(name).type)]


def _rows_of_lists(
    metadata: pyarrow.parquet.FileMetaData, schema: pyarrow.parquet.ParquetSchema, name: str
) -> int:
    """How many rows of lists, or of texts of one length, fit into a part.

    Raises:
        UnreadableData: a list is so long that a few rows would not.
    """
    most = BATCH_BYTES
    for place in range(metadata.num_columns):
        described = schema.column(place)
        if described.physical_type == "FIXED_LEN_BYTE_ARRAY":
            most = min(most, BATCH_BYTES // max(1, described.length))
        if not described.max_repetition_level:
            continue
        for group in range(metadata.num_row_groups):
            values = metadata.row_group(group).column(place).num_values
            rows = max(1, metadata.row_group(group).num_rows)
            most = min(most, int(BATCH_BYTES * rows / max(1, values * NESTED_BYTES)))
    if most < 1:
        raise UnreadableData(
            f"A row of {name} holds lists larger than {BATCH_BYTES >> 20} MB. Leave such columns out."
        )
    return most


def _rows_as_stored(metadata: pyarrow.parquet.FileMetaData) -> int:
    """How many rows fit into a part, as far as they are written out in the file already; one at least."""
    groups = [metadata.row_group(place) for place in range(metadata.num_row_groups)]
    sizes = [(int(group.num_rows), int(group.total_byte_size)) for group in groups]
    fitting = [BATCH_BYTES * rows // max(1, size) for rows, size in sizes if rows]
    return max(1, min([*fitting, BATCH_BYTES]))


def _known_nulls(metadata: pyarrow.parquet.FileMetaData) -> Mapping[str, bool]:
    """Column -> whether a cell is missing, as far as the file says it."""
    known: dict[str, bool] = {}
    unknown: set[str] = set()
    for group in range(metadata.num_row_groups):
        for place in range(metadata.num_columns):
            column = metadata.row_group(group).column(place)
            statistics = column.statistics
            if statistics is None or not statistics.has_null_count:
                unknown.add(column.path_in_schema)
            else:
                missing = statistics.null_count > 0
                known[column.path_in_schema] = known.get(column.path_in_schema, False) or missing
    return {name: missing for name, missing in known.items() if name not in unknown}


def _with_nulls(source: _Parquet | _Feather, schema: pyarrow.Schema, known: Mapping[str, bool]) -> set[str]:
    """The columns of whole numbers or truth values in which a cell is missing."""
    types = pyarrow.types
    asked = [
        field.name
        for field in schema
        if (types.is_integer(field.type) or types.is_boolean(field.type))
        and schema.names.count(field.name) == 1
    ]
    found = {name for name in asked if known.get(name)}
    unknown = [name for name in asked if name not in known]
    if unknown:
        for batch in source.batches(unknown, []):
            found.update(name for name in unknown if batch.column(name).null_count)
    return found
