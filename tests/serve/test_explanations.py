"""Explanations are Shapley values: equal to brute force where that can be done, and exact in their sum always."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from in_process import NAMES, ROW, Asked, table

from fathometer.bundle import Bundle, open_bundle
from fathometer.data.schema import Schema
from fathometer.serve.desk import Desk
from fathometer.serve.explain import BACKGROUND, Mixed, Order, explained, notes_on, sampled_orders
from fathometer.serve.limits import Limits
from fathometer.serve.settings import Settings

Floats = npt.NDArray[np.float64]


def twisted(cells: Floats) -> Floats:
    """Four columns that work together: products, a maximum, and one that does nothing."""
    a, b, c = cells[:, 0], cells[:, 1], cells[:, 2]
    return np.asarray(a * b + np.maximum(b, c) + 2 * a)


def brute_force(cells: Floats, row: int, background: list[int]) -> Floats:
    """Shapley's formula over all sets of columns."""
    columns = cells.shape[1]

    def worth(among: tuple[int, ...]) -> float:
        mixed = cells[background].copy()
        mixed[:, among] = cells[row, among]
        return float(twisted(mixed).mean())

    parts = np.zeros(columns)
    for column in range(columns):
        others = [other for other in range(columns) if other != column]
        for size in range(columns):
            weight = math.factorial(size) * math.factorial(columns - size - 1) / math.factorial(columns)
            for among in itertools.combinations(others, size):
                parts[column] += weight * (worth((*among, column)) - worth(among))
    return parts


CELLS = np.random.default_rng(7).normal(size=(6, 4))


def answer(places: npt.NDArray[np.intp]) -> Floats:
    return twisted(CELLS[places, np.arange(4)])


def test_over_all_orders_they_are_shapleys_formula() -> None:
    orders = [Order(turns, behind) for behind in range(5) for turns in itertools.permutations(range(4))]
    found = explained(answer, 5, orders)
    assert found.parts == pytest.approx(brute_force(CELLS, 5, [0, 1, 2, 3, 4]), abs=1e-12)
    assert found.parts[3] == 0


def test_sampled_they_lie_within_their_errors() -> None:
    found = explained(answer, 5, sampled_orders(4, 5, 2000, seed=1))
    exact = brute_force(CELLS, 5, [0, 1, 2, 3, 4])
    assert (np.abs(found.parts - exact) <= 5 * np.nan_to_num(found.errors) + 1e-12).all()
    assert found.errors[:3].max() < 0.1


@pytest.mark.parametrize("count", [2, 3, 10])
def test_however_few_orders_the_sum_is_exact(count: int) -> None:
    found = explained(answer, 5, sampled_orders(4, 5, count, seed=2))
    assert found.base + found.parts.sum() == pytest.approx(found.prediction, abs=1e-12)
    assert found.prediction == pytest.approx(twisted(CELLS[5:])[0])


def test_an_error_that_nothing_tells_is_not_claimed() -> None:
    alone, many = (explained(answer, 5, sampled_orders(4, 5, count, seed=2)) for count in (2, 40))
    assert np.isnan(alone.errors).all() and np.isnan(alone.base_error)
    assert np.isnan(many.errors[3]) and many.parts[3] == 0, "it changed no answer in any order"
    assert (many.errors[:3] > 0).all()


def test_the_error_of_the_base_is_that_of_a_mean_over_the_background_rows() -> None:
    begins = twisted(CELLS[:5])
    for count in (10, 40):  # each background row once, and each several times
        found = explained(answer, 5, sampled_orders(4, 5, count, seed=2))
        assert found.base == pytest.approx(begins.mean())
        assert found.base_error == pytest.approx(begins.std(ddof=1) / math.sqrt(5))


def test_a_model_of_one_column_says_that_it_has_it_all(bundle: Bundle) -> None:
    assert notes_on(bundle.schema) == []
    plan = bundle.schema.without(["age", "since"])
    assert notes_on(plan) == [
        "The model has the column '<i>plan' alone, so all of the difference from the base is its part."
    ]
    words = Schema((replace(plan.columns[0], kind="text"),))
    assert notes_on(words)[0].endswith("its part; which words the answer rests on is not told.")


