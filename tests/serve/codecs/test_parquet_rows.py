"""Parquet from strangers: cells keep their types, and nothing is unpacked that is larger than it may be."""

from __future__ import annotations

import datetime
import io
import resource
import subprocess
import sys
from typing import Any

import numpy as np
import pandas as pd
import pyarrow
import pyarrow.parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fathometer.data.schema import Column, Schema
from fathometer.serve.codecs.parquet_footer import BadParquetError, describe_anew, pages_of
from fathometer.serve.codecs.parquet_rows import from_parquet
from fathometer.serve.codecs.thrift import BadThriftError, read_struct, write_struct
from fathometer.serve.limits import Limits
from fathometer.serve.question import RefusedError

SCHEMA = Schema(tuple(Column(name, "category", {}, {}, False, "") for name in ("size", "name", "day")))
LIMITS = Limits()
FRAME = pd.DataFrame(
    {
        "size": [0.1, float("nan"), 1e300],
        "name": ["a", None, "ü" * 50],
        "day": pd.to_datetime(["2024-01-01T00:00:00", None, "1999-12-31T23:59:59"]),
        "other": [1, 2, 3],
    }
)


def written(table: pyarrow.Table, **options: Any) -> bytes:
    stream = io.BytesIO()
    pyarrow.parquet.write_table(table, stream, **options)
    return stream.getvalue()


@pytest.mark.parametrize("compression", ["none", "snappy", "gzip", "zstd", "lz4", "brotli"])
@pytest.mark.parametrize("version", ["1.0", "2.0"])
@pytest.mark.parametrize("is_dictionary", [True, False])
def test_cells_are_as_the_file_holds_them(compression: str, version: str, is_dictionary: bool) -> None:
    body = written(
        pyarrow.Table.from_pandas(FRAME),
        compression=compression,
        data_page_version=version,
        use_dictionary=is_dictionary,
    )
    frame = from_parquet(body, SCHEMA, LIMITS)
    assert list(frame.columns) == ["size", "name", "day"]
    np.testing.assert_array_equal(frame["size"], FRAME["size"])
    assert frame["name"].tolist() == ["a", None, "ü" * 50]
    assert frame["day"].tolist() == FRAME["day"].tolist()


def test_types_are_those_of_the_file() -> None:
    whole, truth = pyarrow.array([2**60 + 1, 2, 3]), pyarrow.array([True, None, False])
    level = pyarrow.array(["x", "y", "x"]).dictionary_encode()
    table = pyarrow.table({"size": whole, "name": level, "day": truth})
    frame = from_parquet(written(table), SCHEMA, LIMITS)
    assert frame["size"].tolist() == [2**60 + 1, 2, 3]
    assert frame["name"].tolist() == ["x", "y", "x"]
    assert frame["day"].tolist() == [True, None, False]
    date = pyarrow.table({"day": [datetime.date(2024, 1, 2)], "name": [b"raw"], "size": [1]})
    frame = from_parquet(written(date), SCHEMA, LIMITS)
    assert frame["day"].tolist() == [datetime.date(2024, 1, 2)]
    assert frame["name"].tolist() == [b"raw"]


def test_several_row_groups_are_one_table() -> None:
    table = pyarrow.table({"size": list(range(1000)), "name": [f"n{place % 7}" for place in range(1000)]})
    frame = from_parquet(written(table, row_group_size=64), SCHEMA, LIMITS)
    assert frame["size"].tolist() == list(range(1000))
    assert frame["name"].tolist() == [f"n{place % 7}" for place in range(1000)]


def test_no_rows_are_an_empty_table() -> None:
    table = pyarrow.table({"size": pyarrow.array([], pyarrow.float64()), "name": pyarrow.array([], "str")})
    frame = from_parquet(written(table), SCHEMA, LIMITS)
    assert frame.shape == (0, 2)


def bomb(kind: str) -> bytes:
    if kind == "many rows":
        return written(pyarrow.table({"size": np.zeros(20_000_000, dtype=np.int64)}), compression="zstd")
    if kind == "one long text, many times":
        codes = pyarrow.array(np.zeros(5_000_000, dtype=np.int32))
        level = pyarrow.DictionaryArray.from_arrays(codes, pyarrow.array(["x" * 1000]))
        return written(pyarrow.table({"name": level}))
    if kind == "long texts that pack well":
        texts = pyarrow.array(["x" * 900_000 + str(place) for place in range(40)])
        return written(pyarrow.table({"name": texts}), compression="zstd", use_dictionary=False)
    if kind == "texts as differences":
        texts = pyarrow.array(["x" * 900_000] * 40)
        return written(
            pyarrow.table({"name": texts}),
            compression="zstd",
            use_dictionary=False,
            column_encoding={"name": "DELTA_BYTE_ARRAY"},
        )
    return written(pyarrow.table({"size": np.arange(9_000.0), "name": ["x"] * 9_000}), row_group_size=1)


