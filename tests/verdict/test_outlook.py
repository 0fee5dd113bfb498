"""Curves end at the table's score, do not depend on units, and say nothing beyond what was measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from outcomes import CLASSES, NUMBERS, by_errors, outcome

from fathometer.data.thinning import thinned
from fathometer.study.outcome import CURVED, Outcome
from fathometer.study.record import FoldResult
from fathometer.task import Task
from fathometer.verdict.compare import Contrast, contrast, score
from fathometer.verdict.outlook import FACTORS, LearningCurve, Outlook, foresee

ROWS = 4_000
SIZES = (1, 2, 4, 8)


def learning_curves(study: Outcome) -> dict[str, LearningCurve]:
    return foresee(study, contrast(study, "classical", "deep"))[0]


def look_ahead(study: Outcome, families: Contrast) -> Outlook | None:
    return foresee(study, families)[1]


def error_at(divisor: int, level: float, power: float, floor: float) -> float:
    return floor + (level - floor) * divisor**power


def with_anchors(
    made: Outcome, predicted: Mapping[tuple[str, int], npt.NDArray[np.float64]], folds: int = 3
) -> Outcome:
    """`predicted`: of each family at each divisor, for every row; both together answer as the deep one."""
    anchors: dict[str, dict[int, tuple[FoldResult, ...]]] = {}
    for name in CURVED:
        family = "deep" if name == "together" else name
        anchors[name] = {}
        for divisor in SIZES:
            done = []
            for fold in made.results[name][:folds]:
                answers = predicted[family, divisor][fold.rows]
                losses = made.task.losses(made.target[fold.rows], answers)
                done.append(
                    replace(
                        fold,
                        fold=thinned(fold.fold, divisor),
                        prediction=answers,
                        losses=losses,
                        learned=3_200 // divisor,
                    )
                )
            anchors[name][divisor] = tuple(done)
    results = {
        name: tuple(replace(fold, learned=3_200) for fold in folds_) for name, folds_ in made.results.items()
    }
    run = {**made.run, "data": {"rows": len(made.target), "columns": 10}}
    run["splits"] = {**made.run["splits"], "sizes": {f"f{k}": [2, 4, 8] for k in range(5)}}
    return replace(made, anchors=anchors, results=results, run=run)


def classes_study(
    classical: tuple[float, float, float] = (0.15, 0.25, 0.10),
    deep: tuple[float, float, float] = (0.17, 0.4, 0.06),
    seed: int = 0,
    folds: int = 3,
    worse: float = 1.0,
) -> Outcome:
    """Each family errs by its power law (level at all rows, power, floor). worse: the curve's recipes at every size."""
    rng = np.random.default_rng(seed)
    target = rng.integers(0, 2, ROWS)
    draws = {family: rng.random(ROWS) for family in ("classical", "deep")}
    laws = {"classical": classical, "deep": deep}
    wrong = {
        (family, divisor): draws[family] < factor * error_at(divisor, *laws[family])
        for family in laws
        for divisor in SIZES
        for factor in [worse]
    }
    now = {family: draws[family] < error_at(1, *laws[family]) for family in laws}
    made = outcome(by_errors(target, {**now, "together": now["deep"]}), target, task=CLASSES)
    predicted = {
        key: by_errors(target, {"classical": err, "deep": err, "together": err})["deep"]
        for key, err in wrong.items()
    }
    return with_anchors(made, predicted, folds)


def numbers_study(unit: float, task: Task = NUMBERS) -> Outcome:
    rng = np.random.default_rng(1)
    target = rng.normal(size=ROWS) * unit
    noise = {family: rng.normal(size=ROWS) * unit for family in ("classical", "deep", "together")}

    def said(family: str, divisor: int) -> npt.NDArray[np.float64]:
        made: npt.NDArray[np.float64] = target + noise[family] * (0.3 + 0.2 * divisor**0.4)
        return made

    now = {family: said(family, 1) for family in noise}
    made = outcome({"baseline": np.zeros(ROWS), **now}, target, task=task)
    return with_anchors(made, {(f, d): said(f, d) for f in ("classical", "deep") for d in SIZES})


@pytest.mark.parametrize("worse", [1.0, 1.15])
def test_a_curve_ends_at_the_tables_score_whatever_recipes_it_used(worse: float) -> None:
    study = classes_study(worse=worse)
    for name, curve in learning_curves(study).items():
        assert curve.points[-1].score == pytest.approx(score(study, name).score)
        assert [point.divisor for point in curve.points] == [8, 4, 2, 1]
        assert [point.rows for point in curve.points] == [400, 800, 1_600, 3_200]


def test_a_constant_factor_of_all_sizes_leaves_the_curve_as_it_is() -> None:
    plain, worse = (learning_curves(classes_study(worse=factor))["deep"].points for factor in (1.0, 1.15))
    for one, other in zip(plain, worse, strict=True):
        assert other.score == pytest.approx(one.score, abs=1.2)


def test_more_rows_are_forecast_near_the_law_they_follow() -> None:
    hits = []
    for seed in range(8):
        study = classes_study(seed=seed)
        for name, law in (("classical", (0.15, 0.25, 0.10)), ("deep", (0.17, 0.4, 0.06))):
            for expected in learning_curves(study)[name].forecast[:2]:
                truth = 100 * (
                    1 - error_at(1, *law) if expected.factor == 1 else 1 - _beyond(law, expected.factor)
                )
                hits.append(expected.low <= truth <= expected.high)
                assert expected.low <= expected.score <= expected.high
    assert np.mean(hits) > 0.6


