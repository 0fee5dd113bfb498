"""Ask a model: check the rows against what was learned, answer them, and say what did not fit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from fathometer.core.memo import sharing
from fathometer.data.column_names import tidy_names
from fathometer.data.rows import Rows
from fathometer.data.schema import Schema
from fathometer.errors import UnknownName, UnsuitableData
from fathometer.kind import kind_named
from fathometer.task import Prediction

if TYPE_CHECKING:
    from fathometer.bundle.read import Bundle

ON_BAD = ("missing", "stop", "skip", "null")
"""What becomes of a row with a cell that does not read as its column was learned: the cell counts as missing; nothing
is answered at all; the row is left out; the row's answer is empty."""

MOST_TOLD = 1_000  # cells that do not read are listed one by one up to so many
MOST_SHOWN = 200  # characters of such a cell


@dataclass(frozen=True)
class BadCell:
    """A cell that does not read as its column was learned. row: position in the frame, from 0. why: a clause."""

    row: int
    column: str
    shown: str
    why: str


@dataclass(frozen=True)
class Asked:
    """What a model said of a frame.

    answers, prediction: of the rows at `places` (positions in the frame), in their order.
    bad: the first cells that do not read as learned; bad_rows: how many rows have one.
    unseen: column -> how many cells hold a level that training never saw.
    """

    answers: pd.DataFrame
    prediction: Prediction
    places: npt.NDArray[np.intp]
    bad: tuple[BadCell, ...] = ()
    bad_rows: int = 0
    unseen: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def ask(
    bundle: Bundle,
    frame: Any,
    *,
    family: str | None = None,
    on_bad: str = "missing",
    fill_missing: bool = False,
    most: int = MOST_TOLD,
) -> Asked:
    """Answer the rows of a frame of cells.

    Args:
        frame: cells as read from a file, or typed, in anything `tidied` takes; further columns are ignored.
        family: who answers; the verdict's choice unless given.
        on_bad: one of `ON_BAD`.
        fill_missing: a column that is not there counts as missing everywhere, instead of being refused.
        most: cells that do not read are listed up to so many.

    Raises:
        UserError: a column or the family is not there; with "stop", a cell does not read.
    """
    if on_bad not in ON_BAD:
        raise UnknownName("rule for cells that do not read", on_bad, ON_BAD)
    with sharing():
        return _asked(bundle, tidied(frame, bundle.schema), family, on_bad, fill_missing, most)


def _asked(
    bundle: Bundle, frame: pd.DataFrame, family: str | None, on_bad: str, fill_missing: bool, most: int
) -> Asked:
    rows = bundle.schema.read(frame, fill_missing=fill_missing)
    unread = bundle.schema.unread_places(frame, rows)
    _refuse_names_of_files(bundle.schema, frame, rows, unread)
    bad, bad_rows = _bad_cells(bundle.schema, frame, unread, most)
    if on_bad == "stop" and len(bad_rows):
        raise UnsuitableData(_told(bad, len(bad_rows)))
    places = np.arange(len(rows), dtype=np.intp)
    if on_bad == "skip" and len(bad_rows):
        places = np.setdiff1d(places, bad_rows)
        rows = rows.take(places)
    prediction = bundle.predict_raw(rows, family)
    answers = bundle.task.answer(prediction)
    if on_bad == "null" and len(bad_rows):
        answers, prediction = _emptied(answers, prediction, bad_rows)
    notes = _notes(unread, on_bad, bundle.schema, frame)
    return Asked(answers, prediction, places, bad, len(bad_rows), _unseen(bundle.schema.levels, rows), notes)


def tidied(given: Any, schema: Schema) -> pd.DataFrame:
    """A frame whose columns are named as reading before training would have named them.

    Args:
        given: a frame (of pandas, or what has `to_pandas`), a list of records, a mapping of columns, or, where the
            model has one input, a list of its values.

    Raises:
        UnsuitableData: none of these.
    """
    frame = _as_frame(given, schema)
    names = list(frame.columns)
    is_tidy = len(set(names)) == len(names) and set(schema.names) <= set(names)
    if is_tidy and all(isinstance(name, str) for name in names):
        return frame
    return frame.set_axis(tidy_names(names)[0], axis=1)


