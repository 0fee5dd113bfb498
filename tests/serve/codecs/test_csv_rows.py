"""Csv from programs: with a header or without, and every cell as in a file that is read for training."""

from __future__ import annotations

import base64
import io

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fathometer.data.schema import Column, Schema
from fathometer.serve.codecs import csv_rows
from fathometer.serve.codecs.csv_rows import from_csv
from fathometer.serve.limits import Limits
from fathometer.serve.question import RefusedError

SCHEMA = Schema(tuple(Column(name, "category", {}, {}, False, "") for name in ("age", "plan", "note")))
LIMITS = Limits()
CELLS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)


def read(body: str, header: str | None = None) -> list[list[str]]:
    frame = from_csv(body.encode(), SCHEMA, LIMITS, header)
    return [list(row) for row in zip(*(frame[name].tolist() for name in SCHEMA.names), strict=True)]


def test_a_header_may_lead_in_any_order_or_be_left_out() -> None:
    wanted = [["1", "basic", "hello, you"], ["002", "", 'five "inch']]
    rows = '1,basic,"hello, you"\r\n002,,"five ""inch"\r\n'
    assert read("age,plan,note\r\n" + rows) == wanted
    assert read(rows) == wanted
    assert read('note,age,plan\n"hello, you",1,basic\n"five ""inch",002,') == wanted
    assert read("\ufeffage,plan,note\n" + rows) == wanted


def test_a_header_that_lacks_a_name_is_still_one() -> None:
    frame = from_csv(b"age,plna,note\n1,2,3\n", SCHEMA, LIMITS)
    assert list(frame.columns) == ["age", "plna", "note"]
    assert len(frame) == 1


def test_who_says_whether_there_is_a_header_is_believed() -> None:
    assert read("age,1,2", "absent") == [["age", "1", "2"]]
    frame = from_csv(b"a,b,c\n1,2,3\n", SCHEMA, LIMITS, "present")
    assert list(frame.columns) == ["a", "b", "c"]


def test_columns_without_a_name_are_none_of_the_models() -> None:
    frame = from_csv(b",age,plan,note,\n0,1,2,3,4\n", SCHEMA, LIMITS)
    assert len(set(frame.columns)) == 5
    assert frame["age"].tolist() == ["1"]


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("", "empty"),
        ("\n\r\n", "empty"),
        ("1,2\n", "3 cells in every line in the model's order, got 2"),
        ("age,plan,note\n1,2\n", "from 2 to 3"),
        ("age,plan,note\n1,2,3,4\n", "from 3 to 4"),
        ('age,plan,note\n1,2,"open\n', "double quote"),
        ('age,plan,note\n1,2"2,3\n', "double quote"),
        ("age,age,note\n1,2,3\n", "Two columns"),
    ],
)
def test_refusals_say_what_is_wrong(body: str, told: str) -> None:
    with pytest.raises(RefusedError, match=told):
        read(body)


def test_other_encodings_are_refused() -> None:
    with pytest.raises(RefusedError, match="UTF-8"):
        from_csv("age,plan,note\n1,é,3".encode("latin-1"), SCHEMA, LIMITS)


@pytest.mark.parametrize(
    "body", [b"," * 15_000_000, b'"\n"' + b"," * 4_000_000, b"\n" * 9_000_000 + b"1", b'"' * 8_000_000]
)
def test_millions_of_cells_are_refused_before_they_are_made(body: bytes) -> None:
    with pytest.raises(RefusedError) as refusal:
        from_csv(body, SCHEMA, LIMITS)
    assert refusal.value.status in (400, 413)


def test_too_many_rows_are_refused() -> None:
    with pytest.raises(RefusedError) as refusal:
        from_csv(b"1,2,3\n" * 11, SCHEMA, Limits(rows=9))
    assert refusal.value.status == 413
    assert len(from_csv(b"1,2,3\n" * 9, SCHEMA, Limits(rows=9))) == 9


def test_pictures_are_base64() -> None:
    pictures = Schema((Column("face", "image", {}, {}, False, ""),))
    body = b"face\n" + base64.b64encode(b"\x89PNG") + b'\n""\n'
    assert from_csv(body, pictures, LIMITS)["face"].tolist() == [b"\x89PNG", None]
    with pytest.raises(RefusedError, match="base64"):
        from_csv(b"face\nme.png\n", pictures, LIMITS)


@given(st.lists(st.tuples(CELLS, CELLS, CELLS), min_size=1, max_size=6))
def test_what_pandas_writes_comes_back(rows: list[tuple[str, str, str]]) -> None:
    frame = pd.DataFrame(rows, columns=list(SCHEMA.names), dtype=object)
    body = frame.to_csv(index=False, quoting=1)
    assert read(body) == [list(row) for row in rows]


@given(st.binary(max_size=80) | st.text('age,"\n\r1 é', max_size=40).map(str.encode))
def test_of_any_bytes_comes_a_table_or_a_refusal(body: bytes) -> None:
    for header in (None, "present", "absent"):
        try:
            frame = from_csv(body, SCHEMA, LIMITS, header)
        except RefusedError as refusal:
            assert refusal.status in (400, 413)
        else:
            assert all(isinstance(cell, str) for name in frame for cell in frame[name])


def test_a_long_text_is_one_cell() -> None:
    long = "x, \n" * 100_000
    stream = io.StringIO()
    pd.DataFrame([["1", "2", long]], columns=list(SCHEMA.names)).to_csv(stream, index=False)
    assert read(stream.getvalue()) == [["1", "2", long]]


@given(
    st.text('a,"\n\r é\t\x0b\x1c\x85\u2028', max_size=30),
    st.sampled_from([SCHEMA, Schema(SCHEMA.columns[:1])]),
)
def test_large_bodies_are_read_as_small_ones(text: str, schema: Schema) -> None:
    found = []
    for small in (csv_rows.SMALL, -1):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(csv_rows, "SMALL", small)
            try:
                frame = from_csv(text.encode(), schema, LIMITS)
            except RefusedError as refusal:
                found.append(str(refusal))
            else:
                found.append(repr(frame.to_dict("split")))
    assert found[0] == found[1]


def test_a_line_of_blanks_is_a_row_and_an_empty_one_is_not() -> None:
    alone = Schema(SCHEMA.columns[:1])
    for body in (b'x\n  \n\n""\ny', b"x\n  \n\ny"):
        frame = from_csv(body, alone, LIMITS)
        assert frame["age"].tolist() == ["x", "  ", *([""] if b'"' in body else []), "y"]
