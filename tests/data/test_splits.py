"""Laws of the folds, whatever the rows."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fathometer.data.splits import CLUSTERS_LEAST, FOLDS, REPEATS, TEST_ROWS_MOST, Splits, deal, make_splits
from fathometer.errors import UserError

Codes = npt.NDArray[np.int64]


def split(
    strata: Codes,
    clusters: Codes | None = None,
    order: Codes | None = None,
    *,
    grouped: bool = False,
    seed: int = 0,
) -> Splits:
    own = np.arange(len(strata)) if clusters is None else clusters
    return make_splits(strata, own, order, grouped, seed)


@st.composite
def tables(draw: st.DrawFn) -> tuple[Codes, Codes]:
    """Strata and clusters: many shapes, from all rows apart to one giant cluster."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    rows = draw(st.integers(20, 400))
    strata = rng.integers(0, draw(st.integers(1, 6)), rows)
    shape = draw(st.sampled_from(["apart", "pairs", "groups", "giant"]))
    if shape == "apart":
        clusters = np.arange(rows)
    elif shape == "pairs":
        clusters = rng.integers(0, rows, rows)
    elif shape == "groups":
        clusters = rng.integers(0, draw(st.integers(CLUSTERS_LEAST, 30)), rows)
        clusters[:CLUSTERS_LEAST] = np.arange(CLUSTERS_LEAST)
    else:
        clusters = np.where(rng.random(rows) < 0.9, 0, np.arange(rows))
        clusters[:CLUSTERS_LEAST] = np.arange(CLUSTERS_LEAST) + rows
    return strata.astype(np.int64), rng.permutation(rows)[
        clusters % rows
    ] * 7 if shape != "giant" else clusters


def check(splits: Splits, clusters: Codes) -> None:
    """What every fold must keep, however it was made."""
    rows = len(clusters)
    for fold in splits.folds:
        parts = [fold.train, fold.valid, fold.test]
        assert all(len(part) for part in parts), f"{fold.name} has an empty part"
        together = np.concatenate(parts)
        assert len(np.unique(together)) == len(together) <= rows
        assert together.min() >= 0
        assert together.max() < rows
        sides = [set(clusters[part].tolist()) for part in parts]
        assert not sides[0] & sides[1]
        assert not sides[0] & sides[2]
        assert not sides[1] & sides[2]
    for repeat in {fold.repeat for fold in splits.folds}:
        tested = np.concatenate([fold.test for fold in splits.folds if fold.repeat == repeat])
        assert len(np.unique(tested)) == len(tested), "a row is tested twice in one pass"
    learned, chosen = splits.everything
    assert len(learned)
    assert len(chosen)
    assert np.array_equal(np.sort(np.concatenate([learned, chosen])), np.arange(rows))
    if splits.how != "forward":
        assert not set(clusters[learned].tolist()) & set(clusters[chosen].tolist())
    assert len({fold.name for fold in splits.folds}) == len(splits.folds)
    assert 1 <= splits.first <= len(splits.folds)


@given(table=tables(), seed=st.integers(0, 5))
@settings(deadline=None, max_examples=150)
def test_parts_are_apart_and_clusters_are_whole(table: tuple[Codes, Codes], seed: int) -> None:
    strata, clusters = table
    splits = split(strata, clusters, seed=seed)
    check(splits, clusters)
    for repeat in range(REPEATS):
        tested = np.concatenate([fold.test for fold in splits.folds if fold.repeat == repeat])
        assert len(tested) == len(strata), "every row is tested once in each pass"


@given(table=tables(), data=st.data())
@settings(deadline=None, max_examples=150)
def test_forward_never_learns_from_later_rows(table: tuple[Codes, Codes], data: st.DataObject) -> None:
    strata, clusters = table
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    moments = data.draw(st.sampled_from([10_000, 30, 3]))
    order = rng.integers(0, moments, len(strata))
    try:
        splits = split(strata, clusters, order)
    except UserError:
        return
    check(splits, clusters)
    for fold in splits.folds:
        learned = np.concatenate([fold.train, fold.valid])
        assert order[learned].max() <= order[fold.test].min()
        assert order[fold.train].max() <= order[fold.valid].min()
        if (order < order[fold.test].min()).mean() >= 0.5:
            assert order[learned].max() < order[fold.test].min(), "learned from rows of the tested moment"


def test_forward_tests_the_last_rows_first() -> None:
    splits = split(np.zeros(1_000, dtype=int), order=np.arange(1_000)[::-1].copy())
    assert [fold.test.max() for fold in splits.folds] == [99, 199, 299]
    assert splits.how == "forward"


def test_forward_with_groups_that_never_end_is_refused() -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(UserError, match="--time none"):
        split(np.zeros(500, dtype=int), rng.integers(0, 4, 500), np.arange(500))


def test_strata_have_like_shares_in_all_parts() -> None:
    rng = np.random.default_rng(0)
    strata = rng.choice(4, 3_000, p=[0.6, 0.25, 0.1, 0.05])
    shares = np.bincount(strata) / len(strata)
    for fold in split(strata).folds:
        for part in (fold.train, fold.valid, fold.test):
            assert np.bincount(strata[part], minlength=4) / len(part) == pytest.approx(shares, abs=0.01)


