"""Answer the rows of a table, however large, with a model, and say of each row that did not fit what was done."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TextIO, overload

import pandas as pd

from fathometer.api.answering import Answered, Asking, Wish
from fathometer.api.bad_cells import BadList
from fathometer.api.places import model_in
from fathometer.bundle import Bundle, open_bundle
from fathometer.bundle.asking import ON_BAD
from fathometer.data.outputs import Writer, as_csv
from fathometer.data.sources import ReadOptions
from fathometer.data.streams import ROWS, Stream, portions, rows_within, stream_table, within_memory
from fathometer.errors import UnknownName, UserError

ROWS_OF_TEXTS, ROWS_OF_PICTURES = 2_000, 500
"""Rows that are answered at a time, where each takes more memory than a row of numbers and words."""


@dataclass(frozen=True)
class Answering:
    """How far it is. rows: in all, where that is known. seconds: since the first row was read."""

    done: int
    rows: int | None
    seconds: float


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
    trust_native: bool = False,
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
    trust_native: bool = False,
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
    trust_native: bool = False,
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
        trust_native: open members that only the library which wrote them can read, too; for models made by people you
            trust alone.
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
    wish = Wish(family, on_bad, fill_missing, ids, has_rows=isinstance(data, str | Path))
    kept = _Kept()
    with ExitStack() as stack:
        bundle = (
            model
            if isinstance(model, Bundle)
            else stack.enter_context(open_model(model, trust_native=trust_native))
        )
        asking = Asking(bundle, wish)
        stream = stream_table(data, read, ROWS, text_column=_sole_text(bundle))
        sink: _Sink = kept
        if target is not None:
            sink = stack.enter_context(Writer(target, raw=raw))
        elif out is not None:
            sink = _Printed(out, raw=raw)  # type: ignore[arg-type]
        # opened last, it is put in its place first: answers that are there have their list beside them
        bad = stack.enter_context(BadList(listing, is_asked=bad_out is not None, raw=raw))
        _answer_all(asking, stream, sink, bad, _rows_at_once(bundle), watcher)
    notes = (*stream.notes, *asking.notes())
    if out is not None:
        return asking.summary(target, listing if bad.is_written else None, notes)
    answers = pd.concat(kept.frames, ignore_index=True)
    if isinstance(data, pd.DataFrame) and len(answers) == len(data):
        answers.index = data.index  # so that answers can be put beside the rows
    answers.attrs["notes"] = list(notes)
    answers.attrs["family"] = asking.family
    return answers


def open_model(model: str | Path, *, trust_native: bool = False) -> Bundle:
    """The model of a run folder, or of a model folder or file.

    Args:
        trust_native: as for `predict`.
    """
    path = Path(model)
    place = model_in(path)
    if place == path and path.is_dir() and not (path / "manifest.json").exists():
        place = path / "model"  # of a run whose record is gone
    return open_bundle(place, trust_native=trust_native)


def _answer_all(
    asking: Asking,
    stream: Stream,
    sink: _Sink,
    bad: BadList,
    rows: int,
    watcher: Callable[[Answering], None] | None,
) -> None:
    started = time.monotonic()
    needed = map(asking.needed, stream.parts)
    for part in within_memory(portions(needed, rows), stream.origin):
        asking.demand_names(part, stream)
        asked = asking.ask(part)
        bad.write(asked, part)
        sink.write(asking.answers(asked, part))
        if watcher is not None:
            watcher(Answering(asking.rows, stream.size, time.monotonic() - started))


def _rows_at_once(bundle: Bundle) -> int:
    """How a source is cut must not be seen in the answers' last bits, so that they are asked for in such portions."""
    kinds = set(bundle.schema.kinds.values())
    few = ROWS_OF_TEXTS if "text" in kinds else ROWS
    return rows_within(ROWS_OF_PICTURES if "image" in kinds else few, len(bundle.schema.names))


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
