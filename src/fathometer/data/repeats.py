"""Rows and columns that say the same: duplicates, contradictions, and columns that repeat one another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from fathometer.data.rows import Rows
from fathometer.kind import KINDS, all_unstructured

Codes = npt.NDArray[np.intp]
Pairs = npt.NDArray[np.int64]

FEWEST_COMBINATIONS = 0.5  # distinct rows per row: below it rows repeat because there are few ways to differ
TORN_TOLD = 20  # pairs that are alike but have different targets, at most
LARGEST_CLUSTER = 0.01  # of all rows: more equal rows than this are a common case, not copies
LOOKED_AT = 200  # values of a column, to see what it holds
MOST_COPIES, COPIES_SHARE = (
    50,
    0.1,
)  # of a picture or a text there may be so many, but no such share of all rows


@dataclass(frozen=True)
class Repeats:
    """Rows with equal inputs.

    clusters: (rows,) int64; rows with equal inputs share a number, so that they can be kept in one fold.
    repeated: rows that have an equal before them. whole: those equal in the target too.
    contradicting: rows whose equals have another target.
    least_error: share of rows any model must get wrong (classes), for equals with different targets.
    common: rows of cases so common that they are no copies.
    by_nature: the columns allow so few combinations that equal rows are no copies; clusters are then
        single rows, as they are for the rows of any very common case.
    alike: rows that show nearly the same picture or text as a row before them, and are kept in its cluster; torn:
        pairs of such rows (positions) with different targets.
    """

    clusters: npt.NDArray[np.int64]
    repeated: int
    whole: int
    contradicting: int
    least_error: float
    common: int
    by_nature: bool
    alike: int = 0
    torn: tuple[tuple[int, int], ...] = ()


def find_repeats(rows: Rows, columns: Sequence[str], answers: pd.Series | None) -> Repeats:
    """Find rows that are equal in these columns.

    Args:
        answers: (rows,) the target's values, missing where unknown; None without a target.
    """
    count = len(rows)
    clusters = row_codes([rows.column(name) for name in columns], count)
    sizes = np.bincount(clusters, minlength=1)
    distinct = int((sizes > 0).sum())
    # two people may be equal in all that a table says of them, but nobody takes the same photo twice
    unstructured = any(_is_particular(rows, name) for name in columns)
    by_nature = distinct < FEWEST_COMBINATIONS * count and not unstructured
    is_common = sizes[clusters] > (0 if by_nature else _most_copies(count, unstructured))
    whole = contradicting = 0
    least_error = 0.0
    if answers is not None and count:
        known = answers.notna().to_numpy()
        targets = pd.factorize(answers[known])[0]
        pairs = pd.DataFrame({"cluster": clusters[known], "target": targets})
        whole = int(pairs.duplicated().sum())
        per_pair = pairs.value_counts(sort=False).reset_index(name="rows")
        per_cluster = per_pair.groupby("cluster")["rows"].agg(["size", "sum", "max"])
        torn = per_cluster[per_cluster["size"] > 1]
        contradicting = int(torn["sum"].sum())
        least_error = float((torn["sum"] - torn["max"]).sum()) / max(int(known.sum()), 1)
    # rows of a common case get numbers of their own, beyond those of the clusters
    kept = np.where(is_common, len(sizes) + np.arange(count), clusters)
    pairs_alike = _alike(rows, columns)
    joined = _joined(kept, np.concatenate([pairs_alike, _copied(rows, columns, count)]), count)
    return Repeats(
        joined,
        count - distinct,
        whole,
        contradicting,
        least_error,
        int(is_common.sum()),
        by_nature,
        alike=len(np.unique(kept)) - len(np.unique(joined)),
        # where other columns tell rows apart, the same picture may well have two answers
        torn=_torn(pairs_alike, clusters, answers)
        if all_unstructured(rows.kinds[name] for name in columns)
        else (),
    )


def _alike(rows: Rows, columns: Sequence[str]) -> Pairs:
    """(pairs, 2) rows that show the same picture or nearly so, or nearly the same text, whatever else they hold."""
    found = [np.zeros((0, 2), dtype=np.int64)]
    for name in columns:
        kind = KINDS.get(rows.kinds[name])()
        if kind.unstructured:
            found.append(kind.alike(rows.column(name)))
    return np.concatenate(found)


def _copied(rows: Rows, columns: Sequence[str], count: int) -> Pairs:
    """(pairs, 2) rows with the very same picture or text, whatever else they hold; not of what very many rows show."""
    found = [np.zeros((0, 2), dtype=np.int64)]
    for name in columns:
        kind = KINDS.get(rows.kinds[name])()
        if not kind.unstructured:
            continue
        values = rows.column(name)
        there = np.flatnonzero(values.notna().to_numpy())
        _, first, same, shown = np.unique(
            kind.digests(values)[there], return_index=True, return_inverse=True, return_counts=True
        )
        is_copied = (shown > 1) & (shown <= _most_copies(count, unstructured=True))
        is_copied[is_copied] = kind.particular(values.iloc[there[first[is_copied]]])
        others = np.flatnonzero(is_copied[same] & (first[same] != np.arange(len(there))))
        found.append(np.stack([there[first[same[others]]], there[others]], axis=1))
    return np.concatenate(found)


def _is_particular(rows: Rows, name: str) -> bool:
    """Whether a column holds pictures, or texts of some length."""
    kind = KINDS.get(rows.kinds[name])()
    if not kind.unstructured:
        return False
    known = rows.column(name).dropna()
    some = known.iloc[:: max(1, len(known) // LOOKED_AT)]
    return bool(len(some)) and bool(kind.particular(some).mean() > 0.5)


def _joined(clusters: npt.NDArray[np.int64], pairs: Pairs, count: int) -> npt.NDArray[np.int64]:
    """Clusters joined where rows are alike; chains that would take in a common case are left apart."""
    if not len(pairs):
        return clusters.astype(np.int64)
    _, member = np.unique(clusters, return_inverse=True)
    links = coo_array(
        (np.ones(len(pairs), dtype=np.int8), (member[pairs[:, 0]], member[pairs[:, 1]])),
        shape=(int(member.max()) + 1,) * 2,
    )
    _, component = connected_components(links, directed=False)
    together = component[member].astype(np.int64)
    is_common = np.bincount(together)[together] > _most_copies(count, unstructured=True)
    joined: npt.NDArray[np.int64] = np.where(is_common, int(together.max()) + 1 + member, together)
    return joined


def _most_copies(count: int, unstructured: bool) -> float:
    """More equal rows than this are a common case; people turn and crop a picture into dozens to have more of them."""
    usual = max(10.0, LARGEST_CLUSTER * count)
    return max(usual, min(MOST_COPIES, COPIES_SHARE * count)) if unstructured else usual


def _torn(pairs: Pairs, clusters: Codes, answers: pd.Series | None) -> tuple[tuple[int, int], ...]:
    """The first pairs of rows that are alike but not equal, and have different targets."""
    if answers is None or not len(pairs):
        return ()
    codes = pd.factorize(answers)[0]
    left, right = pairs[:, 0], pairs[:, 1]
    differ = (codes[left] != codes[right]) & (codes[left] >= 0) & (codes[right] >= 0)
    chosen = pairs[differ & (clusters[left] != clusters[right])]
    return tuple((int(one), int(other)) for one, other in chosen[:TORN_TOLD])


def row_codes(columns: Sequence[pd.Series], rows: int) -> Codes:
    """(rows,) numbers from 0, the same for two rows if all values are equal (missing equals missing)."""
    codes = np.zeros(rows, dtype=np.int64)
    for values in columns:
        mine = pd.factorize(values, use_na_sentinel=False)[0].astype(np.int64)
        # after each column the codes are made small again, so the product never overflows
        codes = pd.factorize(codes * (int(mine.max(initial=0)) + 1) + mine)[0].astype(np.int64)
        if len(codes) and int(codes.max()) == rows - 1:
            break  # every row already differs
    return codes.astype(np.intp)


def same_columns(rows: Rows) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """Pairs (kept, repeated): columns with equal values, and columns that stand for each other one to one.

    One to one is told only of columns whose values come again often: any two columns of different values
    everywhere would do.
    """
    equal: list[tuple[str, str]] = []
    one_to_one: list[tuple[str, str]] = []
    alike: dict[tuple[str, bytes], list[str]] = {}
    patterns: dict[bytes, str] = {}
    for name, kind in rows.kinds.items():
        values = rows.column(name)
        # by a digest of the values, or a table of hundreds of columns would be compared pair by pair
        candidates = alike.setdefault(
            (kind, pd.util.hash_pandas_object(values, index=False).to_numpy().tobytes()), []
        )
        twin = next((other for other in candidates if _equal(rows.column(other), values)), None)
        if twin is not None:
            equal.append((twin, name))
            continue
        candidates.append(name)
        codes, distinct = pd.factorize(values, use_na_sentinel=False)
        if 2 < len(distinct) <= len(codes) / 2:
            first = patterns.setdefault(codes.tobytes(), name)
            if first != name:
                one_to_one.append((first, name))
    return equal, one_to_one


def _equal(left: pd.Series, right: pd.Series) -> bool:
    absent = left.isna().to_numpy()
    if not (absent == right.isna().to_numpy()).all():
        return False
    return bool((left[~absent].astype(object).to_numpy() == right[~absent].astype(object).to_numpy()).all())
