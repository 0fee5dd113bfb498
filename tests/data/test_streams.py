"""A table read part by part is the table read whole: the same rows, the same types, the same words about it."""

import bz2
import csv
import gzip
import io
import json
import lzma
import os
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import PIL.Image
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fathometer.core.attachments import Attachment
from fathometer.data import streams
from fathometer.data.csv_reading import Wanted, read_csv
from fathometer.data.encodings import decode
from fathometer.data.records import read_records
from fathometer.data.sources import ReadOptions, read_table
from fathometer.data.streaming import csv_text, json_text, packed
from fathometer.data.streaming.csv_text import Text, stream_csv
from fathometer.data.streaming.json_text import stream_records
from fathometer.data.streaming.part import Stream
from fathometer.data.streaming.spelling import find_spelling, lines_together
from fathometer.data.streams import stream_table
from fathometer.data.table import Table
from fathometer.errors import UnknownName, UnreadableData, UserError

DATA = Path(os.environ.get("FATHOMETER_DATA", Path(__file__).resolve().parents[3] / "shared" / "data"))
MESSY = DATA / "messy_csv"

WORDS = st.sampled_from(
    ["red", "New York", "a, b", "x; y", 'the "best"', "two\nlines", "cr\rlf\r\n", "Zoë", "NA", "", " ", "'s"]
)
NUMBERS = st.integers(-9_999, 9_999).map(lambda number: f"{number / 8}")
CUTS = st.sampled_from([(1, 1, 1), (2, 7, 5), (3, 64, 40), (20_000, 1 << 20, 1 << 20)])
"""Rows of a part, bytes read at a time, bytes of a piece."""

BODY = "".join(f'{n},{n / 4},"red, {n}"\n' for n in range(30))
ODD = {
    "preamble and remarks": "Report of the day\n\nAll rows\nid,price,colour\n"
    + BODY
    + "Source: a long remark about where all of these rows were taken from by the office\n",
    "header again": "id,price,colour\n" + BODY + "id,price,colour\n" + BODY,
    "ragged": "id,price,colour\n" + BODY + "31,2\n32,1,a,,\n33,1,a,b\n" + BODY,
    "wider than its header": "id,price\n" + BODY,
    "stray quote": "id,price,colour\n" + BODY + '31,1,5" pipe\n32,"1,b\n33,2,c\n' + BODY,
    "quote left open": "id,price,colour\n" + BODY + '31,1,"open\n' + BODY.replace('"', ""),
    "blank lines": "id,price,colour\n" + BODY + "\n\n" + BODY + " \n,,\n" + BODY + "\n\n\n\x1a",
    "nameless columns": "id,,colour,\n" + "".join(f"{n},,{n},\n" for n in range(30)),
    "nameless column used late": "id,,colour,\n"
    + "".join(f"{n},{'x' if n == 29 else ''},{n},\n" for n in range(30)),
    "backslashes": "id;text\n" + "".join(f"{n};a\\;b{n}\n" for n in range(30)),
    "escaped quotes": "id,text\n" + "".join(f'{n},"say \\"x\\", {n}"\n' for n in range(30)),
    "blanks": "".join(f"  {n}   {n / 4}  {n * 3}\n" for n in range(30)),
    "blanks after commas": "id, price, text\n" + "".join(f'{n}, {n / 4}, "a, {n}"\n' for n in range(30)),
    "single quotes": "id,text\n" + "".join(f"{n},'a, {n}'\n" for n in range(30)),
    "one column": "word\n" + "".join(f"w{n}\n" for n in range(30)),
    "separator line": "sep=;\nid;price\n" + "".join(f"{n};{n / 4}\n" for n in range(30)),
    "header only": "id,price,colour\n",
    "one line": "1,2,3",
    "two headers": "id,,price,\n,old,,new\n" + "".join(f"{n},1,2,3\n" for n in range(30)),
    "byte-order mark again": "id,price\n" + "1,2\n" * 20 + "\ufeffid,price\n" + "3,4\n" * 20,
    "empty": "",
    "blank": " \n\n \n",
    "markup": "<!DOCTYPE html><p>no table</p>",
}


def text_of(raw: bytes, read: int, piece: int, encoding: str | None = None) -> Text:
    def chunks() -> Iterator[bytes]:
        return (raw[start : start + read] for start in range(0, len(raw), read))

    spelling = find_spelling(chunks, encoding)
    return Text(lambda: lines_together(spelling.utf8(chunks()), piece), spelling.encoding, spelling.notes)


