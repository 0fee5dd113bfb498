"""Count a csv text's rows and fields without parsing it: where are delimiters, line ends and quotes?

This decides which reader may be trusted with a file, and whether quote characters mean quoting; the cells
themselves are always taken apart by pandas or Python's csv module. A text may be longer than the memory: it is
walked through in pieces, and what is known at the end does not depend on where they were cut.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

CHUNK_BYTES = 1 << 24

_ESCAPED = re.compile(rb"\\.", re.DOTALL)


@dataclass(frozen=True)
class Structure:
    """What a text looks like under one way of quoting.

    widths: number of fields -> how many rows have so many; blank lines are no rows.
    quoted: quotes that open a cell where a cell begins.
    malformed: quotes that neither open nor close a cell where they stand, if every quote counts.
    mostly_at_borders: whether nearly all quotes stand at a cell's beginning or end, whichever of them count.
    is_open: whether the text ends inside a quoted cell.
    longest: bytes of the longest row.
    blank_lines: lines that hold nothing, outside quoted cells.
    """

    widths: Mapping[int, int]
    quoted: int
    malformed: int
    mostly_at_borders: bool
    is_open: bool
    longest: int
    blank_lines: int

    @property
    def usual_width(self) -> int:
        """The commonest number of fields, the smaller of two; 0 without rows."""
        return min(self.widths, key=lambda width: (-self.widths[width], width), default=0)

    @property
    def usual_share(self) -> float:
        """The share of rows with the commonest number of fields."""
        rows = sum(self.widths.values())
        return self.widths[self.usual_width] / rows if rows else 0.0


@dataclass(frozen=True)
class Ended:
    """The rows that end in one piece of a text.

    ends: (rows,) where each ends, its line end included. widths: (rows,) fields. is_blank: (rows,) holds nothing.
    """

    ends: npt.NDArray[np.int64]
    widths: npt.NDArray[np.int64]
    is_blank: npt.NDArray[np.bool_]


class Walk:
    """Goes through a text piece by piece; a piece ends at a line end, be it inside a quoted cell or not.

    Rows and fields are those under this delimiter (one ASCII character) and quote (one, or none).

    Args:
        blank_before: whether blanks between delimiter and quote are allowed.
    """

    def __init__(
        self, delimiter: str, quote: str = "", escape: str = "", *, blank_before: bool = False
    ) -> None:
        self._delimiter, self._quote, self._escape = delimiter, quote, escape
        self._blank_before = blank_before
        self._is_inside = False  # of a quoted cell
        self._fields = self._length = 0  # of the row that goes on in the next piece
        self._widths: Counter[int] = Counter()
        self._longest = self._blank_lines = 0
        self._quotes = _Quotes()

    def take(self, piece: bytes) -> Ended:
        """The next piece; the text's last may lack its line end."""
        is_last = not piece.endswith((b"\n", b"\r"))
        if self._escape:
            piece = _ESCAPED.sub(b"__", piece)  # as long as before, so that positions stay
        if is_last:
            piece += b"\n"
        ends, commas, quotes = _marks(piece, self._delimiter, self._quote, self._is_inside)
        lengths = np.diff(ends, prepend=-1)
        fields = np.diff(np.searchsorted(commas, ends), prepend=0)
        content = np.frombuffer(piece, np.uint8)
        # a blank line holds its line end only: one byte, or two where it is \r\n
        is_blank = (lengths == 1) | ((lengths == 2) & (content[ends - lengths + 1] == ord("\r")))
        if self._length and len(ends):
            lengths[0] += self._length
            fields[0] += self._fields
            is_blank[0] = False
            self._length = self._fields = 0
        done, counted = (int(ends[-1]) + 1, int(np.searchsorted(commas, ends[-1]))) if len(ends) else (0, 0)
        self._length += len(piece) - done
        self._fields += len(commas) - counted
        self._count(fields[~is_blank] + 1, int(lengths.max(initial=0)), int(is_blank.sum()))
        self._quotes.judge(content, quotes, self._delimiter, self._quote, self._blank_before, self._is_inside)
        self._is_inside ^= bool(len(quotes) % 2)
        return Ended(ends + 1, fields + 1, is_blank)

    def structure(self) -> Structure:
        """What was seen, after the last piece."""
        widths, longest = Counter(self._widths), self._longest
        if self._length:  # the last row has no end outside quotes
            widths[self._fields + 1] += 1
            longest = max(longest, self._length)
        found = self._quotes
        return Structure(
            widths=widths,
            quoted=found.quoted,
            malformed=found.malformed,
            mostly_at_borders=found.mostly_at_borders,
            is_open=self._is_inside,
            longest=longest,
            blank_lines=self._blank_lines,
        )

    def _count(self, widths: npt.NDArray[np.int64], longest: int, blank_lines: int) -> None:
        for width, rows in zip(*np.unique(widths, return_counts=True), strict=True):
            self._widths[int(width)] += int(rows)
        self._longest = max(self._longest, longest)
        self._blank_lines += blank_lines


