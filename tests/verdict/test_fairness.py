"""Fairness against scipy, published intervals and brute force; what may and may not be claimed."""

from __future__ import annotations

from dataclasses import asdict, replace

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from outcomes import CLASSES, NAMES, NUMBERS, by_errors, outcome
from sklearn.metrics import roc_auc_score

from fathometer.study.outcome import Outcome
from fathometer.tasks.classification import Classification
from fathometer.verdict.fairness import (
    GROUP_ROWS_LEAST,
    MISSING,
    NAMED_MOST,
    Fairness,
    GroupErrors,
    GroupRates,
    fairness,
)
from fathometer.verdict.rates import wilson

NORMAL = 1.959963984540054
ROWS = 2_000
GROUPS = ["women" if row % 2 else "men" for row in range(ROWS)]


def study(bias: float = 0.0, folds: int = 5, clusters: npt.NDArray[np.int64] | None = None) -> Outcome:
    """One in five is truly so; every competitor errs at random, and says yes to some more women."""
    rng = np.random.default_rng(3)
    target = (rng.random(ROWS) < 0.2).astype(np.int64)
    errs = rng.random(ROWS) < 0.1
    told = np.where(errs, 1 - target, target)
    told[(np.arange(ROWS) % 2 == 1) & (rng.random(ROWS) < bias)] = 1
    return outcome(
        by_errors(target, dict.fromkeys(("classical", "deep", "together"), told != target)),
        target,
        folds=folds,
        clusters=clusters,
    )


def rates(found: Fairness, group: str, name: str = "deep") -> GroupRates:
    one = next(g for g in found.competitors[name].groups if g.group == group)
    assert isinstance(one, GroupRates)
    return one


def test_rates_are_counted_per_group() -> None:
    of = study(bias=0.3)
    found = fairness(of, "sex", GROUPS, None)
    told = np.zeros(ROWS, dtype=bool)
    for fold in of.results["deep"]:
        told[fold.rows] = fold.prediction.argmax(axis=1) == 1
    for name, member in (("men", np.arange(ROWS) % 2 == 0), ("women", np.arange(ROWS) % 2 == 1)):
        one, truly = rates(found, name), of.target == 1
        assert one.selection_rate is not None and one.tpr is not None and one.fpr is not None
        assert one.rows == ROWS / 2
        assert one.selection_rate[0] == pytest.approx(told[member].mean())
        assert one.tpr[0] == pytest.approx(told[member & truly].mean())
        assert one.fpr[0] == pytest.approx(told[member & ~truly].mean())
        assert one.selection_rate[1:] == pytest.approx(wilson(told[member].mean(), ROWS / 2, NORMAL))
        assert one.score is not None
        assert one.score[0] == pytest.approx(100 * (told == truly)[member].mean())
    assert (found.column, found.positive, found.too_small, found.note) == ("sex", "yes", (), "")


def test_a_bias_is_seen_and_fairness_is_not_called_bias() -> None:
    biased = fairness(study(bias=0.3), "sex", GROUPS, None).competitors["deep"].differences
    fair = fairness(study(), "sex", GROUPS, None).competitors["deep"].differences
    assert biased["selection_rate"][1] > 0.1 and biased["fpr"][1] > 0.1
    assert all(low < 0 < high for what in fair.values() for _, low, high in [what])


def test_the_baseline_treats_all_alike() -> None:
    found = fairness(study(), "sex", GROUPS, None).competitors["baseline"]
    assert found.differences["selection_rate"][0] == 0
    assert found.differences["selection_rate"][1] < 0 < found.differences["selection_rate"][2]


def test_repeats_do_not_narrow_an_interval() -> None:
    once = fairness(study(folds=5), "sex", GROUPS, None)
    thrice = fairness(study(folds=15), "sex", GROUPS, None)
    assert once == thrice


def test_differing_repeats_are_averaged() -> None:
    of = study(folds=10)
    flipped = tuple(
        replace(fold, prediction=fold.prediction[:, ::-1]) if fold.repeat == 1 else fold
        for fold in of.results["deep"]
    )
    found = fairness(replace(of, results={**of.results, "deep": flipped}), "sex", GROUPS, None)
    for name in ("men", "women"):
        one = rates(found, name)
        assert one.rows == ROWS / 2
        assert one.selection_rate is not None and one.selection_rate[0] == pytest.approx(0.5)
        assert one.score is not None and one.score[0] == pytest.approx(50)


