"""Columns that give the target away: known only afterwards, made from it, or a copy of it.

A strong column is not a leak. What is looked for is a relation so exact that the world seldom makes one: a
target that is a function of one column, a sum or product of two, or a column filled for one class alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from fathometer.data.rows import Rows
from fathometer.kind import KINDS

Numbers = npt.NDArray[np.float64]
Codes = npt.NDArray[np.intp]

MOST_ROWS = 20_000  # looked at: enough for shares of a few in a thousand
MOST_BINS = 64
FEWEST_ROWS = (
    300  # below it a perfect split happens honestly (iris, 150 rows), so it is told and not acted on
)
FEWEST_OF_CLASS = 20
LARGEST_ERROR = 0.005  # of all rows, when a column tells one class from the rest
LARGEST_ERROR_OF_CLASS = 0.02  # of the rows of the smaller side
CERTAIN_ORDER = 0.998  # rank correlation above which a number is the target in other clothes
SUSPICIOUS_ORDER = 0.98
CERTAIN_SHARE = 0.9995  # of the target's variance, by a sum or product of two columns
CHANCE = 1e-6  # that rows filled at random would all be of one class


@dataclass(frozen=True)
class Leak:
    """Columns that give the target away.

    is_certain: exact enough to leave them out; otherwise the user is told.
    """

    columns: tuple[str, ...]
    sentence: str
    is_certain: bool


def leaks_of_classes(rows: Rows, target: str, labels: pd.Series) -> list[Leak]:
    """Single columns that tell a class from the rest, or are filled for one class alone.

    Args:
        labels: (rows,) label text, all known, in the order of rows.
    """
    picked = _picked(len(rows))
    classes, names = pd.factorize(labels.iloc[picked])
    found = []
    for column, kind in rows.kinds.items():
        values = rows.column(column).iloc[picked]
        if KINDS.get(kind).unstructured and kind != "text":
            continue  # no label can be read off a picture's digest
        told = _copy_of(column, target, values, labels.iloc[picked]) or _filled_for_one(
            column, target, values, classes, names
        )
        if told is None and kind != "text":
            told = _tells_a_class(column, target, bins(values, kind), classes, names)
        if told is None and kind == "number" and len(classes) < FEWEST_ROWS:
            told = _parts_a_class(column, target, _as_numbers(values), classes, names)
        if told is not None:
            found.append(told)
    return found


def leaks_of_numbers(rows: Rows, target: str, numbers: Numbers) -> list[Leak]:
    """Single columns in the target's order, sums and products of two, categories with one value each."""
    picked = _picked(len(rows))
    wanted = numbers[picked]
    columns = {
        name: _as_numbers(rows.column(name).iloc[picked])
        for name, kind in rows.kinds.items()
        if kind == "number"
    }
    found = [
        leak
        for name, values in columns.items()
        if (leak := _in_order(name, target, values, wanted)) is not None
    ]
    single = {leak.columns[0] for leak in found if leak.is_certain}
    rest = {name: values for name, values in columns.items() if name not in single}
    found += _pairs(rest, target, wanted)
    for name, kind in rows.kinds.items():
        if kind == "category":
            leak = _one_value_each(name, target, bins(rows.column(name).iloc[picked], kind), wanted)
            found += [leak] if leak is not None else []
    return found


def bins(values: pd.Series, kind: str) -> Codes:
    """Each row's bin, (rows,): 0 for missing; levels of a category, else quantiles and heavy values."""
    if kind == "category" or not (pd.api.types.is_numeric_dtype(values.dtype) or kind == "moment"):
        return (pd.factorize(values.astype(object))[0] + 1).astype(np.intp)
    numbers = _as_numbers(values)
    present = np.isfinite(numbers)
    codes = np.zeros(len(numbers), dtype=np.intp)
    if present.any():
        edges = _edges(numbers[present])
        codes[present] = np.searchsorted(edges, numbers[present], side="right")
    return codes


def _edges(numbers: Numbers) -> Numbers:
    """Lower edges of the bins: quantiles, and heavy values (a zero for "nothing happened") by themselves."""
    distinct, counts = np.unique(numbers, return_counts=True)
    if len(distinct) <= MOST_BINS:
        return distinct
    heavy = distinct[counts > len(numbers) / MOST_BINS]
    quantiles = np.quantile(numbers, np.linspace(0, 1, MOST_BINS + 1))[:-1]
    edges: Numbers = np.unique(np.concatenate([quantiles, heavy, np.nextafter(heavy, np.inf)]))
    return edges


def _as_numbers(values: pd.Series) -> Numbers:
    if pd.api.types.is_datetime64_any_dtype(values.dtype):
        numbers = values.to_numpy().astype("datetime64[us]").astype(np.int64).astype(np.float64)
        numbers[values.isna().to_numpy()] = np.nan
        return numbers
    return values.to_numpy(dtype=np.float64, na_value=np.nan)


