"""What more rows would change is said only as far as it was measured."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from outcomes import NUMBERS
from test_outlook import classes_study, learning_curves, look_ahead, numbers_study

from fathometer.study.outcome import Outcome
from fathometer.verdict.compare import contrast
from fathometer.verdict.forecast import ENGINES_APART, more_rows
from fathometer.verdict.outlook import Outlook


def told(study: Outcome, answer: str = "cannot_tell", **changes: Any) -> str:
    outlook = look_ahead(study, contrast(study, "classical", "deep"))
    if outlook is not None:
        outlook = replace(outlook, **changes)
    return more_rows(answer, study, outlook, learning_curves(study))


def test_a_leader_is_told_who_may_overtake_and_when() -> None:
    said = told(classes_study((0.13, 0.05, 0.128), (0.15, 0.8, 0.02)), disagreement=0.0)
    assert "P(deep learning better by more than 0.5 points)" in said
    assert "Deep learning would overtake near" in said
    assert "at 16 times" in said


def test_of_two_that_are_level_nobody_overtakes() -> None:
    level = 0
    for seed in range(6):
        study = classes_study((0.15, 0.5, 0.08), (0.15, 0.5, 0.08), seed=seed)
        belief = contrast(study, "classical", "deep").belief
        if max(belief.above, belief.below) < 0.5:
            said = told(study, disagreement=0.0)
            assert "overt" not in said
            assert "P(classical ML better by more than 0.5 points)" in said
            assert "P(deep learning better by more than 0.5 points)" in said
            level += 1
    assert level >= 2


def test_forecasts_that_disagree_are_not_made() -> None:
    said = told(classes_study(), disagreement=ENGINES_APART + 0.01)
    assert "Cannot extrapolate" in said
    assert "overtake" not in said


def test_a_rough_curve_is_not_extended() -> None:
    study = classes_study()
    curves = {name: replace(curve, behaviour="rising") for name, curve in learning_curves(study).items()}
    outlook: Outlook | None = look_ahead(study, contrast(study, "classical", "deep"))
    said = more_rows("classical", study, outlook, curves)
    assert "Cannot extrapolate" in said
    assert "not smooth" in said


def test_without_curves_or_signal_nothing_is_forecast() -> None:
    study = classes_study()
    assert (
        more_rows("classical", study, None, {})
        == "What more rows would bring was not measured within this budget."
    )
    assert "no forecast" in told(study, "no_signal")
    unplanned = replace(study, run={**study.run, "splits": {**study.run["splits"], "sizes": {}}})
    assert more_rows("classical", unplanned, None, {}) == ""
    two = {name: {d: folds for d, folds in of.items() if d <= 2} for name, of in study.anchors.items()}
    said = told(replace(study, anchors=two))
    assert said.startswith("The last doubling of the rows brought classical ML +")
    assert "too few sizes" in said


@pytest.mark.parametrize("unit", [1e-5, 1.0, 1e7])
def test_numbers_speak_in_per_cent_whatever_their_unit(unit: float) -> None:
    said = told(numbers_study(unit, NUMBERS))
    assert said == told(numbers_study(1.0, NUMBERS))
    assert "%" in said
    assert "nan" not in said
