"""A schema is learned once and reads new rows the same way."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from fathometer.data.schema import Schema, learn_schema
from fathometer.errors import UnknownColumn, UnknownName, UnsuitableData


def table(rows: int = 60) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "price": [f"{value:.2f}".replace(".", ",") for value in rng.random(rows) * 100],
            "plan": rng.choice(["free", "paid"], rows),
            "joined": [f"{1 + place % 28:02d}/{1 + place % 12:02d}/2020" for place in range(rows)],
            "left": rng.choice(["yes", "no"], rows),
        },
        dtype="str",
    )


def learned() -> Schema:
    return learn_schema(table(), target="left")[0]


def test_kinds_are_found_and_the_target_is_no_input() -> None:
    assert learned().kinds == {"price": "number", "plan": "category", "joined": "moment"}


def test_a_schema_survives_json() -> None:
    schema = learned()
    assert Schema.from_json(json.loads(json.dumps(schema.to_json(), allow_nan=False))) == schema


def test_new_rows_are_read_as_the_first_were_whatever_they_look_like() -> None:
    few = pd.DataFrame(
        {"joined": ["03/04/2020"], "extra": ["x"], "plan": ["gold"], "price": ["7,5"]}, index=[9]
    )
    rows = learned().read(few)
    assert list(rows.frame.columns) == ["price", "plan", "joined"] and rows.frame.index.tolist() == [0]
    assert rows.column("price").tolist() == [7.5]
    assert rows.column("plan").astype(object).tolist() == ["gold"]
    assert rows.column("joined").tolist() == [pd.Timestamp("2020-04-03")]  # the day came first in training


def test_typed_rows_are_read_like_text() -> None:
    typed = pd.DataFrame({"price": [7.5], "plan": ["free"], "joined": [pd.Timestamp("2020-04-03")]})
    text = pd.DataFrame({"price": ["7,5"], "plan": [" free "], "joined": ["03/04/2020"]})
    assert learned().read(typed).frame.astype(object).equals(learned().read(text).frame.astype(object))


def test_a_missing_column_is_named() -> None:
    with pytest.raises(UnknownColumn, match="'price'"):
        learned().read(table().drop(columns="price"))
    with pytest.raises(UnsuitableData, match="'price', 'plan'"):
        learned().read(table().drop(columns=["price", "plan"]))


def test_a_missing_column_can_be_taken_as_missing_cells() -> None:
    rows = learned().read(table(3).drop(columns=["price", "plan", "joined"]), fill_missing=True)
    assert rows.frame.isna().all().all() and len(rows) == 3


def test_no_rows_are_legal() -> None:
    assert len(learned().read(table().iloc[:0])) == 0


def test_a_kind_can_be_named() -> None:
    schema, _ = learn_schema(table(), kinds={"price": "category"})
    assert schema.kinds["price"] == "category"
    assert not schema.column("price").guessed and "You said" in schema.column("price").why
    with pytest.raises(UnknownName, match="number"):
        learn_schema(table(), kinds={"price": "numbr"})
    with pytest.raises(UnknownColumn, match="price"):
        learn_schema(table(), kinds={"prise": "number"})


def test_columns_asked_to_be_left_out_are() -> None:
    schema, left_out = learn_schema(table(), target="left", drop=["plan"])
    assert schema.names == ("price", "joined") and [(item.name, item.reason) for item in left_out] == [
        ("plan", "asked")
    ]
    with pytest.raises(UnsuitableData, match="No column is left"):
        learn_schema(table(), target="left", drop=["plan", "price", "joined"])


def test_names_need_not_be_text_but_must_differ() -> None:
    schema, _ = learn_schema(pd.DataFrame({0: ["1.5", "2"], 1: ["a", "b"]}))
    assert schema.names == ("0", "1")
    assert schema.read(pd.DataFrame({1: ["a"], 0: ["3"]})).column("0").tolist() == [3.0]
    with pytest.raises(UnsuitableData, match="same name"):
        learn_schema(pd.DataFrame([[1, 2]], columns=["a", "a"]))


def test_what_cannot_be_read_is_counted_and_words_for_missing_are_not() -> None:
    cells = pd.DataFrame({"n": ["1.5", "2.5", "x", "NA", None, "", "y", "z", "w"] + ["3.5"] * 50})
    schema, _ = learn_schema(cells)
    assert schema.unread(cells, schema.read(cells)) == {"n": 4}


def test_reading_changes_nothing_it_is_given() -> None:
    cells = table()
    before = cells.copy(deep=True)
    schema, _ = learn_schema(cells, target="left")
    schema.read(cells)
    pd.testing.assert_frame_equal(cells, before)