def _picked(rows: int) -> Codes:
    if rows <= MOST_ROWS:
        return np.arange(rows)
    return np.sort(np.random.default_rng(0).choice(rows, MOST_ROWS, replace=False))


def _copy_of(column: str, target: str, values: pd.Series, labels: pd.Series) -> Leak | None:
    """A column that repeats the label itself in words; flags (0/1, yes/no) agree too easily to judge."""
    if not isinstance(values.dtype, pd.CategoricalDtype):
        return None
    known = set(labels.unique())
    present = values.notna().to_numpy()
    if present.sum() < 10 or not any(len(label) > 3 for label in known):
        return None
    texts = values[present].astype(str).to_numpy()
    if not set(texts) <= known or len(set(texts)) < 2:
        return None
    agreed = float((texts == labels.to_numpy(dtype=object)[present]).mean())
    if agreed < 0.9:
        return None
    cells = f"{agreed:.0%} of its {present.sum():,} cells agree"
    sentence = f"{column!r} repeats the target {target!r} itself ({cells})."
    return Leak((column,), sentence, True)


def _filled_for_one(
    column: str, target: str, values: pd.Series, classes: Codes, names: pd.Index
) -> Leak | None:
    """A column that has a value for rows of one class alone: written down after the outcome was known."""
    present = values.notna().to_numpy()
    filled = int(present.sum())
    if filled < FEWEST_OF_CLASS or filled == len(values):
        return None
    counts = np.bincount(classes[present], minlength=len(names))
    best = int(counts.argmax())
    share = float((classes == best).mean())
    if counts[best] < 0.995 * filled or filled * np.log10(share) > np.log10(CHANCE):
        return None
    sentence = (
        f"{column!r} has a value only where {target!r} is {str(names[best])!r} ({filled:,} rows), so it was "
        "written down after the outcome was known."
    )
    return Leak((column,), sentence, True)


def _tells_a_class(column: str, target: str, binned: Codes, classes: Codes, names: pd.Index) -> Leak | None:
    """A column whose value tells one class from the rest on rows that were not used to find out."""
    totals = np.bincount(classes, minlength=len(names))
    rows = len(classes)
    wrong = _errors_between_halves(binned, classes, len(names))
    smaller = np.minimum(totals, rows - totals)
    is_told = (
        (smaller >= FEWEST_OF_CLASS)
        & (wrong <= LARGEST_ERROR * rows)
        & (wrong <= LARGEST_ERROR_OF_CLASS * smaller)
    )
    if not is_told.any():
        return None
    best = int(np.argmin(np.where(is_told, wrong / np.maximum(smaller, 1), np.inf)))
    told = f"{column!r} alone tells whether {target!r} is {str(names[best])!r}"
    sentence = f"{told}: {wrong[best]:,} of {rows:,} rows are wrong."
    return Leak((column,), sentence, rows >= FEWEST_ROWS)


def _parts_a_class(column: str, target: str, values: Numbers, classes: Codes, names: pd.Index) -> Leak | None:
    """A number with all rows of a class above (or below) all others; for few rows, where bins are too coarse."""
    present = np.isfinite(values)
    for code, name in enumerate(names):
        mine, others = values[present & (classes == code)], values[present & (classes != code)]
        if min(len(mine), len(others)) >= FEWEST_OF_CLASS and (
            mine.min() > others.max() or mine.max() < others.min()
        ):
            sentence = f"{column!r} parts the rows whose {target!r} is {str(name)!r} from all others without an error."
            return Leak((column,), sentence, False)
    return None


def _errors_between_halves(binned: Codes, classes: Codes, count: int) -> npt.NDArray[np.int64]:
    """For each class, rows wrongly told from the rest when each half is answered by the other; (classes,)."""
    half = np.random.default_rng(1).random(len(binned)) < 0.5
    size = int(binned.max()) + 1
    tables = [
        np.bincount(binned[part] * count + classes[part], minlength=size * count).reshape(size, count)
        for part in (half, ~half)
    ]
    wrong = np.zeros(count, dtype=np.int64)
    for learned, asked in (tables, tables[::-1]):
        seen = learned.sum(axis=1, keepdims=True)
        says_class = 2 * learned > np.where(seen > 0, seen, 1)
        if (seen == 0).any():
            often = 2 * learned.sum(axis=0) > learned.sum()
            says_class = np.where(seen > 0, says_class, often[None, :])
        wrong += np.where(says_class, asked.sum(axis=1, keepdims=True) - asked, asked).sum(axis=0)
    return wrong


def _in_order(column: str, target: str, values: Numbers, wanted: Numbers) -> Leak | None:
    """A number in the target's order, or one of which the target is any function."""
    present = np.isfinite(values)
    if present.sum() < max(20, 0.5 * len(values)) or len(np.unique(values[present])) < 10:
        return None
    mine, theirs = _ranks(values[present]), _ranks(wanted[present])
    if theirs.std() == 0:
        return None
    order = float(np.corrcoef(mine, theirs)[0, 1])
    if abs(order) > CERTAIN_ORDER:
        told = f"{column!r} puts the rows in the same order as {target!r} (rank correlation {order:.4f})"
        return Leak((column,), f"{told}: it is the target in another form.", True)
    if _is_function(values[present], theirs):
        return Leak((column,), f"The target {target!r} is a function of {column!r} alone.", True)
    if abs(order) > SUSPICIOUS_ORDER:
        told = (
            f"{column!r} puts the rows in nearly the same order as {target!r} (rank correlation {order:.3f})"
        )
        return Leak((column,), f"{told}.", False)
    return None


