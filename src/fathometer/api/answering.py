"""Ask a model about a table part by part: what stands before the answers, and what is counted on the way."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from fathometer.api.bad_cells import MOST_BAD, stopped
from fathometer.bundle import Bundle
from fathometer.bundle.asking import Asked, ask, tidied
from fathometer.data.sentences import counted, listed
from fathometer.data.streams import Part, Stream
from fathometer.errors import UnknownColumn, UnsuitableData

NO_IDS = "none"
ROW, FILE = "row", "file"
DONE = {
    "missing": "counted as missing",
    "skip": "rows left out",
    "null": "rows without an answer",
}


@dataclass(frozen=True)
class Answered:
    """What came of answering a table.

    rows: read. answered: with an answer. skipped: left out for a bad cell. empty: kept without an answer for one.
    bad_cells, bad_rows: that do not read as learned, whatever was done with them. unseen: column -> cells with a value
    that training never saw. out, bad_out: where answers and bad cells were written; None: nowhere.
    """

    rows: int
    answered: int
    skipped: int
    empty: int
    bad_cells: int
    bad_rows: int
    family: str
    out: Path | None = None
    bad_out: Path | None = None
    unseen: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Wish:
    """How to answer: as the arguments of `predict` say."""

    family: str | None
    on_bad: str
    fill_missing: bool
    ids: Sequence[str] | None
    has_rows: bool  # whether answers without another name of their own carry the row's number


class Asking:
    """Answers parts of a table, and counts what it meets."""

    def __init__(self, bundle: Bundle, wish: Wish) -> None:
        self._bundle, self._wish = bundle, wish
        self.family = wish.family or bundle.default
        self.rows = self._answered = self._bad_rows = self._bad_cells = 0
        self._bad: Counter[str] = Counter()
        self._unseen: Counter[str] = Counter()
        self._names: dict[str, str] | None = (
            None  # of columns that are copied -> their names among the answers
        )
        self._absent: tuple[str, ...] = ()

    def needed(self, part: Part) -> Part:
        """The part less columns that nobody asks for, so that they are not held; as it is where something lacks."""
        ids = self._bundle.about.get("ids", []) if self._wish.ids is None else self._wish.ids
        there = set(map(str, part.frame.columns))
        names = set(self._bundle.schema.names)
        if part.names is not None or not names <= there or not set(self._wish.ids or []) - {NO_IDS} <= there:
            return part
        kept = [name for name in part.frame.columns if str(name) in names or str(name) in ids]
        return Part(part.frame[kept], part.numbers)

    def demand_names(self, part: Part, stream: Stream) -> None:
        """Refuse a table whose columns nobody named; that they are not those needed is true, and of no help."""
        needed = self._bundle.schema.names
        if self.rows or part.names is not None or set(needed) & set(map(str, part.frame.columns)):
            return
        if not self._wish.fill_missing and any(
            note.startswith("There is no header") for note in stream.notes
        ):
            raise UnsuitableData(
                f"The columns of {stream.origin} have no names, and the model looks for {listed(map(repr, needed))}. "
                "Write the names as the first line."
            )

    def ask(self, part: Part) -> Asked:
        """What the model says of the next part."""
        frame = tidied(_named_as_learned(part, self._bundle.schema.names), self._bundle.schema)
        is_first = self.rows == 0
        if is_first and self._wish.on_bad == "missing":
            # hardly a cell of a column reads: answers would rest on nothing
            schema = self._bundle.schema
            schema.demand_readable(frame, schema.read(frame, fill_missing=self._wish.fill_missing))
        rule = "null" if self._wish.on_bad == "stop" else self._wish.on_bad
        asked = ask(
            self._bundle,
            frame,
            family=self._wish.family,
            on_bad=rule,
            fill_missing=self._wish.fill_missing,
            most=MOST_BAD,
        )
        if self._wish.on_bad == "stop" and asked.bad:
            raise UnsuitableData(stopped(asked, part))
        if is_first:
            self._absent = tuple(name for name in self._bundle.schema.names if name not in frame.columns)
        self._count(asked, part)
        return asked

    def _count(self, asked: Asked, part: Part) -> None:
        self.rows += len(part.frame)
        self._bad_rows += asked.bad_rows
        self._bad_cells += len(asked.bad)
        self._bad.update(cell.column for cell in asked.bad)
        self._unseen.update(asked.unseen)
        self._answered += len(asked.places) - (asked.bad_rows if self._wish.on_bad == "null" else 0)

    def answers(self, asked: Asked, part: Part) -> pd.DataFrame:
        """The answers behind what tells the rows apart."""
        answers = asked.answers.reset_index(drop=True)
        if self._names is None:
            self._names = self._copied(part, set(map(str, answers.columns)))
        front: dict[str, Any] = {}
        if part.names is not None:
            front[FILE] = [part.names[place] for place in asked.places]
        if self._has_number(part):
            front[ROW] = part.numbers[asked.places]
        cells = part.frame.iloc[asked.places].reset_index(drop=True)
        front |= {new: cells[old] for old, new in self._names.items()}
        return pd.concat([pd.DataFrame(front, index=answers.index), answers], axis=1)

    def _has_number(self, part: Part) -> bool:
        if part.names is not None:
            return False
        wish = self._wish
        is_named = bool(self._names) or (wish.ids is not None and list(wish.ids) == [NO_IDS])
        return wish.on_bad == "skip" or (wish.has_rows and not is_named)

    def _copied(self, part: Part, taken: set[str]) -> dict[str, str]:
        """Columns to copy -> their names among the answers, where they may clash with others."""
        there = list(map(str, part.frame.columns))
        if self._wish.ids is None:
            known = self._bundle.about.get("ids", [])
            wanted = [name for name in known if name in there] if self._wish.has_rows else []
        else:
            wanted = [] if list(self._wish.ids) == [NO_IDS] else list(dict.fromkeys(self._wish.ids))
        for name in wanted:
            if name not in there:
                raise UnknownColumn(name, there)
        taken = taken | {ROW, FILE}
        names: dict[str, str] = {}
        for name in wanted:
            new = name
            while new in taken:
                new = f"source_{new}"
            taken.add(new)
            names[name] = new
        return names

    def notes(self) -> list[str]:
        """What to say after the last part."""
        notes = []
        if self._absent:
            shown = listed(map(repr, self._absent))
            notes.append(f"Missing in every row, for there is no such column: {shown}.")
        for name, count in sorted(self._bad.items()):
            notes.append(
                f"{counted(count, 'cell')} of {name!r} could not be read: {DONE[self._wish.on_bad]}."
            )
        for name, count in sorted(self._unseen.items()):
            notes.append(f"{counted(count, 'cell')} of {name!r} hold what training never saw.")
        renamed = [f"{old!r} is {new!r}" for old, new in (self._names or {}).items() if old != new]
        if renamed:
            notes.append(f"Renamed, for the answers have columns of that name: {listed(renamed)}.")
        return notes

    def summary(self, out: Path | None, bad_out: Path | None, notes: tuple[str, ...]) -> Answered:
        """What came of it, after the last part."""
        rule = self._wish.on_bad
        return Answered(
            rows=self.rows,
            answered=self._answered,
            skipped=self._bad_rows if rule == "skip" else 0,
            empty=self._bad_rows if rule == "null" else 0,
            bad_cells=self._bad_cells,
            bad_rows=self._bad_rows,
            family=self.family,
            out=out,
            bad_out=bad_out,
            unseen=dict(self._unseen),
            notes=notes,
        )


def _named_as_learned(part: Part, names: Sequence[str]) -> pd.DataFrame:
    """Files have no column's name of their own: they are what the model's only column is about."""
    given = str(part.frame.columns[0])
    if part.names is None or len(names) != 1 or given in names:
        return part.frame
    return part.frame[[given]].set_axis(list(names), axis=1)
