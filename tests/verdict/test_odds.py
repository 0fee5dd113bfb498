"""The odds before training: a distribution, in the direction the published results have."""

import json
from importlib.resources import files

import pytest

from fathometer.verdict.odds import REGRESSION, odds

TYPICAL = {"rows": 3000.0, "columns": 20.0, "classes": 2.0, "majority": 0.6}


@pytest.mark.parametrize("task", ["classification", "regression"])
@pytest.mark.parametrize(
    "facts", [TYPICAL, {}, {"rows": 1e9, "columns": 0.0}, {"rows": float("nan"), "classes": -1.0}]
)
def test_odds_sum_to_one_and_say_that_nothing_was_measured(task: str, facts: dict[str, float]) -> None:
    found = odds(facts, task)
    assert found.p_deep + found.p_tie + found.p_classical == pytest.approx(1.0)
    assert min(found.p_deep, found.p_tie, found.p_classical) > 0.0
    assert "nothing was measured" in found.source


def test_more_rows_make_deep_learning_likelier() -> None:
    chances = [
        odds({**TYPICAL, "rows": rows}, "classification").p_deep for rows in (200, 2000, 20000, 200000)
    ]
    assert chances == sorted(chances)


def test_no_answer_is_certain_before_training() -> None:
    for rows in (50, 5000, 500000):
        for classes in (2, 20, 1000):
            found = odds(
                {**TYPICAL, "rows": rows, "classes": classes, "majority": 1 / classes}, "classification"
            )
            assert max(found.p_deep, found.p_tie, found.p_classical) < 0.95


def test_regression_has_the_published_shares() -> None:
    found = odds(TYPICAL, "regression")
    assert found.p_deep / found.p_classical == pytest.approx(REGRESSION[0] / REGRESSION[2])


def test_the_coefficients_name_their_source() -> None:
    stored = json.loads(files("fathometer.verdict").joinpath("odds.json").read_text(encoding="utf-8"))
    assert "CC BY 4.0" in stored["source"]