def test_clusters_widen_intervals() -> None:
    apart = fairness(study(), "sex", GROUPS, None)
    # a man and the tenth man after him vary together
    together = fairness(study(clusters=np.arange(ROWS) % 40), "sex", GROUPS, None)
    mine, other = rates(apart, "men").score, rates(together, "men").score
    assert mine is not None and other is not None
    assert mine[0] == other[0]
    assert other[2] - other[1] >= mine[2] - mine[1]


def test_small_groups_are_named_and_not_claimed() -> None:
    groups = [f"group {'large' if row < ROWS - 2 * GROUP_ROWS_LEAST + 1 else row % 2}" for row in range(ROWS)]
    found = fairness(study(), "team", groups, None)
    # 99 rows are dealt to two groups: 50 and 49
    assert {g.group for g in found.competitors["deep"].groups} == {"group large", "group 1"}
    assert found.too_small == ("group 0",)
    assert found.note == ""


def test_untested_rows_make_no_group() -> None:
    of = study(folds=1)
    tested = set(of.results["deep"][0].rows.tolist())
    groups = ["tested" if row in tested else "not tested" for row in range(ROWS)]
    found = fairness(of, "part", groups, None)
    assert [g.group for g in found.competitors["deep"].groups] == ["tested"]
    assert found.too_small == ("not tested",)
    assert found.competitors["deep"].differences == {}
    assert found.note == "Only one group has at least 50 tested rows, so nothing can be compared."


def test_thousands_of_groups_are_not_all_named() -> None:
    found = fairness(study(), "id", [str(row) for row in range(ROWS)], None)
    assert len(found.too_small) == NAMED_MOST
    assert found.competitors["deep"].groups == ()
    assert found.note == (
        "No group has at least 50 tested rows, so nothing can be compared. "
        "2,000 groups have fewer; 50 of them are named."
    )


def test_missing_is_a_group() -> None:
    groups: list[str | None] = [None if row % 2 else "said" for row in range(ROWS)]
    found = fairness(study(), "sex", groups, None)
    assert {g.group for g in found.competitors["deep"].groups} == {"said", MISSING}


@settings(deadline=None, max_examples=25)
@given(st.text(), st.text(min_size=1))
def test_hostile_names_are_data(one: str, other: str) -> None:
    """Whatever the names, the figures are those of plain ones."""
    column = other
    if one == other:
        other += "'"
    of = study()
    found = fairness(of, column, [one if row % 2 else other for row in range(ROWS)], None)
    plain = fairness(of, "sex", GROUPS, None)
    assert found.column == column
    assert replace(rates(found, one), group="") == replace(rates(plain, "women"), group="")
    assert replace(rates(found, other), group="") == replace(rates(plain, "men"), group="")
    assert found.competitors["deep"].differences == plain.competitors["deep"].differences


@pytest.mark.parametrize(
    "name", ["", "\x00", "a\x00", "nan", "<b>", "=1+1", "\ud800", "a\nb", "(missing)", "\u202e"]
)
def test_odd_names_stay_apart(name: str) -> None:
    found = fairness(study(), "x", [name if row % 2 else "plain" for row in range(ROWS)], None)
    assert {g.group for g in found.competitors["deep"].groups} == {name, "plain"}


def test_favourable_is_named_or_the_rarer() -> None:
    of = study()
    assert fairness(of, "sex", GROUPS, None).positive == "yes"
    assert fairness(replace(of, target=1 - of.target), "sex", GROUPS, None).positive == "no"
    named = fairness(of, "sex", GROUPS, 0)
    assert named.positive == "no"
    straight, turned = rates(fairness(of, "sex", GROUPS, 1), "men"), rates(named, "men")
    assert straight.selection_rate is not None and turned.selection_rate is not None
    assert turned.selection_rate[0] == pytest.approx(1 - straight.selection_rate[0])
    assert straight.tpr is not None and turned.fpr is not None
    assert turned.fpr[0] == pytest.approx(1 - straight.tpr[0])


def test_the_widest_difference_of_many_equal_groups_is_seldom_called_one() -> None:
    rng = np.random.default_rng(1)
    target = (rng.random(ROWS) < 0.3).astype(np.int64)
    called = 0
    for _ in range(60):
        told = (rng.random(ROWS) < 0.3).astype(np.int64)
        of = outcome(by_errors(target, dict.fromkeys(NAMES[1:], told != target)), target)
        of = replace(of, results={"deep": of.results["deep"]})
        groups = [str(group) for group in rng.integers(0, 8, ROWS)]
        called += fairness(of, "team", groups, 1).competitors["deep"].differences["selection_rate"][1] > 0
    assert called <= 6  # one in twenty is 3


