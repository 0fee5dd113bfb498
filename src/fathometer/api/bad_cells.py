"""The list of cells that do not read as their columns were learned: a file beside the answers."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

import pandas as pd

from fathometer.bundle.asking import Asked
from fathometer.data.outputs import Writer
from fathometer.data.streams import Part

MOST_BAD = 1_000_000
"""Bad cells that are listed."""

FIRST_BAD = 3


class BadList:
    """The list of bad cells, a file that is made at the first of them; an older one never stays beside new answers."""

    def __init__(self, path: Path | None, *, is_asked: bool, raw: bool) -> None:
        self._path, self._is_asked, self._raw = path, is_asked, raw
        self._stack = ExitStack()
        self._writer: Writer | None = None
        self._left = MOST_BAD

    @property
    def is_written(self) -> bool:
        """Whether there is, or will be, a file."""
        return self._writer is not None

    def __enter__(self) -> Self:
        if self._path is not None and (self._is_asked or self._path.exists()):
            self._begin()
        return self

    def _begin(self) -> None:
        assert self._path is not None
        self._writer = self._stack.enter_context(Writer(self._path, raw=self._raw))
        self._writer.write(_bad_frame([]))

    def write(self, asked: Asked, part: Part) -> None:
        """Add what was met in one part."""
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

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool | None:
        return self._stack.__exit__(kind, error, trace)


def _bad_frame(cells: Iterable[tuple[int, str, str, str]]) -> pd.DataFrame:
    frame = pd.DataFrame(list(cells), columns=["row", "column", "value", "reason"])
    return frame.astype({"row": "int64", "column": "str", "value": "str", "reason": "str"})


def stopped(asked: Asked, part: Part) -> str:
    """What to say where nothing is answered for them."""
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
