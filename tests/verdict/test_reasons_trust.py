"""Reasons V501 to V504: may the answers be trusted?"""

from __future__ import annotations

from dataclasses import replace

from evidences import calibration, evidence, fairness, robustness, said, train_gap, verdict

from fathometer.verdict.fairness import Comparison, Fairness

DEEP = verdict("deep")


def test_v501_is_said_where_the_probabilities_to_use_are_further_off() -> None:
    off = {"classical": calibration(0.021), "deep": calibration(0.12)}
    text = said("V501", evidence(verdict=DEEP, calibration=off))
    assert text == (
        "The probabilities of deep learning are off by 12 points on average, those of classical ML by 2.1 "
        "points. One temperature would bring that to 2 points."
    )
    assert said("V501", evidence(verdict=verdict("classical"), calibration=off)) is None
    # so few rows make as much
    few = {name: replace(one, bins=tuple(replace(b, rows=10) for b in one.bins)) for name, one in off.items()}
    assert said("V501", evidence(verdict=DEEP, calibration=few)) is None
    unmended = {**off, "deep": calibration(0.12, None)}
    assert "temperature" not in (said("V501", evidence(verdict=DEEP, calibration=unmended)) or "temperature")


def test_v502_is_said_where_the_model_to_use_breaks_sooner() -> None:
    probes = {
        "classical": robustness(missing_10=1.0, missing_30=3.0, shifted=2.0),
        "deep": robustness(missing_10=2.5, missing_30=9.1, shifted=2.4),
    }
    text = said("V502", evidence(verdict=DEEP, measures=probes))
    assert text == (
        "With 30 % of the cells missing deep learning loses 9.1 points (95 % interval 8.6 to 9.6), classical "
        "ML 3 points (95 % interval 2.5 to 3.5)."
    )
    assert said("V502", evidence(verdict=verdict("classical"), measures=probes)) is None
    alike = {"classical": robustness(missing_10=1.0), "deep": robustness(missing_10=1.8)}
    assert said("V502", evidence(verdict=DEEP, measures=alike)) is None  # their intervals overlap


def test_v503_is_said_of_a_large_gap_to_the_training_rows() -> None:
    gaps = {"classical": train_gap(1.5), "deep": train_gap(9.0)}
    text = said("V503", evidence(verdict=DEEP, measures=gaps))
    assert text is not None
    assert "deep learning is better by 9 points than on new ones, classical ML by 1.5 points." in text
    assert said("V503", evidence(verdict=verdict("classical"), measures=gaps)) is None
    assert said("V503", evidence(verdict=DEEP, measures={**gaps, "classical": train_gap(6.0)})) is None
    assert said("V503", evidence(verdict=DEEP, measures={**gaps, "deep": train_gap(4.0)})) is None
    none = said("V503", evidence(verdict=DEEP, measures={**gaps, "classical": train_gap(-0.2)}))
    assert none is not None and "classical ML not at all" in none


def test_v504_is_said_where_groups_get_different_answers() -> None:
    text = said("V504", evidence(verdict=DEEP, fairness=fairness(deep=0.18, classical=0.1)))
    assert text == (
        "By 'sex', groups differ in how often they get the favourable answer (favourable: 'yes'): deep "
        "learning by 18 points (95 % interval 14 to 22). For comparison: classical ML 10 points (95 % "
        "interval 6 to 14)."
    )
    assert said("V504", evidence(verdict=DEEP, fairness=fairness(deep=0.03))) is None
    # five points and more, but it may be chance
    unsure = Comparison((), {"tpr": (0.2, -0.05, 0.45)})
    assert (
        said("V504", evidence(verdict=DEEP, fairness=Fairness("sex", "yes", {"deep": unsure}, (), "")))
        is None
    )
    assert said("V504", evidence(verdict=DEEP)) is None


def test_v504_compares_mean_errors_with_the_models_own() -> None:
    def by(value: float) -> Fairness:
        return Fairness(
            "sex", None, {"deep": Comparison((), {"mean_error": (value, value / 2, 2 * value)})}, (), ""
        )

    text = said("V504", evidence(numbers=True, verdict=DEEP, fairness=by(0.1)))
    assert (
        text is not None
        and "how much too high their answers are on average: deep learning by 0.1 (95 %" in text
    )
    assert said("V504", evidence(numbers=True, verdict=DEEP, fairness=by(0.01))) is None
