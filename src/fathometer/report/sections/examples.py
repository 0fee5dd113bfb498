"""Examples of right and wrong answers of each family, what they rest on, and what is seen in the rows it errs on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from fathometer.data.sentences import opened
from fathometer.report import amounts
from fathometer.report.document import (
    Block,
    Card,
    Drawing,
    Gallery,
    Mark,
    Marked,
    Name,
    Paragraph,
    Portion,
    Quiet,
    Section,
    Seen,
    Strong,
    Table,
    Thumbnail,
    Words,
    parts_of,
    with_ends,
)
from fathometer.report.elements import picture
from fathometer.report.figures.heat import edges, heat, where
from fathometer.report.plain import clean, shortened
from fathometer.report.record import (
    TITLES,
    Estimate,
    Record,
    items,
    mapping,
    number,
    numbers,
    records,
    text,
    texts,
)

SHOWN = ("classical", "deep", "pretrained")
MOST_CARDS = 12  # in one column
MOST_ROWS = 40  # of one family
MOST_PARTS, MOST_LETTERS = 60, 320  # of a text
LEAST_POINTS = 1.0  # of a probability, below which a change is not told in figures
STEPS = (0.2, 0.45, 0.75)  # of the largest weight, from which on a word is marked more strongly
WEIGHTY = 3  # words named in the table
FACTS_MOST = 12
FILTERS_MOST = 16
GRID_MOST = 16  # patches across a picture
LONGEST = 100_000  # pixels of a picture's side

KINDS = (
    ("right", "Surest and right", "Nearest to the truth"),
    ("wrong", "Surest and wrong", "Farthest from the truth"),
    ("unsure", "Least sure", ""),
)


LONGEST_NAME = 48  # signs of a file's name


@dataclass(frozen=True)
class _Example:
    """One row as one family answers it. whys: why it was chosen, and against whom.

    pictures: (row, column) -> PNG, of all families: each is kept once.
    """

    family: str
    found: Mapping[str, Any]
    whys: tuple[tuple[str, str], ...]
    pictures: Mapping[tuple[int, str], str]

    @property
    def row(self) -> int:
        return int(number(self.found, "row") or 0)

    @property
    def name(self) -> str:
        """What people call the row."""
        return shortened(clean(text(self.found, "name")), LONGEST_NAME) or f"row {self.row + 1:,}"

    @property
    def style(self) -> str:
        right = self.found.get("right")
        return ("right" if right else "wrong") if isinstance(right, bool) else ""


def section(record: Record) -> Section | None:
    """None where nothing was chosen: no words, no pictures."""
    pictures = _pictures(record)
    found = {name: examples for name in SHOWN if (examples := _examples(record, name, pictures))}
    blocks: list[Block] = []
    if found:
        blocks += _introduction(found)
        blocks += _apart(found)
        blocks += [made for kind in KINDS if (made := _side_by_side(record, found, kind))]
    first_looks = _first_looks(record)
    if first_looks:
        blocks.append(first_looks)
    weak = _weaknesses(record)
    if weak:
        blocks.append(weak)
    if not blocks:
        return None
    return Section("examples", "Examples, and what the answers rest on", tuple(blocks))


def _examples(record: Record, name: str, pictures: Mapping[tuple[int, str], str]) -> list[_Example]:
    found = []
    for one in records(record.measures(name), "examples", "rows")[:MOST_ROWS]:
        whys = tuple((text(why, "why"), text(why, "against")) for why in records(one, "chosen"))
        found.append(_Example(name, one, whys, pictures))
    return found


def _pictures(record: Record) -> dict[tuple[int, str], str]:
    """Every picture that is one, by its row and column."""
    found: dict[tuple[int, str], str] = {}
    for name in SHOWN:
        for one in records(record.measures(name), "examples", "rows")[:MOST_ROWS]:
            for part in records(one, "shown"):
                if _is_picture(text(part, "png")):
                    found.setdefault((int(number(one, "row") or 0), text(part, "column")), text(part, "png"))
    return found


def _introduction(found: Mapping[str, list[_Example]]) -> Iterator[Block]:
    shown = [
        text(part, "is") for own in found.values() for one in own for part in records(one.found, "shown")
    ]
    yield Paragraph(
        "Rows of your own data that no model saw before, chosen by rule and not by hand. They show what kinds of rows "
        "are answered rightly and wrongly; they prove nothing.",
        "lead",
    )
    how = []
    if "text" in shown:
        how.append(
            "Marked words speak for the answer given, the darker the more; words with a dotted line below speak "
            "against it: each was left out in turn, and the answer asked again."
        )
    if "picture" in shown:
        how.append(
            "Coloured patches of a picture speak for the answer given, the denser the more; crossed ones speak "
            "against it: each was covered with the picture's mean colour in turn, and the answer asked again."
        )
    if how:
        how.append(
            "Parts that say the same stand in for each other, so each of them may seem to matter little."
        )
        yield Paragraph(" ".join(how), "note")
    yield Paragraph(
        "This section shows cells of your table: think of whose they are before you pass the report on.",
        "note",
    )


def _apart(found: Mapping[str, list[_Example]]) -> Iterator[Block]:
    """Rows on which one family is right and another is wrong, both side by side on one card."""
    by_row = {name: {one.row: one for one in own} for name, own in found.items()}
    for name, own in found.items():
        for other in found:
            pairs = [
                (one, by_row[other][one.row])
                for one in own
                if ("alone_right", other) in one.whys and one.row in by_row[other]
            ]
            if not pairs:
                continue
            cards = tuple(_pair_card(one, two) for one, two in pairs[:MOST_CARDS])
            rows = tuple(line for pair in pairs[:MOST_CARDS] for line in map(_line, pair))
            title = f"{opened(TITLES.get(name, name))} is right, {TITLES.get(other, other)} is wrong"
            yield Gallery(title, (("", cards),), _table(title, rows))


def _side_by_side(
    record: Record, found: Mapping[str, list[_Example]], kind: tuple[str, str, str]
) -> Gallery | None:
    """Each family's examples of one kind in a column of its own."""
    code, for_classes, for_numbers = kind
    title = for_classes if record.is_classes else for_numbers
    columns, rows = [], []
    for name, own in found.items():
        mine = [one for one in own if any(why == code for why, _ in one.whys)][:MOST_CARDS]
        if mine:
            columns.append((opened(TITLES.get(name, name)), tuple(map(_own_card, mine))))
            rows += list(map(_line, mine))
    return Gallery(title, tuple(columns), _table(title, tuple(rows))) if columns and title else None


