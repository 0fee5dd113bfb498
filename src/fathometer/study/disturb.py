"""Rows made harder on purpose, the same way every time: gaps, noise, shuffled columns, and which rows are unlike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from fathometer.data.rows import Rows
from fathometer.study.facts import STRUCTURED, facts_of, kind_named
from fathometer.study.raw import seconds_since_1970

Floats = npt.NDArray[np.float64]

BINS = 10  # into which numbers are cut, to see how answers go along with them
LEVELS = 30  # of a category told apart for the same purpose; the rest are one
WEEK, DAY = 604_800.0, 86_400.0  # seconds
FARTHEST = 9e18  # microseconds from 1970 that a moment may be moved to
TRIED = 20  # cells that are disturbed to see whether their kind has such a thing
STRONG = 0.2  # size of noise from which on it is plainly to be seen
CARELESSNESS = {
    "text": ("typing errors in {share} of the words", "typing errors in {share} of the words"),
    "image": (
        "slight blur, noise and other light in pictures",
        "strong blur, noise and other light in pictures",
    ),
}


def with_gaps(rows: Rows, share: float, seed: int) -> Rows:
    """Each cell missing with this probability; of one seed, a larger share takes the same cells and more."""
    draws = np.random.default_rng(seed).random((len(rows), len(rows.kinds)))
    columns = {
        name: _emptied(rows.column(name), draws[:, place] < share) for place, name in enumerate(rows.kinds)
    }
    return _with_columns(rows, columns)


def noise_scales(train: Rows) -> dict[str, float]:
    """Standard deviation of every column of numbers or moments (in seconds) that varies in the training rows."""
    scales = {}
    for name, kind in train.kinds.items():
        if kind in ("number", "moment"):
            numbers = as_numbers(train, name)
            present = numbers[np.isfinite(numbers)]
            with np.errstate(over="ignore", invalid="ignore"):
                scale = float(present.std()) if len(present) else 0.0
            if scale > 0 and np.isfinite(scale):
                scales[name] = scale
    return scales


def careless_columns(rows: Rows) -> list[str]:
    """The columns whose cells can be left as a careless typist or camera would have left them."""
    some = rows.take(np.arange(min(len(rows), TRIED)))
    return [name for name in rows.kinds if _disturbed(some, name, 0.1, np.random.default_rng(0)) is not None]


def noise_told(
    kinds: Mapping[str, str], scales: Mapping[str, float], careless: list[str], size: float
) -> str:
    """What `with_noise` does to such columns, in words.

    >>> noise_told({"a": "number", "b": "text"}, {"a": 2.0}, ["b"], 0.1)
    'noise of 0.1 standard deviations in numbers, typing errors in 10 % of the words'
    """
    found = {kinds[name] for name in scales}
    measured = [word for kind, word in (("number", "numbers"), ("moment", "dates")) if kind in found]
    told = [f"noise of {size:g} standard deviations in {' and '.join(measured)}"] if measured else []
    for kind in sorted({kinds[name] for name in careless}):
        slight, strong = CARELESSNESS.get(kind, (f"slight noise in {kind}", f"strong noise in {kind}"))
        told.append((strong if size >= STRONG else slight).replace("{share}", f"{100 * size:.0f} %"))
    return ", ".join(told)


def with_noise(
    rows: Rows, scales: Mapping[str, float], size: float, seed: int, careless: Sequence[str] = ()
) -> Rows:
    """Gaussian noise of `size` times its scale added to each of these columns; a missing cell stays missing.

    A moment is moved by whole weeks, or whole days, where the noise is larger than that: a few weeks more or less are
    an error as it may happen, while another hour and weekday would be another event.

    Args:
        careless: columns whose kind says itself what noise is with it (typing errors, blur).
    """
    rng = np.random.default_rng(seed)
    columns = {}
    for name, scale in scales.items():
        moved = size * scale * rng.normal(size=len(rows))
        values = rows.column(name)
        if rows.kinds[name] == "moment":
            step = next((step for step in (WEEK, DAY) if size * scale > step), 0.0)
            moved = np.round(moved / step) * step if step else moved
            moments = values.to_numpy().astype("datetime64[us]")
            there = np.clip(moments.astype(np.int64) + 1e6 * moved, -FARTHEST, FARTHEST).astype(np.int64)
            noisy = np.where(np.isnat(moments), moments, there.astype("datetime64[us]"))
            columns[name] = pd.Series(noisy, index=values.index)
        else:
            columns[name] = pd.Series(values.to_numpy(dtype=np.float64) + moved, index=values.index)
    for name in careless:
        left = _disturbed(rows, name, size, rng)
        if left is not None:
            columns[name] = left.set_axis(rows.frame.index)
    return _with_columns(rows, columns)


def _disturbed(rows: Rows, name: str, size: float, rng: np.random.Generator) -> pd.Series | None:
    kind = None if rows.kinds[name] in STRUCTURED else kind_named(rows.kinds[name])
    return None if kind is None else kind.disturbed(rows.column(name), size, rng)


def shuffled(rows: Rows, name: str, donors: npt.NDArray[np.intp]) -> Rows:
    """The rows with the cells of one column taken from these rows, (rows,)."""
    frame = rows.frame.copy(
        deep=False
    )  # one column is exchanged: with many, a new frame would take much longer
    frame[name] = rows.column(name).iloc[donors].set_axis(frame.index)
    return replace(rows, frame=frame)


def unlikeness(rows: Rows, train: Rows) -> Floats:
    """How little each row is like the training rows, 0 to 1: the mean over columns of how unusual the cell is.

    A number's or moment's is twice the distance of its rank among the training rows from the middle; of words and
    pictures it is the mean of the same for every fact that a person can see in them (length, brightness); a category's
    is 1 - the share of training rows with that level, and so is a missing cell's. A column of which nothing can be
    seen is left out.
    """
    found = [_unusual(rows, train, name) for name in rows.kinds]
    parts = [part for part in found if part is not None]
    return np.mean(parts, axis=0) if parts else np.zeros(len(rows))


def by_relevance(rows: Rows, answers: Floats) -> list[str]:
    """All columns, first those with whose values the answers (rows,) or (rows, outputs) go along most.

    Measured by the share of the answers' variance that lies between bins of the column's values (the correlation
    ratio), less what chance gives. Words and pictures come first, for their cells cannot be put into bins, and
    moments, for bins would hide the hour and the weekday.
    """
    table = answers.reshape(len(rows), -1)
    shares = [_variance_between(rows, name, table) for name in rows.kinds]
    names = list(rows.kinds)
    return [names[place] for place in np.argsort(-np.array(shares), kind="stable")]


def as_numbers(rows: Rows, name: str) -> Floats:
    """Numbers as they are, moments as seconds since 1970, texts as their length; NaN for all else."""
    values, kind = rows.column(name), rows.kinds[name]
    if kind == "moment":
        return seconds_since_1970(values)
    if kind == "number":
        return values.to_numpy(dtype=np.float64, na_value=np.nan)
    cells = values if values.dtype == object else [None] * len(values)
    return np.array([len(text) if isinstance(text, str) else np.nan for text in cells], dtype=np.float64)


def _with_columns(rows: Rows, columns: Mapping[str, pd.Series]) -> Rows:
    frame = pd.DataFrame({name: columns.get(name, rows.column(name)) for name in rows.kinds})
    return replace(rows, frame=frame if len(rows.kinds) else rows.frame)


def _emptied(values: pd.Series, gone: npt.NDArray[np.bool_]) -> pd.Series:
    if values.dtype != object:
        return values.mask(gone)
    cells = values.to_numpy(dtype=object, copy=True)
    cells[gone] = None
    return pd.Series(cells, index=values.index, dtype=object)


def _unusual(rows: Rows, train: Rows, name: str) -> Floats | None:
    """(rows,) how unusual each cell is among the training rows' cells; None where nothing can be seen of them."""
    if rows.kinds[name] == "category":
        seen = train.column(name).astype(object)
        shares = seen.value_counts(normalize=False) / max(len(train), 1)
        told = rows.column(name).astype(object).map(shares).fillna(0.0).to_numpy(dtype=np.float64)
        gaps = float(seen.isna().mean())
        return 1.0 - np.where(rows.column(name).isna(), gaps, told)
    if rows.kinds[name] in STRUCTURED:
        return _far_out(as_numbers(rows, name), as_numbers(train, name))
    seen_facts, known_facts = facts_of(rows, name), facts_of(train, name)
    if not seen_facts and rows.kinds[name] == "text":
        return _far_out(as_numbers(rows, name), as_numbers(train, name))
    parts = [_far_out(values, known_facts[fact]) for fact, values in seen_facts.items()]
    return np.mean(parts, axis=0) if parts else None


