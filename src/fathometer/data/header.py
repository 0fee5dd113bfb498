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
HEADER_ROWS = 4
PREAMBLE_ROWS_LIKE_DATA = 3
"""More rows than this with several cells are no preamble but a first table."""


@dataclass(frozen=True)
class Layout:
    """Where the table begins.

    preamble: rows before header or data, blank ones included.
    header: rows that make up the header; 0: there is none.
    names: the header's cells, joined where it has several rows; empty without header.
    is_unsure: nothing speaks for or against the first row being a header.
    """

    preamble: int
    header: int
    names: tuple[str, ...]
    is_unsure: bool = False


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
    after_preamble = any(_fill(row) for row in rows[:start])
    others = [row for row in _body(rows, start + 1) if row != rows[start]]  # a header may be repeated below
    votes = _votes(rows[start], others) + after_preamble
    if header is False or (header is None and not _says_header(votes, rows[start])):
        return Layout(start, 0, ())
    above = rows[start - 1] if start and skip is None else ()
    names, first, count = tuple(rows[start]), start, 1
    if _is_group_row(above, names):
        names, first, count = _joined(above, names), start - 1, 2
    while count < HEADER_ROWS and _goes_on(names, count, rows, start + 1):
        start += 1
        names, count = _joined(names, rows[start]), count + 1
    return Layout(first, count, names, is_unsure=votes == 0 and start + 1 < len(rows))


def about_header(layout: Layout, *, is_given: bool) -> tuple[str, ...]:
    """What to say about a table's header."""
    if not layout.header:
        reason = "" if is_given else " (the first row looks like the others)"
        return (f"There is no header{reason}; the columns are called column_1, column_2, ...",)
    if layout.header > 1:
        return (f"The header has {layout.header} rows; their cells were joined.",)
    if layout.is_unsure and not is_given:
        return ("The first row was taken as header, but it may be data; say so if it is.",)
    return ()


def usual_width(rows: Sequence[Row]) -> int:
    """The commonest number of cells of rows that are not blank; ties go to the wider."""
    widths = Counter(len(row) for row in rows if _fill(row))
    return max(widths, key=lambda width: (widths[width], width)) if widths else 0


def _fill(row: Row) -> int:
    return sum(1 for cell in row if cell.strip())


def _body(rows: Sequence[Row], start: int) -> list[Row]:
    return [row for row in rows[start:] if _fill(row)][:BODY_ROWS]


def _first_row(rows: Sequence[Row]) -> int:
    """The first row that is as wide and as full as a header or data row would be."""
    filled = [index for index, row in enumerate(rows) if _fill(row)]
    if not filled:
        return len(rows)
    width = usual_width([rows[index] for index in filled])
    needed = _needed_fill([rows[index] for index in filled], width)
    searched = filled[:SEARCHED_ROWS]
    full = next((i for i in searched if len(rows[i]) == width and _fill(rows[i]) >= needed), None)
    first = filled[0]
    if full is None or full == first:
        return first
    if len(rows[first]) != width and _is_odd_header(rows, first, full, width):
        return first
    like_data = [i for i in searched if i < full and _fill(rows[i]) > 2]
    return like_data[0] if len(like_data) > PREAMBLE_ROWS_LIKE_DATA else full


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


def _is_odd_header(rows: Sequence[Row], first: int, full: int, width: int) -> bool:
    """Whether the first row is a header although it has another number of cells than the rows below it.

    Otherwise it is a title with delimiters in it, and the row below it the header.
    """
    row, below = rows[first], _body(rows, full + 1)
    if full != first + 1 or _fill(row) < 2 or abs(len(row) - width) > max(1, 0.2 * width):
        return False
    if not below:
        return True
    return not _says_header(_votes(rows[full], below), rows[full]) or not _is_named(rows[full])


def _is_named(row: Row) -> bool:
    return all(look(cell) in ("word", "text", "empty") for cell in row)