def _own_card(one: _Example) -> Card:
    said = (_answer(one), _truth(one), *_change(one), *_beside(one))
    return Card(((*_plain(one), *_weighed(one), *said),), one.style)


def _pair_card(one: _Example, other: _Example) -> Card:
    """The row, and each family's view of it."""
    panels: list[tuple[Seen | Words, ...]] = [(*_plain(one), _truth(one), *_beside(one))]
    for own in (one, other):
        said = (Strong(f"{opened(TITLES.get(own.family, own.family))}:"), " ", *_answer(own))
        weighed = tuple(_weighed(own))
        is_wordy = any(isinstance(part, Marked) for part in weighed)
        panels.append((said, *weighed, *_change(own)) if is_wordy else (*weighed, said, *_change(own)))
    return Card(tuple(panels), "apart")


def _answer(one: _Example) -> tuple[Any, ...]:
    probability = number(one.found, "probability")
    sure = () if probability is None else (f", {amounts.chance(probability)} sure",)
    mark: tuple[Any, ...] = (Mark(one.style), " ") if one.style else ()
    return (*mark, "said ", *_value(one, "answer"), *sure)


def _truth(one: _Example) -> Words:
    return ("is ", *_value(one, "truth"), Quiet(f" · {one.name}"))


def _change(one: _Example) -> Iterator[Words]:
    """How much one part alone can do: on sure answers often nothing, for others say the same."""
    found = [
        largest for part in records(one.found, "shown") if (largest := number(part, "largest")) is not None
    ]
    if not found:
        yield (Quiet("what it rests on was not measured"),)
        return
    if number(one.found, "probability") is not None:
        points = 100 * max(found)
        if points >= LEAST_POINTS:
            yield (Quiet(f"a single part changes it by up to {amounts.amount(points, 'points')}"),)
        else:
            yield (Quiet("no single part changes it by a point" if points else "no single part changes it"),)
    else:
        yield (Quiet(f"a single part changes it by up to {amounts.level(max(found))}"),)


def _value(one: _Example, key: str) -> tuple[Any, ...]:
    value = one.found.get(key)
    if isinstance(value, str):
        return (Name(value),)
    found = number(one.found, key)
    return ("–" if found is None else amounts.level(found),)


