"""Find out how a csv text separates and quotes its cells.

Every candidate is tried on a sample with Python's csv module and scored by how regular the rows come out and
how much their cells look like cells, after van den Burg, Nazabal & Sutton (2019), "Wrangling messy CSV files
by detecting row and type patterns", https://doi.org/10.1007/s10618-019-00646-y. Unlike there, whether quote
characters mean quoting is not scored but decided from where they stand: opening at a cell's beginning and
closing at its end.
"""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

from fathometer.data.cells import look
from fathometer.data.csv_structure import Structure, structure

SAMPLE_BYTES = 1 << 18
SCORED_ROWS = 400
SCORED_CELLS = 4_000
NO_DELIMITER = "\x1f"  # stands where cells of a one-column text would be separated
BLANKS = " "  # one or more blanks or tabs between cells
DELIMITERS = (",", ";", "\t", "|", BLANKS)
ONE_COLUMN_SCORE = 0.1
"""What a delimiter has to beat: the score of taking every line as one cell."""

LOOK_SCORES = {"empty": 0.5, "missing": 0.9, "number": 1.0, "moment": 1.0, "word": 0.8, "text": 0.4}


@dataclass(frozen=True)
class Quoting:
    """How cells are separated and quoted.

    delimiter: one character; BLANKS stands for any run of blanks and tabs, "" for a single column.
    quote: the quote character, or "" where quote characters are ordinary ones.
    escape: a backslash where it takes the special meaning from the next character, else "".
    blank_after: whether blanks after a delimiter belong to the delimiter.
    """

    delimiter: str
    quote: str = ""
    escape: str = ""
    blank_after: bool = False

    @property
    def splits_at(self) -> str:
        """The one character at which prepared text is split (see `prepare`)."""
        return {"": NO_DELIMITER, BLANKS: "\t"}.get(self.delimiter, self.delimiter)


def find_quoting(data: bytes, delimiter: str | None = None) -> Quoting:
    """The likeliest way of separating and quoting; `delimiter`: the one to take, where it is known."""
    found = likeliest_quoting(first_lines(data, SAMPLE_BYTES), delimiter)
    return settle_quotes([prepare(data, found)], found)


def likeliest_quoting(sample: bytes, delimiter: str | None = None) -> Quoting:
    """What a text's first lines suggest."""
    if delimiter is not None:
        return _candidate(sample, delimiter)
    best, best_score = Quoting(""), ONE_COLUMN_SCORE
    for possible in DELIMITERS:
        if possible.encode() not in sample or (possible == BLANKS and best.delimiter == "\t"):
            continue  # where tabs make a table, blanks belong to the cells
        candidate = _candidate(sample, possible)
        score = _score(sample, candidate)
        if score > best_score:
            best, best_score = candidate, score
    return best


def settle_quotes(prepared: Iterable[bytes], found: Quoting) -> Quoting:
    """The quoting of the whole text, where a sample suggested this one: stray quotes may come late.

    prepared: the text in pieces that end at line ends, made by `prepare`; gone through as often as needed.
    """
    quote, escape = _choose_quote(prepared, found.splits_at, found.blank_after, whole=True)
    return Quoting(found.delimiter, quote, escape, found.blank_after)


def first_lines(data: bytes, size: int) -> bytes:
    """The text's beginning, cut at the last line end where it is cut."""
    if len(data) <= size:
        return data
    cut = max(data.rfind(b"\n", 0, size), data.rfind(b"\r", 0, size))
    return data[: cut + 1] if cut >= 0 else data[:size]


def prepare(data: bytes, quoting: Quoting) -> bytes:
    """Text whose cells are separated by one character: runs of blanks become a tab outside quoted cells."""
    if quoting.delimiter != BLANKS:
        return data
    if b'"' in data:
        data = _BLANKS_OR_QUOTED.sub(lambda match: match[1] or b"\t", data)
    else:
        data = _BLANKS.sub(b"\t", data)
    return _TABS_AT_EDGES.sub(b"", data)


_BLANKS = re.compile(rb"[ \t]+")
_BLANKS_OR_QUOTED = re.compile(rb'((?<![^ \t\r\n])"[^"\r\n]*")|[ \t]+')
_TABS_AT_EDGES = re.compile(rb"(?m)^\t|(?<=\r)\t|\t$|\t(?=\r)")


class CsvReader(Protocol):
    """What csv.reader gives: rows, and the number of lines taken so far."""

    @property
    def line_num(self) -> int: ...

    def __iter__(self) -> Iterator[list[str]]: ...

    def __next__(self) -> list[str]: ...


def reader(lines: Iterable[str], quoting: Quoting) -> CsvReader:
    """Python's csv reader of prepared text; it raises csv.Error at a cell beyond csv.field_size_limit()."""
    return csv.reader(
        lines,
        delimiter=quoting.splits_at,
        quotechar=quoting.quote or None,
        quoting=csv.QUOTE_MINIMAL if quoting.quote else csv.QUOTE_NONE,
        escapechar=quoting.escape or None,
        skipinitialspace=quoting.blank_after,
    )


