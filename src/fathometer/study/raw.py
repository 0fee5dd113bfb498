"""A table without engineered features: what engineering brings is measured against it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from fathometer.data.rows import Rows
from fathometer.kind import KINDS

Floats = npt.NDArray[np.float64]


def as_raw(rows: Rows) -> Rows:
    """Every column as one plain number, so that learners can engineer nothing: all kinds are "number".

    Numbers stay as they are; moments are seconds since 1970; of anything else a cell is the place of its label (its
    text) in the sorted list of all labels of the column. Missing stays missing. A categorical's labels are those it
    knows, shown or not; a text's are those in `rows`, so the whole table is given at once, before folds are taken.
    Pictures keep their kind here: `with_pixels` makes them numbers once the rows of a fold are taken.
    """
    later = {name for name, kind in rows.kinds.items() if _has_pixels(rows.column(name), kind)}
    columns = {
        name: rows.column(name) if name in later else _plain(rows.column(name), kind)
        for name, kind in rows.kinds.items()
    }
    frame = pd.DataFrame(columns, index=rows.frame.index, columns=pd.Index(list(rows.kinds), dtype=object))
    kinds = {name: kind if name in later else "number" for name, kind in rows.kinds.items()}
    return Rows(frame, kinds, rows.target)


def with_pixels(rows: Rows) -> Rows:
    """Pictures as one plain number a pixel, each a column of its own."""
    columns: dict[str, Any] = {}
    for name, kind in rows.kinds.items():
        pixels = KINDS.get(kind)().plain(rows.column(name)) if kind != "number" else None
        if pixels is None:
            columns[name] = rows.column(name).to_numpy()
        else:
            columns |= {_free(f"{name}: {part}", rows.kinds): numbers for part, numbers in pixels.items()}
    frame = pd.DataFrame(columns, index=rows.frame.index)
    return Rows(frame, dict.fromkeys(columns, "number"), rows.target)


def _has_pixels(values: pd.Series, kind: str) -> bool:
    return kind != "number" and KINDS.get(kind)().plain(values.iloc[:1]) is not None


def _free(name: str, taken: Mapping[str, str]) -> str:
    """The name, changed where a column is called that already."""
    while name in taken:
        name += "'"
    return name


def _plain(values: pd.Series, kind: str) -> Floats:
    if kind == "moment":
        return seconds_since_1970(values)
    if kind == "number":
        return np.array(values.to_numpy(dtype=np.float64, na_value=np.nan))
    labels = values if isinstance(values.dtype, pd.CategoricalDtype) else values.astype("category")
    known = labels.cat.categories
    order = np.argsort(known.to_numpy(dtype=object), kind="stable")
    places = np.full(len(known) + 1, np.nan)  # the last place is for missing, whose code is -1
    places[order] = np.arange(len(known))
    taken: Floats = places[labels.cat.codes.to_numpy()]
    return taken


def seconds_since_1970(values: pd.Series) -> Floats:
    """Moments as seconds, NaN where missing."""
    moments = values.to_numpy().astype("datetime64[us]")
    return np.where(np.isnat(moments), np.nan, moments.astype(np.int64) / 1e6)