def _beside(one: _Example) -> Iterator[Words]:
    cells = mapping(one.found, "cells")
    if cells:
        parts: list[Any] = []
        for name, value in list(cells.items())[:6]:
            parts += ["; " if parts else "", Name(str(name)), ": ", Name(text(value) or "–")]
        yield tuple(parts)


def _plain(one: _Example) -> Iterator[Thumbnail]:
    """Its pictures as they are."""
    for part in records(one.found, "shown"):
        png = _png(one, part)
        if png:
            yield Thumbnail(png, _alt(one, part), *_sides(part))


def _weighed(one: _Example) -> Iterator[Thumbnail | Marked]:
    """Its texts and pictures with what mattered."""
    for part in records(one.found, "shown"):
        png, weights, sides = _png(one, part), _grid(part), _sides(part)
        if text(part, "is") == "text":
            yield Marked(tuple(_parts(part)))
        elif png and weights:
            over = heat(weights, *sides, f"What {TITLES.get(one.family, one.family)} rests on")
            yield Thumbnail(png, f"{_alt(one, part)}, again", *sides, over)


def _png(one: _Example, part: Mapping[str, Any]) -> str:
    return one.pictures.get((one.row, text(part, "column")), "") if text(part, "is") == "picture" else ""


def _alt(one: _Example, part: Mapping[str, Any]) -> str:
    column, truth = (shortened(clean(text(*place))) for place in ((part, "column"), (one.found, "truth")))
    return f"{column} of {one.name}, which is {truth}"


def _parts(part: Mapping[str, Any]) -> Iterator[tuple[str, int]]:
    """The excerpt in parts with their steps, within its length whatever the record says."""
    room = MOST_LETTERS
    if items(part, "cut")[:1] == [True]:
        yield "… ", 0
    is_cut = items(part, "cut")[1:] == [True]
    for piece in items(part, "parts")[:MOST_PARTS]:
        shown = text(piece, 0)[:room]
        room -= len(shown)
        if shown:
            yield shown, _step(number(piece, 1) or 0.0)
    if is_cut:
        yield " …", 0


def _step(weight: float) -> int:
    size = sum(abs(weight) >= least for least in STEPS)
    return size if weight > 0 else -size


def _sides(part: Mapping[str, Any]) -> tuple[int, int]:
    """(width, height) of a whole picture in pixels; a square where they are not told, or cannot be."""
    sides = numbers(part, "size")
    is_size = len(sides) == 2 and all(1 <= side <= LONGEST for side in sides)
    return (int(sides[1]), int(sides[0])) if is_size else (1, 1)


def _grid(part: Mapping[str, Any]) -> tuple[tuple[float, ...], ...]:
    """Weights line by line, -1 to 1; empty where they are no grid or all zero."""
    lines = [
        tuple(max(-1.0, min(1.0, weight)) for weight in numbers(line)) for line in items(part, "weights")
    ]
    is_grid = 0 < len(lines) <= GRID_MOST and len({len(line) for line in lines}) == 1
    if not is_grid or not 0 < len(lines[0]) <= GRID_MOST or not any(map(any, lines)):
        return ()
    return tuple(lines)


def _is_picture(png: str) -> bool:
    try:
        picture(png, "")
    except ValueError:
        return False
    return True


def _line(one: _Example) -> tuple[Words, ...]:
    probability = number(one.found, "probability")
    sure = amounts.share(probability) if probability is not None else "–"
    seen = [_told(part) for part in records(one.found, "shown")]
    whole = "; ".join(told for told, _ in seen if told)
    rests = "; ".join(rest for _, rest in seen if rest)
    return (
        one.name,
        TITLES.get(one.family, one.family),
        _value(one, "truth"),
        _value(one, "answer"),
        sure,
        one.style or "–",
        shortened(clean(whole), MOST_LETTERS) or "–",
        shortened(clean(rests), MOST_LETTERS) or "–",
    )


def _told(part: Mapping[str, Any]) -> tuple[str, str]:
    """What is seen of a row, and what the answer rests on, in words."""
    if text(part, "is") == "text":
        parts = list(_parts(part))
        whole = "".join(piece for piece, _ in parts)
        weighty = sorted(
            ((abs(number(piece, 1) or 0.0), text(piece, 0)) for piece in items(part, "parts")[:MOST_PARTS]),
            key=lambda item: -item[0],
        )
        return whole, ", ".join(clean(piece) for weight, piece in weighty[:WEIGHTY] if weight >= STEPS[0])
    if text(part, "is") == "picture":
        sides = numbers(part, "size")
        size = f"a picture of {sides[1]:.0f} x {sides[0]:.0f} pixels" if len(sides) == 2 else "a picture"
        weights = _grid(part)
        return size, where(weights) if weights else ""
    return "nothing: missing", ""


