"""Rows that are none, left out while a table goes by: what `table.without_*` leave out of a whole table."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt
import pandas as pd

from fathometer.data.table import (
    FOOTER_ROWS,
    about_empty,
    about_footer,
    about_repeated,
    about_unused,
    footer_rows,
    holds_nothing,
    longest_cell,
    says_header,
)

Block = tuple[pd.DataFrame, npt.NDArray[np.int64]]


def unused_columns(frames: Iterable[pd.DataFrame], nameless: list[str], header: tuple[str, ...]) -> list[str]:
    """Those of the nameless columns that hold nothing, of a table with rows; gone through only if there are any."""
    if not nameless:
        return []
    unused, rows = list(nameless), 0
    for frame in frames:
        kept = frame[~says_header(frame, header)]
        rows += len(kept)
        unused = [name for name in unused if not len(kept) or holds_nothing(kept[name])]
        if not unused:
            break
    return unused if rows else []


class Tidied:
    """Leaves out rows that say the header again, empty rows, columns that hold nothing, and remarks at the end.

    header: the names that a row may repeat; () where there is none. unused: columns that hold nothing.
    """

    def __init__(self, header: tuple[str, ...], unused: list[str]) -> None:
        self.unused = unused
        self._header = header
        self._repeated = self._empty = self._rows = 0
        self._longest = 0.0
        self._footer: tuple[str, ...] = ()

    @property
    def notes(self) -> list[str]:
        """What was left out, after the last block."""
        notes = [about_repeated(self._repeated)] if self._repeated else []
        notes += [about_unused(self.unused)] if self.unused else []
        notes += [about_empty(self._empty)] if self._empty else []
        return [*notes, *self._footer]

    def blocks(self, blocks: Iterable[Block]) -> Iterator[Block]:
        """The rows that are left; the last few are held back until it is known that no other follows."""
        held: Block | None = None
        for block in blocks:
            frame, numbers = self._kept(*block)
            if held is not None:
                frame = pd.concat([held[0], frame], ignore_index=True) if len(frame) else held[0]
                numbers = np.concatenate([held[1], numbers])
            ready = max(0, len(frame) - FOOTER_ROWS)
            held = frame.iloc[ready:], numbers[ready:]
            if ready:
                self._longest = max(self._longest, longest_cell(frame.iloc[:ready, 0]))
                self._rows += ready
                yield frame.iloc[:ready].reset_index(drop=True), numbers[:ready]
        if held is not None:
            yield from self._last(*held)

    def _kept(self, frame: pd.DataFrame, numbers: npt.NDArray[np.int64]) -> Block:
        is_repeated = says_header(frame, self._header)
        frame = frame.drop(columns=self.unused)
        is_empty = frame.isna().all(axis=1).to_numpy() & ~is_repeated
        self._repeated += int(is_repeated.sum())
        self._empty += int(is_empty.sum())
        is_left_out = is_repeated | is_empty
        if not is_left_out.any():
            return frame, numbers
        return frame[~is_left_out].reset_index(drop=True), numbers[~is_left_out]

    def _last(self, tail: pd.DataFrame, numbers: npt.NDArray[np.int64]) -> Iterator[Block]:
        count = footer_rows(tail, self._rows + len(tail), lambda: self._longest)
        end = len(tail) - count
        if count:
            self._footer = (about_footer(tail.iloc[end:, 0]),)
        if end:
            yield tail.iloc[:end].reset_index(drop=True), numbers[:end]