def together(stream: Stream) -> Table:
    parts = list(stream.parts)
    numbers = [int(number) for part in parts for number in part.numbers]
    frame = pd.concat(
        [part.frame for part in parts if len(part.frame)] or [parts[0].frame], ignore_index=True
    )
    assert len(numbers) == len(frame)
    assert numbers == sorted(set(numbers))
    assert not numbers or numbers[0] >= 1
    names = tuple(name for part in parts for name in part.names or ())
    return Table(frame, tuple(stream.notes), stream.origin, row_names=names or None)


def same(found: Table, wanted: Table) -> None:
    assert list(found.frame.columns) == list(wanted.frame.columns)
    for name in wanted.frame.columns:
        one, other = found.frame[name], wanted.frame[name]
        if isinstance(other.dtype, pd.CategoricalDtype):
            one, other = one.astype(object), other.astype(object)
        pd.testing.assert_series_equal(one, other.reset_index(drop=True))
    assert found.notes == wanted.notes
    assert found.origin == wanted.origin


def assert_csv_is_the_same(raw: bytes, cuts: tuple[int, int, int], wanted: Wanted | None = None) -> None:
    wanted = wanted or Wanted()
    rows, read, piece = cuts
    try:
        whole = read_csv(decode(raw), "file.csv", wanted)
    except UserError as error:
        with pytest.raises(UserError) as raised:
            together(stream_csv(text_of(raw, read, piece), "file.csv", wanted, rows))
        assert str(raised.value) == str(error)
        return
    same(together(stream_csv(text_of(raw, read, piece), "file.csv", wanted, rows)), whole)


@settings(max_examples=120, deadline=None)
@given(
    body=st.lists(st.tuples(NUMBERS, WORDS, NUMBERS), min_size=1, max_size=30),
    delimiter=st.sampled_from(",;\t|"),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    end=st.sampled_from(["\n", "\r\n", "\r"]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "cp1252", "utf-32"]),
    before=st.sampled_from(["", "Report of the day{end}{end}"]),
    header=st.booleans(),
    cuts=CUTS,
)
def test_a_csv_of_any_dialect_is_the_same_in_parts(
    body: list[tuple[str, str, str]],
    delimiter: str,
    quoting: int,
    end: str,
    encoding: str,
    before: str,
    header: bool,
    cuts: tuple[int, int, int],
) -> None:
    stream = io.StringIO()
    stream.write(before.format(end=end))
    writer = csv.writer(stream, delimiter=delimiter, quoting=quoting, lineterminator=end)  # type: ignore[arg-type]
    writer.writerows([*([("size", "word", "weight")] if header else []), *body])
    assert_csv_is_the_same(stream.getvalue().encode(encoding, "replace"), cuts)


@settings(max_examples=150, deadline=None)
@given(st.text(alphabet="ab1,;\"\n\r \\'é", max_size=60), CUTS)
def test_any_text_is_the_same_in_parts_or_refused_alike(text: str, cuts: tuple[int, int, int]) -> None:
    assert_csv_is_the_same(text.encode(), cuts)


@pytest.mark.parametrize("name", ODD)
@pytest.mark.parametrize("cuts", [(1, 3, 1), (7, 50, 40), (20_000, 1 << 20, 1 << 20)])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_odd_files_are_the_same_in_parts(name: str, cuts: tuple[int, int, int], end: str) -> None:
    assert_csv_is_the_same(ODD[name].replace("\n", end).encode(), cuts)


@pytest.mark.parametrize(
    "wanted", [Wanted(delimiter=";"), Wanted(header=False), Wanted(skip_lines=2), Wanted(skip_lines=900)]
)
def test_what_the_user_says_holds_in_parts(wanted: Wanted) -> None:
    assert_csv_is_the_same(ODD["preamble and remarks"].encode(), (4, 50, 40), wanted)


@pytest.mark.skipif(not MESSY.is_dir(), reason="the development data is not here")
def test_real_files_are_the_same_in_parts() -> None:
    for path in sorted(MESSY.rglob("*.csv")):
        raw = path.read_bytes()
        if len(raw) < 12_000:
            assert_csv_is_the_same(raw, (37, 4_096, 1_000))


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=80), st.integers(1, 9))
def test_bytes_are_spelled_alike_in_parts(raw: bytes, read: int) -> None:
    def chunks() -> Iterator[bytes]:
        return (raw[start : start + read] for start in range(0, len(raw), read))

    try:
        whole = decode(raw)
    except UserError as error:
        with pytest.raises(UserError, match="binary"):
            find_spelling(chunks)
        assert "binary" in str(error)
        return
    spelling = find_spelling(chunks)
    assert b"".join(spelling.utf8(chunks())) == whole.data
    assert (spelling.encoding, spelling.notes) == (whole.encoding, whole.notes)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "cp1252", "cp1251", "gb18030", "cp932"])