def structure(
    text: bytes | Iterable[bytes],
    delimiter: str,
    quote: str = "",
    escape: str = "",
    blank_before: bool = False,
) -> Structure:
    """Rows and fields of a text, whole or in pieces that end at line ends; see `Walk`."""
    walk = Walk(delimiter, quote, escape, blank_before=blank_before)
    for piece in [text] if isinstance(text, bytes) else text:
        if piece:
            walk.take(piece)
    return walk.structure()


def _marks(
    data: bytes, delimiter: str, quote: str, is_inside: bool
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Positions of line ends and delimiters outside quotes, and of all quotes."""
    is_mark = np.zeros(256, dtype=bool)
    is_mark[[ord("\n"), ord("\r"), ord(delimiter), *([ord(quote)] if quote else [])]] = True
    ends, commas, quotes = [], [], []
    inside = int(is_inside)  # quotes seen so far, modulo 2
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
    return _joined(ends), _joined(commas), _joined(quotes)


def _joined(parts: list[npt.NDArray[np.int64]]) -> npt.NDArray[np.int64]:
    return np.concatenate(parts) if parts else np.zeros(0, dtype=np.int64)


class _Quotes:
    """Where the quotes stand, both if each counts and (so that one stray quote does not spoil all) by itself."""

    def __init__(self) -> None:
        self.quoted = self.malformed = 0
        self._loose = self._starts = self._ends = 0
        self._begins_line = True  # an escaped line end is none

    @property
    def mostly_at_borders(self) -> bool:
        few, many = sorted((self._starts, self._ends))
        return self._loose <= 0.02 * (few + many) and few >= 0.3 * many

    def judge(
        self,
        content: npt.NDArray[np.uint8],
        quotes: npt.NDArray[np.int64],
        delimiter: str,
        quote: str,
        blank_before: bool,
        is_inside: bool,
    ) -> None:
        """Take the quotes of one piece; what comes before it is a line end or nothing."""
        if len(quotes):
            self._judge(content, quotes, delimiter, quote, blank_before, is_inside)
        self._begins_line = content[-1] in b"\r\n"

    def _judge(
        self,
        content: npt.NDArray[np.uint8],
        quotes: npt.NDArray[np.int64],
        delimiter: str,
        quote: str,
        blank_before: bool,
        is_inside: bool,
    ) -> None:
        borders = [ord(delimiter), ord("\n"), ord("\r")]
        before = content[np.maximum(quotes - 1, 0)]
        starts = (quotes == 0) & self._begins_line
        if blank_before:
            starts |= (before == ord(" ")) & (quotes == 1) & self._begins_line
            before = np.where(before == ord(" "), content[np.maximum(quotes - 2, 0)], before)
        after = content[np.minimum(quotes + 1, len(content) - 1)]
        starts |= np.isin(before, borders) & (quotes > 0)
        ends = np.isin(after, borders) | (quotes == len(content) - 1)
        doubled_before = (before == ord(quote)) & (quotes > 0)
        doubled_after = (after == ord(quote)) & (quotes < len(content) - 1)
        opening, closing = slice(int(is_inside), None, 2), slice(int(not is_inside), None, 2)
        self.malformed += int(
            (~starts & ~doubled_before)[opening].sum() + (~ends & ~doubled_after)[closing].sum()
        )
        self.quoted += int(starts[opening].sum())
        self._loose += int((~starts & ~ends & ~doubled_before & ~doubled_after).sum())
        self._starts += int(starts.sum())
        self._ends += int(ends.sum())
