"""Count a csv text's rows and fields without parsing it: where are delimiters, line ends and quotes?

This decides which reader may be trusted with a file, and whether quote characters mean quoting; the cells
themselves are always taken apart by pandas or Python's csv module.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

CHUNK_BYTES = 1 << 24

_ESCAPED = re.compile(rb"\\.", re.DOTALL)


@dataclass(frozen=True)
class Structure:
    """What a text looks like under one way of quoting.

    widths: (rows,) number of fields of every row that is not blank.
    quoted: quotes that open a cell where a cell begins.
    malformed: quotes that neither open nor close a cell where they stand, if every quote counts.
    mostly_at_borders: whether nearly all quotes stand at a cell's beginning or end, whichever of them count.
    is_open: whether the text ends inside a quoted cell.
    longest: bytes of the longest row.
    blank_lines: lines that hold nothing, outside quoted cells.
    """

    widths: npt.NDArray[np.int64]
    quoted: int
    malformed: int
    mostly_at_borders: bool
    is_open: bool
    longest: int
    blank_lines: int

    @property
    def usual_width(self) -> int:
        """The commonest number of fields; 0 without rows."""
        return int(np.bincount(self.widths).argmax()) if len(self.widths) else 0

    @property
    def usual_share(self) -> float:
        """The share of rows with the commonest number of fields."""
        return float((self.widths == self.usual_width).mean()) if len(self.widths) else 0.0


def structure(
    data: bytes, delimiter: str, quote: str = "", escape: str = "", blank_before: bool = False
) -> Structure:
    """Rows and fields of a text under this delimiter (one ASCII character) and quote (one, or none).

    blank_before: whether blanks between delimiter and quote are allowed.
    """
    if escape:
        data = _ESCAPED.sub(b"__", data)  # as long as before, so that positions stay
    if not data.endswith((b"\n", b"\r")):
        data += b"\n"
    ends, commas, quotes = _marks(data, delimiter, quote)
    lengths = np.diff(ends, prepend=-1)
    fields = np.diff(np.searchsorted(commas, ends), prepend=0) + 1
    # a blank line holds its line end only: one byte, or two where it is \r\n
    starts = ends - lengths + 1
    content = np.frombuffer(data, np.uint8)
    blank = (lengths == 1) | ((lengths == 2) & (content[starts] == ord("\r")))
    judged = _judge_quotes(content, quotes, delimiter, quote, blank_before)
    return Structure(
        widths=fields[~blank],
        quoted=judged.quoted,
        malformed=judged.malformed,
        mostly_at_borders=judged.mostly_at_borders,
        is_open=bool(len(quotes) % 2),
        longest=int(lengths.max(initial=0)),
        blank_lines=int(blank.sum()),
    )


def _marks(
    data: bytes, delimiter: str, quote: str
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Positions of line ends and delimiters outside quotes, and of all quotes."""
    is_mark = np.zeros(256, dtype=bool)
    is_mark[[ord("\n"), ord("\r"), ord(delimiter), *([ord(quote)] if quote else [])]] = True
    ends, commas, quotes = [], [], []
    inside = 0  # quotes seen so far, modulo 2
    content = np.frombuffer(data, np.uint8)
    for begin in range(0, len(data), CHUNK_BYTES):
        chunk = content[begin : begin + CHUNK_BYTES]
        places = np.flatnonzero(is_mark[chunk])
        marks = chunk[places]
        places = places + begin
        if quote:
            is_quote = marks == ord(quote)
            parity = (np.cumsum(is_quote) + inside) % 2
            inside = int(parity[-1]) if len(parity) else inside
            quotes.append(places[is_quote])
            outside = (parity == 0) & ~is_quote
            places, marks = places[outside], marks[outside]
        commas.append(places[marks == ord(delimiter)])
        lines = places[marks != ord(delimiter)]
        following = content[np.minimum(lines + 1, len(data) - 1)]
        first_of_two = (content[lines] == ord("\r")) & (following == ord("\n")) & (lines + 1 < len(data))
        ends.append(lines[~first_of_two])
    if inside:  # the last row has no end outside quotes
        ends.append(np.array([len(data) - 1]))
    return _joined(ends), _joined(commas), _joined(quotes)


def _joined(parts: list[npt.NDArray[np.int64]]) -> npt.NDArray[np.int64]:
    return np.concatenate(parts) if parts else np.zeros(0, dtype=np.int64)


@dataclass(frozen=True)
class _Quotes:
    quoted: int
    malformed: int
    mostly_at_borders: bool


def _judge_quotes(
    content: npt.NDArray[np.uint8],
    quotes: npt.NDArray[np.int64],
    delimiter: str,
    quote: str,
    blank_before: bool,
) -> _Quotes:
    """Where the quotes stand, both if each counts and (so that one stray quote does not spoil all) by itself."""
    if not len(quotes):
        return _Quotes(0, 0, True)
    borders = [ord(delimiter), ord("\n"), ord("\r")]
    before = content[np.maximum(quotes - 1, 0)]
    if blank_before:
        before = np.where(before == ord(" "), content[np.maximum(quotes - 2, 0)], before)
    after = content[np.minimum(quotes + 1, len(content) - 1)]
    starts = np.isin(before, borders) | (quotes == 0)
    ends = np.isin(after, borders) | (quotes == len(content) - 1)
    doubled_before = (before == ord(quote)) & (quotes > 0)
    doubled_after = (after == ord(quote)) & (quotes < len(content) - 1)
    opening, closing = slice(0, None, 2), slice(1, None, 2)
    malformed = int((~starts & ~doubled_before)[opening].sum() + (~ends & ~doubled_after)[closing].sum())
    loose = int((~starts & ~ends & ~doubled_before & ~doubled_after).sum())
    few, many = sorted((int(starts.sum()), int(ends.sum())))
    return _Quotes(int(starts[opening].sum()), malformed, loose <= 0.02 * (few + many) and few >= 0.3 * many)
