"""Reasons V101 to V107: why the answer is the one it is."""

from __future__ import annotations

import math
from dataclasses import replace

from evidences import contrast, evidence, said, verdict


def test_v101_is_said_of_classical_ml_better_by_more_than_the_margin() -> None:
    text = said("V101", evidence(verdict=verdict("classical")))
    assert text == (
        "Classical ML is better by 1.2 points (95 % interval 0.9 to 1.5) at your 3,000 rows. That this is more "
        "than the margin of 0.5 points is likely: P = 90 %."
    )
    assert said("V101", evidence(verdict=verdict("leaning_classical"))) is None


def test_v102_is_said_of_deep_learning_better_by_more_than_the_margin() -> None:
    text = said("V102", evidence(verdict=verdict("deep", p_deep=0.997)))
    assert text is not None
    assert text.startswith(
        "Deep learning is better by 1.2 points (95 % interval 0.9 to 1.5) at your 3,000 rows."
    )
    assert "P > 99 %" in text
    assert said("V102", evidence(verdict=verdict("classical"))) is None


def test_v103_is_said_of_a_difference_within_the_margin() -> None:
    assert said("V103", evidence(verdict=verdict("tie"))) == (
        "The difference is smaller than the margin of 0.5 points: P = 90 %. As measured, deep learning is "
        "ahead by 0.1 points (95 % interval -0.2 to 0.4)."
    )
    assert "neither is ahead" in (
        said("V103", evidence(verdict=verdict("tie", families=contrast(0.0)))) or ""
    )
    assert said("V103", evidence(verdict=verdict("deep"))) is None


def test_v104_is_said_of_both_together_beating_each_alone() -> None:
    text = said("V104", evidence(verdict=verdict("together")))
    assert text is not None
    assert "beat deep learning alone, the better family, by 1.2 points (95 % interval 0.8 to 1.6)" in text
    assert "P = 90 %" in text
    assert said("V104", evidence(verdict=verdict("deep"))) is None


def test_v105_is_said_where_nothing_beats_the_baseline() -> None:
    signal = {"classical": 0.4, "deep": 0.62, "together": math.nan}
    text = said("V105", evidence(verdict=verdict("no_signal", signal=signal)))
    assert text is not None and "at all) is 62 % at best" in text
    assert said("V105", evidence(verdict=verdict("tie"))) is None


def test_v106_is_said_where_no_answer_is_likely_enough() -> None:
    unsure = verdict("cannot_tell", families=contrast(0.3, 1.1), p_deep=0.4, p_tie=0.35, p_classical=0.25)
    text = said("V106", evidence(verdict=unsure))
    assert text is not None
    assert text.startswith(
        "As measured, deep learning is ahead by 0.3 points (95 % interval -0.8 to 1.4). Against a "
    )
    assert "P(deep learning better) = 40 %, P(classical ML better) = 25 %, P(within it) = 35 %" in text
    assert said("V106", evidence(verdict=verdict("leaning_deep"))) is None


def test_v106_tells_what_keeps_from_an_answer() -> None:
    nothing = verdict("cannot_tell", families=None, together=None, signal={})
    assert "no fold was finished by both" in (said("V106", evidence(verdict=nothing)) or "")
    no_signal = verdict("cannot_tell", signal={"classical": 0.95, "deep": 0.93})
    assert "not sure that anything beats the baseline" in (said("V106", evidence(verdict=no_signal)) or "")
    wide = verdict("cannot_tell", families=replace(contrast(), low=-math.inf, high=math.inf))
    assert "cannot be said" in (said("V106", evidence(verdict=wide)) or "")


def test_v107_is_said_of_an_answer_that_is_only_likely() -> None:
    text = said("V107", evidence(verdict=verdict("leaning_classical")))
    assert text is not None
    assert text.startswith(
        "Classical ML is better by more than 0.5 points: P = 70 %; a plain answer takes 80 %."
    )
    weak = verdict(
        "leaning_deep", p_deep=0.9, weak=("only 2 folds of the 3 needed are finished by both families",)
    )
    assert "but only 2 folds of the 3 needed" in (said("V107", evidence(verdict=weak)) or "")
    assert (said("V107", evidence(verdict=verdict("leaning_tie"))) or "").startswith(
        "The difference is within 0.5 points"
    )
    assert said("V107", evidence(verdict=verdict("tie"))) is None
