"""A table without engineered features: what engineering brings is measured against it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from fathometer.data.rows import Rows

Floats = npt.NDArray[np.float64]


def as_raw(rows: Rows) -> Rows:
    """Every column as one plain number, so that learners can engineer nothing: all kinds are "number".

    Numbers stay as they are; moments are seconds since 1970; of anything else a cell is the place of its label (its
    text) in the sorted list of all labels of the column. Missing stays missing. A categorical's labels are those it
    knows, shown or not; a text's are those in `rows`, so the whole table is given at once, before folds are taken.
    """
    columns = {name: _plain(rows.column(name), kind) for name, kind in rows.kinds.items()}
    frame = pd.DataFrame(columns, index=rows.frame.index, columns=pd.Index(list(rows.kinds), dtype=object))
    return Rows(frame, dict.fromkeys(rows.kinds, "number"), rows.target)


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