def test_a_wanted_encoding_is_kept_or_refused_alike(encoding: str) -> None:
    raw = "größe,naïve\n1,2\n".encode("cp1252")
    try:
        whole = read_csv(decode(raw, encoding), "file.csv").frame
    except UnreadableData as error:
        with pytest.raises(UnreadableData) as raised:
            text_of(raw, 3, 5, encoding)
        assert str(raised.value) == str(error)
    else:
        found = together(stream_csv(text_of(raw, 3, 5, encoding), "file.csv", Wanted(), 1)).frame
        pd.testing.assert_frame_equal(found, whole)
    with pytest.raises(UnknownName):
        text_of(raw, 3, 5, "klingon")


CELLS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=5),
    st.lists(st.integers(0, 9), max_size=2),
)
RECORDS = st.lists(st.dictionaries(st.sampled_from(["a", "b", "", "é"]), CELLS, max_size=3), max_size=8)


@settings(max_examples=200, deadline=None)
@given(
    RECORDS, st.sampled_from(["lines", "array", "indented", "object"]), st.integers(1, 5), st.integers(1, 30)
)
def test_json_records_are_the_same_in_parts(
    records: list[dict[str, object]], layout: str, rows: int, read: int
) -> None:
    if layout == "lines":
        raw = "\n\n".join(json.dumps(record) for record in records).encode()
    elif layout == "object":
        raw = json.dumps(records[0] if records else {}, indent=1).encode()
    else:
        text = json.dumps(records, indent=2 if layout == "indented" else None, ensure_ascii=False)
        raw = text.encode("utf-8", "replace")
    assert_records_are_the_same(raw, rows, read)


def assert_records_are_the_same(raw: bytes, rows: int, read: int) -> None:
    def chunks() -> Iterator[bytes]:
        return (raw[start : start + read] for start in range(0, len(raw), read))

    try:
        whole = read_records(raw, "f.json")
    except UserError:
        with pytest.raises(UserError):
            together(stream_records(chunks, (), "f.json", rows))
        return
    same(together(stream_records(chunks, (), "f.json", rows)), whole)


@pytest.mark.parametrize(
    "text",
    [
        *(
            '[{"a":1}',
            '[{"a":1}{"a":2}]',
            '[{"a":1}] x',
            '[{"a":1},]',
            "[",
            '[{"a":}]',
            "[1,2]",
            "[,]",
            "[]]",
        ),
        *(
            '{"a":1}\n[2]',
            '{"a":1}\n{oops}',
            '{"a":NaN}\n{"a":1}',
            '{\n"a":1,\n"b":2}',
            '[{"a":1},2]',
            "[{}]",
        ),
    ],
)
def test_broken_json_is_refused_as_it_is_when_read_whole(text: str) -> None:
    assert_records_are_the_same(text.encode(), 2, 3)


def arrow_table() -> pa.Table:
    count = 300
    frame = pd.DataFrame(
        {
            "whole": np.arange(count),
            "number": np.arange(count) / 7,
            "word": [f"w{n % 5}" for n in range(count)],
            "text": [f"text {n} " * 4 for n in range(count)],
            "truth": [n % 3 == 0 for n in range(count)],
            "moment": pd.date_range("2020", periods=count, freq="h", tz="Europe/Berlin"),
            "level": pd.Categorical([f"k{n % 3}" for n in range(count)]),
            "day": pd.date_range("2020", periods=count).date,
            "open": pd.Series([None if n > 280 else n for n in range(count)], dtype="Int64"),
        }
    )
    table = pa.Table.from_pandas(frame)
    few = {
        "one missing": pa.array([None if n == 250 else n for n in range(count)], pa.int32()),
        "truth missing": pa.array([None if n == 5 else True for n in range(count)]),
        "large": pa.array([None if n == 5 else f"é{n % 4}" for n in range(count)], pa.large_string()),
        "list": pa.array([[n] * (n % 3) for n in range(count)]),
        "four": pa.array([b"abcd"] * count, pa.binary(4)),
        "": pa.array(range(count)),
    }
    for name, values in few.items():
        table = table.append_column(name, values)
    return table


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"use_dictionary": False},
        {"row_group_size": 40, "dictionary_pagesize_limit": 50},
        {"write_statistics": False, "compression": "zstd"},
        {"version": "1.0"},
    ],
)
@pytest.mark.parametrize("rows", [7, 111, 20_000])
def test_parquet_is_the_same_in_parts(tmp_path: Path, options: dict[str, object], rows: int) -> None:
    table = arrow_table()
    for taken in (table, table.slice(0, 0), table.select(["word", "open"])):
        pyarrow.parquet.write_table(taken, tmp_path / "t.parquet", **options)
        same(together(stream_table(tmp_path / "t.parquet", rows=rows)), read_table(tmp_path / "t.parquet"))


