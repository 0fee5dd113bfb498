"""Answer the rows of a table, however large, with a model, and say of each row that did not fit what was done."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TextIO, overload

import numpy as np
import numpy.typing as npt
import pandas as pd

from fathometer.bundle import Bundle, open_bundle
from fathometer.bundle.asking import ON_BAD, Asked, ask, tidied
from fathometer.data.outputs import Writer, as_csv
from fathometer.data.sentences import counted, listed
from fathometer.data.sources import ReadOptions
from fathometer.data.streams import ROWS, Part, Stream, stream_table
from fathometer.errors import BadRun, UnknownColumn, UnknownName, UnsuitableData, UserError

ROWS_OF_TEXTS, ROWS_OF_PICTURES = 2_000, 500
"""Rows that are answered at a time, where each takes more memory than a row of numbers and words."""

MOST_BAD = 1_000_000
"""Bad cells that are listed."""

FIRST_BAD = 3
NO_IDS = "none"
ROW, FILE = "row", "file"
DONE = {
    "missing": "count as missing",
    "skip": "their rows were left out",
    "null": "their rows have no answer",
}


@dataclass(frozen=True)
class Answering:
    """How far it is. rows: in all, where that is known. seconds: since the first row was read."""

    done: int
    rows: int | None
    seconds: float


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
class _Wish:
    """How to answer: as the arguments of `predict` say."""

    family: str | None
    on_bad: str
    fill_missing: bool
    ids: Sequence[str] | None
    has_rows: bool  # whether answers without another name of their own carry the row's number


class _Sink(Protocol):
    def write(self, frame: pd.DataFrame) -> None: ...


class _Printed:
    """Answers on a stream, as csv; what was printed cannot be taken back."""

    def __init__(self, stream: TextIO, *, raw: bool) -> None:
        self._stream, self._raw, self._is_first = stream, raw, True

    def write(self, frame: pd.DataFrame) -> None:
        self._stream.write(as_csv(frame, header=self._is_first, raw=self._raw))
        self._is_first = False


class _Kept:
    def __init__(self) -> None:
        self.frames: list[pd.DataFrame] = []

    def write(self, frame: pd.DataFrame) -> None:
        self.frames.append(frame)


@overload
def predict(
    model: str | Path | Bundle,
    data: Any,
    *,
    family: str | None = None,
    out: None = None,
    read: ReadOptions | None = None,
    on_bad: str = "missing",
    fill_missing: bool = False,
    ids: Sequence[str] | None = None,
    bad_out: str | Path | None = None,
    raw: bool = False,
    watcher: Callable[[Answering], None] | None = None,
) -> pd.DataFrame: ...


@overload
def predict(
    model: str | Path | Bundle,
    data: Any,
    *,
    family: str | None = None,
    out: str | Path | TextIO,
    read: ReadOptions | None = None,
    on_bad: str = "missing",
    fill_missing: bool = False,
    ids: Sequence[str] | None = None,
    bad_out: str | Path | None = None,
    raw: bool = False,
    watcher: Callable[[Answering], None] | None = None,
) -> Answered: ...


def predict(
    model: str | Path | Bundle,
    data: Any,
    *,
    family: str | None = None,
    out: str | Path | TextIO | None = None,
    read: ReadOptions | None = None,
    on_bad: str = "missing",
    fill_missing: bool = False,
    ids: Sequence[str] | None = None,
    bad_out: str | Path | None = None,
    raw: bool = False,
    watcher: Callable[[Answering], None] | None = None,
) -> pd.DataFrame | Answered:
    """Answers of a model for the rows of `data`, in their order.

    With `out`, the table may be larger than the memory: csv, JSON records, parquet, feather and folders of files are
    read, answered and written part by part.

    Args:
        model: a run's folder, a model folder or file, or an opened one. data: whatever `compare` takes.
        family: "classical", "deep" or "together", or "pretrained" where the run has one; the verdict's choice unless
            given.
        out: write the answers there, whole or not at all: csv, parquet, json or jsonl by ending. Or a stream of text,
            which gets csv.
        on_bad: what becomes of a row with a cell that does not read as its column was learned. "missing": the cell
            counts as missing. "stop": nothing is answered. "skip": the row is left out. "null": its answer is empty.
        fill_missing: a column that is not there counts as missing everywhere, instead of being refused.
        ids: columns of the data to put before the answers; ["none"] for none. Unless given: those that the comparison
            left out as identifiers, or else (of files) the row's number.
        bad_out: where to list all bad cells; beside `out` unless given.
        raw: in csv, leave texts as they are that a spreadsheet program could run as formulas.
        watcher: called with an `Answering` after every part.

    Returns:
        Without `out`, a frame: columns that tell the rows apart (`ids`; `file` where the data is files; `row`, the
        row's number in the source counted from 1, where rows may be left out), `prediction`, and for classes one
        `probability_<label>` each. `.attrs["notes"]` holds sentences about what was decided, `.attrs["family"]` who
        answered. With `out`, what came of it.

    Raises:
        UserError: one clear sentence about what to put right; nothing is left at `out`.
    """
    if on_bad not in ON_BAD:
        raise UnknownName("rule for cells that do not read", on_bad, ON_BAD)
    target = None if out is None or not isinstance(out, str | Path) else Path(out)
    listing = _place_of_bad(target, bad_out)
    for place in (target, listing):
        _refuse_overwriting(data, place)
    wish = _Wish(family, on_bad, fill_missing, ids, has_rows=isinstance(data, str | Path))
    kept = _Kept()
    with ExitStack() as stack:
        bundle = model if isinstance(model, Bundle) else stack.enter_context(open_model(model))
        asking = _Asking(bundle, wish)
        stream = stream_table(data, read, ROWS, text_column=_sole_text(bundle))
        sink: _Sink = kept
        if target is not None:
            sink = stack.enter_context(Writer(target, raw=raw))
        elif out is not None:
            sink = _Printed(out, raw=raw)  # type: ignore[arg-type]
        # opened last, it is put in its place first: answers that are there have their list beside them
        bad = stack.enter_context(_BadList(listing, is_asked=bad_out is not None, raw=raw))
        _answer_all(asking, stream, sink, bad, watcher)
    notes = (*stream.notes, *asking.notes())
    if out is not None:
        return asking.summary(target, listing if bad.is_written else None, notes)
    answers = pd.concat(kept.frames, ignore_index=True)
    answers.attrs["notes"] = list(notes)
    answers.attrs["family"] = asking.family
    return answers


def open_model(model: str | Path) -> Bundle:
    """The model of a run folder, or of a model folder or file."""
    path = Path(model)
    if path.is_file() or (path / "manifest.json").exists():
        return open_bundle(path)
    if (path / "run.json").exists() and not (path / "model").exists():
        raise BadRun(
            f"The run {path} has no model yet: no fold was finished by both families. "
            f"Go on with it: fathom compare --resume {path} --budget LONGER"
        )
    return open_bundle(path / "model")


def _answer_all(
    asking: _Asking,
    stream: Stream,
    sink: _Sink,
    bad: _BadList,
    watcher: Callable[[Answering], None] | None,
) -> None:
    started = time.monotonic()
    for part in _together(stream.parts, asking.rows_at_once):
        asking.demand_names(part, stream)
        asked = asking.ask(part)
        bad.write(asked, part)
        sink.write(asking.answers(asked, part))
        if watcher is not None:
            watcher(Answering(asking.rows, stream.size, time.monotonic() - started))


class _Asking:
    """Answers parts of a table, and counts what it meets."""

    def __init__(self, bundle: Bundle, wish: _Wish) -> None:
        self._bundle, self._wish = bundle, wish
        self.family = wish.family or bundle.default
        self.rows = self._answered = self._bad_rows = self._bad_cells = 0
        self._bad: Counter[str] = Counter()
        self._unseen: Counter[str] = Counter()
        self._names: dict[str, str] | None = (
            None  # of columns that are copied -> their names among the answers
        )
        self._absent: tuple[str, ...] = ()

    @property
    def rows_at_once(self) -> int:
        kinds = set(self._bundle.schema.kinds.values())
        few = ROWS_OF_TEXTS if "text" in kinds else ROWS
        return ROWS_OF_PICTURES if "image" in kinds else few

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
            raise UnsuitableData(_stopped(asked, part))
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


class _BadList:
    """The list of bad cells, a file that is made at the first of them; an older one never stays beside new answers."""

    def __init__(self, path: Path | None, *, is_asked: bool, raw: bool) -> None:
        self._path, self._is_asked, self._raw = path, is_asked, raw
        self._stack = ExitStack()
        self._writer: Writer | None = None
        self._left = MOST_BAD

    @property
    def is_written(self) -> bool:
        return self._writer is not None

    def __enter__(self) -> _BadList:
        if self._path is not None and (self._is_asked or self._path.exists()):
            self._begin()
        return self

    def _begin(self) -> None:
        assert self._path is not None
        self._writer = self._stack.enter_context(Writer(self._path, raw=self._raw))
        self._writer.write(_bad_frame([]))

    def write(self, asked: Asked, part: Part) -> None:
        if self._path is None or not asked.bad or not self._left:
            return
        if self._writer is None:
            self._begin()
        assert self._writer is not None
        cells = asked.bad[: self._left]
        self._left -= len(cells)
        self._writer.write(
            _bad_frame([(int(part.numbers[cell.row]), cell.column, cell.shown, cell.why) for cell in cells])
        )

    def __exit__(self, *error: Any) -> bool | None:
        return self._stack.__exit__(*error)


def _bad_frame(cells: Iterable[tuple[int, str, str, str]]) -> pd.DataFrame:
    frame = pd.DataFrame(list(cells), columns=["row", "column", "value", "reason"])
    return frame.astype({"row": "int64", "column": "str", "value": "str", "reason": "str"})


def _stopped(asked: Asked, part: Part) -> str:
    shown = "; ".join(
        f"row {part.numbers[cell.row]:,}, column {cell.column!r}: {cell.shown[:40]!r}, {cell.why}"
        for cell in asked.bad[:FIRST_BAD]
    )
    more = len(asked.bad) - FIRST_BAD
    others = f"; and {more:,} more up to row {part.numbers[-1]:,}" if more > 0 else ""
    return (
        f"Nothing was answered, for not every cell is written as learned: {shown}{others}. Mend them, or say what "
        "becomes of such rows: --on-bad missing, skip or null."
    )


def _together(parts: Iterable[Part], rows: int) -> Iterator[Part]:
    """Parts of just so many rows, but for the last: how a source is cut must not be seen in the answers' last bits."""
    held: list[Part] = []
    size = 0
    is_first = True
    for part in parts:
        held.append(part)
        size += len(part.frame)
        while size >= rows:
            whole = _joined(held)
            yield _sliced(whole, 0, rows)
            is_first = False
            size -= rows
            held = [_sliced(whole, rows, rows + size)] if size else []
    if held and (size or is_first):
        yield _joined(held)


def _joined(parts: Sequence[Part]) -> Part:
    filled = [part for part in parts if len(part.frame)] or list(parts[:1])
    if len(filled) == 1:
        return filled[0]
    names = None
    if filled[0].names is not None:
        names = tuple(name for part in filled for name in part.names or ())
    return Part(
        pd.concat([part.frame for part in filled], ignore_index=True),
        np.concatenate([part.numbers for part in filled]),
        names,
    )


def _sliced(part: Part, start: int, end: int) -> Part:
    names = None if part.names is None else part.names[start:end]
    frame = part.frame.iloc[start:end].reset_index(drop=True)
    numbers: npt.NDArray[np.int64] = part.numbers[start:end]
    return Part(frame, numbers, names)


def _named_as_learned(part: Part, names: Sequence[str]) -> pd.DataFrame:
    """Files have no column's name of their own: they are what the model's only column is about."""
    given = str(part.frame.columns[0])
    if part.names is None or len(names) != 1 or given in names:
        return part.frame
    return part.frame[[given]].set_axis(list(names), axis=1)


def _sole_text(bundle: Bundle) -> str | None:
    """The column of texts, where nothing else was learned from."""
    kinds = bundle.schema.kinds
    return next(iter(kinds)) if list(kinds.values()) == ["text"] else None


def _place_of_bad(out: Path | None, given: str | Path | None) -> Path | None:
    if given is not None:
        return Path(given)
    return None if out is None else out.with_name(f"{out.stem}.bad.csv")


def _refuse_overwriting(data: Any, out: Path | None) -> None:
    if out is None or not isinstance(data, str | Path):
        return
    if os.path.isfile(data) and os.path.isfile(out) and Path(data).samefile(out):  # noqa: PTH113
        raise UserError(
            f"{out} is the file to be answered, and would be replaced by the answers. Name another with -o."
        )
