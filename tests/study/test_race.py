"""Who goes on in a race, and what a recipe will take."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fathometer.study.ledger import Trial
from fathometer.study.race import (
    BEHIND,
    FIXED_SECONDS,
    Finished,
    different,
    judged_loss,
    ranked,
    relative_skill,
    standing,
)


def a_trial(learner: str, fold: str = "r0f0", **values: Any) -> Trial:
    given: dict[str, Any] = {
        "settings": {},
        "turn": 1,
        "seed": 0,
        "stage": "race",
        "status": "done",
        **values,
    }
    key = f"{fold}-{learner}-{given['settings']}"
    return Trial(key, given.pop("family", "classical"), learner, learner, fold=fold, **given)


def test_a_small_fit_is_ranked_by_rows_that_it_was_not_given() -> None:
    vain = a_trial("vain", "r0f0@8", valid_loss=0.1, screen_loss=0.9)
    plain = a_trial("plain", "r0f0@8", valid_loss=0.5, screen_loss=0.5)
    assert [trial.learner for trial in ranked([vain, plain])] == ["plain", "vain"]
    assert judged_loss(a_trial("whole", valid_loss=0.3)) == 0.3
    assert ranked([a_trial("failed", valid_loss=None)]) == []


def test_standing_compares_each_recipe_with_the_best_at_its_own_largest_size() -> None:
    whole = [a_trial("a", valid_loss=0.2), a_trial("b", valid_loss=0.6)]
    looks = [
        a_trial("a", "r0f0@8", valid_loss=0.5, screen_loss=0.5),
        a_trial("c", "r0f0@8", valid_loss=0.4, screen_loss=0.4),
    ]
    stood = [(trial.learner, skill) for skill, trial in standing([whole, looks], 1.0)]
    assert stood == [("a", 1.0), ("c", 1.0), ("b", pytest.approx(0.5))]


@given(best=st.floats(0.01, 0.9), behind=st.floats(0.0, 1.0), naive=st.floats(0.95, 2.0))
def test_skill_is_one_for_the_best_and_falls_with_the_loss(best: float, behind: float, naive: float) -> None:
    skill = relative_skill(best + behind, best, naive)
    assert skill <= 1.0
    assert relative_skill(best, best, naive) == 1.0
    assert relative_skill(naive, best, naive) == pytest.approx(0.0)
    assert skill >= relative_skill(best + behind + 0.1, best, naive)


def test_without_a_baseline_or_where_none_beats_it_losses_decide() -> None:
    assert relative_skill(0.5, 0.4, None) == pytest.approx(0.8)
    assert relative_skill(1.5, 1.2, 1.0) == pytest.approx(0.8)
    assert relative_skill(0.0, 0.0, None) == 1.0
    assert BEHIND < 1


def test_different_takes_the_first_of_each_learner() -> None:
    several = [a_trial("a"), a_trial("a", settings={"x": 1}), a_trial("b"), a_trial("c")]
    assert [trial.learner for trial in different(several, 2)] == ["a", "b"]
    assert different(several, 2)[0] is several[0]


def finished(*trials: Trial) -> Finished:
    found = Finished("classical")
    found.look(trials)
    return found


def test_what_a_recipe_takes_grows_as_it_was_seen_to_grow() -> None:
    one = [a_trial("a", f"r0f0@{d}", cpu_seconds=FIXED_SECONDS + 16.0 / d**2) for d in (8, 4)]
    recipe = one[0].recipe
    assert finished(*one).expected_seconds(recipe, 1, 1.0) == pytest.approx(FIXED_SECONDS + 16.0, rel=0.1)
    assert finished(*one).expected_seconds(recipe, 4, 1.0) == one[1].cpu_seconds
    linear = finished(one[0]).expected_seconds(recipe, 1, 1.0)
    square = finished(one[0]).expected_seconds(recipe, 1, 2.0)
    assert linear == pytest.approx(FIXED_SECONDS + 2.0) and square == pytest.approx(FIXED_SECONDS + 16.0)
    assert finished(*one).expected_seconds("another", 1, 1.0) is None
    assert (
        finished(a_trial("a", cpu_seconds=3.0)).expected_seconds(recipe, 8, 1.0) is None
    )  # small by large: unknown


def test_finished_trials_are_entered_once_and_those_of_others_never() -> None:
    trials = [a_trial("a", cpu_seconds=2.0, shared_seconds=1.5), a_trial("b", family="deep", cpu_seconds=9.0)]
    found = finished(*trials)
    found.look(trials)
    trials.append(a_trial("c", "r0f0@2", cpu_seconds=1.0))
    trials.append(a_trial("d", stage="refit", cpu_seconds=50.0))
    found.look(trials)
    assert found.spent == 3.0 and found.for_features == 1.5
    assert found.used_on("r0f0") == 1.5
    assert [trial.learner for trial in found.on("r0f0@2")] == ["c"]
    assert found.keys == {trials[0].key, trials[2].key}