@pytest.mark.parametrize("rows", [7, 20_000])
def test_feather_is_the_same_in_parts(tmp_path: Path, rows: int) -> None:
    for options in ({"chunksize": 64}, {"compression": "uncompressed"}):
        pyarrow.feather.write_feather(arrow_table(), tmp_path / "t.feather", **options)
        same(together(stream_table(tmp_path / "t.feather", rows=rows)), read_table(tmp_path / "t.feather"))


def test_an_index_is_left_out_in_parts_too(tmp_path: Path) -> None:
    frame = pd.DataFrame({"a": range(20)}, index=pd.Index([f"i{n}" for n in range(20)], name="key"))
    frame.to_parquet(tmp_path / "t.parquet")
    same(together(stream_table(tmp_path / "t.parquet", rows=6)), read_table(tmp_path / "t.parquet"))


def test_a_text_meant_a_million_times_is_not_written_out_at_once(tmp_path: Path) -> None:
    path = tmp_path / "bomb.parquet"
    many = pa.DictionaryArray.from_arrays(pa.array(np.zeros(50_000, np.int32)), pa.array(["x" * 1_000_000]))
    pyarrow.parquet.write_table(pa.table({"text": many}), path, compression="zstd", store_schema=False)
    assert path.stat().st_size < 1_000_000
    first = next(stream_table(path).parts)
    assert 0 < int(first.frame["text"].str.len().sum()) <= 1 << 28


def test_a_damaged_parquet_file_is_refused_in_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    pyarrow.parquet.write_table(arrow_table(), path, compression="none")
    raw = bytearray(path.read_bytes())
    for start in (10, 400, 4_000, len(raw) - 200, len(raw) - 20):
        broken = raw.copy()
        broken[start : start + 12] = b"\xff" * 12
        path.write_bytes(broken)
        try:
            together(stream_table(path, rows=50))
        except UnreadableData as error:
            assert "t.parquet" in str(error)


