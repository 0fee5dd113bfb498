"""Portions end by the rows alone, and nothing a file means takes more than its share of the memory."""

import itertools
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fathometer.data.sources import read_table
from fathometer.data.streaming import arrow_batches, json_text
from fathometer.data.streaming import part as parting
from fathometer.data.streaming.part import Part, counted_from, portions, within_memory
from fathometer.data.streaming.row_bytes import row_bytes
from fathometer.data.streams import stream_table
from fathometer.errors import UnreadableData

LONG_TEXTS = st.lists(st.sampled_from(["", "short", "x" * 200, "é" * 70, "y" * 900]), min_size=1, max_size=25)


@settings(max_examples=100, deadline=None)
@given(
    texts=LONG_TEXTS,
    cuts=st.lists(st.integers(1, 9), min_size=1),
    bound=st.integers(1, 2_000),
    rows=st.integers(1, 9),
)
def test_portions_end_by_the_rows_alone_and_within_the_bound(
    texts: list[str], cuts: list[int], bound: int, rows: int
) -> None:
    frame = pd.DataFrame({"n": range(len(texts)), "text": texts})

    def parts(frame: pd.DataFrame, cuts: Iterator[int]) -> Iterator[Part]:
        start = 0
        while start < len(frame):
            some = frame.iloc[start : start + next(cuts)].reset_index(drop=True)
            yield Part(some, counted_from(start + 1, len(some)))
            start += len(some)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parting, "PORTION_BYTES", bound)
        whole = [part.frame["n"].tolist() for part in portions(parts(frame, itertools.repeat(99)), rows)]
        for stored in ("str", "object", "category"):
            kept = frame.assign(text=frame["text"].astype(stored))
            found = [part.frame["n"].tolist() for part in portions(parts(kept, itertools.cycle(cuts)), rows)]
            assert found == whole
    assert [n for portion in whole for n in portion] == list(range(len(texts)))
    sizes = [max(0, len(text.encode()) - 64) for text in texts]
    for portion, following in itertools.zip_longest(whole, whole[1:]):
        taken = sum(sizes[n] for n in portion)
        assert 1 <= len(portion) <= rows
        assert len(portion) == 1 or taken <= bound
        assert following is None or len(portion) == rows or taken + sizes[following[0]] > bound


@pytest.mark.parametrize("ending", ["csv", "jsonl", "json", "parquet", "feather"])
@pytest.mark.parametrize("rows", [1, 7, 20_000])
def test_portions_of_long_texts_are_the_same_in_every_format(
    tmp_path: Path, ending: str, rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parting, "PORTION_BYTES", 3_000)
    frame = pd.DataFrame({"n": np.arange(60) / 7, "text": [f"{'é' * (n % 9 * 40)} {n}" for n in range(60)]})
    path = tmp_path / f"t.{ending}"
    if ending == "csv":
        frame.to_csv(path, index=False)
    elif ending.startswith("json"):
        frame.to_json(path, orient="records", lines=ending == "jsonl", double_precision=15)
    elif ending == "parquet":
        frame.to_parquet(path)
    else:
        frame.to_feather(path)
    found = [part.numbers.tolist() for part in portions(stream_table(path, rows=rows).parts, 20)]
    assert found == [part.numbers.tolist() for part in portions(stream_table(frame).parts, 20)]
    assert 60 // 20 < len(found) < 60


def test_a_text_stored_once_counts_in_every_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parting, "PORTION_BYTES", 1_000_000)
    many = pa.DictionaryArray.from_arrays(pa.array(np.zeros(500, np.int32)), pa.array(["x" * 100_000]))
    pyarrow.parquet.write_table(pa.table({"text": many}), tmp_path / "t.parquet", compression="zstd")
    lengths = [len(part.frame) for part in portions(stream_table(tmp_path / "t.parquet").parts, 2_000)]
    assert lengths == [10] * 50


def test_what_lies_in_a_cell_counts() -> None:
    cells = pd.Series(
        [None, 1.5, b"b" * 164, [b"b" * 100], {"": "v" * 100}, np.zeros(33), "\ud800" * 55], dtype=object
    )
    assert row_bytes(pd.DataFrame({"cell": cells})).tolist() == [0, 0, 100, 100, 100, 200, 101]


@pytest.mark.parametrize("options", [{"use_dictionary": False}, {"use_dictionary": True}])
def test_batches_of_plain_texts_are_small_where_texts_are_long(
    tmp_path: Path, options: dict[str, bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arrow_batches, "BATCH_BYTES", 100_000)
    table = pa.table({"text": [f"{n:09}" * 1_000 for n in range(50)]})
    pyarrow.parquet.write_table(table, tmp_path / "t.parquet", compression="zstd", **options)
    parts = list(stream_table(tmp_path / "t.parquet").parts)
    assert max(len(part.frame) for part in parts) <= 11


@pytest.mark.parametrize(
    "ending", ["csv", "jsonl", "json", "nested.jsonl", "parquet", "plain.parquet", "feather"]
)
def test_a_giant_cell_is_refused_in_every_format(
    tmp_path: Path, ending: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("table", "csv_ragged", "csv_reading", "streaming.csv_text"):
        monkeypatch.setattr(f"fathometer.data.{module}.CELL_BYTES_LIMIT", 5_000)
    frame = pd.DataFrame({"n": [1, 2], "text": ["a", "x" * 5_001]})
    path = tmp_path / f"t.{ending}"
    if ending == "csv":
        frame.to_csv(path, index=False)
    elif ending.startswith("nested"):
        path.write_text(json.dumps({"n": 1, "text": ["x" * 2_600, "x" * 2_600]}))
    elif ending.startswith("json"):
        frame.to_json(path, orient="records", lines=ending == "jsonl")
    elif ending.endswith("parquet"):
        frame.to_parquet(path, use_dictionary=not ending.startswith("plain"))
    else:
        frame.to_feather(path)
    with pytest.raises(UnreadableData, match="A cell is longer than"):
        list(stream_table(path).parts)
    with pytest.raises(UnreadableData, match="A cell is longer than"):
        read_table(path)


@pytest.mark.parametrize("error", [MemoryError, pa.ArrowMemoryError])
def test_where_the_memory_ends_a_sentence_says_so(
    tmp_path: Path, error: type[MemoryError], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*given: object) -> None:
        raise error("malloc of size 99 failed")

    path = tmp_path / "t.jsonl"
    path.write_text('{"a": 1}\n' * 3)
    stream = stream_table(path, rows=1)
    monkeypatch.setattr(json_text, "frame_of_records", fails)
    with pytest.raises(UnreadableData, match=r"memory is too small to read t\.jsonl"):
        list(stream.parts)
    monkeypatch.setattr(json_text, "record_of_line", fails)
    with pytest.raises(UnreadableData, match=r"memory is too small to read t\.jsonl"):
        stream_table(path)
    monkeypatch.setattr(parting, "row_bytes", fails)
    with pytest.raises(UnreadableData, match="memory is too small to read DataFrame"):
        list(within_memory(portions(stream_table(pd.DataFrame({"a": [1]})).parts, 5), "DataFrame"))
