"""Laws of the forecast over time, what was cut off, and whom no answer may name as the loser."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from outcomes import a_trial, by_errors, outcome, table

from fathometer.study.ledger import Trial
from fathometer.study.outcome import Outcome
from fathometer.verdict.compare import contrast
from fathometer.verdict.cut_off import apart, doublings_left, last_gain, next_gain, reach, share_done
from fathometer.verdict.decide import decide
from fathometer.verdict.minutes import FACTORS, Minutes, foresee_minutes, measured_at
from fathometer.verdict.more_time import option

ROWS = 6_000
FALLING = tuple((step, 2.0 * 0.72 ** np.log2(step + 1)) for step in range(9))
FLAT = ((0, 0.7), *((step, 0.5) for step in range(1, 9)))


def a_study(deep: float = 0.14, classical: float = 0.10, *, last: float = 51.0, **cut: Any) -> Outcome:
    """Error rates of both families; the budget was used up, and what `cut` says of deep learning's fits."""
    rng = np.random.default_rng(3)
    codes = (rng.permutation(ROWS) < 0.4 * ROWS).astype(np.int64)
    order = rng.random(ROWS)
    wrong = {"classical": order < classical, "deep": order < deep, "together": order < min(classical, deep)}
    made = outcome(by_errors(codes, wrong), codes)
    trials = [replace(t, at=last, cpu_seconds=9.0) for t in made.trials]
    return replace(made, trials=tuple(replace(t, **cut) if t.family == "deep" else t for t in trials))


def planned(epochs: int, wanted: int, curve: Any = FALLING) -> dict[str, Any]:
    """A network that planned so many epochs of those it wanted, and ended by its plan."""
    return {
        "decided": {"steps": epochs * 10, "epochs_wanted": wanted, "steps_an_epoch": 10},
        "curve": curve,
    }


def look(study: Outcome) -> Minutes:
    found = foresee_minutes(study, contrast(study, "classical", "deep"))
    assert found is not None
    return found


def fit(**changes: Any) -> Trial:
    return a_trial("deep", "f0", **changes)


def test_a_run_whose_families_ended_by_plan_forecasts_no_change() -> None:
    study = a_study(last=10.0, **planned(8, 8))
    study = replace(study, trials=tuple(replace(t, cpu_seconds=0.1) for t in study.trials))
    found = look(study)
    assert all(reach.is_over and not reach.learners for reach in found.families.values())
    now = found.factors[0]
    for later in found.factors[1:]:
        assert (later.gap, later.low, later.high) == (now.gap, now.low, now.high)
        assert (later.p_deep, later.p_tie, later.p_classical) == (now.p_deep, now.p_tie, now.p_classical)
    verdict = decide(study, table(study))
    assert verdict.answer == "classical"
    assert (
        verdict.more_time
        == "More time would change nothing: both families had come to their end with time left."
    )


def test_a_run_that_was_interrupted_is_not_over() -> None:
    study = a_study(last=10.0)
    more = [*study.run["splits"]["folds"], ["f5", 1]]
    study = replace(study, run={**study.run, "splits": {**study.run["splits"], "folds": more}})
    assert not reach(study, "deep").is_over


def test_a_family_that_was_cut_off_while_catching_up_is_not_named_the_loser() -> None:
    ended = a_study(**planned(8, 8))
    assert decide(ended, table(ended)).answer == "classical"
    cut = a_study(**planned(8, 64))
    verdict = decide(cut, table(cut))
    assert verdict.answer == "leaning_classical"
    assert verdict.catching_up == "deep"
    assert verdict.use == "classical"
    assert "compare again with --budget 5m" in verdict.sentence
    assert "had 12 % of its epochs" in verdict.sentence
    assert any("with five times the minutes" in one for one in verdict.weak)
    assert "Whether deep learning would overtake within 25 times the minutes is open" in verdict.more_time


def test_a_family_that_was_cut_off_but_gains_nothing_may_be_named_the_loser() -> None:
    flat = a_study(**planned(8, 64, FLAT))
    assert decide(flat, table(flat)).answer == "classical"


def test_a_family_that_was_cut_off_far_behind_may_be_named_the_loser() -> None:
    far = a_study(deep=0.38, **planned(8, 64))
    assert decide(far, table(far)).answer == "classical"


def test_a_winner_that_was_cut_off_is_still_named() -> None:
    ahead = a_study(deep=0.06, classical=0.10, **planned(8, 64))
    assert decide(ahead, table(ahead)).answer == "deep"


def test_a_tie_that_would_grow_apart_only_leans() -> None:
    level = a_study(deep=0.1001, classical=0.10, **planned(8, 8))
    assert decide(level, table(level)).answer == "tie"
    cut = a_study(deep=0.1001, classical=0.10, **planned(8, 64))
    verdict = decide(cut, table(cut))
    assert (verdict.answer, verdict.catching_up) == ("leaning_tie", "deep")


def test_more_time_never_narrows_what_is_believed() -> None:
    for cut in (planned(8, 64), planned(8, 8), {"decided": {"stopped_at": 4}, "curve": FALLING}):
        found = look(a_study(**cut))
        widths = [later.high - later.low for later in found.factors]
        changes = [later.change_high - later.change_low for later in found.factors]
        assert widths == sorted(widths)
        assert changes == sorted(changes)
        assert changes[0] == 0.0
        for later in found.factors:
            assert min(later.p_deep, later.p_tie, later.p_classical) >= 0.0
            assert later.p_deep + later.p_tie + later.p_classical == pytest.approx(1.0)
            assert later.low <= later.gap <= later.high