def test_strata_have_like_shares_with_clusters_too() -> None:
    rng = np.random.default_rng(0)
    clusters = rng.integers(0, 1_000, 3_000)
    strata = rng.choice(2, 1_000, p=[0.8, 0.2])[clusters]
    for fold in split(strata, clusters).folds:
        for part in (fold.train, fold.valid, fold.test):
            assert strata[part].mean() == pytest.approx(strata.mean(), abs=0.05)


def test_a_class_of_six_rows_is_tested_and_learned_in_every_fold() -> None:
    strata = np.repeat([0, 1, 2], [200, 6, 7])
    for fold in split(strata).folds:
        for rare in (1, 2):
            assert (strata[fold.test] == rare).sum() in (1, 2)
            assert (strata[fold.train] == rare).sum() >= 3


def test_many_small_classes_spread_over_all_parts_alike() -> None:
    strata = np.repeat(np.arange(40), 7)
    for repeat in range(REPEATS):
        sizes = [len(fold.test) for fold in split(strata).folds if fold.repeat == repeat]
        assert max(sizes) - min(sizes) <= 1


@pytest.mark.parametrize("groups", [3, 4, 5, 7])
def test_fewer_groups_than_folds_make_fewer_folds(groups: int) -> None:
    clusters = np.arange(100) % groups
    splits = split(np.zeros(100, dtype=int), clusters, grouped=True)
    check(splits, clusters)
    assert len(splits.folds) == REPEATS * min(groups, FOLDS)
    assert splits.overlap == pytest.approx(1 / min(groups, FOLDS))
    assert f"{min(groups, FOLDS)} of {min(groups, FOLDS)} folds" in splits.sentence


@pytest.mark.parametrize(("grouped", "said"), [(True, "groups"), (False, "different rows")])
def test_two_clusters_are_refused_in_a_sentence(grouped: bool, said: str) -> None:
    with pytest.raises(UserError, match=f"at least 3 {said}.*got 2"):
        split(np.zeros(100, dtype=int), np.arange(100) % 2, grouped=grouped)


def test_one_giant_group_leaves_no_part_empty() -> None:
    clusters = np.concatenate([np.zeros(300, dtype=int), np.arange(1, 31)])
    check(split(np.zeros(330, dtype=int), clusters), clusters)


def test_groups_of_one_class_each_leave_no_part_empty() -> None:
    for seed in range(50):
        clusters = np.repeat(np.arange(6), 10)
        check(split(clusters.copy(), clusters, seed=seed), clusters)


def test_the_same_seed_gives_the_same_folds_and_another_gives_others() -> None:
    strata = np.random.default_rng(0).integers(0, 3, 200)
    one, same, other = split(strata, seed=1), split(strata, seed=1), split(strata, seed=2)
    for a, b in zip(one.folds, same.folds, strict=True):
        assert all(np.array_equal(getattr(a, part), getattr(b, part)) for part in ("train", "valid", "test"))
    assert any(not np.array_equal(a.test, b.test) for a, b in zip(one.folds, other.folds, strict=True))


def test_repeats_are_dealt_anew() -> None:
    folds = split(np.zeros(200, dtype=int)).folds
    assert not np.array_equal(folds[0].test, folds[FOLDS].test)


@pytest.mark.parametrize(("rows", "first", "all_folds"), [(19_999, 5, 15), (20_000, 3, 5), (300_000, 3, 5)])
def test_large_tables_are_split_less_often(rows: int, first: int, all_folds: int) -> None:
    splits = split(np.zeros(rows, dtype=int))
    assert (splits.first, len(splits.folds)) == (first, all_folds)
    assert max(len(fold.test) for fold in splits.folds) <= TEST_ROWS_MOST


def test_dealing_fills_up_beside_a_large_cluster_evenly() -> None:
    clusters = np.concatenate([np.full(50, 500), np.arange(80)])
    part = deal(np.zeros(130, dtype=int), clusters, 5, np.random.default_rng(0))
    sizes = np.sort(np.bincount(part, minlength=5))
    assert sizes.tolist() == [20, 20, 20, 20, 50]


def test_inputs_are_left_as_they_were() -> None:
    strata, clusters = np.arange(60) % 3, np.arange(60) // 2
    before = strata.copy(), clusters.copy()
    split(strata, clusters)
    assert np.array_equal(strata, before[0])
    assert np.array_equal(clusters, before[1])


def test_fits_that_take_long_begin_with_fewer_folds():
    strata, clusters = np.arange(1_200) % 2, np.arange(1_200)
    plain = make_splits(strata, clusters, None, False, 0)
    costly = make_splits(strata, clusters, None, False, 0, costly=True)
    assert (plain.first, costly.first) == (5, 3)
    for one, other in zip(
        plain.folds, costly.folds, strict=True
    ):  # the folds are the same, and come in the same order
        np.testing.assert_array_equal(one.test, other.test)
    assert make_splits(strata[:900], clusters[:900], None, False, 0, costly=True).first == 5


def test_few_seconds_for_the_rows_make_three_folds_first_and_the_others_later() -> None:
    rows = 5_000
    strata, clusters = np.zeros(rows, dtype=np.int64), np.arange(rows)

    def made(seconds: float) -> Splits:
        return make_splits(strata, clusters, None, False, 0, seconds=seconds)

    assert made(np.inf).first == made(120.0).first == 5
    assert made(20.0).first == 3
    assert len(made(20.0).folds) == len(made(np.inf).folds)
    assert make_splits(strata[:800], clusters[:800], None, False, 0, seconds=1.0).first == 5
