"""Sketches of columns keep no row, do not depend on the order of rows, and give made-up rows that read well."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest

from fathometer.bundle.reference import (
    LONGEST_LEVEL,
    MOST_LEVELS,
    QUANTILES,
    RARE,
    answers_sketch,
    demand_reference,
    drawn_cells,
    make_reference,
)
from fathometer.data.rows import Rows
from fathometer.data.schema import Column, Schema, learn_schema
from fathometer.errors import BadBundle, UserError
from fathometer.tasks.classification import Classification
from fathometer.tasks.regression import Regression

HOSTILE = '</script><img src=x onerror="alert(1)">|`=cmd`\n## \u202e'
KINDS_ASKED = {
    "said": "text",
    "photo": "image",
    "when": "moment",
    "gone": "number",
    "flag": "category",
    "endless": "number",
}


def table(rows: int = 400, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    words = np.array(["good", "bad", "fast", "slow", "box", "order", "again"], dtype=object)
    some = rng.choice(["red", "green", "blue", "seen once here", ""], rows, p=[0.5, 0.3, 0.15, 0.0, 0.05])
    some[0] = "seen once here"
    return pd.DataFrame(
        {
            "price": np.where(rng.random(rows) < 0.1, np.nan, rng.normal(50, 9, rows)),
            "count": rng.poisson(3, rows).astype(float),
            "euro": [f"{value:.2f} €".replace(".", ",") for value in rng.gamma(2, 30, rows)],
            "when": [f"{day:02d}.{month:02d}.2023" for day, month in rng.integers(1, 13, (rows, 2))],
            "colour": some,
            "flag": [True] * rows,
            HOSTILE: rng.choice(["<b>", "| |", "yes"], rows),
            "gone": [None] * rows,
            "endless": np.where(rng.random(rows) < 0.2, np.inf, 1e308),
            "said": [" ".join(rng.choice(words, 12)) for _ in range(rows)],
            "photo": [rng.integers(0, 255, (8, 8), dtype=np.uint8) for _ in range(rows)],
        }
    )


def read(frame: pd.DataFrame) -> tuple[Schema, Rows]:
    asked = {name: kind for name, kind in KINDS_ASKED.items() if name in frame}
    schema, _ = learn_schema(frame, kinds=asked)
    return schema, schema.read(frame)


@pytest.fixture(scope="module")
def learned() -> tuple[Schema, Rows, dict[str, Any]]:
    schema, rows = read(table())
    return schema, rows, make_reference(rows)


def sketch_of(reference: dict[str, Any], name: str) -> dict[str, Any]:
    return next(column for column in reference["columns"] if column["name"] == name)


def test_a_reference_is_plain_data(learned: tuple[Schema, Rows, dict[str, Any]]) -> None:
    schema, _, reference = learned
    assert json.loads(json.dumps(reference, allow_nan=False)) == reference
    assert [column["name"] for column in reference["columns"]] == list(schema.names)
    assert {column["kind"] for column in reference["columns"]} == {
        "number",
        "moment",
        "category",
        "text",
        "image",
    }


def test_the_order_of_rows_does_not_matter(learned: tuple[Schema, Rows, dict[str, Any]]) -> None:
    _, rows, _ = learned
    turned = rows.take(np.random.default_rng(1).permutation(len(rows)))
    assert make_reference(turned, most=50) == make_reference(rows, most=50)


def test_quantiles_are_those_of_the_numbers_that_are_there(
    learned: tuple[Schema, Rows, dict[str, Any]],
) -> None:
    _, rows, reference = learned
    for name in ("price", "count", "euro"):
        numbers = rows.column(name).dropna().to_numpy()
        # the smallest of the numbers that so many in a hundred do not exceed
        below = np.array([(numbers <= number).sum() for number in np.sort(numbers)])
        wanted = [
            np.sort(numbers)[np.argmax(100 * below >= share * len(numbers))] for share in range(QUANTILES)
        ]
        assert sketch_of(reference, name)["quantiles"] == wanted
        assert sketch_of(reference, name)["missing"] == int(rows.column(name).isna().sum())
    moments = rows.column("when").to_numpy().astype("datetime64[us]").astype(np.int64) / 1e6
    assert sketch_of(reference, "when")["quantiles"][0] == moments.min()
    assert sketch_of(reference, "when")["quantiles"][-1] == moments.max()


def test_a_column_of_nothing_has_no_quantiles_and_infinities_do_not_count(
    learned: tuple[Schema, Rows, dict[str, Any]],
) -> None:
    _, _, reference = learned
    assert sketch_of(reference, "gone")["quantiles"] is None
    assert sketch_of(reference, "gone")["missing"] == 400
    assert set(sketch_of(reference, "endless")["quantiles"]) == {1e308}
    assert sketch_of(reference, "flag")["levels"] == [["True", 400]]


def test_a_level_of_few_rows_is_not_told(learned: tuple[Schema, Rows, dict[str, Any]]) -> None:
    _, rows, reference = learned
    colour = sketch_of(reference, "colour")
    assert "seen once here" in set(rows.column("colour").cat.categories)
    assert "seen once" not in json.dumps(reference)
    assert colour["other"] == 1
    assert all(count >= RARE for _, count in colour["levels"])
    assert sum(count for _, count in colour["levels"]) + colour["other"] + colour["missing"] == 400


def test_levels_are_the_commonest_and_not_too_many_or_long() -> None:
    rng = np.random.default_rng(0)
    names = [f"level {place:03d}" for place in range(400)] + ["x" * (LONGEST_LEVEL + 1)]
    frame = pd.DataFrame({"place": np.array(names, dtype=object)[rng.integers(0, 401, 8_000)]})
    schema, _ = learn_schema(frame, kinds={"place": "category"})
    found = make_reference(schema.read(frame))["columns"][0]
    counts = frame["place"][frame["place"].str.len() < LONGEST_LEVEL].value_counts()
    assert len(found["levels"]) == MOST_LEVELS
    assert sorted(count for _, count in found["levels"]) == sorted(counts.head(MOST_LEVELS))
    assert found["other"] == 8_000 - sum(count for _, count in found["levels"])


def test_no_text_and_no_picture_is_kept(learned: tuple[Schema, Rows, dict[str, Any]]) -> None:
    _, _, reference = learned
    told = json.dumps([sketch_of(reference, name) for name in ("said", "photo")])
    for word in ("good", "slow", "order"):
        assert word not in told
    assert sketch_of(reference, "said")["facts"]["words"] == [12.0] * QUANTILES
    assert sketch_of(reference, "photo")["facts"]


def test_few_of_many_texts_are_drawn_as_common_as_they_are() -> None:
    texts = ["no"] * 700 + [f"yes number {place} is here" for place in range(300)]
    rows = Rows(pd.DataFrame({"said": pd.Series(texts, dtype=object)}), {"said": "text"})
    words = make_reference(rows, most=200)["columns"][0]["facts"]["words"]
    assert 0.6 < np.mean(np.asarray(words) == 1.0) < 0.8


@pytest.mark.parametrize("oddities", [True, False])
def test_drawn_cells_read_back_as_their_kinds(
    learned: tuple[Schema, Rows, dict[str, Any]], oddities: bool
) -> None:
    schema, _, reference = learned
    cells = drawn_cells(reference, schema, 60, seed=3, oddities=oddities)
    rows = schema.read(cells)
    assert list(cells) == list(schema.names)
    assert schema.unread(cells, rows) == {}
    for name in schema.names:
        present = int(rows.column(name).notna().sum())
        assert present == 0 if name == "gone" else present > 40, name
    for name in ("price", "count", "euro", "endless"):
        quantiles, drawn = sketch_of(reference, name)["quantiles"], rows.column(name).dropna()
        assert quantiles[0] <= drawn.min()
        assert drawn.max() <= quantiles[-1]
    assert (rows.column("count").dropna() % 1 == 0).all()
    known = {level for level, _ in sketch_of(reference, "colour")["levels"]}
    assert (set(rows.column("colour").cat.categories) <= known) is not oddities


def test_oddities_leave_a_missing_cell_in_every_column(learned: tuple[Schema, Rows, dict[str, Any]]) -> None:
    schema, _, reference = learned
    rows = schema.read(drawn_cells(reference, schema, 32, seed=1))
    assert rows.frame.isna().any().all()


def test_the_same_seed_draws_the_same_cells_whatever_columns_are_beside(
    learned: tuple[Schema, Rows, dict[str, Any]],
) -> None:
    schema, _, reference = learned
    once, again = (drawn_cells(reference, schema, 20, seed=5) for _ in range(2))
    assert all(map(np.array_equal, once["photo"].dropna(), again["photo"].dropna()))
    pd.testing.assert_frame_equal(once.drop(columns="photo"), again.drop(columns="photo"))
    other = drawn_cells(reference, schema, 20, seed=6)
    assert not once["price"].equals(other["price"])
    fewer = drawn_cells(reference, schema.without(["when", "photo"]), 20, seed=5, oddities=False)
    whole = drawn_cells(reference, schema, 20, seed=5, oddities=False)
    pd.testing.assert_frame_equal(fewer, whole[list(fewer)])


def test_no_row_is_drawn_that_was_there() -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(500, 4)), columns=list("abcd"))
    schema, rows = read(frame)
    drawn = drawn_cells(make_reference(rows), schema, 200)
    assert not set(map(tuple, frame.to_numpy())) & set(map(tuple, drawn.to_numpy()))


def test_without_a_reference_cells_are_drawn_from_the_schema(
    learned: tuple[Schema, Rows, dict[str, Any]],
) -> None:
    schema, _, _ = learned
    cells = drawn_cells(None, schema, 60, seed=3)
    rows = schema.read(cells)
    assert schema.unread(cells, rows) == {}
    assert rows.column("when").notna().sum() > 40
    assert rows.column("euro").notna().sum() > 40
    assert rows.column("gone").isna().all()


def test_one_row_and_none_can_be_drawn(learned: tuple[Schema, Rows, dict[str, Any]]) -> None:
    schema, _, reference = learned
    assert len(drawn_cells(reference, schema, 1)) == 1
    assert len(schema.read(drawn_cells(reference, schema, 0))) == 0


ODD: tuple[Any, ...] = (
    None,
    True,
    -1,
    0,
    1e308,
    2**80,
    "x",
    [],
    {},
    [[]],
    [["a", -1]],
    [["a", 0]],
    [["a", "b"]],
)
ODD += ([1e308] * 101, ["x"] * 101, [None] * 101, [[1]] * 101, [2**80] * 101, [1, 0], [1e12, -1e12])


@pytest.mark.parametrize("wrong", ODD, ids=lambda wrong: str(wrong)[:20])
def test_sketches_of_a_stranger_are_drawn_from_or_refused(
    learned: tuple[Schema, Rows, dict[str, Any]], wrong: Any
) -> None:
    schema, _, sound = learned
    others = [sound | {key: wrong} for key in ("columns", "answers")] + [{**sound, "columns": [wrong]}]
    for place, column in enumerate(sound["columns"]):
        for key in ("name", "rows", "missing", "quantiles", "levels"):
            columns = list(sound["columns"])
            columns[place] = {**column, key: wrong}
            others.append({**sound, "columns": columns})
    for reference in others:
        try:
            schema.read(drawn_cells(reference, schema, 4))
        except UserError as error:
            assert "\n" not in str(error)


@pytest.mark.parametrize("wrong", [[1], [{}], {}, "x", None, [{"name": "a", "rows": 1}]])
def test_a_reference_that_is_none_is_refused(wrong: Any) -> None:
    with pytest.raises(BadBundle, match=r"reference\.json|column"):
        demand_reference({"rows": 1, "columns": wrong, "answers": {}})


def test_answers_of_a_reference_are_numbers() -> None:
    for wrong in ([], {"a": 1}, {"a": {"quantiles": ["x"]}}, {"a": {"quantiles": []}}):
        with pytest.raises(BadBundle):
            demand_reference({"rows": 1, "columns": [], "answers": wrong})


@pytest.mark.parametrize("wrong", ["x", [], {}, [["a"]], {"low": "x", "high": None}])
@pytest.mark.parametrize("kind", ["number", "moment", "category"])
def test_what_a_schema_says_of_a_column_is_drawn_from_or_refused(kind: str, wrong: Any) -> None:
    for key in ("rows", "missing", "low", "high", "deciles", "commonest"):
        summary = {
            "rows": 9,
            "missing": 1,
            "low": 1.0,
            "high": 2.0,
            "deciles": [1.5],
            "commonest": [["a", 4]],
        }
        if kind == "moment":
            summary |= {"low": "2020-01-01", "high": "2021-01-01"}
        column = Column("a", kind, {}, summary | {key: wrong}, False, "")
        try:
            drawn_cells(None, Schema((column,)), 4)
        except BadBundle as error:
            assert "\n" not in str(error)


def test_answers_are_told_as_counts_of_labels_or_as_quantiles() -> None:
    task = Classification("y", "accuracy", 0.5, ("a", "b", "never"))
    sketch = answers_sketch(task, np.array([[0.9, 0.1, 0.0], [0.2, 0.7, 0.1], [0.8, 0.1, 0.1]]))
    assert sketch["labels"] == [["a", 2], ["b", 1]]
    assert sketch["confidence"][0] == 0.7
    assert sketch["confidence"][-1] == 0.9
    numbers = answers_sketch(Regression("y", "rmse", 1.0), np.arange(1000.0))
    assert numbers["quantiles"][50] == 499.0
    assert numbers["labels"] is None