def _as_frame(given: Any, schema: Schema) -> pd.DataFrame:
    if isinstance(given, pd.DataFrame):
        return given
    try:
        if isinstance(given, Mapping):
            return pd.DataFrame(dict(given))
        if hasattr(given, "to_pandas") and isinstance(frame := given.to_pandas(), pd.DataFrame):
            return frame
        if isinstance(given, list | tuple) and given and all(isinstance(row, Mapping) for row in given):
            return pd.DataFrame(list(given))
        if isinstance(given, list | tuple | pd.Series | np.ndarray) and len(schema.names) == 1:
            return pd.DataFrame({schema.names[0]: pd.Series(list(given), dtype=object)})
    except (ValueError, TypeError) as error:
        raise UnsuitableData(
            f"Expected columns of one length each; got {type(given).__name__}: {error}."
        ) from error
    names = f"{', '.join(schema.names[:10])}{' ...' if len(schema.names) > 10 else ''}"
    raise UnsuitableData(
        f"Expected a DataFrame, or a list of records, with the columns {names}; got {type(given).__name__}."
    )


def _refuse_names_of_files(
    schema: Schema, frame: pd.DataFrame, rows: Rows, unread: Mapping[str, npt.NDArray[np.intp]]
) -> None:
    """Where pictures were learned from and names of files come, every answer would be that of a missing picture."""
    if any(kind_named(rows.kinds[name]).unstructured for name in unread):
        plain = [name for name, kind in rows.kinds.items() if not kind_named(kind).unstructured]
        schema.without(plain).demand_readable(frame, rows)


def _bad_cells(
    schema: Schema, frame: pd.DataFrame, unread: Mapping[str, npt.NDArray[np.intp]], most: int
) -> tuple[tuple[BadCell, ...], npt.NDArray[np.intp]]:
    """The first cells that do not read, by row, and the rows that have one."""
    if not unread:
        return (), np.zeros(0, dtype=np.intp)
    bad_rows = np.unique(np.concatenate(list(unread.values())))
    told = bad_rows[:most]
    cells = [
        _bad_cell(schema, frame, int(row), name)
        for name, places in unread.items()
        for row in places[np.isin(places, told)][:most]
    ]
    place_of = {name: place for place, name in enumerate(schema.names)}
    cells.sort(key=lambda cell: (cell.row, place_of[cell.column]))
    return tuple(cells[:most]), bad_rows


def _bad_cell(schema: Schema, frame: pd.DataFrame, row: int, name: str) -> BadCell:
    cell, kind = frame[name].iloc[row], schema.column(name).kind
    shown = cell if isinstance(cell, str | int | float) else getattr(cell, "name", type(cell).__name__)
    why = kind_named(kind).complaint(cell) or f"it does not read as {kind}"
    return BadCell(row, name, str(shown)[:MOST_SHOWN], why)


def _told(bad: tuple[BadCell, ...], rows: int) -> str:
    shown = "; ".join(
        f"row {cell.row}, column {cell.column!r}: {cell.shown[:40]!r}, {cell.why}" for cell in bad[:3]
    )
    count = f"{rows:,} row{'s have cells' if rows > 1 else ' has a cell'}"
    return (
        f"{count} not written as learned (the first row is 0: {shown}). Mend them, or ask for such cells to count as "
        "missing."
    )


def _emptied(
    answers: pd.DataFrame, prediction: Prediction, bad_rows: npt.NDArray[np.intp]
) -> tuple[pd.DataFrame, Prediction]:
    """Without what was answered to bad rows."""
    answers, prediction = answers.copy(), prediction.copy()
    for name in answers:
        column = answers[name].astype(object) if answers[name].dtype.kind not in "fO" else answers[name]
        answers[name] = column.where(~np.isin(np.arange(len(answers)), bad_rows), None)
    prediction[bad_rows] = np.nan
    return answers, prediction


def _notes(
    unread: Mapping[str, npt.NDArray[np.intp]], on_bad: str, schema: Schema, frame: pd.DataFrame
) -> tuple[str, ...]:
    """What was done with cells and columns that are not as learned, a sentence each."""
    done = {
        "missing": "count as missing",
        "skip": "their rows are left out",
        "null": "their rows have no answer",
    }
    told = [
        f"{len(places):,} cell{'s' if len(places) > 1 else ''} of {name!r} could not be read: "
        f"{done.get(on_bad, '')}."
        for name, places in unread.items()
    ]
    there = set(frame.columns)
    absent = [name for name in schema.names if name not in there]
    if absent:
        shown = ", ".join(map(repr, absent[:5])) + (" ..." if len(absent) > 5 else "")
        told.append(f"Missing in every row, for there is no such column: {shown}.")
    return tuple(told)


def _unseen(levels: Mapping[str, frozenset[str]], rows: Rows) -> dict[str, int]:
    """Column -> cells with a level that training never saw, where all its levels are known."""
    counts = {}
    for name, known in levels.items():
        values = rows.column(name).array
        if isinstance(values, pd.Categorical):
            new = [place for place, level in enumerate(values.categories) if level not in known]
            if new:
                counts[name] = int(np.isin(values.codes, new).sum())
    return {name: count for name, count in counts.items() if count}
