"""Rows as parquet, as a frame of cells: only the model's columns, and never more room than is allowed.

Texts are read as codes into their different values, so that one long text repeated by a few bits stays one text. What
is made of it later is made row by row, so it is counted as often as it stands there.
"""

from __future__ import annotations

import pandas as pd
import pyarrow
import pyarrow.parquet

from fathometer.data.schema import Schema
from fathometer.serve.codecs.parquet_footer import BadParquetError, Described, describe_anew
from fathometer.serve.limits import MIB, TEXT_BYTES, Limits, check_text
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
        RefusedError: 400 for no parquet, 413 for more rows, bytes unpacked or texts than are allowed, 422 for a text
            that is too long for a cell.
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
        return _read(file, limits)
    except DAMAGED as error:
        raise RefusedError(
            400, "The body cannot be read as parquet: it is damaged, or of an unknown kind."
        ) from error


def _read(file: Described, limits: Limits) -> pd.DataFrame:
    names = file.names
    if not file.rows or not names:
        return pd.DataFrame({name: pd.Series([], dtype=object) for name in names})
    reader = pyarrow.parquet.ParquetFile(
        pyarrow.BufferReader(file.raw), pre_buffer=False, read_dictionary=list(file.texts)
    )
    table = reader.read(use_threads=False, use_pandas_metadata=False)
    table.validate(full=True)  # offsets of a damaged file may point anywhere in memory
    columns: dict[str, pd.Series] = {}
    left = limits.text_bytes
    for name in names:
        columns[name], size = _cells(name, table.column(name), limits)
        left -= size
        if left < 0:
            raise RefusedError(
                413,
                f"The texts of all rows are longer than {limits.text_bytes:,} bytes. Send fewer rows at once.",
            )
    frame = pd.DataFrame(columns)
    frame.attrs[TEXT_BYTES] = limits.text_bytes - left
    return frame


def _cells(name: str, column: pyarrow.ChunkedArray, limits: Limits) -> tuple[pd.Series, int]:
    """A column, and how long its texts are, each as often as it stands there."""
    if not pyarrow.types.is_dictionary(column.type):
        return column.to_pandas(), 0
    texts: list[object] = []
    size = 0
    for chunk in column.chunks:
        different = chunk.dictionary.to_pylist()
        lengths = [_length(text, name, limits) for text in different]
        codes = chunk.indices.to_pylist()
        size += sum(lengths[code] for code in codes if code is not None)
        texts += [None if code is None else different[code] for code in codes]
    return pd.Series(texts, dtype=object), size


def _length(text: object, name: str, limits: Limits) -> int:
    if isinstance(text, str):
        check_text(text, name, limits)
    return len(text) if isinstance(text, str | bytes) else 0
