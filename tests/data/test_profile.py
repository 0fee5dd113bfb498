"""The audit finds what is odd, says it, and leaves honest data alone."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import pytest

from fathometer.data.profile import Audit, audit
from fathometer.data.schema import learn_schema
from fathometer.data.target import learn_target
from fathometer.errors import UnknownColumn, UnsuitableData

ROWS = 600
RNG = np.random.default_rng(0)


def look(columns: Mapping[str, Any], target: str | None = "y", **options: Any) -> Audit:
    frame = pd.DataFrame(columns)
    schema, _ = learn_schema(frame, target=target)
    found = None if target is None else learn_target(frame[target])
    return audit(frame, schema.read(frame), schema, found, **options)


def reasons(found: Audit) -> dict[str, str]:
    return {left.name: left.reason for left in found.left_out}


def honest(rows: int = ROWS) -> dict[str, Any]:
    rng = np.random.default_rng(1)
    strength, colour = rng.normal(size=rows), rng.choice(["red", "green", "blue"], rows)
    classes = np.where(strength + rng.normal(size=rows) > 0, "yes", "no")
    return {"strength": strength, "colour": colour, "other": rng.normal(size=rows), "y": classes}


def honest_numbers(rows: int = ROWS) -> dict[str, Any]:
    columns = honest(rows)
    return columns | {"y": columns["strength"] * 3 + np.random.default_rng(2).normal(size=rows)}


def test_honest_data_is_left_alone() -> None:
    for columns in (honest(), honest_numbers()):
        found = look(columns)
        assert not found.left_out and found.group is None and found.time is None
        assert {finding.severity for finding in found.findings} == {"info"}
        assert len(np.unique(found.clusters)) == ROWS


def test_an_audit_is_plain_data_and_every_finding_a_sentence() -> None:
    found = look(honest() | {"id": np.arange(ROWS), "empty": [None] * ROWS})
    json.dumps(found.to_json(), allow_nan=False)
    assert all(finding.sentence.endswith(".") for finding in found.findings)
    assert all(finding.severity in ("info", "warning", "action") for finding in found.findings)


def test_useless_columns_are_left_out_with_their_reasons() -> None:
    columns = honest()
    useless = {
        "number": np.arange(10, ROWS + 10),
        "shuffled": RNG.permutation(ROWS),
        "customerID": [f"{place:05d}-XY" for place in range(ROWS)],
        "user_id": RNG.choice(10**6, ROWS, replace=False),
        "empty": [None] * ROWS,
        "blank": [" "] * ROWS,
        "same": ["x"] * ROWS,
        "again": columns["strength"],
    }
    assert reasons(look(columns | useless)) == {
        "number": "id",
        "shuffled": "id",
        "customerID": "id",
        "user_id": "id",
        "empty": "empty",
        "blank": "empty",
        "same": "constant",
        "again": "duplicate_column",
    }


def test_what_is_left_out_can_be_kept() -> None:
    columns = honest() | {"number": np.arange(ROWS), "same": ["x"] * ROWS}
    found = look(columns)
    assert [left.overrule for left in found.left_out] == ["--keep number", "--keep same"]
    assert not look(columns, keep=["number", "same"]).left_out
    with pytest.raises(UnknownColumn):
        look(columns, keep=["numbr"])


def test_a_column_with_one_value_and_gaps_says_something() -> None:
    gaps = [None if place % 3 else "pool" for place in range(ROWS)]
    assert not reasons(look(honest() | {"pool": gaps}))


@pytest.mark.parametrize(
    "leak",
    [
        lambda y: y,  # a copy
        lambda y: np.where(y == "yes", 1, 0),  # a code of it
        lambda y: np.where(y == "yes", "moved away", None),  # filled for one class
        lambda y: np.where(
            y == "yes", RNG.normal(50, 1, len(y)), RNG.normal(0, 1, len(y))
        ),  # a number that parts them
        lambda y: np.where(y == "yes", RNG.choice(["a", "b"], len(y)), RNG.choice(["c", "d"], len(y))),
    ],
)
def test_a_column_that_tells_the_class_is_left_out(leak: Any) -> None:
    columns = honest()
    assert reasons(look(columns | {"told": leak(columns["y"])})) == {"told": "leak"}


def test_a_leak_that_tells_one_of_three_classes_is_found() -> None:
    classes = RNG.choice(["negative", "neutral", "positive"], ROWS, p=[0.6, 0.2, 0.2])
    reason = np.where(classes == "negative", RNG.choice(["late", "rude", "lost"], ROWS), None)
    assert reasons(look(honest() | {"y": classes, "reason": reason})) == {"reason": "leak"}


def test_a_rare_class_is_not_told_by_a_constant_answer() -> None:
    columns = honest() | {"y": np.where(np.arange(ROWS) % 20 == 0, "fraud", "fine")}
    found = look(columns)
    assert not found.left_out and found.of("imbalance")


def test_a_strong_column_is_no_leak() -> None:
    columns = honest()
    flipped = np.where(RNG.random(ROWS) < 0.03, columns["y"] == "no", columns["y"] == "yes")
    assert not reasons(look(columns | {"strong": np.where(flipped, 1.5, 0.25)}))


def test_few_rows_parted_perfectly_are_told_and_kept() -> None:
    columns = {name: values[:120] for name, values in honest(120).items()}
    columns["petal"] = np.where(columns["y"] == "yes", 5.0, 1.0) + RNG.random(120)
    found = look(columns)
    assert not found.left_out and found.of("suspected_leak")[0].columns == ("petal",)


@pytest.mark.parametrize(
    "leak",
    [
        lambda y: y * 1.8 + 32,
        lambda y: -np.exp(y / 3),
        lambda y: np.round(y, 2),
        lambda y: [f"{value:.4f}" for value in y],
    ],
)
def test_the_target_in_another_form_is_left_out(leak: Any) -> None:
    columns = honest_numbers()
    assert reasons(look(columns | {"told": leak(columns["y"])})) == {"told": "leak"}


def test_a_target_that_is_a_function_of_one_column_is_found() -> None:
    angle = RNG.permutation(np.linspace(-3, 3, 3000))
    assert reasons(look({"angle": angle, "x": RNG.normal(size=3000), "y": np.cos(angle)})) == {
        "angle": "leak"
    }


def test_two_columns_that_make_the_target_are_left_out_and_one_may_be_kept() -> None:
    columns = honest_numbers()
    part = RNG.poisson(20, ROWS)
    rest = RNG.poisson(60, ROWS)
    columns |= {"casual": part, "registered": rest, "y": part + rest}
    assert reasons(look(columns)) == {"casual": "leak", "registered": "leak"}
    assert len(look(columns).of("leak")) == 1
    assert reasons(look(columns, keep=["casual"])) == {"registered": "leak"}


def test_price_times_count_is_found() -> None:
    price, count = RNG.uniform(1, 90, ROWS), RNG.integers(1, 30, ROWS)
    columns = honest_numbers() | {"price": price, "count": count, "y": np.round(price * count, 4)}
    assert reasons(look(columns)) == {"price": "leak", "count": "leak"}


def test_one_huge_row_makes_no_leak() -> None:
    columns = honest_numbers()
    columns["strength"] = columns["strength"].copy()
    columns["strength"][0], columns["y"][0] = 1e6, 1e6
    assert not reasons(look(columns))


def test_a_slow_target_over_time_is_no_function_of_the_clock() -> None:
    clock = np.arange(0, 3000, 1.5)
    columns = {
        "seconds": clock,
        "x": RNG.normal(size=2000),
        "y": np.sin(clock / 300) + RNG.normal(0, 0.001, 2000),
    }
    assert "leak" not in reasons(look(columns)).values()


def test_a_column_named_after_the_target_is_told() -> None:
    columns = honest()
    columns["sentiment"] = columns.pop("y")
    found = look(columns | {"sentiment_confidence": RNG.random(ROWS)}, "sentiment")
    assert not found.left_out and found.of("suspected_leak")[0].columns == ("sentiment_confidence",)


def test_equal_rows_share_a_cluster_and_contradictions_are_counted() -> None:
    columns = {name: np.concatenate([values, values[:30]]) for name, values in honest().items()}
    columns["y"][ROWS : ROWS + 10] = np.where(columns["y"][:10] == "yes", "no", "yes")
    found = look(columns)
    np.testing.assert_array_equal(found.clusters[ROWS:], found.clusters[:30])
    assert len(np.unique(found.clusters)) == ROWS
    assert (
        "30 rows" in found.of("duplicate_rows")[0].sentence
        and "20 of them" in found.of("duplicate_rows")[0].sentence
    )
    assert "20 rows" in found.of("contradictions")[0].sentence
    assert found.least_error == pytest.approx(10 / (ROWS + 30))


def test_rows_that_repeat_because_there_are_few_ways_to_differ_are_no_copies() -> None:
    columns = {"a": RNG.choice(list("xyz"), ROWS), "b": RNG.choice(list("uv"), ROWS), "y": honest()["y"]}
    found = look(columns)
    assert len(np.unique(found.clusters)) == ROWS and found.of("repeated_rows")


def test_a_very_common_case_is_no_copy_but_others_are() -> None:
    columns = honest()
    for name in ("strength", "other"):
        columns[name] = np.where(np.arange(ROWS) < 100, 0.0, columns[name])
    columns["colour"] = np.where(np.arange(ROWS) < 100, "red", columns["colour"])
    columns = {name: np.concatenate([values, values[-5:]]) for name, values in columns.items()}
    assert len(np.unique(look(columns).clusters)) == ROWS


def test_columns_that_stand_for_each_other_are_told() -> None:
    columns = honest()
    codes = np.select([columns["colour"] == "red", columns["colour"] == "green"], [10, 20], 30)
    assert look(columns | {"code": codes}).of("same_information")[0].columns == ("colour", "code")


def test_rows_of_one_person_stay_together_unless_asked_otherwise() -> None:
    columns = honest() | {"patient_id": RNG.integers(10_000, 10_060, ROWS)}
    found = look(columns)
    assert found.group == "patient_id" and reasons(found) == {"patient_id": "group"}
    assert look(columns, group="none").group is None
    assert look(columns, group="colour").group == "colour"
    with pytest.raises(UnknownColumn):
        look(columns, group="patient")


@pytest.mark.parametrize("name", ["households", "customer_age", "store_size", "relationship"])
def test_facts_about_persons_are_no_groups(name: str) -> None:
    assert look(honest() | {name: RNG.integers(0, 60, ROWS)}).group is None


def test_other_identifiers_are_proposed_as_groups() -> None:
    found = look(honest() | {"store_id": RNG.integers(100, 160, ROWS)})
    assert found.group is None and found.of("group_proposed")[0].columns == ("store_id",)


def hourly(follows: bool) -> dict[str, Any]:
    wave = 10 * np.sin(np.arange(ROWS) / 20) if follows else np.zeros(ROWS)
    when = pd.date_range("2020-01-01", periods=ROWS, freq="h").astype(str)
    return honest() | {"when": when, "y": wave + np.random.default_rng(3).normal(size=ROWS)}


def test_rows_in_the_order_of_time_are_split_forward_if_the_target_follows() -> None:
    assert look(hourly(follows=True)).time == "when"
    assert look(hourly(follows=False)).time is None and look(hourly(follows=False)).of("time_proposed")
    assert look(hourly(follows=True), time="none").time is None
    assert look(hourly(follows=False), time="when").time == "when"


def test_dates_in_no_order_change_nothing() -> None:
    columns = hourly(follows=True)
    order = np.random.default_rng(4).permutation(ROWS)
    found = look({name: np.asarray(values)[order] for name, values in columns.items()})
    assert found.time is None and not found.of("time_proposed")


def test_oddities_of_the_target_are_told() -> None:
    capped = honest_numbers()
    capped["y"] = np.minimum(capped["y"], np.quantile(capped["y"], 0.95))
    assert look(capped).of("capped_target")
    assert look(honest_numbers() | {"y": np.exp(2 * RNG.normal(size=ROWS))}).of("skewed_target")
    assert look(honest() | {"y": ["a"] * 560 + ["b"] * 20 + ["c"] * 20}).of("few_of_a_class")


def test_oddities_of_columns_are_told() -> None:
    columns = honest()
    columns["other"] = np.where(np.arange(ROWS) % 9 == 0, -999, columns["other"])
    columns["rare"] = [None if place % 10 else float(place) for place in range(ROWS)]
    columns["sex"] = RNG.choice(["m", "f"], ROWS)
    columns["day"] = [f"{1 + place % 12:02d}/{1 + place % 11:02d}/2020" for place in RNG.permutation(ROWS)]
    columns["broken"] = [f"{place / 7:.2f}" if place % 20 else f"word {place}" for place in range(ROWS)]
    found = look(columns)
    assert found.of("stand_in")[0].columns == ("other",)
    assert found.of("missing")[0].severity == "warning" and "'rare' 90.0%" in found.of("missing")[0].sentence
    assert found.of("sensitive")[0].columns == ("sex",)
    assert found.of("ambiguous_dates")[0].columns == ("day",)
    assert found.of("unread")[0].columns == ("broken",)


def test_too_few_rows_are_refused_and_few_are_told() -> None:
    with pytest.raises(UnsuitableData, match="12 rows"):
        look(
            {name: values[:12] for name, values in honest(30).items() if name != "y"} | {"y": ["a", "b"] * 6}
        )
    assert look(honest(40)).of("few_rows")


def test_nothing_left_is_refused_with_the_reasons() -> None:
    with pytest.raises(UnsuitableData, match="numbers the rows"):
        look({"row": np.arange(ROWS), "y": honest()["y"]})


def test_columns_can_be_looked_at_without_a_target() -> None:
    found = look(honest() | {"number": np.arange(ROWS)}, None)
    assert reasons(found) == {"number": "id"} and found.least_error == 0.0


def test_rows_without_a_target_do_not_count() -> None:
    columns = honest()
    columns["y"] = np.where(np.arange(ROWS) % 2, columns["y"], None)
    found = look(columns | {"told": np.where(columns["y"] == "yes", 1, 0)})
    assert reasons(found) == {"told": "leak"}