PACKERS = {"gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress}


@pytest.mark.parametrize("packing", PACKERS)
def test_packed_files_are_the_same_in_parts(
    tmp_path: Path, packing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packed, "READ_BYTES", 100)
    path = tmp_path / f"t.csv.{packing}"
    path.write_bytes(PACKERS[packing](ODD["header again"].encode()))
    same(together(stream_table(path, rows=5)), read_table(path))
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(UnreadableData, match="damaged or cut off"):
        together(stream_table(path))
    path.write_bytes(PACKERS[packing](gzip.compress(b"a,b\n")))
    with pytest.raises(UnreadableData, match="packed twice"):
        stream_table(path)


def test_a_table_in_a_zip_archive_is_the_same_in_parts(tmp_path: Path) -> None:
    path = tmp_path / "t.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("inner/t.csv", ODD["ragged"])
    same(together(stream_table(path, rows=5)), read_table(path))


def test_what_is_held_whole_is_cut() -> None:
    frame = pd.DataFrame({"a": range(10), "b": list("abcdefghij")})
    same(together(stream_table(frame, rows=3)), read_table(frame))
    assert [len(part.frame) for part in stream_table(frame.iloc[:0]).parts] == [0]


def test_rows_are_numbered_as_a_person_counts_them_below_the_header(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text('title of it\n\nid,text,n\n1,"a\nb",1\n\n2,b,2\nid,text,n\n,,\n3,c,3\n')
    for rows in (1, 2, 100):
        parts = list(stream_table(path, rows=rows).parts)
        frame = pd.concat([part.frame for part in parts])
        assert frame["id"].tolist() == ["1", "2", "3"]
        assert [int(number) for part in parts for number in part.numbers] == [1, 3, 6]
    ragged = tmp_path / "r.csv"
    ragged.write_text("id,text,n\n" + "1,a,1\n" * 20 + "2,b,2,surplus\n3,c\n")
    numbers = [int(number) for part in stream_table(ragged).parts for number in part.numbers]
    assert numbers == [*range(1, 21), 22]


def test_every_picture_of_a_folder_is_a_row_whatever_part_it_lies_in(tmp_path: Path) -> None:
    for place in ("train/cat", "train/dog", "test", "loose"):
        (tmp_path / place).mkdir(parents=True)
        for number in range(3):
            PIL.Image.new("L", (4, 4), number).save(tmp_path / place / f"{number}.png")
    found = together(stream_table(tmp_path, rows=5))
    assert len(found.frame) == 12
    assert found.row_names == tuple(
        sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.png"))
    )
    assert all(isinstance(cell, Attachment) for cell in found.frame["picture"])


def test_a_lone_text_is_a_table_unless_texts_are_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "note.txt"
    path.write_text("Dear reader,\nthis is one text, not a table.\n")
    found = together(stream_table(path, text_column="review"))
    assert found.frame["text"].tolist() == [path.read_text()]
    assert found.row_names == ("note.txt",)
    assert stream_table(path).origin == "note.txt"
    path.write_text("id\treview\n1\tgood\n2\tbad\n")
    assert together(stream_table(path, text_column="review")).frame["review"].tolist() == ["good", "bad"]


def test_cells_that_name_files_are_filled_in_parts(tmp_path: Path) -> None:
    for number in range(6):
        PIL.Image.new("L", (4, 4), number).save(tmp_path / f"{number}.png")
    names = [f"{number}.png" for number in range(6)]
    pd.DataFrame({"photo": [*names, "none.png"], "n": range(7)}).to_csv(tmp_path / "t.csv", index=False)
    found, whole = together(stream_table(tmp_path / "t.csv", rows=2)), read_table(tmp_path / "t.csv")
    assert found.frame["photo"].tolist() == whole.frame["photo"].tolist()
    assert found.notes == whole.notes
    assert (
        together(stream_table(tmp_path / "t.csv", ReadOptions(files="none"))).frame["photo"].tolist()[0]
        == "0.png"
    )
    inside = together(stream_table(tmp_path, rows=2))
    assert inside.frame["photo"].tolist() == read_table(tmp_path).frame["photo"].tolist()


def test_a_line_without_end_is_refused_before_it_fills_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fathometer.data.streaming.spelling.LINE_LIMIT", 1_000)
    with pytest.raises(UnreadableData, match="longer than"):
        list(lines_together(iter([b"x" * 600] * 3), 100))


def test_no_more_than_a_part_is_held(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("id,word\n" + "".join(f"{n},w{n}\n" for n in range(5_000)))
    parts = stream_table(path, rows=100).parts
    assert all(len(part.frame) <= 100 + 20 for part in parts)  # remarks at the end are looked for in 20 rows
    assert streams.ROWS > 100


def test_a_file_that_grows_while_it_is_read_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "READ_BYTES", 100)
    monkeypatch.setattr(streams, "PIECE_BYTES", 200)
    path = tmp_path / "log.csv"
    path.write_text("id,word\n" + "1,a\n" * 1_000)
    parts = stream_table(path, rows=10).parts
    next(parts)
    with path.open("a") as stream:
        stream.write("2,b\n")
    with pytest.raises(UnreadableData, match=r"log\.csv was changed while it was read"):
        list(parts)


@pytest.mark.parametrize("layout", ["lines", "array"])
def test_parts_of_json_end_at_bytes_too(layout: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_text, "PART_BYTES", 1_000)
    records = [{"n": n, "text": "x" * 300} for n in range(10)]
    raw = json.dumps(records) if layout == "array" else "\n".join(map(json.dumps, records))
    assert_records_are_the_same(raw.encode(), 20_000, 64)
    parts = list(stream_records(lambda: iter([raw.encode()]), (), "f.json", 20_000).parts)
    assert [len(part.frame) for part in parts] == [4, 4, 2]


def test_parts_of_uneven_csv_end_at_bytes_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_text, "PART_BYTES", 50)
    for name in ("ragged", "stray quote"):
        assert_csv_is_the_same(ODD[name].encode(), (20_000, 1 << 20, 1 << 20))
    text = text_of(ODD["ragged"].encode(), 1 << 20, 1 << 20)
    parts = list(stream_csv(text, "f.csv", Wanted(), 20_000).parts)
    assert max(len(part.frame) for part in parts) < 30


@pytest.mark.parametrize("remarks", [1, 2, 3])
@pytest.mark.parametrize("rows", [1, 2, 20_000])
def test_remarks_below_an_uneven_table_are_left_out_once(remarks: int, rows: int) -> None:
    raw = ODD["ragged"] + "Source: a long remark about where these rows were taken from\n" * remarks
    assert_csv_is_the_same(raw.encode(), (rows, 50, 40))
