"""Fewer rows are nested, keep their shares, and never touch the rows that judge."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from fathometer.data.splits import Fold, make_splits
from fathometer.data.thinning import OF_EACH_LEAST, TRAIN_LEAST, VALID_LEAST, is_whole, place, thin, thinned


def folds(strata: np.ndarray, clusters: np.ndarray, grouped: bool = False) -> tuple[Fold, ...]:
    return make_splits(strata, clusters, None, grouped, 0).folds


def a_table(rows: int, classes: int = 3, size: int = 1, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.integers(0, classes, rows), np.arange(rows) // size


@pytest.mark.parametrize("size", [1, 3])
@pytest.mark.parametrize("seed", range(4))
def test_sizes_are_nested_and_halve(size: int, seed: int) -> None:
    strata, clusters = a_table(2_000, size=size, seed=seed)
    for fold in folds(strata, clusters)[:3]:
        several = [fold, *thin(fold, strata, clusters, seed, classes=True)]
        assert [place(one.name) for one in several] == [(fold.name, divisor) for divisor in (1, 2, 4, 8)]
        for larger, smaller in pairwise(several):
            for part in ("train", "valid"):
                whole, half = getattr(larger, part), getattr(smaller, part)
                assert set(half) < set(whole)
                assert abs(len(half) - len(whole) / 2) <= 2 * size + 1
            assert np.array_equal(smaller.test, fold.test)
            shares = [
                np.bincount(strata[one.train], minlength=3) / len(one.train) for one in (larger, smaller)
            ]
            # a cluster goes by its commonest stratum, so whole clusters are dealt less evenly
            assert np.abs(shares[0] - shares[1]).max() < (0.01 if size == 1 else 0.08)


def test_clusters_stay_whole() -> None:
    strata, clusters = a_table(1_200, size=6)
    for fold in folds(strata, clusters, grouped=True)[:2]:
        for smaller in thin(fold, strata, clusters, 0, classes=True):
            for part in (smaller.train, smaller.valid):
                counts = np.bincount(clusters[part], minlength=200)
                assert set(counts[counts > 0]) == {6}
            assert not set(clusters[smaller.train]) & set(clusters[smaller.valid])


def test_it_ends_where_too_little_is_left() -> None:
    for rows in (20, 60, 150, 400, 900):
        strata, clusters = a_table(rows, classes=2)
        for fold in folds(strata, clusters)[:2]:
            for smaller in thin(fold, strata, clusters, 0, classes=True):
                assert len(smaller.train) >= TRAIN_LEAST
                assert len(smaller.valid) >= VALID_LEAST


def test_a_rare_class_is_never_lost() -> None:
    strata, clusters = np.zeros(4_000, dtype=np.int64), np.arange(4_000)
    strata[:12] = 1
    fold = folds(strata, clusters)[0]
    smaller = thin(fold, strata, clusters, 0, classes=True)
    assert all((strata[one.train] == 1).sum() >= OF_EACH_LEAST for one in smaller)
    assert len(thin(fold, strata, clusters, 0, classes=False)) == 3  # steps of a number may be lost


def test_the_same_seed_gives_the_same_rows_and_another_gives_others() -> None:
    strata, clusters = a_table(1_000)
    fold = folds(strata, clusters)[0]
    one, same, other = (thin(fold, strata, clusters, seed, classes=True)[0].train for seed in (0, 0, 1))
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)


def test_long_tables_have_one_size_more() -> None:
    strata, clusters = a_table(30_000)
    assert len(thin(folds(strata, clusters)[0], strata, clusters, 0, classes=True)) == 4


def test_names_say_fold_and_divisor() -> None:
    assert place("r0f1") == ("r0f1", 1)
    assert place(thinned("r0f1", 4)) == ("r0f1", 4)
    assert place(thinned("t2", 2, is_raw=True)) == ("t2", 2)
    assert [is_whole(name) for name in ("r0f1", "r0f1@2", "r0f1~raw", "r0f1@2~raw")] == [
        True,
        False,
        False,
        False,
    ]