def _far_out(numbers: Floats, known: Floats) -> Floats:
    """(rows,) twice the distance of each number's rank among the known ones from the middle."""
    present = np.sort(known[~np.isnan(known)])
    below = np.searchsorted(present, numbers, "left") + np.searchsorted(present, numbers, "right")
    ranks = below / max(2 * len(present), 1)
    gaps = float(np.isnan(known).mean()) if len(known) else 0.0
    return np.where(np.isnan(numbers), 1.0 - gaps, 2 * np.abs(ranks - 0.5))


def _variance_between(rows: Rows, name: str, answers: Floats) -> float:
    if rows.kinds[name] not in ("number", "category"):
        return 1.0
    if rows.kinds[name] == "category":
        counts = (
            rows.column(name)
            .astype(object)
            .value_counts()
            .sort_index()
            .sort_values(ascending=False, kind="stable")
        )
        place = {level: position for position, level in enumerate(counts.index[:LEVELS])}
        bins = np.array([place.get(level, LEVELS) for level in rows.column(name).astype(object)])
    else:
        numbers = as_numbers(rows, name)
        present = numbers[~np.isnan(numbers)]
        edges = (
            np.unique(np.quantile(present, np.linspace(0, 1, BINS + 1)[1:-1])) if len(present) else present
        )
        bins = np.where(np.isnan(numbers), BINS, np.searchsorted(edges, numbers, "left"))
    _, codes = np.unique(bins, return_inverse=True)
    sizes = np.bincount(codes).astype(np.float64)
    apart = answers - answers.mean(axis=0)
    total = float((apart**2).sum())
    if total == 0 or len(sizes) < 2:
        return 0.0
    sums = np.stack([np.bincount(codes, weights=column) for column in apart.T])
    return float((sums**2 / sizes).sum()) / total - (len(sizes) - 1) / max(len(answers) - 1, 1)