def _is_function(values: Numbers, ranks: Numbers) -> bool:
    """Whether rows next to each other in the column have nearly the same target (von Neumann's ratio)."""
    forward = np.diff(values)
    if len(values) < FEWEST_ROWS or (forward >= 0).all() or (forward <= 0).all():
        return False  # rows in the column's order: then it is a clock, and a slow target follows any clock
    # ties of the column are put in a random order, so that they count against it unless the target agrees
    shuffled = np.random.default_rng(2).permutation(len(values))
    steps = np.diff(ranks[shuffled][np.argsort(values[shuffled], kind="stable")])
    return bool((steps**2).mean() / (2 * ranks.var()) < 1 - CERTAIN_ORDER)


def _ranks(values: Numbers) -> Numbers:
    """Ranks, equal values sharing their mean rank."""
    return np.asarray(pd.Series(values).rank(), dtype=np.float64)


def _pairs(columns: Mapping[str, Numbers], target: str, wanted: Numbers) -> list[Leak]:
    """Pairs of numbers of which the target is a weighted sum, or a product of powers."""
    found: list[Leak] = []
    ways: tuple[tuple[str, Callable[[Numbers], Numbers | None]], ...] = (
        ("a weighted sum", lambda values: values),
        ("a product", _logarithm),
    )
    for way, turn in ways:
        goal = turn(wanted)
        turned = {name: changed for name, values in columns.items() if (changed := turn(values)) is not None}
        pair = _exact_pair(turned, goal) if goal is not None else None
        if pair is not None and not any(set(pair) == set(leak.columns) for leak in found):
            left, right = pair
            found.append(
                Leak(pair, f"{left!r} and {right!r} give the target {target!r} exactly, as {way}.", True)
            )
    return found


def _logarithm(values: Numbers) -> Numbers | None:
    present = values[np.isfinite(values)]
    if not len(present) or present.min() <= 0:
        return None
    logarithms: Numbers = np.log(values)
    return logarithms


def _exact_pair(columns: Mapping[str, Numbers], wanted: Numbers) -> tuple[str, str] | None:
    """The pair that explains all of the target, if there is one; R2 of two from the correlations alone."""
    names = [
        name
        for name, values in columns.items()
        if np.isfinite(values).mean() > 0.95 and np.nanstd(values) > 0
    ]
    if len(names) < 2 or len(wanted) < 50:
        return None
    matrix = np.stack([columns[name] for name in names])
    whole = np.isfinite(matrix).all(axis=0)
    if whole.sum() < 50:
        return None
    with np.errstate(all="ignore"):
        related = np.nan_to_num(np.corrcoef(np.vstack([matrix[:, whole], wanted[whole]])))
        among, mine = related[:-1, :-1], related[:-1, -1]
        apart = 1 - among**2
        explained = (mine[:, None] ** 2 + mine[None, :] ** 2 - 2 * np.outer(mine, mine) * among) / apart
    explained = np.where(apart > 1e-4, explained, 0.0)
    left, right = np.unravel_index(int(np.argmax(np.triu(explained, 1))), explained.shape)
    if explained[left, right] < CERTAIN_SHARE or not _keeps_order(
        matrix[[left, right]][:, whole], wanted[whole]
    ):
        return None
    return names[int(left)], names[int(right)]


def _keeps_order(pair: Numbers, wanted: Numbers) -> bool:
    """Whether the best sum of the two also ranks the rows as the target does; a huge value may fake R2."""
    inputs = np.vstack([pair, np.ones(len(wanted))]).T
    fitted = inputs @ np.linalg.lstsq(inputs, wanted, rcond=None)[0]
    return bool(np.corrcoef(_ranks(fitted), _ranks(wanted))[0, 1] > CERTAIN_ORDER)


def _one_value_each(column: str, target: str, binned: Codes, wanted: Numbers) -> Leak | None:
    """A category whose levels, seen many times each, have one target value each."""
    counts = np.bincount(binned)
    levels = counts[counts > 0]
    if len(wanted) < FEWEST_ROWS or len(levels) < 3 or len(levels) > len(wanted) / 4:
        return None
    means = np.bincount(binned, weights=wanted) / np.maximum(counts, 1)
    left_over = float(((wanted - means[binned]) ** 2).sum()) / max(
        float(((wanted - wanted.mean()) ** 2).sum()), 1e-300
    )
    if left_over > 1 - CERTAIN_SHARE:
        return None
    return Leak((column,), f"Each value of {column!r} has one value of the target {target!r}.", True)