def _says_header(votes: float, row: Row) -> bool:
    named = [cell.strip() for cell in row if cell.strip()]
    if votes == 0:
        return _is_named(named) and len(set(named)) == len(named)
    return votes > 0


def _votes(row: Row, body: Sequence[Row]) -> float:
    """How much the columns speak for a row naming them (above 0) or being data (below 0)."""
    cells = [cell.strip() for cell in row]
    if not body:
        return 0.0
    if _counts_up(cells) and sum(_counts_up([c.strip() for c in other]) for other in body) <= 0.1 * len(body):
        return 1.0
    votes = sum(
        _vote(cell, [other[i].strip() for other in body if i < len(other)]) for i, cell in enumerate(cells)
    )
    named = [cell for cell in cells if cell]
    return votes - 0.25 * (len(named) - len(set(named)))


def _vote(cell: str, below: list[str]) -> float:
    """How much one column speaks for its first cell being a name (above 0) or a value (below 0)."""
    values = [value for value in below if value and look(value) != "missing"]
    kind = look(cell)
    if not values or kind == "empty":
        return 0.0
    usual, count = Counter(look(value) for value in values).most_common(1)[0]
    if usual in ("number", "moment") and count >= 0.7 * len(values):
        if kind in ("word", "text"):
            return 1.0
        return -1.0 if kind == usual else -0.5
    if kind in ("number", "moment", "missing"):
        return -0.5
    again = values.count(cell)
    if again:  # once in many may be a second table's header
        return -1.0 if again > 1 or len(values) < 20 else -0.25
    lengths = [len(value) for value in values]
    low, high = min(lengths), max(lengths)
    if low == high and len(values) > 2:  # codes of one length
        if len(cell) != low:
            return 0.75
        return -0.5 if _shape(cell) == _shape(values[0]) else 0.25
    if len(set(values)) <= 0.5 * len(values):  # categories: a value would be likely to come again
        return 0.75
    return 0.5 if len(cell) < 0.5 * low or len(cell) > 2 * high else 0.0


def _shape(cell: str) -> str:
    return "".join("9" if sign.isdigit() else "a" if sign.isalpha() else sign for sign in cell)


def _counts_up(cells: Sequence[str]) -> bool:
    """Whether words are followed by years or other numbers in even steps: a row of names after all."""
    filled = [cell for cell in cells if cell]
    numbers = list(itertools.dropwhile(lambda cell: look(cell) in ("word", "text"), filled))
    if len(numbers) < 3 or len(numbers) == len(filled):
        return False
    if not all(number.isascii() and number.isdecimal() and len(number) < 6 for number in numbers):
        return False
    steps = {int(after) - int(before) for before, after in itertools.pairwise(numbers)}
    return len(steps) == 1 and steps != {0}


def _is_group_row(above: Row, names: Row) -> bool:
    """Whether the row above the header gives titles to groups of columns."""
    if len(above) != len(names) or _fill(above) < 2:
        return False
    return all(look(cell) in ("word", "text", "empty", "number") for cell in above)


def _goes_on(names: Row, count: int, rows: Sequence[Row], following: int) -> bool:
    """Whether a header of so many rows goes on in the next: names repeat, and the next row has names too."""
    named = [name for name in names if name.strip()]
    repeats = len(set(named)) <= 0.7 * len(named)
    if following >= len(rows) or not (repeats or count > 1):
        return False
    row, body = rows[following], _body(rows, following + 1)
    cells = [cell for cell in row if cell.strip()]
    distinct = len(set(cells)) > 0.7 * len(cells)
    return len(row) == len(names) and distinct and _is_named(row) and bool(body) and _votes(row, body) > 0


def _joined(above: Row, below: Row) -> tuple[str, ...]:
    """Each name with its group's title before it; a title counts for the empty cells to its right."""
    joined, title = [], ""
    for group, name in zip(above, below, strict=True):
        title = group.strip() or title
        joined.append(f"{title} {name.strip()}".strip())
    return tuple(joined)
