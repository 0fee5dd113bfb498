"""Rows as parquet, as a frame of cells: only the model's columns, and never more room than is allowed.

Texts are read as codes into their different values, so that one long text repeated by a few bits stays one text.
"""

from __future__ import annotations

import pandas as pd
import pyarrow
import pyarrow.parquet

from fathometer.data.schema import Schema
from fathometer.serve.codecs.parquet_footer import BadParquetError, Described, describe_anew
from fathometer.serve.limits import MIB, Limits
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
        RefusedError: 400 for no parquet, 413 for more rows or bytes unpacked than are allowed.
    """
    try:
        file = describe_anew(body, frozenset(schema.names))
    except BadParquetError as error:
        raise RefusedError(400, f"The body cannot be read as parquet: {error}.") from error
    if file.rows > limits.rows:
        raise RefusedError(413, f"At most {limits.rows:,} rows are answered at once. Send them in parts.")
    if file.unpacked > MOST_UNPACKED:
        raise RefusedError(
            413, f"Unpacked, the columns are larger than {MOST_UNPACKED // MIB} MiB. Send fewer rows at once."
        )
    try:
        return _read(file)
    except DAMAGED as error:
        raise RefusedError(
            400, "The body cannot be read as parquet: it is damaged, or of an unknown kind."
        ) from error


def _read(file: Described) -> pd.DataFrame:
    names = file.names
    if not file.rows or not names:
        return pd.DataFrame({name: pd.Series([], dtype=object) for name in names})
    reader = pyarrow.parquet.ParquetFile(
        pyarrow.BufferReader(file.raw), pre_buffer=False, read_dictionary=list(file.texts)
    )
    table = reader.read(use_threads=False, use_pandas_metadata=False)
    table.validate(full=True)  # offsets of a damaged file may point anywhere in memory
    return pd.DataFrame({name: _cells(table.column(name)) for name in names})


def _cells(column: pyarrow.ChunkedArray) -> pd.Series:
    if not pyarrow.types.is_dictionary(column.type):
        cells: pd.Series = column.to_pandas()
        return cells
    texts: list[object] = []
    for chunk in column.chunks:
        different = chunk.dictionary.to_pylist()
        texts += [None if code is None else different[code] for code in chunk.indices.to_pylist()]
    return pd.Series(texts, dtype=object)
