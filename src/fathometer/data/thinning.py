"""Fewer rows to learn from, nested: what a data learning curve is measured on.

Of a fold's rows to learn from and to choose by, half are kept, half of these, and so on; the rows that judge stay the
same at every size. Both families get the very same rows.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from fathometer.data.splits import Fold, deal

DIVISORS = (2, 4, 8)
DIVISORS_LONG = (2, 4, 8, 16)
LONG = 16_000  # rows to learn from, with which a sixteenth still says something
TRAIN_LEAST = 40  # rows
VALID_LEAST = 10
CLUSTERS_LEAST = 4  # groups, or different rows, to learn from
OF_EACH_LEAST = 2  # rows to learn from of every class that the whole fold learns from

MARK = "@"  # between a fold's name and the divisor
RAW = "~raw"  # after the name where the columns are given as plain numbers (study/raw.py)


def place(name: str) -> tuple[str, int]:
    """The fold whose rows judge, and what part of its rows is learned from: "r0f1@4" is ("r0f1", 4)."""
    base, _, divisor = name.removesuffix(RAW).partition(MARK)
    return base, int(divisor or 1)


def thinned(base: str, divisor: int, *, is_raw: bool = False) -> str:
    """The name of a fold that learns from one row in so many; of the fold itself for 1."""
    return f"{base}{f'{MARK}{divisor}' if divisor > 1 else ''}{RAW if is_raw else ''}"


def is_whole(name: str) -> bool:
    """Whether all rows are learned from, as they are."""
    return MARK not in name and not name.endswith(RAW)


def thin(
    fold: Fold, strata: npt.NDArray[np.int64], clusters: npt.NDArray[np.int64], seed: int, *, classes: bool
) -> list[Fold]:
    """The fold with a half, a quarter, an eighth ... of the rows to learn from and choose by; largest first.

    Each holds part of the one before, with the same share of every stratum, and whole clusters. Ends where too little
    would be left.

    Args:
        strata, clusters: (all rows,) as in `make_splits`. classes: whether the strata are classes to be learned.
    """
    rng = np.random.default_rng((seed, *fold.name.encode()))
    divisors = DIVISORS_LONG if len(fold.train) >= LONG else DIVISORS
    wanted = np.unique(strata[fold.train]) if classes else np.zeros(0, dtype=np.int64)
    train, valid = fold.train, fold.valid
    made: list[Fold] = []
    for divisor in divisors:
        train, valid = _half(train, strata, clusters, rng), _half(valid, strata, clusters, rng)
        if len(train) < TRAIN_LEAST or len(valid) < VALID_LEAST:
            break
        if len(np.unique(clusters[train])) < CLUSTERS_LEAST:
            break
        if any((strata[train] == one).sum() < OF_EACH_LEAST for one in wanted):
            break
        made.append(Fold(thinned(fold.name, divisor), fold.repeat, train, valid, fold.test))
    return made


def _half(
    rows: npt.NDArray[np.intp],
    strata: npt.NDArray[np.int64],
    clusters: npt.NDArray[np.int64],
    rng: np.random.Generator,
) -> npt.NDArray[np.intp]:
    if len(rows) < 2 or len(np.unique(clusters[rows])) < 2:
        return rows[:0]
    kept: npt.NDArray[np.intp] = rows[deal(strata[rows], clusters[rows], 2, rng) == 0]
    return kept