def _candidate(sample: bytes, delimiter: str) -> Quoting:
    bare = Quoting(delimiter)
    prepared = prepare(sample, bare)
    blank_after = delimiter != BLANKS and _has_blanks_after(prepared, delimiter)
    quote, escape = _choose_quote(prepared, bare.splits_at, blank_after, whole=False)
    return Quoting(delimiter, quote, escape, blank_after)


def _has_blanks_after(sample: bytes, delimiter: str) -> bool:
    """Whether most cells after the first begin with a blank."""
    begins = Counter[bool]()
    for row in _some_rows(sample, Quoting(delimiter, '"')):
        begins.update(cell[0] == " " for cell in row[1:] if cell.strip())
    return begins[True] >= 0.5 * begins.total() > 0


def _some_rows(sample: bytes, quoting: Quoting) -> list[list[str]]:
    rows: list[list[str]] = []
    try:
        for row in reader(io.StringIO(sample.decode("utf-8", "replace"), newline=""), quoting):
            if row:
                rows.append(row)
            if len(rows) >= SCORED_ROWS:
                break
    except csv.Error:
        pass  # a cell as long as no real one: the rows before it tell enough
    return rows


def _choose_quote(
    data: bytes | Iterable[bytes], delimiter: str, blank_after: bool, *, whole: bool
) -> tuple[str, str]:
    """The quote character and the escape character, each "" where there is none."""
    pieces = [data] if isinstance(data, bytes) else data
    escaped_delimiter = b"\\" + delimiter.encode()
    there = _found_in(pieces, (b'"', b"'", b'\\"', escaped_delimiter))
    may_escape = escaped_delimiter in there
    quoted = structure(pieces, delimiter, '"', blank_before=blank_after) if b'"' in there else None
    if quoted and quoted.quoted and not (quoted.malformed or (quoted.is_open and whole) or may_escape):
        return '"', ""
    if not there:
        return "", ""
    plain = structure(pieces, delimiter)
    escaped = may_escape and structure(pieces, delimiter, "", "\\").usual_share > plain.usual_share
    if quoted:
        if b'\\"' in there and (quoted.malformed or (quoted.is_open and whole)):
            with_escape = structure(pieces, delimiter, '"', "\\", blank_before=blank_after)
            if with_escape.malformed < quoted.malformed and _is_better(with_escape, plain, whole):
                return '"', "\\"
        if quoted.quoted and _is_better(quoted, plain, whole):
            return '"', "\\" if escaped else ""
    if b"'" in there and not escaped:
        single = structure(pieces, delimiter, "'", blank_before=blank_after)
        closed = not single.malformed and not single.is_open
        if closed and single.quoted > 1 and single.usual_share >= plain.usual_share:
            return "'", ""
    return "", "\\" if escaped else ""


def _found_in(pieces: Iterable[bytes], marks: tuple[bytes, ...]) -> set[bytes]:
    """Those of the marks that stand anywhere in the text."""
    found: set[bytes] = set()
    for piece in pieces:
        found.update(mark for mark in marks if mark not in found and mark in piece)
        if len(found) == len(marks):
            break
    return found


def _is_better(quoted: Structure, plain: Structure, whole: bool) -> bool:
    """Whether the quote characters mean quoting, judged by where they stand and how regular the rows get."""
    faults = quoted.malformed + (5 if quoted.is_open and whole else 0)
    if faults == 0 or quoted.mostly_at_borders:
        return True
    if faults > 0.5 * quoted.quoted:
        return False
    if faults <= 0.02 * quoted.quoted:
        return quoted.usual_share >= plain.usual_share - 0.1 or quoted.usual_width > 1
    return quoted.usual_share > plain.usual_share + 0.02


def _score(sample: bytes, quoting: Quoting) -> float:
    """How much the sample looks like a table under this quoting, 0 to 1."""
    rows = _some_rows(prepare(sample, quoting), quoting)
    if not rows:
        return 0.0
    width, count = Counter(len(row) for row in rows).most_common(1)[0]
    if width < 2:
        width, count = _second_width(rows)
    if width < 2:
        return 0.0
    cells = [cell for row in rows if len(row) == width for cell in row][:SCORED_CELLS]
    looks = Counter(look(cell) for cell in cells)
    if quoting.delimiter == BLANKS and looks["number"] + looks["moment"] < 0.3 * len(cells):
        return 0.0  # words of a text
    plausible = sum(LOOK_SCORES[kind] * times for kind, times in looks.items()) / len(cells)
    # rows of another width speak less against the delimiter than rows it does not split at all
    others = sum(1 < len(row) != width for row in rows)
    share = (count + 0.5 * others) / len(rows)
    prior = 0.7 if quoting.delimiter == BLANKS else 1.0
    return prior * plausible * share**2 * (width - 1) / width


def _second_width(rows: list[list[str]]) -> tuple[int, int]:
    """Commonest width above one: a short table may lie under a longer preamble."""
    wide = Counter(len(row) for row in rows if len(row) > 1)
    return wide.most_common(1)[0] if wide else (0, 0)
