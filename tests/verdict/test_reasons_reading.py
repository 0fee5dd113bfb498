"""Reasons V401 to V405: can the model be read, and what does it look at?"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from evidences import ablation, evidence, importance, said, simplicity, surrogate, verdict

DEEP = verdict("deep")


def test_v401_is_said_where_a_readable_model_is_within_the_margin() -> None:
    assert said("V401", evidence(simplicity=simplicity(0.1))) == (
        "The best model that can be read whole (additive curves) loses 0.1 points (95 % interval -0.1 to 0.3) "
        "against the best model: within the margin of 0.5 points."
    )
    assert said("V401", evidence(simplicity=simplicity(0.4))) is None  # it may be more than the margin
    assert said("V401", evidence(simplicity=simplicity(0.1), verdict=verdict("no_signal"))) is None


def test_v402_is_said_where_the_model_leans_on_one_column() -> None:
    leaning = {"deep": importance(leak=31.0, age=2.0, town=1.0)}
    text = said("V402", evidence(verdict=DEEP, measures=leaning))
    assert text is not None
    assert text.startswith("Shuffling 'leak' costs deep learning 31 points (95 % interval 30 to 32)")
    assert "3 points in sum" in text
    assert (
        said("V402", evidence(verdict=DEEP, measures={"deep": importance(leak=9.0, age=2.0, town=1.0)}))
        is None
    )
    # of two columns one is always first, and next to nothing is easily most of it
    assert said("V402", evidence(verdict=DEEP, measures={"deep": importance(leak=31.0, age=1.0)})) is None
    assert said("V402", evidence(verdict=DEEP, measures={"deep": importance(a=1.5, b=0.01, c=0.0)})) is None


def test_v402_looks_at_the_other_family_too() -> None:
    text = said(
        "V402", evidence(verdict=DEEP, measures={"classical": importance(leak=31.0, age=2.0, town=-1.0)})
    )
    assert text is not None and "costs classical ML" in text and "2 points in sum" in text


def test_v403_is_said_where_engineered_features_carry_one_family() -> None:
    text = said("V403", evidence(ablation=ablation(3.1, 0.2)))
    assert text == (
        "Engineered features bring classical ML 3.1 points (95 % interval 2.6 to 3.6) over plain numbers, deep "
        "learning 0.2 points (95 % interval -0.3 to 0.7)."
    )
    assert (said("V403", evidence(ablation=ablation(0.0, 2.0))) or "").startswith(
        "Engineered features bring deep"
    )
    assert said("V403", evidence(ablation=ablation(3.1, 2.5))) is None  # both
    assert said("V403", evidence(ablation=ablation(0.6, -0.3, half=0.4))) is not None
    assert said("V403", evidence(ablation=ablation(0.45, -3.0, half=0.1))) is None  # less than the margin


def test_v404_is_said_where_a_small_tree_tells_nearly_all() -> None:
    text = said("V404", evidence(verdict=DEEP, measures={"deep": surrogate(0.96)}))
    assert text is not None
    assert "A tree of 8 leaves gives the same answer as deep learning on 96 % of the rows" in text
    assert "(95 % interval 94 to 98 %)" in text
    assert said("V404", evidence(verdict=DEEP, measures={"deep": surrogate(0.91)})) is None
    assert said("V404", evidence(verdict=DEEP, measures={"deep": surrogate(0.99, leaves=1)})) is None
    assert said("V404", evidence(verdict=DEEP, measures={"classical": surrogate(0.99)})) is None
    told = said("V404", evidence(numbers=True, verdict=DEEP, measures={"deep": surrogate(0.96)}))
    assert told is not None and "explains 96 % of the variance of the answers of deep learning" in told


def test_v404_does_not_count_the_commonest_answer() -> None:
    base = evidence(verdict=DEEP, measures={"deep": surrogate(0.96)})
    always = [
        replace(fold, prediction=np.tile([0.9, 0.1], (len(fold.rows), 1)))
        for fold in base.outcome.results["deep"]
    ]
    results = {**base.outcome.results, "deep": tuple(always)}
    assert said("V404", replace(base, outcome=replace(base.outcome, results=results))) is None


def test_v405_is_said_where_reading_has_a_price() -> None:
    text = said("V405", evidence(simplicity=simplicity(2.0)))
    assert text is not None
    assert "loses 2 points (95 % interval 1.8 to 2.2) against the best model, 4 times the margin" in text
    assert said("V405", evidence(simplicity=simplicity(0.6))) is None
    assert said("V405", evidence()) is None
