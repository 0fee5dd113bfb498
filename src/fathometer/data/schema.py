"""Columns, their kinds and how they are written: learned once, then new rows are read the same way."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from fathometer.core.attachments import Attachment
from fathometer.core.pictures import Picture
from fathometer.data.rows import Rows
from fathometer.errors import UnknownColumn, UnknownName, UnsuitableData
from fathometer.kind import KINDS, Kind, Reading, kind_named
from fathometer.kinds._cells import MISSING_WORDS, distinct_text

THINGS = (Attachment, Picture, np.ndarray)  # cells that are no text and no number
SURE = 0.95  # a guess above this needs no other
FEW_UNREAD = 3  # cells that do not read say nothing yet of how a column is written
SUMMED_UP = 2_000  # cells of words or pictures from which facts are taken


@dataclass(frozen=True)
class Column:
    """One input column.

    reading: how its cells are written. summary: facts about its values when the schema was learned.
    guessed: False when the user named the kind. why: one sentence for people.
    """

    name: str
    kind: str
    reading: Reading
    summary: dict[str, Any]
    guessed: bool
    why: str


@dataclass(frozen=True)
class LeftOut:
    """A column that is not learned from.

    reason: "asked", "empty", "constant", "id", "duplicate_column" or "leak".
    overrule: what to type to learn from it all the same; empty where that makes no sense.
    """

    name: str
    reason: str
    sentence: str
    overrule: str = ""


@dataclass(frozen=True)
class Schema:
    """The input columns, in order."""

    columns: tuple[Column, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The columns' names, in order."""
        return tuple(column.name for column in self.columns)

    @property
    def kinds(self) -> dict[str, str]:
        """Column name -> name of its kind, in order."""
        return {column.name: column.kind for column in self.columns}

    @functools.cached_property
    def levels(self) -> dict[str, frozenset[str]]:
        """Column name -> every level that training saw, of the columns where all of them were noted."""
        known = {}
        for column in self.columns:
            shown = column.summary.get("commonest")
            if column.kind == "category" and shown and len(shown) == column.summary.get("distinct"):
                known[column.name] = frozenset(str(level) for level, _ in shown)
        return known

    def column(self, name: str) -> Column:
        """The column of that name; raises UnknownColumn."""
        for column in self.columns:
            if column.name == name:
                return column
        raise UnknownColumn(name, self.names)

    def without(self, names: Iterable[str]) -> Schema:
        """The schema less these columns."""
        left_out = set(names)
        return Schema(tuple(column for column in self.columns if column.name not in left_out))

    def read(self, frame: pd.DataFrame, *, fill_missing: bool = False) -> Rows:
        """Cells to values as learned; order does not matter, further columns are ignored.

        Args:
            fill_missing: take a column that is not there as one with every cell missing.

        Raises:
            UnknownColumn, UnsuitableData: one column, or several, are not there.
        """
        frame = text_named(frame)
        if not fill_missing:
            self._demand(frame)
        frame = frame.reset_index(drop=True)
        # arrays rather than columns: these would be aligned by their index, one after the other
        values = {column.name: _read_column(frame, column).array for column in self.columns}
        return Rows(pd.DataFrame(values, index=frame.index, copy=False), self.kinds)

    def unread(self, frame: pd.DataFrame, rows: Rows) -> dict[str, int]:
        """Column name -> how many cells hold something that could not be read (missing in `rows`)."""
        return {name: len(places) for name, places in self.unread_places(frame, rows).items()}

    def unread_places(self, frame: pd.DataFrame, rows: Rows) -> dict[str, npt.NDArray[np.intp]]:
        """Column name -> positions of the cells that hold something that could not be read, where there are any."""
        frame = text_named(frame)
        found = {}
        there = set(frame.columns)
        for column in self.columns:
            if column.name in there:
                absent = np.flatnonzero(rows.column(column.name).array.isna())
                if len(absent):
                    places = absent[_says_something(frame[column.name].iloc[absent], column)]
                    if len(places):
                        found[column.name] = places
        return found

    def demand_readable(self, frame: pd.DataFrame, rows: Rows) -> dict[str, int]:
        """What `unread` counts, refused where hardly a cell of a column reads as it did in training.

        Raises:
            UnsuitableData: a column is written otherwise, and answers would rest on nothing.
        """
        counts = self.unread(frame, rows)
        for name, count in counts.items():
            read = int(rows.column(name).notna().sum())
            if count > max(FEW_UNREAD, read):
                cell = text_named(frame)[name].dropna().iloc[0]
                raise UnsuitableData(
                    f"{name!r} was learned as {self.column(name).kind}, but {count:,} of {count + read:,} cells do not "
                    f"read so (the first is {str(cell)[:40]!r}). Write the column as in the training data."
                )
        return counts

    def to_json(self) -> dict[str, Any]:
        """The schema as plain data."""
        return {"columns": [asdict(column) for column in self.columns]}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Schema:
        """The schema of this plain data."""
        return cls(tuple(Column(**column) for column in value["columns"]))

    def _demand(self, frame: pd.DataFrame) -> None:
        there = [str(name) for name in frame.columns]
        absent = [name for name in self.names if name not in set(there)]
        if len(absent) == 1:
            raise UnknownColumn(absent[0], there, "among the rows, and it was learned from")
        if absent:
            known = {name.casefold() for name in there}
            alike = [name for name in absent if name.casefold() in known]
            but = " Some are there in other case, and names must be written as in training." if alike else ""
            raise UnsuitableData(
                f"These {len(absent)} columns are needed and not there: {_listed(absent)}.{but} "
                "Give them under the names used in training."
            )


