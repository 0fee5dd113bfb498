"""Rows as parquet, as a frame of cells: only the model's columns, and never more room than is allowed.

Texts are read as codes into their different values, so that one long text repeated by a few bits stays one text.
"""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import pyarrow
import pyarrow.parquet

from fathometer.data.schema import Schema
from fathometer.serve.limits import MIB, Limits
from fathometer.serve.parquet_pages import DELTA_BYTE_ARRAY, MOST_PAGES, BadPageError, pages_of
from fathometer.serve.question import RefusedError

MOST_UNPACKED = 256 * MIB
DAMAGED = (
    *(pyarrow.ArrowException, OSError, ValueError, TypeError, KeyError, IndexError),
    *(OverflowError, MemoryError, NotImplementedError),
)
"""What pyarrow raises at damaged, cut or exotic files."""


def from_parquet(body: bytes, schema: Schema, limits: Limits) -> pd.DataFrame:
    """The columns whose names the model knows; their types are kept.

    Raises:
        RefusedError: 400 for no parquet, 413 for more rows, pages or bytes unpacked than are allowed.
    """
    if not body.startswith(b"PAR1"):
        raise RefusedError(400, "Expected parquet, but the body does not begin as such a file does.")
    try:
        file = pyarrow.parquet.ParquetFile(pyarrow.BufferReader(body), pre_buffer=False)
        if file.metadata.num_rows > limits.rows:
            raise _too_many(limits)
        leaves = _known(file.metadata, schema)
        _refuse_bombs(body, file.metadata, leaves)
        frame = _read(body, [file.metadata.schema.column(leaf).path for leaf in leaves], limits)
    except DAMAGED as error:
        raise RefusedError(
            400, "The body cannot be read as parquet: it is damaged, or of an unknown kind."
        ) from error
    return frame


def _known(metadata: pyarrow.parquet.FileMetaData, schema: Schema) -> list[int]:
    """Places of the flat columns that the model knows by name."""
    names = set(schema.names)
    found: dict[str, int] = {}
    for place in range(metadata.num_columns):
        column = metadata.schema.column(place)
        name = " ".join(column.path.split())
        if name not in names:
            continue
        if column.max_repetition_level > 0 or column.max_definition_level > 1:
            raise RefusedError(
                400, f"Column {name[:80]!r} holds lists or records. Send one value in each cell."
            )
        if name in found:
            raise RefusedError(400, f"Two columns are called {name[:80]!r}. Rename one.")
        found[name] = place
    return list(found.values())


def _refuse_bombs(body: bytes, metadata: pyarrow.parquet.FileMetaData, leaves: Sequence[int]) -> None:
    unpacked = pages = 0
    if metadata.num_row_groups * max(len(leaves), 1) > MOST_PAGES:
        raise RefusedError(
            413, f"At most {MOST_PAGES:,} pages of parquet are read. Save it in fewer row groups."
        )
    for group in range(metadata.num_row_groups):
        for leaf in leaves:
            chunk = metadata.row_group(group).column(leaf)
            if chunk.num_values == 0:
                continue  # nothing of it is read, and what it says of its place may be anything
            starts = [chunk.data_page_offset]
            if chunk.dictionary_page_offset is not None and chunk.dictionary_page_offset > 0:
                starts.append(chunk.dictionary_page_offset)
            try:
                found = pages_of(body, min(starts), chunk.total_compressed_size)
            except BadPageError as error:
                raise RefusedError(400, f"The body is damaged parquet: {error}.") from error
            unpacked, pages = unpacked + found.unpacked, pages + found.count
            if DELTA_BYTE_ARRAY in found.encodings:
                raise RefusedError(400, "Texts saved as DELTA_BYTE_ARRAY are not read. Save them plainly.")
            if unpacked > MOST_UNPACKED or pages > MOST_PAGES:
                raise RefusedError(
                    413,
                    f"Unpacked, the columns are larger than {MOST_UNPACKED // MIB} MiB or in more than {MOST_PAGES:,} "
                    "pages. Send fewer rows at once.",
                )


def _read(body: bytes, paths: list[str], limits: Limits) -> pd.DataFrame:
    file = pyarrow.parquet.ParquetFile(pyarrow.BufferReader(body), pre_buffer=False, read_dictionary=paths)
    columns: dict[str, list[pd.Series]] = {path: [] for path in paths}
    rows = 0
    for batch in file.iter_batches(batch_size=limits.rows + 1, columns=paths, use_threads=False):
        rows += batch.num_rows
        if rows > limits.rows:
            raise _too_many(limits)
        batch.validate(full=True)  # offsets of a damaged file may point anywhere in memory
        for path in paths:
            columns[path].append(_cells(batch.column(path)))
    joined = {path: pd.concat(parts, ignore_index=True) for path, parts in columns.items() if parts}
    return pd.DataFrame(joined if rows else {path: pd.Series([], dtype=object) for path in paths})


def _cells(array: pyarrow.Array) -> pd.Series:
    if not isinstance(array, pyarrow.DictionaryArray):
        cells: pd.Series = array.to_pandas()
        return cells
    different = array.dictionary.to_pylist()
    codes = array.indices.to_pylist()
    return pd.Series([None if code is None else different[code] for code in codes], dtype=object)


def _too_many(limits: Limits) -> RefusedError:
    return RefusedError(413, f"At most {limits.rows:,} rows are answered at once. Send them in parts.")