def test_more_classes_have_scores_and_the_named_rate() -> None:
    task = Classification("answer", "accuracy", 0.5, ("a", "b", "c"))
    rng = np.random.default_rng(0)
    target = rng.integers(0, 3, ROWS)
    said = dict.fromkeys(NAMES, rng.dirichlet(np.ones(3), ROWS))
    of = outcome(said, target, task=task)
    plain, named = fairness(of, "sex", GROUPS, None), fairness(of, "sex", GROUPS, 2)
    assert (plain.positive, named.positive) == (None, "c")
    one, other = rates(plain, "men"), rates(named, "men")
    assert one.score == other.score and one.score is not None
    assert (one.selection_rate, one.tpr, one.fpr) == (None, None, None)
    assert other.selection_rate is not None and other.selection_rate[0] == pytest.approx(
        (said["deep"][::2].argmax(axis=1) == 2).mean()
    )
    assert (other.tpr, other.fpr) == (None, None)
    assert set(plain.competitors["deep"].differences) == {"score"}


def test_a_groups_auc_is_of_its_rows_alone() -> None:
    rng = np.random.default_rng(0)
    target = (rng.random(ROWS) < 0.3).astype(np.int64)
    second = np.clip(0.3 * target + rng.random(ROWS) * 0.7, 0, 1)
    task = replace(CLASSES, metric="auc")
    of = outcome(dict.fromkeys(NAMES, np.column_stack([1 - second, second])), target, task=task)
    one = rates(fairness(of, "sex", GROUPS, None), "men").score
    assert one is not None
    assert one[0] == pytest.approx(100 * roc_auc_score(target[::2], second[::2]))
    assert one[1] < one[0] < one[2]


def test_a_group_of_one_class_has_no_auc() -> None:
    target = (np.arange(ROWS) % 4 == 1).astype(np.int64)  # no man is one
    said = dict.fromkeys(NAMES, np.random.default_rng(0).dirichlet([1, 1], ROWS))
    found = fairness(outcome(said, target, task=replace(CLASSES, metric="auc")), "sex", GROUPS, None)
    men = rates(found, "men")
    assert men.score is None and men.tpr is None and men.fpr is not None
    assert set(found.competitors["deep"].differences) == {"selection_rate", "fpr"}


def test_numbers_have_mean_errors() -> None:
    rng = np.random.default_rng(0)
    target = rng.normal(size=ROWS)
    too_high = np.where(np.arange(ROWS) % 2 == 1, 0.5, 0.0)
    said = dict.fromkeys(NAMES, target + too_high + rng.normal(0, 1, ROWS))
    found = fairness(outcome(said, target, task=NUMBERS), "sex", GROUPS, None)
    assert found.positive is None
    men, women = sorted(found.competitors["deep"].groups, key=lambda group: group.group)
    assert isinstance(men, GroupErrors) and isinstance(women, GroupErrors)
    assert men.mean_error is not None and women.mean_error is not None and women.score is not None
    off = (said["deep"] - target)[1::2]
    assert women.mean_error[0] == pytest.approx(off.mean())
    half = NORMAL * off.std(ddof=1) / np.sqrt(len(off))
    assert women.mean_error[1:] == pytest.approx((off.mean() - half, off.mean() + half), rel=0.02)
    assert women.score[0] == pytest.approx(np.sqrt((off**2).mean()))
    difference = found.competitors["deep"].differences["mean_error"]
    assert difference[1] < 0.5 < difference[2] and difference[1] > 0.3


def test_what_cannot_be_meant_is_refused() -> None:
    with pytest.raises(ValueError, match="a group for each of 2000 rows, got 3"):
        fairness(study(), "sex", ["a", "b", "c"], None)
    with pytest.raises(ValueError, match="a class from 0 to 1, got 2"):
        fairness(study(), "sex", GROUPS, 2)


def test_nothing_tested_is_said() -> None:
    of = replace(study(), results=dict.fromkeys(NAMES, ()))
    found = fairness(of, "sex", GROUPS, None)
    assert found.note == "Nothing was tested yet."
    assert all(one.groups == () for one in found.competitors.values())


def test_fields_are_those_of_the_record() -> None:
    found = asdict(fairness(study(), "sex", GROUPS, None))
    assert list(found) == ["column", "positive", "competitors", "too_small", "note"]
    one = found["competitors"]["deep"]
    assert list(one) == ["groups", "differences"]
    assert list(one["groups"][0]) == ["group", "rows", "selection_rate", "tpr", "fpr", "score"]
    assert set(one["differences"]) == {"selection_rate", "tpr", "fpr", "score"}
    assert all(len(estimate) == 3 for estimate in one["differences"].values())
