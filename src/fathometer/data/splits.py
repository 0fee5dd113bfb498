"""Which rows train, which choose, and which only judge.

Outer folds give test rows; inside each outer training part one split gives validation rows, on which everything is
chosen. Rows of one cluster (duplicates, a group) never stand on two sides.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Index = npt.NDArray[np.intp]

FOLDS = 5
REPEATS = 3
TEST_ROWS_MOST = 50_000
FORWARD_BLOCKS = 3


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


def make_splits(
    strata: npt.NDArray[np.int64],
    clusters: npt.NDArray[np.int64],
    order: npt.NDArray[np.int64] | None,
    grouped: bool,
    seed: int,
) -> Splits:
    """Outer folds by size, each with its inner split.

    Args:
        strata: (rows,) class codes, or coarse steps of a number, to keep shares alike in all parts.
        clusters: (rows,) rows with the same number stay together.
        order: (rows,) rank in time, for a forward split; None for a random one.
        grouped: whether clusters are groups named by the user (only changes the words).
    """
    if order is not None:
        return _forward(strata, clusters, order)
    rows = len(strata)
    first = FOLDS if rows < 20_000 else (3 if rows <= 200_000 else 2)
    repeats = REPEATS if rows < 20_000 else 1
    folds: list[Fold] = []
    for repeat in range(repeats):
        rng = np.random.default_rng((seed, repeat))
        part = deal(strata, clusters, FOLDS, rng)
        for k in range(FOLDS):
            outer, test = np.flatnonzero(part != k), np.flatnonzero(part == k)
            if len(test) > TEST_ROWS_MOST:
                test = np.sort(rng.choice(test, TEST_ROWS_MOST, replace=False))
            train, valid = _inner(outer, strata, clusters, rng)
            folds.append(Fold(f"r{repeat}f{k}", repeat, train, valid, test))
    how = "grouped" if grouped else "random"
    together = " keeping each group on one side" if grouped else ""
    sentence = (
        f"{first} of {FOLDS} folds{together}, in each {len(folds[0].train):,} rows to learn from, "
        f"{len(folds[0].valid):,} to choose by and {len(folds[0].test):,} only to judge"
    )
    part = deal(strata, clusters, 10, np.random.default_rng((seed, repeats)))
    everything = np.flatnonzero(part != 0), np.flatnonzero(part == 0)
    return Splits(how, tuple(folds), first, 1.0 / FOLDS, sentence, everything)


def deal(
    strata: npt.NDArray[np.int64],
    clusters: npt.NDArray[np.int64],
    parts: int,
    rng: np.random.Generator,
) -> npt.NDArray[np.int64]:
    """Deal clusters to parts so that each part holds about the same share of each stratum; part of each row.

    Every cluster goes, largest first and at random among equals, to the part that has least of its commonest stratum.
    """
    names, first, sizes = np.unique(clusters, return_index=True, return_counts=True)
    inverse = np.searchsorted(names, clusters)
    chosen = _commonest(inverse, strata, first, sizes)
    shuffled = rng.permutation(len(names))
    part = np.zeros(len(names), dtype=np.int64)
    for stratum in np.unique(strata):
        mine = shuffled[chosen[shuffled] == stratum]
        mine = mine[np.argsort(-sizes[mine], kind="stable")]
        large = sizes[mine] > 1
        # start at a random part, or small strata would all pile up in part 0
        start = int(rng.integers(parts))
        held = np.zeros(parts, dtype=np.int64)
        for cluster in mine[large]:
            least = int(np.argmin(np.roll(held, -start)))
            target = (least + start) % parts
            part[cluster] = target
            held[target] += sizes[cluster]
        part[mine[~large]] = _fill(held, int((~large).sum()), start)
    return part[inverse]


def _fill(held: npt.NDArray[np.int64], count: int, start: int) -> npt.NDArray[np.int64]:
    """Parts for `count` single rows such that the parts end up as even as can be."""
    parts = len(held)
    total = int(held.sum()) + count
    wanted = np.full(parts, total // parts)
    wanted[(start + np.arange(total % parts)) % parts] += 1
    room = np.maximum(wanted - held, 0)
    given = np.repeat(np.arange(parts), room)[:count]
    rest = count - len(given)
    return np.concatenate([given, (start + np.arange(rest)) % parts])


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
    part = deal(strata[outer], clusters[outer], parts, rng)
    return outer[part != 0], outer[part == 0]


def _forward(
    strata: npt.NDArray[np.int64], clusters: npt.NDArray[np.int64], order: npt.NDArray[np.int64]
) -> Splits:
    """Learn from the past, judge by what came after: the last three tenths, a tenth at a time, latest first."""
    rows = len(order)
    sorted_rows = np.argsort(order, kind="stable")
    edges = np.linspace(0, rows, 11).astype(int)
    folds = []
    for block in range(FORWARD_BLOCKS):
        start, end = edges[9 - block], edges[10 - block]
        past, test = sorted_rows[:start], sorted_rows[start:end]
        # rows like ones already seen would be answered from memory
        test = test[~np.isin(clusters[test], clusters[past])]
        cut = int(len(past) * 0.85)
        folds.append(Fold(f"t{block}", 0, past[:cut], past[cut:], test))
    sentence = f"in time order: learning from what came before, judging by the last {FORWARD_BLOCKS} tenths of the rows"
    latest = int(rows * 0.9)
    everything = sorted_rows[:latest], sorted_rows[latest:]
    return Splits("forward", tuple(folds), FORWARD_BLOCKS, 0.1, sentence, everything)
