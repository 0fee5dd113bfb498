"""Which rows train, which choose, and which only judge.

Outer folds give test rows; inside each outer training part one split gives validation rows, on which everything is
chosen. Rows of one cluster (duplicates, a group) never stand on two sides.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fathometer.errors import UnsuitableData

Index = npt.NDArray[np.intp]

FOLDS = 5
REPEATS = 3
LONG_ROWS = 20_000  # from here on fewer folds come first, and there are no repeats
ROWS_PER_SECOND = 80  # and, where time is short, from so many rows a processor second of the whole run on
COSTLY_ROWS = 1_000  # the same of rows whose fits take long
TEST_ROWS_MOST = 50_000
FORWARD_BLOCKS = 3
FORWARD_PAST_LEAST = 0.3  # of the rows
CLUSTERS_LEAST = 3  # one each to train, to choose and to judge


@dataclass(frozen=True)
class Fold:
    """One outer split: positions of rows. `repeat` counts from 0; the first pass is repeat 0."""

    name: str
    repeat: int
    train: Index
    valid: Index
    test: Index


@dataclass(frozen=True)
class Splits:
    """All folds, in the order in which they are worth running.

    everything: training and validation rows of a fit that holds no row back.
    thinner: the same folds with fewer rows to learn from (data/thinning.py).
    how: "random", "grouped" or "forward". first: how many folds the first pass has.
    overlap: share of the rows in a test part, the correlation that folds of one table have (Nadeau & Bengio 2003).
    sentence: what a reader should know.
    """

    how: str
    folds: tuple[Fold, ...]
    first: int
    overlap: float
    sentence: str
    everything: tuple[Index, Index]
    thinner: tuple[Fold, ...] = ()


def make_splits(
    strata: npt.NDArray[np.int64],
    clusters: npt.NDArray[np.int64],
    order: npt.NDArray[np.int64] | None,
    grouped: bool,
    seed: int,
    *,
    costly: bool = False,
    seconds: float = math.inf,
) -> Splits:
    """Outer folds by size, each with its inner split.

    Args:
        strata: (rows,) class codes, or coarse steps of a number, to keep shares alike in all parts.
        clusters: (rows,) rows with the same number stay together.
        order: (rows,) rank in time, for a forward split; None for a random one.
        grouped: whether clusters are groups named by the user (only changes the words).
        costly: whether a fit takes long for its rows, as on words and pictures: fewer folds come first, or no fit would
            have the time to show what it can do.
        seconds: of processor time that the whole run may take; where they are few for the rows, fewer folds come first.

    Raises:
        UnsuitableData: too few different rows or groups for three parts.
    """
    if order is not None:
        return _forward(clusters, order)
    rows = len(strata)
    parts = min(FOLDS, len(np.unique(clusters)))
    if parts < CLUSTERS_LEAST:
        what = "groups" if grouped else "different rows"
        raise UnsuitableData(
            f"Expected at least {CLUSTERS_LEAST} {what}, to learn from, to choose by and to judge by; got {parts}. "
            + (
                "Bring rows of more groups, or split without them (--group none)."
                if grouped
                else "Bring more rows."
            )
        )
    # three are the fewest that show how much folds vary, which a winner needs
    few = COSTLY_ROWS if costly else max(COSTLY_ROWS, min(LONG_ROWS, ROWS_PER_SECOND * seconds))
    first = min(parts, 3 if rows >= few else FOLDS)
    repeats = REPEATS if rows < LONG_ROWS else 1
    folds: list[Fold] = []
    for repeat in range(repeats):
        rng = np.random.default_rng((seed, repeat))
        part = deal(strata, clusters, parts, rng)
        for k in range(parts):
            outer, test = np.flatnonzero(part != k), np.flatnonzero(part == k)
            if len(test) > TEST_ROWS_MOST:
                test = np.sort(rng.choice(test, TEST_ROWS_MOST, replace=False))
            train, valid = _inner(outer, strata, clusters, rng)
            folds.append(Fold(f"r{repeat}f{k}", repeat, train, valid, test))
    how = "grouped" if grouped else "random"
    together = " keeping each group on one side" if grouped else ""
    sentence = (
        f"on {first} of {parts} folds{together}, in each {len(folds[0].train):,} rows to learn from, "
        f"{len(folds[0].valid):,} to choose by and {len(folds[0].test):,} only to judge"
    )
    tenths = min(10, len(np.unique(clusters)))
    part = deal(strata, clusters, tenths, np.random.default_rng((seed, repeats)))
    everything = np.flatnonzero(part != 0), np.flatnonzero(part == 0)
    return Splits(how, tuple(folds), first, 1.0 / parts, sentence, everything)


def deal(
    strata: npt.NDArray[np.int64],
    clusters: npt.NDArray[np.int64],
    parts: int,
    rng: np.random.Generator,
) -> npt.NDArray[np.int64]:
    """Deal clusters to parts so that each part holds about the same share of each stratum; part of each row.

    Every cluster goes, largest first and at random among equals, to the part that has least of its commonest stratum
    and, among those, least rows at all. With as many clusters as parts or more, no part is empty.
    """
    names, first, sizes = np.unique(clusters, return_index=True, return_counts=True)
    inverse = np.searchsorted(names, clusters)
    chosen = _commonest(inverse, strata, first, sizes)
    shuffled = rng.permutation(len(names))
    part = np.zeros(len(names), dtype=np.int64)
    rows_held = np.zeros(parts, dtype=np.int64)
    for stratum in np.unique(chosen):
        mine = shuffled[chosen[shuffled] == stratum]
        mine = mine[np.argsort(-sizes[mine], kind="stable")]
        large = sizes[mine] > 1
        held = np.zeros(parts, dtype=np.int64)
        for cluster in mine[large]:
            target = int(_emptiest(held, rows_held, rng)[0])
            part[cluster] = target
            held[target] += sizes[cluster]
            rows_held[target] += sizes[cluster]
        part[mine[~large]] = given = _fill(held, int((~large).sum()), _emptiest(held, rows_held, rng))
        rows_held += np.bincount(given, minlength=parts)
    return part[inverse]


def _emptiest(
    held: npt.NDArray[np.int64], rows_held: npt.NDArray[np.int64], rng: np.random.Generator
) -> npt.NDArray[np.intp]:
    """The parts in the order in which they should be given more."""
    return np.lexsort((rng.random(len(held)), rows_held, held))


def _fill(held: npt.NDArray[np.int64], count: int, order: npt.NDArray[np.intp]) -> npt.NDArray[np.intp]:
    """Parts for `count` single rows such that the parts end up as even as can be, `order` deciding on the odd ones."""
    lowest = np.sort(held)
    parts = len(held)
    # filled like water: the k lowest parts reach the level that is not above the next
    levels = [-(-(count + int(lowest[:k].sum())) // k) for k in range(1, parts + 1)]
    level = next(levels[k] for k in range(parts) if k == parts - 1 or levels[k] <= lowest[k + 1])
    room = np.maximum(level - 1 - held, 0)
    odd = order[held[order] < level][: count - int(room.sum())]
    return np.concatenate([np.repeat(order, room[order]), odd])


def _commonest(
    inverse: npt.NDArray[np.intp],
    strata: npt.NDArray[np.int64],
    first: npt.NDArray[np.intp],
    sizes: npt.NDArray[np.intp],
) -> npt.NDArray[np.int64]:
    """The commonest stratum of each cluster."""
    chosen: npt.NDArray[np.int64] = strata[first].copy()
    many = np.flatnonzero(sizes > 1)
    if len(many) == 0:
        return chosen
    inside = np.isin(inverse, many)
    pairs, counts = np.unique(np.stack([inverse[inside], strata[inside]]), axis=1, return_counts=True)
    for (cluster, stratum), _ in sorted(
        zip(pairs.T.tolist(), counts.tolist(), strict=True), key=lambda x: x[1]
    ):
        chosen[cluster] = stratum
    return chosen


def _inner(
    outer: Index,
    strata: npt.NDArray[np.int64],
    clusters: npt.NDArray[np.int64],
    rng: np.random.Generator,
) -> tuple[Index, Index]:
    """Training and validation rows of one outer training part.

    A fifth validates while rows are few; with more rows a smaller share is enough to choose by, down to an eighth.
    """
    parts = 5 if len(outer) < 4_000 else (6 if len(outer) < 8_000 else 8)
    part = deal(strata[outer], clusters[outer], min(parts, len(np.unique(clusters[outer]))), rng)
    return outer[part != 0], outer[part == 0]


def _forward(clusters: npt.NDArray[np.int64], order: npt.NDArray[np.int64]) -> Splits:
    """Learn from the past, judge by what came after: the last three tenths, a tenth at a time, latest first."""
    rows = len(order)
    sorted_rows = np.argsort(order, kind="stable")
    edges = np.linspace(0, rows, 11).astype(int)
    folds: list[Fold] = []
    for block in range(FORWARD_BLOCKS):
        start, end = edges[9 - block], edges[10 - block]
        past, test = sorted_rows[: _before(order[sorted_rows], start)], sorted_rows[start:end]
        cut = int(len(past) * 0.85)
        train, valid = past[:cut], past[cut:]
        # rows like ones already seen would be answered from memory
        test = test[~np.isin(clusters[test], clusters[past])]
        valid = valid[~np.isin(clusters[valid], clusters[train])]
        if min(len(train), len(valid), len(test)) > 0:
            folds.append(Fold(f"t{len(folds)}", 0, train, valid, test))
    if not folds:
        raise UnsuitableData(
            "Expected later rows that are neither copies of earlier ones nor of the same groups, to be tested forward "
            "in time; there are none. Split at random (--time none), or without groups (--group none)."
        )
    sentence = f"in time order: learning from what came before, judging by the last {FORWARD_BLOCKS} tenths of the rows"
    latest = int(rows * 0.9)
    everything = sorted_rows[:latest], sorted_rows[latest:]
    return Splits("forward", tuple(folds), len(folds), 0.1, sentence, everything)


def _before(moments: npt.NDArray[np.int64], start: int) -> int:
    """How many of the rows, sorted by moment, lie before the moment of the first tested one.

    Where that would leave too little to learn from (a column of years), rows of that moment are learned from too.
    """
    strictly = int(np.searchsorted(moments, moments[start], "left"))
    return strictly if strictly >= FORWARD_PAST_LEAST * len(moments) else start