def test_learners_that_were_not_reached_make_it_wider() -> None:
    study = a_study(**planned(8, 8))
    missed = look(replace(study, suited={"classical": 9, "deep": 4}))
    reached = look(replace(study, suited={"classical": 1, "deep": 1}))
    for factor in FACTORS:
        wide, narrow = missed.at(factor), reached.at(factor)
        assert wide is not None
        assert narrow is not None
        assert wide.change_high - wide.change_low > narrow.change_high - narrow.change_low


def test_the_forecast_is_a_pure_function_of_the_record() -> None:
    study = a_study(**planned(8, 64))
    assert look(study) == look(study)
    turned = replace(study, trials=tuple(reversed(study.trials)))
    assert look(turned).factors == look(study).factors


def test_the_two_families_are_treated_alike() -> None:
    """With the names exchanged everything is turned round."""
    study = a_study(deep=0.14, classical=0.10, **planned(8, 64))
    other = {"classical": "deep", "deep": "classical", "baseline": "baseline"}
    names = {"classical": "deep", "deep": "classical"}
    exchanged = replace(
        study,
        trials=tuple(replace(t, family=other[t.family]) for t in study.trials),
        results={names.get(name, name): folds for name, folds in study.results.items()},
    )
    for one, two in zip(look(study).factors, look(exchanged).factors, strict=True):
        assert one.gap == pytest.approx(-two.gap, abs=1e-6)
        assert one.p_deep == pytest.approx(two.p_classical, abs=1e-6)


def test_a_replay_says_nothing_of_time() -> None:
    study = a_study(**planned(8, 64))
    study = replace(study, run={**study.run, "replay": [{}]})
    assert foresee_minutes(study, contrast(study, "classical", "deep")) is None
    assert decide(study, table(study)).more_time == ""


def test_a_family_that_catches_up_overtakes_later_than_now() -> None:
    near = a_study(deep=0.12, **planned(8, 64))
    assert "Deep learning would overtake near" in decide(near, table(near)).more_time
    turn = look(near).turn
    assert turn is not None
    assert turn.leader == "classical"
    assert turn.seconds is not None
    assert turn.seconds > 60.0
    assert turn.low is not None
    assert turn.low <= turn.seconds
    assert sorted(turn.p_by.values()) == list(turn.p_by.values())


def test_scores_at_parts_of_the_time_are_at_the_level_of_all_folds() -> None:
    now = a_study(deep=0.14)
    worse = a_study(deep=0.28)
    part = replace(worse, results={name: folds[:2] for name, folds in worse.results.items()})
    found = measured_at(now, {15.0: part, 60.0: now})
    early, late = found["deep"]
    measured = 100 * (1 - np.mean([fold.losses.mean() for fold in now.results["deep"]]))
    assert late.score == pytest.approx(measured)
    assert early.score == pytest.approx(2 * measured - 100, abs=1.5)  # twice the errors
    assert (early.folds, late.folds) == (2, 5)


def test_a_network_that_planned_fewer_epochs_than_it_wanted_is_cut_off() -> None:
    assert share_done(fit(**planned(8, 32))) == 0.25
    assert doublings_left(fit(**planned(8, 32))) == 2.0
    assert doublings_left(fit(**planned(32, 32, FALLING))) == 0.0
    assert doublings_left(fit()) == 0.0


def test_a_network_that_ended_for_want_of_gain_is_not_cut_off() -> None:
    assert doublings_left(fit(**planned(16, 64, FALLING))) == 0.0  # its curve ends at the eighth epoch


def test_a_fit_that_the_clock_stopped_is_cut_off() -> None:
    assert doublings_left(fit(decided={"stopped_at": 9})) == float("inf")
    stopped = planned(16, 64)
    stopped["decided"]["stopped_at"] = 80
    assert share_done(fit(**stopped)) == 0.125


def test_the_gain_of_the_last_doubling_is_read_from_the_curve() -> None:
    assert last_gain(((0, 9.0), (1, 4.0), (2, 2.0), (4, 1.5))) == pytest.approx(0.25)
    assert last_gain(((0, 9.0), (1, 4.0), (2, 2.0), (4, 3.0))) == 0.0
    assert last_gain(()) == 0.0


def test_a_curve_that_has_only_begun_is_doubted() -> None:
    begun, long = next_gain(fit(**planned(1, 64, FALLING[:2]))), next_gain(fit(**planned(8, 64, FLAT)))
    assert begun[1] > 5 * long[1]


def test_learners_that_agree_leave_little_to_find() -> None:
    agreeing = [fit(learner=name, valid_loss=loss) for name, loss in (("a", 0.5), ("b", 0.501), ("c", 0.502))]
    assert apart(agreeing) < 0.1
    assert apart(agreeing[:2]) == 1.0
    curve = FALLING[:2]
    assert next_gain(fit(**planned(1, 64, curve)), apart(agreeing))[1] < 0.1


@pytest.mark.parametrize(("seconds", "said"), [(75.0, "75s"), (300.0, "5m"), (3 * 3600.0, "3h")])
def test_a_budget_is_named_as_the_command_takes_it(seconds: float, said: str) -> None:
    assert option(seconds) == said
