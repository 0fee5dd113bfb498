"""What a person can see in words and pictures (length, brightness, ...), as columns of numbers beside the others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from fathometer.data.rows import Rows
from fathometer.errors import MissingExtra, UnknownName
from fathometer.kind import KINDS, Kind

Floats = npt.NDArray[np.float64]

STRUCTURED = frozenset({"number", "category", "moment"})
"""Kinds whose cells are plain enough to be asked about themselves."""


def kind_named(name: str) -> Kind | None:
    """The kind of that name; None where it is not at hand, so that a column of it is left alone."""
    try:
        return KINDS.get(name)()
    except (UnknownName, MissingExtra):
        return None


def is_unstructured(name: str) -> bool:
    """Whether cells of this kind are words, pictures or the like."""
    kind = None if name in STRUCTURED else kind_named(name)
    return kind is not None and kind.unstructured


def facts_of(rows: Rows, name: str) -> dict[str, Floats]:
    """A column's facts, (rows,) each, in their order; none where its kind knows of none."""
    kind = None if rows.kinds[name] in STRUCTURED else kind_named(rows.kinds[name])
    if kind is None:
        return {}
    found = kind.facts(rows.column(name))
    return {fact: np.asarray(values, dtype=np.float64).reshape(-1) for fact, values in found.items()}


def fact_columns(rows: Rows) -> dict[str, tuple[str, str]]:
    """name -> (column, fact) of every fact of these rows' columns; no name is that of a column."""
    first = rows.take(np.arange(min(len(rows), 1)))
    told: dict[str, tuple[str, str]] = {}
    for column in rows.kinds:
        for fact in facts_of(first, column):
            name = f"{fact} of {column}"
            while name in rows.kinds or name in told:
                name += " (seen)"
            told[name] = (column, fact)
    return told


def with_facts(rows: Rows) -> Rows:
    """The rows with every fact as a further column of numbers; the same rows where there are none."""
    names = fact_columns(rows)
    if not names:
        return rows
    found: Mapping[str, Mapping[str, Floats]] = {
        column: facts_of(rows, column) for column in dict.fromkeys(column for column, _ in names.values())
    }
    seen = {
        name: pd.Series(found[column][fact], index=rows.frame.index) for name, (column, fact) in names.items()
    }
    kinds = {**rows.kinds, **dict.fromkeys(names, "number")}
    return replace(rows, frame=rows.frame.assign(**seen), kinds=kinds)
