"""Where a table begins on a sheet of text cells: lines before it, its header, and whether it has one."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from fathometer.data.cells import look

Row = Sequence[str]

SEARCHED_ROWS = 60
"""A table begins within so many rows that are not blank."""
BODY_ROWS = 200


@dataclass(frozen=True)
class Layout:
    """Where the table begins.

    preamble: rows before header or data, blank ones included.
    header: rows that make up the header; 0: there is none.
    names: the header's cells, joined where it has several rows; empty without header.
    """

    preamble: int
    header: int
    names: tuple[str, ...]


def find_layout(rows: Sequence[Row], header: bool | None = None, skip: int | None = None) -> Layout:
    """Find the table among a sheet's first rows.

    header: whether there is one, where that is known.
    skip: how many rows come before the table, where that is known.
    """
    start = min(skip, len(rows)) if skip is not None else _first_row(rows)
    while start < len(rows) and not _fill(rows[start]):
        start += 1
    if start >= len(rows):
        return Layout(len(rows), 0, ())
    body = [row for row in rows[start + 1 :] if _fill(row)][:BODY_ROWS]
    after_preamble = start > 0 and any(_fill(row) for row in rows[:start])
    has_header = header if header is not None else _is_header(rows[start], body, after_preamble)
    if not has_header:
        return Layout(start, 0, ())
    names = tuple(rows[start])
    above = rows[start - 1] if start and skip is None else ()
    if _is_group_row(above, names, body):
        return Layout(start - 1, 2, _joined(above, names))
    return Layout(start, 1, names)


def usual_width(rows: Sequence[Row]) -> int:
    """The commonest number of cells of rows that are not blank; ties go to the wider."""
    widths = Counter(len(row) for row in rows if _fill(row))
    return max(widths, key=lambda width: (widths[width], width)) if widths else 0


def _fill(row: Row) -> int:
    return sum(1 for cell in row if cell.strip())


def _first_row(rows: Sequence[Row]) -> int:
    """The first row that is as wide and as full as a header or data row would be."""
    filled = [index for index, row in enumerate(rows) if _fill(row)]
    if not filled:
        return len(rows)
    width = usual_width([rows[index] for index in filled])
    needed = _needed_fill([rows[index] for index in filled], width)
    full = [i for i in filled[:SEARCHED_ROWS] if len(rows[i]) == width and _fill(rows[i]) >= needed]
    first = filled[0]
    if not full or full[0] == first:
        return first
    if len(rows[first]) != width and _may_be_odd_header(rows, first, full[0], width):
        return first
    return full[0]


def _needed_fill(rows: list[Row], width: int) -> float:
    """Filled cells of a row that belongs to the table: more than half of the columns in use."""
    used = [0] * width
    for row in rows:
        for column, cell in enumerate(row[:width]):
            used[column] += bool(cell.strip())
    in_use = sum(count >= max(2, 0.05 * len(rows)) for count in used) or sum(map(bool, used))
    # a sparse table's first row may be as sparse as the others, unless a fuller one (a header) follows
    usual = median(_fill(row) for row in rows)
    return max(1, min(0.6 * in_use, max(usual, 0.6 * in_use)))


def _may_be_odd_header(rows: Sequence[Row], first: int, full: int, width: int) -> bool:
    """Whether the first row is a header although it has another number of cells than the rows below it."""
    row = rows[first]
    if full != first + 1 or _fill(row) < 2 or abs(len(row) - width) > max(1, 0.2 * width):
        return False
    below = [other for other in rows[full + 1 :] if _fill(other)][:BODY_ROWS]
    if len(row) > width:  # a title with delimiters in it stands above a header; a longer header above data
        return not _is_header(rows[full], below, True) or not below
    return not _looks_named(rows[full]) or not below or not _is_header(rows[full], below, False)


def _looks_named(row: Row) -> bool:
    return all(look(cell) in ("word", "text", "empty") for cell in row)


def _is_header(row: Row, body: Sequence[Row], after_preamble: bool) -> bool:
    """Whether a row names the columns below it, by a vote of the columns."""
    cells = [cell.strip() for cell in row]
    if not body:
        return _looks_named(cells)
    if _counts_up(cells) and not _counts_up_often(body):
        return True
    votes = sum(
        _vote(cell, [other[i].strip() for other in body if i < len(other)]) for i, cell in enumerate(cells)
    )
    named = [cell for cell in cells if cell]
    if len(set(named)) < len(named):
        votes -= 0.25 * (len(named) - len(set(named)))
    if after_preamble:
        votes += 1
    if votes == 0:
        return all(look(cell) in ("word", "text") for cell in named) and len(set(named)) == len(named)
    return votes > 0


def _vote(cell: str, below: list[str]) -> float:
    """How much one column speaks for its first cell being a name (above 0) or a value (below 0)."""
    values = [value for value in below if value and look(value) != "missing"]
    kind = look(cell)
    if not values or kind == "empty":
        return 0.0
    kinds = Counter(look(value) for value in values)
    usual, count = kinds.most_common(1)[0]
    if usual in ("number", "moment") and count >= 0.7 * len(values):
        if kind in ("word", "text"):
            return 1.0
        return -1.0 if kind == usual else -0.5
    if kind in ("number", "moment", "missing"):
        return -0.5
    if cell in values:
        return -1.0
    lengths = [len(value) for value in values]
    low, high = min(lengths), max(lengths)
    if low == high and len(values) > 2:  # codes of one length
        return 0.75 if len(cell) != low else (-0.5 if _shape(cell) == _shape(values[0]) else 0.25)
    if len(set(values)) <= 0.5 * len(values):  # categories: a value would be likely to come again
        return 0.75
    if len(cell) < 0.5 * low or len(cell) > 2 * high:
        return 0.5
    return 0.0


def _shape(cell: str) -> str:
    return "".join("9" if c.isdigit() else "a" if c.isalpha() else c for c in cell)


def _counts_up(cells: Sequence[str]) -> bool:
    """Whether all cells but the first few are years or numbers in even steps: a row of names after all."""
    numbers = [cell for cell in cells if cell]
    while numbers and look(numbers[0]) in ("word", "text"):
        numbers = numbers[1:]
    if len(numbers) < 3 or len(numbers) == len([cell for cell in cells if cell]):
        return False
    if not all(number.isdecimal() and len(number) < 6 for number in numbers):
        return False
    steps = {int(b) - int(a) for a, b in itertools.pairwise(numbers)}
    return len(steps) == 1 and steps != {0}


def _counts_up_often(body: Sequence[Row]) -> bool:
    return sum(_counts_up([cell.strip() for cell in row]) for row in body) > 0.1 * len(body)


def _is_group_row(above: Row, names: Row, body: Sequence[Row]) -> bool:
    """Whether the row above the header gives titles to groups of columns."""
    filled = _fill(above)
    if len(above) != len(names) or filled < 2 or not body:
        return False
    return all(look(cell) in ("word", "text", "empty", "number") for cell in above)


def _joined(above: Row, names: Row) -> tuple[str, ...]:
    """Each name with its group's title before it; a title counts for the empty cells to its right."""
    joined, title = [], ""
    for group, name in zip(above, names, strict=True):
        title = group.strip() or title
        joined.append(f"{title} {name.strip()}".strip())
    return tuple(joined)