BOMBS = (
    "many rows",
    "one long text, many times",
    "long texts that pack well",
    "texts as differences",
    "row by row",
)


@pytest.mark.parametrize("kind", BOMBS)
def test_a_bomb_is_refused_without_being_unpacked(kind: str) -> None:
    body = bomb(kind)
    assert len(body) < 16 * 2**20
    code = (
        "import sys, resource\n"
        "from fathometer.data.schema import Column, Schema\n"
        "from fathometer.serve.limits import Limits\n"
        "from fathometer.serve.codecs import parquet_rows\n"
        "from fathometer.serve.codecs.parquet_rows import from_parquet\n"
        "from fathometer.serve.question import RefusedError\n"
        "parquet_rows.MOST_UNPACKED = 32 * 2**20\n"
        "body = sys.stdin.buffer.read()\n"
        "schema = Schema(tuple(Column(name, 'category', {}, {}, False, '') for name in ('size', 'name')))\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "try:\n"
        "    rows = len(from_parquet(body, schema, Limits()))\n"
        "except RefusedError as refusal:\n"
        "    rows = refusal.status\n"
        "print(rows, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], input=body, capture_output=True, check=True)
    status, grown = map(int, done.stdout.split())
    assert status in (400, 413)
    assert grown * (1 if sys.platform == "darwin" else 1024) < 30e6


def test_one_long_text_in_every_row_stays_one_text() -> None:
    codes = pyarrow.array(np.zeros(10_000, dtype=np.int32))
    level = pyarrow.DictionaryArray.from_arrays(codes, pyarrow.array(["x" * 1_000_000]))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    limits = Limits(body_bytes=10_000 * 1_000_000)
    frame = from_parquet(written(pyarrow.table({"name": level})), SCHEMA, limits)
    assert len({id(cell) for cell in frame["name"]}) == 1  # 10 GB otherwise
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000


def test_the_pages_say_what_the_footer_says_where_it_is_true() -> None:
    body = written(pyarrow.Table.from_pandas(FRAME), compression="gzip")
    metadata = pyarrow.parquet.ParquetFile(io.BytesIO(body)).metadata
    for place in range(metadata.num_columns):
        chunk = metadata.row_group(0).column(place)
        start = min(filter(None, [chunk.data_page_offset, chunk.dictionary_page_offset]))
        pages, unpacked = pages_of(body, start, chunk.total_compressed_size)
        headers = chunk.total_uncompressed_size - unpacked  # which the footer counts in
        assert 0 < headers < 200 * pages


@given(st.binary(max_size=200), st.integers(-5, 300), st.integers(-5, 300))
def test_of_any_bytes_come_pages_or_a_reason(raw: bytes, start: int, size: int) -> None:
    try:
        assert pages_of(raw, start, size)[1] >= 0
    except (BadParquetError, BadThriftError) as error:
        assert str(error)


@settings(deadline=None, max_examples=150)
@given(st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), min_size=1, max_size=12))
def test_of_a_damaged_file_comes_a_table_or_a_refusal(changes: list[tuple[int, int]]) -> None:
    body = bytearray(written(pyarrow.Table.from_pandas(FRAME), compression="zstd"))
    for place, byte in changes:
        body[place % len(body)] = byte
    try:
        frame = from_parquet(bytes(body), SCHEMA, LIMITS)
    except RefusedError as refusal:
        assert refusal.status in (400, 413)
    else:
        assert len(frame) <= LIMITS.rows


def test_lists_and_records_in_cells_are_refused() -> None:
    for column in ([[1], [2, 3]], [{"a": 1}, {"a": 2}]):
        table = pyarrow.table({"size": column})
        try:
            frame = from_parquet(written(table), SCHEMA, LIMITS)
        except RefusedError as refusal:
            assert refusal.status == 400
        else:
            assert "size" not in frame.columns


def test_what_is_no_parquet_is_refused() -> None:
    for body in (b"", b"PAR1", b"a,b\n1,2\n", b"PAR1" + bytes(100) + b"PAR1"):
        with pytest.raises(RefusedError):
            from_parquet(body, SCHEMA, LIMITS)


