"""JSON records as tables."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fathometer.data.records import looks_like_records, read_records
from fathometer.errors import UnreadableData

VALUES = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=5))


@settings(deadline=None)
@given(
    st.lists(st.dictionaries(st.sampled_from(["a", "b", "c"]), VALUES, min_size=1), min_size=1, max_size=8)
)
def test_lines_and_arrays_give_the_same_table(records: list[dict[str, object]]) -> None:
    lines = "\n".join(json.dumps(record) for record in records).encode()
    from_lines = read_records(lines, "f").frame
    from_array = read_records(json.dumps(records).encode(), "f").frame
    assert len(from_lines) == len(records)
    assert from_lines.astype(str).equals(from_array.astype(str))


def test_types_are_kept() -> None:
    frame = read_records(b'[{"n":1,"x":1.5,"t":true,"s":"a"},{"n":2,"x":2,"t":false,"s":null}]', "f").frame
    assert frame["n"].dtype == "int64"
    assert frame["x"].dtype == "float64"
    assert frame["t"].dtype == "bool"
    assert frame["s"].isna().tolist() == [False, True]


def test_nested_values_stay_json_text() -> None:
    table = read_records(b'{"a": {"b": 1}}\n{"a": [1, 2]}\n', "f")
    assert table.frame["a"].tolist() == ['{"b": 1}', "[1, 2]"]
    assert "JSON text" in table.notes[0]


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"[1, 2]", "no objects"),
        (b'[{"a":1}, 2]', "no objects"),
        (b'{"a":1}\n[1]\n', "line 2 is none"),
        (b'[{"a":1},', "begins like JSON"),
        (b"[]", "no records"),
        (b"[{}]", "no fields"),
        (b'[{"a":' + b"[" * 100_000, "nested"),
        (b'{"a":' + b"9" * 5_000 + b"}", "out of range"),
    ],
)
def test_what_is_no_record_is_refused(raw: bytes, words: str) -> None:
    with pytest.raises(UnreadableData, match=words):
        read_records(raw, "f")


def test_a_record_over_several_lines_is_read() -> None:
    assert read_records(b'{\n "a": 1,\n "b": 2\n}\n', "f").frame.shape == (1, 2)


def test_csv_is_no_record() -> None:
    assert not looks_like_records(b"a,b\n1,2\n")
    assert not looks_like_records(b"[a],b\n1,2\n")
    assert looks_like_records(b'\n {"a": 1}')
    assert looks_like_records(b'[\n{"a": 1}]')
