"""Effort: what was set by hand, and how soon trials paid, against brute force."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import asdict, fields, replace
from itertools import combinations, pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from outcomes import NAMES, NUMBERS, a_trial, by_errors, outcome

from fathometer.study.ledger import Trial
from fathometer.study.outcome import Outcome
from fathometer.study.request import Request
from fathometer.verdict.effort import POINTS_MOST, by_hand, effort, expected_best

RUN = {
    "request": {**asdict(Request("answer", {}))},
    "schema": {"columns": [{"name": "a", "guessed": True}, {"name": "b", "guessed": False}]},
    "left_out": [{"name": "c", "reason": "id"}, {"name": "d", "reason": "asked"}],
}


def study(trials: list[Trial], request: Mapping[str, Any] | None = None, folds: int = 5) -> Outcome:
    target = np.arange(200) % 2
    of = outcome(by_errors(target, dict.fromkeys(NAMES, target == 2)), target, folds=folds)
    splits = {**of.run["splits"], "sentence": "on 5 of 5 folds"}
    asked = {**RUN["request"], **(request or {})}
    return replace(of, trials=tuple(trials), run={**of.run, **RUN, "splits": splits, "request": asked})


def tried(losses: list[list[float]], **changes: Any) -> list[Trial]:
    """Deep trials with these validation losses, one list per fold."""
    return [
        a_trial("deep", f"f{k}", key=f"f{k}-{i}", settings={"width": i}, valid_loss=loss, **changes)
        for k, several in enumerate(losses)
        for i, loss in enumerate(several)
    ]


@settings(max_examples=60)
@given(st.lists(st.floats(0, 10), min_size=1, max_size=8))
def test_expected_best_is_the_mean_over_all_subsets(losses: list[float]) -> None:
    brute = [np.mean([min(chosen) for chosen in combinations(losses, k)]) for k in range(1, len(losses) + 1)]
    assert expected_best(losses) == pytest.approx(brute)


@given(st.lists(st.floats(0, 10), min_size=1, max_size=300))
def test_expected_best_falls_from_the_mean_to_the_least(losses: list[float]) -> None:
    curve = expected_best(losses)
    assert curve[0] == pytest.approx(np.mean(losses))
    assert curve[-1] == pytest.approx(min(losses))
    assert all(later <= earlier + 1e-9 for earlier, later in pairwise(curve))
    assert curve == pytest.approx(expected_best(losses[::-1]))


def test_curve_is_the_mean_over_folds_and_says_when_it_is_near() -> None:
    losses = [[0.5, 0.4, 0.3], [0.7, 0.2], [0.3, 0.3, 0.3]]
    found = effort(study(tried(losses))).families["deep"]
    curves = [expected_best(losses[0]), [0.45, 0.2, 0.2], [0.3, 0.3, 0.3]]
    assert found.curve == pytest.approx(np.mean(curves, axis=0))
    assert (found.trials, found.recipes, found.trials_to_one_percent) == (8, 3, 3)


def test_equal_trials_need_one() -> None:
    found = effort(study(tried([[0.5] * 10] * 5))).families["deep"]
    assert found.trials_to_one_percent == 1 and found.curve == pytest.approx([0.5] * 10)


def test_of_too_few_trials_nothing_is_said() -> None:
    """Among two the best is near by nature; that is no sign of a family that needs no search."""
    found = effort(study(tried([[0.5, 0.4]] * 5))).families["deep"]
    assert (found.trials, found.curve, found.trials_to_one_percent) == (10, (), None)


def test_a_long_curve_is_cut_but_counted_to_its_end() -> None:
    losses = [[1.0] * 199 + [0.5]]
    found = effort(study(tried(losses))).families["deep"]
    assert len(found.curve) == POINTS_MOST
    # the best is among k with probability k / 200, so the expectation is near only close to the end
    assert found.trials_to_one_percent == 198


def test_curve_and_ablation_trials_look_for_no_better_model() -> None:
    real = tried([[0.5, 0.4, 0.6]] * 5)
    aside = [
        a_trial("deep", "f0@4", key="c", stage="curve", valid_loss=0.0),
        a_trial("deep", "f0~raw", key="d", stage="ablation", valid_loss=0.0),
        a_trial("deep", "f0@2~raw", key="e", stage="ablation", valid_loss=0.0),
    ]
    assert effort(study(real)) == effort(study(real + aside))


def test_failed_trials_count_as_trials_only() -> None:
    real = tried([[0.5, 0.4, 0.6]] * 5)
    failed = a_trial("deep", "f0", key="f", settings={"width": 99}, status="failed", valid_loss=None)
    without, with_it = (effort(study(trials)).families["deep"] for trials in (real, [*real, failed]))
    assert with_it == replace(without, trials=without.trials + 1, recipes=without.recipes + 1)


def test_folds_of_repeats_are_not_on_the_curve() -> None:
    real = tried([[0.5, 0.4, 0.6]] * 5)
    repeat = [a_trial("deep", "f7", key="g", stage="repeats", valid_loss=0.01)]
    with_it = effort(study(real + repeat, folds=10)).families["deep"]
    assert with_it.curve == effort(study(real)).families["deep"].curve
    assert with_it.trials == 16


def test_spread_is_the_middle_half_of_random_settings() -> None:
    presets = tried([[1.0]])
    searched = tried([[1.0, 1.1, 1.2, 1.3, 1.4]], stage="search")
    found = effort(study(presets + searched)).families["deep"]
    assert found.spread == pytest.approx(20)
    assert effort(study(presets + searched[:4])).families["deep"].spread is None


def test_numbers_are_read_in_their_own_unit() -> None:
    of = replace(study(tried([[4.0, 9.0, 16.0]])), task=NUMBERS)
    assert effort(of).families["deep"].curve == pytest.approx([3.0, 7 / 3, 2.0])  # RMSE, of squared errors


def test_an_untested_run_has_no_curve() -> None:
    of = study(tried([[0.5, 0.4, 0.6]]))
    found = effort(replace(of, results=dict.fromkeys(NAMES, ()))).families["deep"]
    assert (found.trials, found.curve, found.trials_to_one_percent, found.spread) == (3, (), None, None)


def test_nothing_asked_is_nothing_by_hand() -> None:
    assert by_hand(asdict(Request("answer", {}))) == ()
    assert by_hand({}) == ()


def test_choices_are_spelled_as_options() -> None:
    asked = asdict(
        Request(
            "answer",
            {"zip": "category", "Lot Area": "number"},
            drop=("id", "it's"),
            keep=("age",),
            time="none",
            metric="auc",
            margin=0.25,
            learners=("linear", "mlp"),
            seed=3,
        )
    )
    told = by_hand(asked)
    assert told == (
        "--kind zip=category",
        "--kind 'Lot Area=number'",
        "--drop id",
        "--drop 'it'\"'\"'s'",
        "--keep age",
        "--time none",
        "--metric auc",
        "--margin 0.25",
        "--learner linear",
        "--learner mlp",
        "--seed 3",
    )


@given(st.text(min_size=1, max_size=20), st.text(max_size=20))
def test_hostile_names_are_one_word_of_a_shell(name: str, other: str) -> None:
    told = by_hand({**asdict(Request("answer", {name: "text"})), "drop": [other]})
    assert [shlex.split(text) for text in told] == [["--kind", f"{name}=text"], ["--drop", other]]


def test_every_choice_counts() -> None:
    """A new field of the request is told of without anyone thinking of it here."""
    other = {"kinds": {"a": "text"}, "seed": 1, "recipes": 2, "margin": 0.1}
    for field in fields(Request):
        if field.name != "target":
            value = other.get(field.name, ["x"] if field.default == () else "x")
            assert len(by_hand({field.name: value})) == 1, field.name


def test_what_was_asked_was_not_found_out() -> None:
    told = effort(study(tried([[0.5]]))).automatic
    assert "The kind of 1 column was found out from the cells." in told
    assert "1 column was left out, and it is said why." in told
    assert "The metric was chosen: accuracy." in told
    assert all(sentence.endswith(".") for sentence in told)
    asked = effort(
        study(tried([[0.5]]), {"task": "classification", "metric": "accuracy", "margin": 0.5})
    ).automatic
    assert not any(word in " ".join(asked) for word in ("task", "metric", "smallest difference"))


def test_fields_are_those_of_the_record() -> None:
    found = asdict(effort(study(tried([[0.5]]))))
    assert list(found) == ["by_hand", "automatic", "families"]
    assert list(found["families"]) == ["classical", "deep"]
    assert list(found["families"]["deep"]) == [
        "trials",
        "recipes",
        "trials_to_one_percent",
        "curve",
        "spread",
    ]
