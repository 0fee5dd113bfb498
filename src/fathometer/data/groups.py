"""Groups of rows by a sensitive column, by which answers are compared; whether it is learned from is another matter."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

GROUPS_MOST = 20  # the rest are joined
NUMBERS_APART = 8  # a column of more different numbers is cut into ranges
RANGES = 4
MISSING = "(missing)"
OTHERS = "(other)"


@dataclass(frozen=True)
class Groups:
    """codes: (rows,) place of each row's group in `labels`."""

    column: str
    labels: tuple[str, ...]
    codes: npt.NDArray[np.int32]


def groups_of(frame: pd.DataFrame, column: str | None) -> Groups | None:
    """The groups of a column's cells: its values, or four ranges with as many rows each where they are numbers."""
    if column is None:
        return None
    cells = frame[column]
    numbers = pd.to_numeric(cells, errors="coerce")
    if numbers.notna().sum() >= 0.95 * max(cells.notna().sum(), 1) and numbers.nunique() > NUMBERS_APART:
        names = _ranges(numbers)
    else:
        text = cells.astype("string").str.strip()
        names = text.fillna("").replace("", MISSING)
    counts = names.value_counts()
    if len(counts) > GROUPS_MOST:
        names = names.where(names.isin(counts.index[: GROUPS_MOST - 1]), OTHERS)
    labels = sorted(map(str, names.unique()))
    place = {label: code for code, label in enumerate(labels)}
    codes = np.array([place[str(name)] for name in names], dtype=np.int32)
    return Groups(column, tuple(labels), codes)


def _ranges(numbers: pd.Series) -> pd.Series:
    edges = np.unique(numbers.dropna().quantile(np.linspace(0, 1, RANGES + 1)))
    place = np.clip(
        np.searchsorted(edges, numbers.fillna(edges[0]), side="right") - 1, 0, max(len(edges) - 2, 0)
    )
    ends = edges if len(edges) > 1 else np.repeat(edges, 2)
    labels = [
        f"{ends[i]:g} to {ends[i + 1]:g}" if i == len(ends) - 2 else f"{ends[i]:g} to under {ends[i + 1]:g}"
        for i in range(len(ends) - 1)
    ]
    names = pd.Series([labels[i] for i in place], index=numbers.index, dtype="string")
    return names.where(numbers.notna(), MISSING)
