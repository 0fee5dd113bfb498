"""Reasons V201 to V210: what more rows would do."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from evidences import contrast, crossover, curve, evidence, outlook, overtook, said, verdict

CLASSICAL = verdict("classical")
ILL = {
    "classical": curve(),
    "deep": curve(behaviour="rising", note="The error rose between 400 and 800 rows."),
}


def test_v201_is_said_where_the_one_ahead_stays_ahead() -> None:
    assert said("V201", evidence(verdict=CLASSICAL, outlook=outlook())) == (
        "Classical ML is likely to stay ahead up to 16 times the rows (38,000 rows to learn from): P(deep learning "
        "overtakes) = 8 %. There it is expected to be ahead by 1.2 points (80 % interval 0.3 to 2.1)."
    )
    assert said("V201", evidence(verdict=CLASSICAL, outlook=outlook(crossover=crossover(0.3)))) is None
    assert said("V201", evidence(verdict=verdict("tie"), outlook=outlook())) is None
    assert said("V201", evidence(verdict=verdict("deep"), outlook=outlook())) is None


def test_v202_is_said_where_the_other_is_likely_to_overtake() -> None:
    soon = crossover(0.64, median_rows=21_000.0, low_rows=9_000.0)
    text = said("V202", evidence(verdict=CLASSICAL, outlook=outlook(crossover=soon)))
    assert text is not None
    assert "P(ahead by more than 0.5 points) = 16 % by 2 times the rows, 64 % by 16 times the rows." in text
    assert "from about 21,000 rows to learn from (80 % interval 9,000 to more than 16 times the rows)" in text
    assert said("V202", evidence(verdict=CLASSICAL, outlook=outlook(crossover=crossover(0.4)))) is None
    # of two that are level nobody is overtaken
    level = outlook({1: 0.7}, crossover=soon)
    assert said("V202", evidence(verdict=verdict("cannot_tell"), outlook=outlook(crossover=soon))) == text
    assert said("V202", evidence(verdict=verdict("cannot_tell"), outlook=level)) is None
    # leading by more than the margin is what counts, not leading at all
    close = replace(soon, p_by_margin={16: 0.3})
    assert said("V202", evidence(verdict=CLASSICAL, outlook=outlook(crossover=close))) is None


def test_v203_is_said_where_both_gain_more_than_they_are_apart() -> None:
    rising = {"classical": curve(0.9, 0.6, "rising"), "deep": curve(1.6, 1.0, "rising")}
    near = verdict("tie", families=contrast(0.4))
    text = said("V203", evidence(verdict=near, curves=rising))
    assert text is not None
    assert "classical ML 0.9 points (80 % interval 0.3 to 1.5) and deep learning 1.6 points" in text
    assert "each at least the 0.4 points between the two. Collect rows first" in text
    assert said("V203", evidence(verdict=verdict("deep"), curves=rising)) is None
    assert said("V203", evidence(verdict=near, curves={**rising, "deep": curve(still="unclear")})) is None


def test_v204_is_said_where_both_are_on_a_plateau() -> None:
    flat = {"classical": curve(0.1), "deep": curve(0.05)}
    text = said("V204", evidence(curves=flat))
    assert text is not None
    assert (
        "deep learning 0.05 points (80 % interval -0.15 to 0.25), less than the margin of 0.5 points each."
        in text
    )
    assert said("V204", evidence(curves={**flat, "deep": curve(1.0, still="rising")})) is None
    assert said("V204", evidence(curves={"classical": curve()})) is None


def test_v205_is_said_where_the_one_ahead_overtook_within_the_measured_sizes() -> None:
    ahead = crossover(0.1, leader="deep", overtook=overtook(712.0, 300.0, 1_430.0))
    text = said("V205", evidence(verdict=verdict("deep"), outlook=outlook(crossover=ahead)))
    assert text is not None
    assert "deep learning overtook near 710 rows to learn from (80 % interval 300 to 1,400 rows)" in text
    assert said("V205", evidence(verdict=verdict("tie"), outlook=outlook(crossover=ahead))) is None
    late = replace(ahead, overtook=overtook(2_000.0, 1_000.0, 2_400.0))
    assert said("V205", evidence(verdict=verdict("deep"), outlook=outlook(crossover=late))) is None


def test_v206_is_said_of_a_curve_that_cannot_be_extended() -> None:
    text = said("V206", evidence(curves=ILL))
    assert text is not None and "Deep learning: The error rose between 400 and 800 rows." in text
    assert "Classical" not in text
    assert said("V206", evidence(curves={"classical": curve(), "deep": curve(behaviour="few")})) is None


@pytest.mark.parametrize("code", ["V201", "V202", "V203", "V204", "V208", "V209", "V210"])
def test_v206_silences_every_forecast(code: str) -> None:
    likely = dict.fromkeys((2, 4, 8, 16), 0.7)
    for answer in ("classical", "tie"):
        for some in (outlook(), outlook(likely), outlook(deep=likely), outlook(crossover=crossover(0.7))):
            for still in ("rising", "plateau"):
                curves = {"classical": curve(2.0, still=still), "deep": replace(ILL["deep"], still=still)}
                near = replace(verdict(answer), families=contrast(0.1))
                assert said(code, evidence(verdict=near, outlook=some, curves=curves)) is None


def test_v207_is_said_of_few_rows_or_a_rare_class() -> None:
    base = evidence()
    rare = replace(base.outcome, target=(np.arange(3_000) < 12).astype(np.int64))
    text = said("V207", replace(base, outcome=rare))
    assert (
        text == "The class 'yes' has only 12 rows: an answer from so few may well change when rows are added."
    )
    few = replace(base.outcome, target=base.outcome.target[:400])
    assert (said("V207", replace(base, outcome=few)) or "").startswith("There are 400 rows:")
    assert said("V207", base) is None
    assert said("V207", evidence(numbers=True)) is None


def test_v208_is_said_where_the_lead_melts() -> None:
    melting = outlook({2: 0.7, 4: 0.5, 8: 0.65, 16: 0.72})
    text = said("V208", evidence(verdict=CLASSICAL, outlook=melting))
    # at twice the rows it is likely too, but not at four times: the lead melts for good from eight times on
    assert text is not None
    assert "from 8 times the rows (19,000 rows to learn from)" in text and "P = 65 %" in text
    assert said("V201", evidence(verdict=CLASSICAL, outlook=melting)) is None
    assert said("V208", evidence(verdict=CLASSICAL, outlook=outlook({8: 0.9, 16: 0.5}))) is None
    assert said("V208", evidence(verdict=verdict("tie"), outlook=melting)) is None


def test_v209_is_said_where_no_difference_is_to_be_expected() -> None:
    calm = outlook({2: 0.9, 4: 0.8, 8: 0.75, 16: 0.66})
    text = said("V209", evidence(outlook=calm))
    assert (
        text is not None and "up to 16 times the rows (38,000 rows to learn from): P = 66 % or more" in text
    )
    assert said("V209", evidence(outlook=outlook({2: 0.9, 4: 0.8, 8: 0.75, 16: 0.5}))) is None
    assert said("V209", evidence(verdict=CLASSICAL, outlook=calm)) is None


def test_v210_is_said_where_a_tie_is_likely_to_part() -> None:
    parting = outlook({2: 0.8, 4: 0.7}, {8: 0.61, 16: 0.75})
    text = said("V210", evidence(outlook=parting))
    assert text is not None
    assert text.startswith(
        "At 8 times the rows (19,000 rows to learn from) deep learning is likely to be better"
    )
    assert "P = 61 %" in text
    assert said("V210", evidence(outlook=outlook({2: 0.9, 4: 0.8, 8: 0.8, 16: 0.8}))) is None
    assert said("V210", evidence(verdict=verdict("deep"), outlook=parting)) is None
