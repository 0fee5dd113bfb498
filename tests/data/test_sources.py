"""Every kind of source as one table, and what is refused."""

import bz2
import gzip
import io
import lzma
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fathometer.data.sources import ReadOptions, read_table
from fathometer.errors import UnreadableData, UserError

CSV = b"name,age\nAnn,31\nBob,44\n"
FRAME = pd.DataFrame({"name": ["Ann", "Bob"], "age": [31, 44]})


def gz(raw: bytes) -> bytes:
    """Compressed without the time of day, so that every process names the tests alike."""
    return gzip.compress(raw, mtime=0)


def parquet_bytes() -> bytes:
    stream = io.BytesIO()
    FRAME.to_parquet(stream)
    return stream.getvalue()


def feather_bytes() -> bytes:
    stream = io.BytesIO()
    FRAME.to_feather(stream)
    return stream.getvalue()


def zip_bytes() -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("a.csv", CSV)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("name", "raw"),
    [
        ("a.csv", CSV),
        ("a.unknown", CSV),
        ("a", CSV),
        ("a.tsv", CSV.replace(b",", b"\t")),
        ("a.psv", CSV.replace(b",", b"|")),
        ("a.csv.gz", gz(CSV)),
        ("a.csv.bz2", bz2.compress(CSV)),
        ("a.csv.xz", lzma.compress(CSV)),
        ("misnamed.csv", gz(CSV)),
        ("a.parquet", parquet_bytes()),
        ("a.feather", feather_bytes()),
        ("a.parquet.gz", gz(parquet_bytes())),
        ("misnamed-zip.csv", zip_bytes()),
        ("a.jsonl", b'{"name":"Ann","age":31}\n{"name":"Bob","age":44}\n'),
        ("a.json", b'[{"name":"Ann","age":31},{"name":"Bob","age":44}]'),
    ],
)
def test_the_same_table_comes_from_every_kind_of_file(tmp_path: Path, name: str, raw: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(raw)
    table = read_table(path)
    assert list(table.frame.columns) == ["name", "age"]
    assert table.frame.astype(str).to_numpy().tolist() == [["Ann", "31"], ["Bob", "44"]]
    assert table.origin == name
    assert read_table(str(path)).frame.equals(table.frame)


@pytest.mark.parametrize("frame", [FRAME, pl.from_pandas(FRAME), pa.Table.from_pandas(FRAME)])
def test_frames_of_every_library_are_taken(frame: object) -> None:
    table = read_table(frame)
    pd.testing.assert_frame_equal(table.frame, FRAME, check_dtype=False)
    assert (table.origin, table.dialect) == ("DataFrame", None)


def test_a_frame_keeps_its_types_and_is_not_changed() -> None:
    frame = pd.DataFrame(
        {
            "number": [1.5, np.nan],
            "category": pd.Categorical(["a", "b"]),
            "moment": pd.to_datetime(["2024-01-01", None]),
            "truth": [True, False],
        },
        index=[5, 7],
    )
    before = frame.copy()
    table = read_table(frame)
    assert table.frame.dtypes.tolist() == frame.dtypes.tolist()
    assert "index" in table.notes[0]
    pd.testing.assert_frame_equal(frame, before)


def test_a_frames_odd_names_become_text() -> None:
    frame = pd.DataFrame([[1, 2, 3]], columns=[0, "0", None])
    assert list(read_table(frame).frame.columns) == ["0", "0_2", "column_3"]


def test_parquet_keeps_its_types(tmp_path: Path) -> None:
    frame = pd.DataFrame({"day": pd.to_datetime(["2024-01-01"]), "count": np.array([3], dtype="int32")})
    frame.to_parquet(tmp_path / "a.parquet")
    assert read_table(tmp_path / "a.parquet").frame.dtypes.tolist() == frame.dtypes.tolist()


def test_a_missing_file_is_said_with_the_closest_name(tmp_path: Path) -> None:
    (tmp_path / "sales.csv").write_bytes(CSV)
    with pytest.raises(UnreadableData, match=r"Did you mean 'sales\.csv'"):
        read_table(tmp_path / "sale.csv")


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"", "empty"),
        (b"%PDF-1.7 ...", "PDF"),
        (b"\x89PNG\r\n\x1a\n", "picture"),
        (b"SQLite format 3\0", "sqlite:///"),
        (b"\x80\x04\x95\x10", "pickle"),
        (b"PAR1 not parquet", "damaged"),
        (b"PK\x03\x04 not a zip", "damaged"),
        (b"\xd0\xcf\x11\xe0 not a workbook", "damaged"),
        (gz(CSV)[:-9], "damaged"),
        (gz(gz(CSV)), "twice"),
        (b'{"a": 1}\n{"a": ', "line 2"),
    ],
)
def test_what_is_no_table_is_refused_in_a_sentence(tmp_path: Path, raw: bytes, words: str) -> None:
    path = tmp_path / "file.csv"
    path.write_bytes(raw)
    with pytest.raises(UnreadableData, match=words):
        read_table(path)


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (5, "got a int"),
        (None, "got a NoneType"),
        ("https://example.org/a.csv", "Download"),
        ("a\0b.csv", "no file"),
        (pd.DataFrame(), "no columns"),
        (pd.DataFrame(np.zeros((1, 20_001))), "20,000 columns"),
    ],
)
def test_what_is_no_source_is_refused_in_a_sentence(source: object, words: str) -> None:
    with pytest.raises(UnreadableData, match=words):
        read_table(source)


def test_options_are_obeyed(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes("é;b\n1,5;2\n".encode("latin-1"))
    table = read_table(path, ReadOptions(delimiter="semicolon", encoding="latin-1", header=True))
    assert table.frame.to_dict("list") == {"é": ["1,5"], "b": ["2"]}
    with pytest.raises(UserError, match="delimiter"):
        read_table(path, ReadOptions(delimiter="::"))


PARTS = st.sampled_from(
    [b'"', b",", b";", b"\n", b"\r", b"\0", b"\\", b"\xff", b"1", b"a b", b"", b"PK", b"{"]
)
SEEDS = [
    CSV * 5,
    parquet_bytes(),
    feather_bytes(),
    gz(CSV),
    zip_bytes(),
    b'{"a":1}\n{"a":[2]}\n',
    b"",
]


@pytest.mark.parametrize("seed", [parquet_bytes(), feather_bytes()], ids=["parquet", "feather"])
def test_every_flipped_byte_of_a_typed_file_is_survived(tmp_path: Path, seed: bytes) -> None:
    path = tmp_path / "file"
    for place in range(0, len(seed), 5):
        path.write_bytes(seed[:place] + bytes([seed[place] ^ 0x22]) + seed[place + 1 :])
        try:
            read_table(path)
        except UserError as error:
            assert str(error)


@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    seed=st.sampled_from(SEEDS),
    places=st.lists(st.tuples(st.floats(0, 1), PARTS, st.integers(0, 9)), max_size=6),
)
def test_a_damaged_file_is_read_or_refused(
    tmp_path: Path, seed: bytes, places: list[tuple[float, bytes, int]]
) -> None:
    raw = seed
    for share, part, removed in places:
        at = int(share * len(raw))
        raw = raw[:at] + part + raw[at + removed :]
    path = tmp_path / "file"
    path.write_bytes(raw)
    try:
        table = read_table(path)
    except UserError as error:
        assert str(error)
    else:
        assert len(set(table.frame.columns)) == len(table.frame.columns)