def learn_schema(
    frame: pd.DataFrame,
    *,
    target: str | None = None,
    kinds: Mapping[str, str] | None = None,
    drop: Sequence[str] = (),
) -> tuple[Schema, tuple[LeftOut, ...]]:
    """Decide the kind of every input column and how it is written.

    Args:
        frame: cells as the source held them.
        target: the column to predict: no input.
        kinds: column name -> kind, where the user knows better.
        drop: columns not to learn from.

    Raises:
        UnknownColumn: a name given is not a column.
        UnknownName: a kind given does not exist.
        UnsuitableData: two columns have the same name, or none is left.
    """
    frame = text_named(frame)
    asked = dict(kinds or {})
    known = [str(name) for name in frame.columns]
    for name in [*asked, *drop, *([target] if target is not None else [])]:
        if name not in known:
            raise UnknownColumn(name, known)
    dropped = [name for name in known if name in set(drop) and name != target]
    inputs = [name for name in known if name != target and name not in set(dropped)]
    if not inputs:
        raise UnsuitableData(
            "No column is left to learn from. Give a table with more columns, or drop fewer."
        )
    columns = tuple(learn_column(frame[name], asked.get(name)) for name in inputs)
    return Schema(columns), tuple(
        LeftOut(name, "asked", f"You asked to leave out {name!r}.") for name in dropped
    )


def learn_column(cells: pd.Series, asked: str | None = None) -> Column:
    """The kind of one column, and how it is written."""
    if asked is not None and asked not in _kind_names():
        raise UnknownName("kind of column", asked, _kind_names())
    name = asked or _best_guess(cells)
    kind = kind_named(name)
    reading = kind.learn_reading(cells)
    looked_at = _cells_looked_at(cells, kind)
    summary = kind.summary(kind.read(looked_at, reading))
    is_sampled = len(looked_at) < len(cells)
    if is_sampled:
        summary = summary | {"looked_at": len(looked_at)}
    why = _why(str(cells.name), name, asked is not None, summary, kind.describe(reading), is_sampled)
    return Column(str(cells.name), name, reading, summary, asked is None, why)


def _best_guess(cells: pd.Series) -> str:
    """The kind that is likeliest; one that is sure of words or pictures spares the others a look at them."""
    guesses: dict[str, float] = {}
    for name in sorted(_kind_names(), key=lambda name: (not kind_named(name).unstructured, name)):
        guesses[name] = kind_named(name).guess(cells)
        if guesses[name] > SURE:
            return name
    return min(guesses, key=lambda kind: (-guesses[kind], kind))


def _cells_looked_at(cells: pd.Series, kind: Kind) -> pd.Series:
    """All cells, or of a kind that takes long to read some, evenly spread."""
    if not kind.unstructured or len(cells) <= SUMMED_UP:
        return cells
    return cells.iloc[np.linspace(0, len(cells) - 1, SUMMED_UP).astype(np.intp)]


def _says_something(cells: pd.Series, column: Column) -> npt.NDArray[np.bool_]:
    """(rows,) which cells that were read as missing are no word for missing."""
    nothing = {"", *MISSING_WORDS, *(word.lower() for word in column.reading.get("missing", []))}
    codes, texts = distinct_text(cells)
    told = np.array([text.lower() not in nothing for text in texts] + [False])
    # a file, picture or array is something, whatever the column was learned as
    is_thing = np.array([isinstance(cell, THINGS) for cell in cells], dtype=bool)
    return np.asarray(told[codes] | is_thing)


@functools.cache
def _kind_names() -> tuple[str, ...]:
    return tuple(KINDS.usable())


def text_named(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame with every column's name as text; refused when two are the same."""
    names = [str(name) for name in frame.columns]
    twice = sorted({name for name in names if names.count(name) > 1}) if len(set(names)) < len(names) else []
    if twice:
        raise UnsuitableData(f"Two columns have the same name: {_listed(twice)}. Rename one of each.")
    return frame if names == list(frame.columns) else frame.set_axis(names, axis=1)


def _read_column(frame: pd.DataFrame, column: Column) -> pd.Series:
    if column.name in frame.columns:
        cells = frame[column.name]
    else:
        cells = pd.Series([None] * len(frame), dtype=object, index=frame.index, name=column.name)
    return kind_named(column.kind).read(cells, column.reading)


def _why(
    name: str, kind: str, is_asked: bool, summary: Mapping[str, Any], written: str, is_sampled: bool
) -> str:
    """One sentence: what the column is taken for, and how its cells are read."""
    told = f"You said that {name!r} is of kind {kind}" if is_asked else f"{name!r} reads best as {kind}"
    distinct, present = summary.get("distinct"), summary.get("rows", 0) - summary.get("missing", 0)
    facts = (
        f" ({distinct:,} different values in {present:,} cells{' looked at' if is_sampled else ''})"
        if distinct is not None
        else ""
    )
    return f"{told}{facts}{'; ' + written if written else ''}."


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(repr(name) for name in names[:10])
    return shown + (f" and {len(names) - 10} more" if len(names) > 10 else "")