def _table(title: str, rows: tuple[tuple[Words, ...], ...]) -> Table:
    head: tuple[Words, ...] = ("row", "", "is", "said", "sure", "", "what is seen", "rests most on")
    return Table(title, head, rows, frozenset({4}), stacked=True)


def _first_looks(record: Record) -> Gallery | None:
    """Engineered features and learned filters beside each other."""
    columns: list[tuple[str, tuple[Card, ...]]] = []
    rows: list[tuple[Words, ...]] = []
    found = mapping(record.measures("classical"), "examples", "gradients")
    cells = texts(found, "cells")
    if len(cells) == 64 and all(len(one) == 9 and one.isascii() and one.isdigit() for one in cells):
        shown: list[Seen] = []
        sides = _sides(found)
        if _is_picture(text(found, "png")):
            shown.append(Thumbnail(text(found, "png"), "a picture as it is", *sides))
        shown.append(Drawing(edges(cells, *sides, "Directions of edges")))
        line = "which way edges run, in each part: written down by people, the same for every task"
        columns.append(("Classical ML: engineered", (Card(((*shown, line),), "begins"),)))
        rows.append(("classical ML", line))
    filters = [png for png in texts(record.measures("deep"), "examples", "filters") if _is_picture(png)]
    if filters:
        small = tuple(
            Thumbnail(png, f"filter {place}", 1, 1, is_coarse=True)
            for place, png in enumerate(filters[:FILTERS_MOST], 1)
        )
        line = f"{len(small)} filters of the first layer, made from your pictures; grey is zero"
        columns.append(("Deep learning: learned", (Card(((*small, line),), "begins"),)))
        rows.append(("deep learning", line))
    if not columns:
        return None
    title = "What each begins with"
    return Gallery(title, tuple(columns), Table(title, ("", "what"), tuple(rows)))


def _weaknesses(record: Record) -> Portion | None:
    """Thirds of the test rows by what is seen in them, those with the largest differences first."""
    values: dict[tuple[str, str, str], dict[str, Mapping[str, Any]]] = {}
    for name in SHOWN:
        for one in records(record.measures(name), "weaknesses"):
            ends = [number(one, key) for key in ("from", "to")]
            if number(one, "gap") is not None and None not in ends:
                span = " to ".join(amounts.level(end or 0.0) for end in ends)
                values.setdefault((text(one, "fact"), text(one, "column"), span), {})[name] = one
    if not values:
        return None
    drawn = [name for name in SHOWN if any(name in found for found in values.values())]
    ranked = sorted(values, key=lambda key: -max(number(one, "gap") or 0.0 for one in values[key].values()))
    unit = record.measure.gap_unit
    rows: list[tuple[Words, ...]] = []
    for key in ranked[:FACTS_MOST]:
        fact, column, span = key
        found = values[key]
        size = next((number(one, "rows") for one in found.values()), None)
        cells: list[Words] = []
        for name in drawn:
            one = found.get(name, {})
            gap = number(one, "gap")
            if gap is None:
                cells.append("–")
                continue
            shown = with_ends(
                amounts.differences(Estimate(gap, number(one, "low"), number(one, "high")), unit)
            )
            own = number(one, "score")
            level = "" if own is None else f", {amounts.level(own, record.measure.unit)}"
            cells.append((*parts_of(shown), level))
        count = amounts.count(size) if size is not None else "–"
        rows.append(((fact, " of ", Name(column)), span, count, *cells))
    head: tuple[Words, ...] = (
        "what is seen",
        "from, to",
        "rows",
        *(TITLES.get(name, name) for name in drawn),
    )
    table = Table(
        "Loss of score on thirds of the test rows against the others, worst first, with 95 % intervals",
        head,
        tuple(rows),
        frozenset(range(2, len(head))),
        stacked=True,
    )
    said = (
        "Test rows parted in three by what a person can see in them. Many parts are compared, so one in "
        "twenty looks different by chance."
    )
    return Portion("Where they err more", (Paragraph(said, "note"), table))