KINDS = st.sampled_from([3, 4, 5, 6])
FIELDS = st.recursive(
    st.tuples(KINDS, st.integers(0, 127))
    | st.tuples(st.just(8), st.binary(max_size=5))
    | st.tuples(st.just(1), st.booleans())
    | st.tuples(st.just(7), st.binary(min_size=8, max_size=8)),
    lambda inside: st.dictionaries(st.integers(-3, 300), inside, max_size=4).map(
        lambda fields: (12, {(number, kind): value for number, (kind, value) in fields.items()})
    ),
    max_leaves=12,
).filter(lambda field: field[0] == 12)


@given(FIELDS)
def test_what_is_written_in_thrift_is_read_back(field: tuple[int, Any]) -> None:
    raw = write_struct(field[1])
    assert read_struct(raw, 0, len(raw)) == (field[1], len(raw))


@given(st.binary(max_size=100))
def test_of_any_bytes_comes_a_struct_or_a_reason(raw: bytes) -> None:
    try:
        fields, end = read_struct(raw, 0, len(raw))
    except BadThriftError as error:
        assert str(error)
    else:
        again = write_struct(fields)
        assert 0 < end <= len(raw)
        assert read_struct(again, 0, len(again))[0] == fields


def test_nothing_of_the_files_own_description_is_left_but_where_its_columns_lie() -> None:
    table = pyarrow.Table.from_pandas(FRAME).replace_schema_metadata({b"secret": b"told"})
    anew = describe_anew(written(table), {"name", "day"})
    metadata = pyarrow.parquet.ParquetFile(io.BytesIO(anew.raw)).metadata
    assert metadata.metadata is None
    assert metadata.num_columns == 2
    assert metadata.row_group(0).column(0).statistics is None
    assert anew.names == ("name", "day")
    assert anew.texts == ("name",)


def test_a_wide_value_repeated_by_few_bits_is_counted() -> None:
    wide = pyarrow.array([b"x" * 100_000] * 3, pyarrow.binary(100_000))
    body = written(pyarrow.table({"name": wide}))
    assert len(body) < 150_000
    assert describe_anew(body, {"name"}).unpacked > 3 * 100_000
    assert from_parquet(body, SCHEMA, LIMITS)["name"].tolist() == wide.to_pylist()


def repeated(text: str, rows: int) -> bytes:
    codes = pyarrow.array(np.zeros(rows, dtype=np.int32))
    level = pyarrow.DictionaryArray.from_arrays(codes, pyarrow.array([text]))
    return written(pyarrow.table({"size": np.zeros(rows), "name": level}), compression="zstd")


def test_one_text_in_many_rows_counts_as_often_as_it_stands_there() -> None:
    limits = Limits(body_bytes=100_000)
    body = repeated("x" * 1_000, 201)
    assert len(body) < 6_000
    with pytest.raises(RefusedError) as refusal:
        from_parquet(body, SCHEMA, limits)
    assert refusal.value.status == 413
    assert from_parquet(repeated("x" * 1_000, 200), SCHEMA, limits)["name"].tolist() == ["x" * 1_000] * 200


def test_a_text_that_is_too_long_for_a_cell_is_refused_however_well_it_packs() -> None:
    with pytest.raises(RefusedError) as refusal:
        from_parquet(repeated("x" * 101, 1), SCHEMA, Limits(cell_bytes=100))
    assert refusal.value.status == 422


def test_a_footer_that_contradicts_itself_does_not_end_the_process() -> None:
    body = written(pyarrow.table({"size": [1.0, 2.0]}), write_statistics=True)
    size = int.from_bytes(body[-8:-4], "little")
    code = (
        "import sys\n"
        "from fathometer.data.schema import Column, Schema\n"
        "from fathometer.serve.limits import Limits\n"
        "from fathometer.serve.codecs.parquet_rows import from_parquet\n"
        "from fathometer.serve.question import RefusedError\n"
        "body, size = sys.stdin.buffer.read(), int(sys.argv[1])\n"
        "schema = Schema((Column('size', 'number', {}, {}, False, ''),))\n"
        "for place in range(len(body) - 8 - size, len(body) - 8):\n"
        "    for byte in (0, 1, 2, 21, 25, 28, 127, 255, body[place] ^ 1, (body[place] + 1) % 256):\n"
        "        wrong = bytearray(body)\n"
        "        wrong[place] = byte\n"
        "        try:\n"
        "            from_parquet(bytes(wrong), schema, Limits())\n"
        "        except RefusedError:\n"
        "            pass\n"
        "print('alive')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(size)], input=body, capture_output=True, check=False
    )
    assert done.stdout == b"alive\n", done.stderr[-500:]