def _beyond(law: tuple[float, float, float], factor: float) -> float:
    level, power, floor = law
    return floor + (level - floor) * factor**-power


@pytest.mark.parametrize("unit", [1e-6, 1.0, 1e6])
def test_the_unit_of_a_number_does_not_matter(unit: float) -> None:
    here, there = numbers_study(1.0), numbers_study(unit)
    for name, curve in learning_curves(there).items():
        same = learning_curves(here)[name]
        assert curve.behaviour == same.behaviour
        assert curve.still == same.still
        for one, other in zip(same.forecast, curve.forecast, strict=True):
            assert other.score == pytest.approx(unit * one.score, rel=1e-6)
    one, other = (look_ahead(study, contrast(study, "classical", "deep")) for study in (here, there))
    assert one is not None
    assert other is not None
    for a, b in zip(one.factors, other.factors, strict=True):
        assert (b.p_deep, b.p_tie, b.gap) == pytest.approx((a.p_deep, a.p_tie, a.gap), rel=1e-5, abs=1e-9)


@pytest.mark.parametrize("study", [classes_study(), numbers_study(1.0)], ids=["classes", "numbers"])
def test_probabilities_sum_to_one_and_now_is_what_was_measured(study: Outcome) -> None:
    families = contrast(study, "classical", "deep")
    outlook = look_ahead(study, families)
    assert outlook is not None
    assert [ahead.factor for ahead in outlook.factors] == [1.0, *FACTORS]
    for ahead in outlook.factors:
        assert ahead.p_deep + ahead.p_tie + ahead.p_classical == pytest.approx(1.0)
        assert ahead.low <= ahead.gap <= ahead.high
        assert ahead.rows == round(3_200 * ahead.factor)
    now = outlook.at(1.0)
    assert now is not None
    assert (now.gap, now.p_deep) == (families.gap, families.belief.above)


def test_a_family_that_learns_faster_is_likelier_to_be_ahead_with_more_rows() -> None:
    study = classes_study((0.15, 0.1, 0.14), (0.155, 0.6, 0.02))
    outlook = look_ahead(study, contrast(study, "classical", "deep"))
    assert outlook is not None
    chances = [ahead.p_deep for ahead in outlook.factors]
    assert chances[-1] > chances[0] + 0.2
    assert outlook.crossover is not None
    assert outlook.crossover.p_by[16] > 0.5
    gains = {name: curve.gain_next_doubling for name, curve in learning_curves(study).items()}
    assert gains["deep"] is not None
    assert gains["classical"] is not None
    assert gains["deep"].gain > gains["classical"].gain


def test_sizes_of_too_few_folds_do_not_count() -> None:
    study = classes_study(folds=2)
    assert learning_curves(study) == {}
    assert look_ahead(study, contrast(study, "classical", "deep")) is None


def test_of_two_sizes_no_forecast_is_made() -> None:
    study = classes_study()
    two = {name: {d: folds for d, folds in of.items() if d <= 2} for name, of in study.anchors.items()}
    study = replace(study, anchors=two)
    for curve in learning_curves(study).values():
        assert [point.divisor for point in curve.points] == [2, 1]
        assert curve.forecast == ()
        assert curve.gain_next_doubling is None
        assert curve.gain_last_doubling is not None
        assert max(drawn.rows for drawn in curve.smooth) == 3_200
    assert look_ahead(study, contrast(study, "classical", "deep")) is None


@pytest.mark.parametrize("seed", range(4))
def test_curves_and_gap_are_one_forecast(seed: int) -> None:
    study = classes_study(seed=seed)
    curves, outlook = learning_curves(study), look_ahead(study, contrast(study, "classical", "deep"))
    assert outlook is not None
    for expected, other, ahead in zip(
        curves["deep"].forecast, curves["classical"].forecast, outlook.factors[1:], strict=True
    ):
        assert expected.score - other.score == pytest.approx(ahead.gap, abs=0.05)


def test_the_last_doubling_is_the_step_between_the_last_two_points() -> None:
    for study in (classes_study(), numbers_study(1.0)):
        for curve in learning_curves(study).values():
            before, now = curve.points[-2:]
            step = now.score - before.score
            if study.task.outputs == 1:  # in per cent of both families' present level
                scores = [learning_curves(study)[name].points[-1].score for name in ("classical", "deep")]
                step = -100 * step / np.sqrt(np.mean(np.square(scores)))
            assert curve.gain_last_doubling is not None
            assert curve.gain_last_doubling.gain == pytest.approx(step, rel=0.02)


def test_nothing_measured_on_fewer_rows_is_no_curve() -> None:
    study: Any = replace(classes_study(), anchors={})
    assert learning_curves(study) == {}
    assert look_ahead(study, contrast(study, "classical", "deep")) is None


def test_nearly_all_of_the_score_is_reached_between_the_sizes() -> None:
    study = classes_study()
    for curve in learning_curves(study).values():
        assert curve.rows_for_95_percent is None or 400 <= curve.rows_for_95_percent <= 3_200
