"""Reasons V601 to V610: how the comparison went."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from evidences import (
    a_study,
    crossover,
    earlier,
    evidence,
    minutes,
    odds,
    outlook,
    said,
    standings_with,
    verdict,
)

from fathometer.study.outcome import Optimism

DEEP = verdict("deep")


def test_v601_is_said_where_the_answer_changed_with_the_budget() -> None:
    text = said("V601", evidence(verdict=DEEP, earlier=earlier("leaning_classical", "tie", "deep")))
    assert text == (
        "The answer turned with the budget: with a quarter of the budget (15 seconds) classical ML, with half "
        "of the budget (30 seconds) no practical difference, with all of it deep learning. A longer run may turn "
        "it again."
    )
    assert (
        said("V601", evidence(verdict=DEEP, earlier=earlier("cannot_tell", "leaning_deep", "deep"))) is None
    )
    assert said("V601", evidence(verdict=DEEP)) is None


def test_v602_is_said_where_no_winner_may_be_named() -> None:
    weak = verdict("leaning_deep", weak=("only 200 rows could be tested on, fewer than 300", "only 5 groups"))
    assert said("V602", evidence(verdict=weak)) == (
        "No winner may be named: only 200 rows could be tested on, fewer than 300; only 5 groups."
    )
    assert said("V602", evidence(verdict=DEEP)) is None


def test_v603_is_said_of_trials_cut_short_or_failed() -> None:
    cut = standings_with(deep={"trials": 12, "cut_short": 9})
    assert said("V603", evidence(table=cut)) == (
        "Deep learning: of 12 trials 9 were stopped by the clock before they were done."
    )
    failed = evidence(table=standings_with(classical={"trials": 10, "failed": 2}))
    trials = [
        replace(t, status="failed", reason="out of memory") if t.family == "classical" else t
        for t in failed.outcome.trials
    ]
    failed = replace(failed, outcome=replace(failed.outcome, trials=tuple(trials)))
    assert said("V603", failed) == "Classical ML: of 10 trials 2 failed (the first: 'out of memory')."
    fine = standings_with(deep={"trials": 12, "cut_short": 5, "failed": 2})
    assert said("V603", evidence(table=fine)) is None


def test_v604_is_said_where_the_odds_said_otherwise() -> None:
    text = said("V604", evidence(verdict=DEEP, odds=odds(0.09, 0.5, 0.41)))
    assert text is not None and "(deep learning) were only 9 %. Of 265 public tables." in text
    assert said("V604", evidence(verdict=DEEP, odds=odds(0.2, 0.4, 0.4))) is None
    assert said("V604", evidence(verdict=verdict("cannot_tell"), odds=odds(0.09, 0.5, 0.41))) is None


def test_v605_is_said_of_learners_that_were_not_tried() -> None:
    base = evidence()
    missing = (("catboost", "its package is not installed."), ("svm", "more than 20,000 rows"))
    text = said("V605", replace(base, outcome=replace(base.outcome, not_tried=missing)))
    assert text == (
        "2 learners were not tried: 'catboost' (its package is not installed), 'svm' (more than 20,000 rows)."
    )
    many = tuple((f"learner{k}", "slow") for k in range(6))
    assert "and 3 more." in (said("V605", replace(base, outcome=replace(base.outcome, not_tried=many))) or "")
    assert said("V605", base) is None


def test_v606_is_said_where_the_forecasts_disagree() -> None:
    text = said("V606", evidence(outlook=outlook(disagreement=0.31)))
    assert text is not None and "differ by up to 31 points in a probability" in text
    assert said("V606", evidence(outlook=outlook(disagreement=0.2))) is None
    assert said("V606", evidence()) is None


def test_v606_silences_what_rests_on_the_forecast() -> None:
    likely = dict.fromkeys((2, 4, 8, 16), 0.7)
    said_by = {
        "V201": (verdict("classical"), outlook()),
        "V202": (verdict("classical"), outlook(crossover=crossover(0.7))),
        "V208": (verdict("classical"), outlook(likely)),
        "V209": (verdict("tie"), outlook(likely)),
        "V210": (verdict("tie"), outlook(deep=likely)),
    }
    for code, (of, forecast) in said_by.items():
        assert said(code, evidence(verdict=of, outlook=forecast)), code
        apart = replace(forecast, disagreement=0.3)
        assert said(code, evidence(verdict=of, outlook=apart)) is None, code


def test_v607_is_said_of_measures_left_out() -> None:
    skipped = {
        "robustness": "out of time",
        "importance": "failed: ValueError: no",
        "stability": "no second fold",
    }
    text = said("V607", evidence(measures={"deep": {"skipped": skipped}, "classical": {"skipped": {}}}))
    assert text is not None and text.endswith("of deep learning: robustness, importance.")
    assert said("V607", evidence(measures={"deep": {"skipped": {"stability": "no second fold"}}})) is None


def test_v608_is_said_where_less_time_gave_the_same_answer() -> None:
    assert said("V608", evidence(verdict=DEEP, earlier=earlier("leaning_deep", "deep", "deep"))) is None
    text = said("V608", evidence(verdict=DEEP, earlier=earlier("deep", "deep", "deep")))
    assert text == (
        "The answer was deep learning already with a quarter of the budget (15 seconds) and with half of the "
        "budget (30 seconds)."
    )
    assert said("V608", evidence(verdict=DEEP, earlier=earlier("tie", "deep", "deep"))) is None
    assert said("V608", evidence(verdict=DEEP)) is None


def test_v609_is_said_where_more_time_would_probably_change_the_answer() -> None:
    leaning = evidence(
        verdict=verdict("leaning_classical", catching_up="deep"), minutes=minutes(p_turned=0.4)
    )
    text = said("V609", leaning)
    assert text == (
        "Deep learning was ended by the clock while it was still gaining (a network had 12 % of its epochs, and would "
        "take 20 % off its loss by twice the steps), and with five times the minutes the chance that it is ahead is "
        "60 %."
    )
    likely = said("V609", evidence(verdict=verdict("leaning_classical"), minutes=minutes(p_turned=0.6)))
    assert likely is not None
    assert "the chance that the other family is better by more than the margin is 60 %" in likely
    assert said("V609", evidence(verdict=DEEP, minutes=minutes(p_turned=0.1))) is None
    assert said("V609", evidence(verdict=verdict("cannot_tell"), minutes=minutes(p_turned=0.9))) is None
    assert said("V609", evidence(verdict=DEEP)) is None


def test_v610_is_said_where_a_learner_looked_better_where_it_was_chosen() -> None:
    def study(ratio: float, folds: int = 5, low: float = 1.2) -> Any:
        one = Optimism("kernel SVM", "classical", 7, folds, ratio, low)
        return evidence(outcome=replace(a_study(False), optimism={"svm": one}))

    text = said("V610", study(3.1))
    assert text is not None and "kernel SVM 3.1 times (median of 7 trials)" in text
    assert said("V610", study(1.1)) is None
    assert said("V610", study(3.1, folds=2)) is None
    assert said("V610", study(3.1, low=0.9)) is None
    assert said("V610", study(float("nan"))) is None
    assert said("V610", evidence()) is None
