"""Rows in every grammar of JSON hold the same cells, and nothing but a refusal comes of anything else."""

from __future__ import annotations

import base64
import json
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fathometer.data.schema import Column, Schema
from fathometer.serve.codecs.tables import (
    MOST_UNKNOWN,
    from_columns,
    from_instances,
    from_lists,
    from_records,
    from_split,
    read_json,
)
from fathometer.serve.question import RefusedError

SCHEMA = Schema(
    (
        Column("age", "number", {}, {}, False, ""),
        Column("plan", "category", {}, {}, False, ""),
        Column("face", "image", {}, {}, False, ""),
    )
)
ALONE = Schema(SCHEMA.columns[:1])
PNG = b"\x89PNG\r\n"
CODED = base64.b64encode(PNG).decode()
ROWS: list[list[Any]] = [[1.5, "basic", PNG], [None, "00", None], [2**60 + 1, True, PNG]]
WIRED = [
    [
        cell if not isinstance(cell, bytes) else how
        for cell, how in zip(row, [0, 0, {"b64": CODED}], strict=True)
    ]
    for row in ROWS
]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(["age", "plan", CODED, "b64"]),
    lambda inside: (
        st.lists(inside, max_size=4)
        | st.dictionaries(st.sampled_from(["age", "plan", "face", "data", "columns", "b64"]), inside)
    ),
    max_leaves=15,
)


def cells(frame: pd.DataFrame) -> list[list[Any]]:
    return [list(row) for row in zip(*(frame[name].tolist() for name in SCHEMA.names), strict=True)]


def test_every_grammar_gives_the_same_cells() -> None:
    records = [dict(zip(SCHEMA.names, row, strict=True)) for row in WIRED]
    columns = {name: [row[name] for row in records] for name in SCHEMA.names}
    frames = [
        from_records(records, SCHEMA),
        from_instances(records, SCHEMA),
        from_instances(WIRED, SCHEMA),
        from_columns(columns, SCHEMA),
        from_split({"columns": list(SCHEMA.names), "data": WIRED}, SCHEMA),
        from_split({"columns": list(SCHEMA.names), "index": [7, 8, 9], "data": WIRED}, SCHEMA),
        from_split({"data": WIRED}, SCHEMA),
        from_lists(WIRED, SCHEMA.names, SCHEMA),
    ]
    for frame in frames:
        assert cells(frame) == ROWS
        assert type(frame["plan"][2]) is bool
        assert type(frame["age"][2]) is int


def test_a_picture_may_be_a_text_in_base64_as_mlflow_writes_it() -> None:
    broken = base64.encodebytes(PNG * 40).decode()
    assert "\n" in broken[:-1]
    assert from_records([{"face": broken}], SCHEMA)["face"][0] == PNG * 40
    with pytest.raises(RefusedError, match="base64"):
        from_records([{"face": "me.png"}], SCHEMA)


def test_a_text_in_another_column_is_never_decoded() -> None:
    assert from_records([{"plan": CODED}], SCHEMA)["plan"][0] == CODED


def test_bare_cells_are_rows_of_a_model_of_one_column() -> None:
    assert from_instances([1, None, 2.5], ALONE)["age"].tolist() == [1, None, 2.5]
    with pytest.raises(RefusedError, match="in this order: age, plan, face"):
        from_instances([1, 2], SCHEMA)


def test_bytes_may_stand_alone_for_a_model_of_one_column() -> None:
    pictures = Schema(SCHEMA.columns[2:])
    assert from_instances([{"b64": CODED}], pictures)["face"].tolist() == [PNG]
    assert from_instances([{"face": {"b64": CODED}}], pictures)["face"].tolist() == [PNG]


def test_no_rows_are_an_empty_table_with_the_columns() -> None:
    for frame in (from_records([], SCHEMA), from_instances([], SCHEMA), from_split({"data": []}, SCHEMA)):
        assert list(frame.columns) == list(SCHEMA.names)
        assert len(frame) == 0


def test_what_one_record_lacks_is_missing() -> None:
    frame = from_records([{"age": 1}, {"plan": "a"}], SCHEMA)
    assert frame["age"].tolist() == [1, None]
    assert frame["plan"].tolist() == [None, "a"]


def test_records_that_share_no_name_make_no_table_of_their_square() -> None:
    records = [{f"name {place}": place, " age ": place} for place in range(2_000)]
    frame = from_records(records, SCHEMA)
    assert frame.shape == (2_000, MOST_UNKNOWN + 1)
    assert frame[" age "].tolist() == list(range(2_000))


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ({}, "a list of rows, got an object"),
        ("rows", "a list of rows, got a text"),
        ([[1, 2]], "3 cells in every row, got 2 in row 0"),
        ([[1, 2, None], {"age": 1}], "every row as an object"),
        ([[1, [2], None]], "'plan': Expected a number"),
        ([[1, {"b64": "%%"}, None]], "base64"),
    ],
)
def test_refusals_say_what_was_expected(rows: Any, told: str) -> None:
    with pytest.raises(RefusedError, match=told):
        from_instances(rows, SCHEMA)


def test_a_name_twice_is_refused() -> None:
    with pytest.raises(RefusedError, match="'age'"):
        from_split({"columns": ["age", "age"], "data": [[1, 2]]}, SCHEMA)


@given(JSON)
def test_of_any_json_comes_a_table_or_a_refusal(value: Any) -> None:
    for schema in (SCHEMA, ALONE):
        for read in (from_instances, from_records, from_columns, from_split):
            try:
                frame = read(value, schema)
            except RefusedError as refusal:
                assert refusal.status == 400
                assert len(str(refusal)) < 400
            else:
                assert isinstance(frame, pd.DataFrame)


@given(st.binary(max_size=60) | JSON.map(lambda value: json.dumps(value).encode()))
def test_of_any_bytes_comes_json_or_a_refusal(body: bytes) -> None:
    try:
        read_json(body)
    except RefusedError as refusal:
        assert refusal.status == 400


@pytest.mark.parametrize(
    "body",
    [
        b'[NaN, "\\ud800"]',
        b'{"\\udfff": NaN}',
        b'[NaN, "\xed\xa0\x80"]',
        "[NaN]".encode("utf-16"),
        b"[" * 200_000,
        b"NaN" + b"[" * 200_000,
        b"[NaN," + b"[" * 200_000,
        b"[NaN" + b"1" * 5000,
        b"",
    ],
)
def test_json_that_ends_a_parser_is_refused(body: bytes) -> None:
    with pytest.raises(RefusedError):
        read_json(body)


def test_what_python_clients_write_for_nothing_is_read() -> None:
    numbers = [0.1, 2**60 + 1, -(2**63), 2**64 - 1, 2**64, -(2**70)]
    value = read_json(json.dumps([float("nan"), float("inf"), *numbers]).encode())
    assert value[0] != value[0] and value[1] == float("inf")
    plain = read_json(json.dumps(numbers).encode())
    assert value[2:] == plain
    assert list(map(type, value[2:])) == list(map(type, plain))