def test_each_order_is_followed_by_its_mirror_image() -> None:
    orders = sampled_orders(6, 5, 7, seed=3)
    assert len(orders) == 8
    assert all(one.columns == two.columns[::-1] for one, two in zip(orders[::2], orders[1::2], strict=True))
    assert orders == sampled_orders(6, 5, 7, seed=3) != sampled_orders(6, 5, 7, seed=4)


def test_a_mixed_row_of_one_alone_is_answered_as_that_row(bundle: Bundle) -> None:
    frame = table(5, seed=8)
    mixed = Mixed(bundle, frame, seed=0)
    places = np.repeat(np.arange(BACKGROUND, BACKGROUND + 5)[:, None], len(NAMES), axis=1)
    wanted = bundle.predict(frame)["probability_no"].to_numpy()
    assert (mixed.answers_by("classical", 0)(places) == wanted).all()


def test_rows_are_explained_as_they_are_answered(served: Asked) -> None:
    rows = [ROW, ROW | {"age": None, "<i>plan": "never seen"}]
    said = served.ask("POST", "/explain", {"rows": rows, "permutations": 10}).json
    answers = served.ask("POST", "/predict", {"rows": rows}).json["rows"]
    for one, told in zip(said["rows"], answers, strict=True):
        assert one["prediction"] == one["label"] == told["prediction"]
        assert one["value"] == pytest.approx(told["probabilities"][one["label"]], abs=1e-12)
        assert tuple(one["columns"]) == NAMES
        total = one["base"] + sum(column["part"] for column in one["columns"].values())
        assert total == pytest.approx(one["value"], abs=1e-12)


def test_probabilities_of_two_labels_are_explained_by_opposite_parts(served: Asked) -> None:
    wish = {"rows": [ROW], "seed": 5}
    no, yes = (
        served.ask("POST", "/explain", wish | {"label": label}).json["rows"][0] for label in ("no", "<b>yes")
    )
    for name in NAMES:
        assert no["columns"][name]["part"] == pytest.approx(-yes["columns"][name]["part"], abs=1e-9)


def test_the_same_question_has_the_same_explanation(served: Asked) -> None:
    one, two, three = (
        served.ask("POST", "/explain", {"rows": [ROW], "seed": seed, "permutations": 4}).json["rows"]
        for seed in (0, 0, 1)
    )
    assert one == two != three


def test_numbers_are_explained_and_what_matters_counts_most(prices: Path) -> None:
    served = Asked(Desk(open_bundle(prices)))
    told = served.ask("POST", "/explain", {"rows": [ROW | {"age": 80}]}).json["rows"][0]
    parts = {name: column["part"] for name, column in told["columns"].items()}
    assert "label" not in told and parts["age"] > 5 and abs(parts["since"]) < abs(parts["<i>plan"])


@pytest.mark.parametrize(
    ("wish", "status"),
    [
        ({"rows": [ROW], "label": "maybe"}, 422),
        ({"rows": [ROW], "family": "nobody"}, 404),
        ({"rows": [ROW], "permutations": 1}, 422),
        ({"rows": [ROW], "permutations": "many"}, 422),
        ({"rows": [ROW], "permutations": True}, 422),
        ({"rows": [ROW], "seed": -1}, 422),
        ({"rows": [ROW] * 3, "permutations": 100}, 413),
        ({"rows": [{"age": 1}]}, 422),
        ({"rows": [ROW], "keys": ["a"]}, 422),
    ],
)
def test_wishes_that_cannot_be_met_are_refused(bundle: Bundle, wish: dict[str, object], status: int) -> None:
    served = Asked(Desk(bundle, Settings(limits=Limits(explained_predictions=1000))))
    assert served.ask("POST", "/explain", wish).status == status


def test_an_explanation_that_takes_too_long_is_given_up(bundle: Bundle) -> None:
    served = Asked(Desk(bundle, Settings(limits=Limits(seconds=0.0))))
    assert served.ask("POST", "/explain", {"rows": [ROW]}).status == 504
