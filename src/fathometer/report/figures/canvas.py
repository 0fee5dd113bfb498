"""The paper a figure is drawn on: its width, its words, and the marks of the families."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from fathometer.report.document import Figure, Table, Words
from fathometer.report.elements import Element, element, number
from fathometer.report.plain import clean, shortened
from fathometer.report.record import TITLES

WIDE, NARROW = 840.0, 344.0  # units of the drawing: pixels where the page is wide enough
LETTER = 6.8  # width of a letter of 13 pixels, on the wide side
LINE = 18.0


@dataclass(frozen=True)
class Canvas:
    """name: unique on the page. title, description: read out in place of the drawing."""

    name: str
    width: float
    title: str
    description: str

    @property
    def is_narrow(self) -> bool:
        return self.width < 500

    def svg(self, height: float, *children: Element | None) -> Element:
        """The drawing with its title and description."""
        return element(
            "svg",
            element("title", self.title, id=f"{self.name}-title"),
            element("desc", self.description, id=f"{self.name}-desc"),
            *children,
            viewBox=f"0 0 {number(self.width)} {number(height)}",
            role="img",
            aria_labelledby=f"{self.name}-title {self.name}-desc",
            class_="chart narrow" if self.is_narrow else "chart wide",
        )


def figure(
    name: str,
    title: str,
    description: str,
    draw: Callable[[Canvas], Element],
    table: Table,
    caption: Words = "",
) -> Figure:
    """A figure drawn for wide and for narrow screens."""
    description = clean(description)
    wide = draw(Canvas(f"{name}-wide", WIDE, title, description))
    narrow = draw(Canvas(f"{name}-narrow", NARROW, title, description))
    return Figure(name, title, description, wide, narrow, table, caption)


def words(
    x: float, y: float, text: str, *, anchor: str = "start", style: str = "", room: float | None = None
) -> Element:
    """A line of text; where it is longer than the room it is cut, and the whole is its title."""
    whole = clean(text)
    shown = whole if room is None else shortened(whole, max(4, int(room / LETTER)))
    return element(
        "text",
        shown,
        element("title", whole) if shown != whole else None,
        x=x,
        y=y,
        text_anchor=None if anchor == "start" else anchor,
        class_=style or None,
    )


def label(x: float, middle: float, text: str, room: float) -> Element:
    """A name that ends at x, around this height: on two lines where one is too short, and cut only then."""
    whole = clean(text)
    spaces = [position for position, letter in enumerate(whole) if letter == " "]
    if len(whole) * LETTER <= room or not spaces:
        return words(x, middle + 4.5, whole, anchor="end", room=room)
    half = min(spaces, key=lambda position: abs(position - len(whole) / 2))
    upper = words(x, middle - 3, whole[:half], anchor="end", room=room)
    return element("g", upper, words(x, middle + 12, whole[half + 1 :], anchor="end", room=room))


def line(x1: float, y1: float, x2: float, y2: float, style: str) -> Element:
    return element("line", x1=x1, y1=y1, x2=x2, y2=y2, class_=style)


def path(points: Sequence[tuple[float, float]], style: str, *, is_closed: bool = False) -> Element:
    steps = "L".join(f"{number(x)} {number(y)}" for x, y in points)
    return element("path", d=f"M{steps}{'Z' if is_closed else ''}", class_=style)


def mark(family: str, x: float, y: float, radius: float = 5.0) -> Element:
    """The family's own shape, so that it is told apart without colour."""
    style = f"mark {family}"
    if family == "deep":
        side = radius * 0.9
        return element("rect", x=x - side, y=y - side, width=2 * side, height=2 * side, class_=style)
    if family == "together":
        reach = radius * 1.25
        corners = [(x, y - reach), (x + reach, y), (x, y + reach), (x - reach, y)]
        return path(corners, style, is_closed=True)
    if family == "pretrained":
        arm, half = radius * 1.2, radius * 0.45
        corners = [(half, arm), (half, half), (arm, half), (arm, -half), (half, -half), (half, -arm)]
        corners += [(-across, -up) for across, up in corners]
        return path([(x + across, y + up) for across, up in corners], style, is_closed=True)
    if family == "baseline":
        reach = radius * 1.1
        corners = [(x, y - reach), (x + reach, y + reach * 0.8), (x - reach, y + reach * 0.8)]
        return path(corners, style, is_closed=True)
    return element("circle", cx=x, cy=y, r=radius, class_=style)


def whisker(x1: float, y1: float, x2: float, y2: float, family: str) -> Element:
    """An interval: a line with short ends."""
    ends = [line(x1, y1, x2, y2, f"whisker {family}")]
    for x, y in ((x1, y1), (x2, y2)):
        across = (x - 3.5, y, x + 3.5, y) if x1 == x2 else (x, y - 3.5, x, y + 3.5)
        ends.append(line(*across, f"whisker {family}"))
    return element("g", *ends)


def legend(families: Sequence[str], width: float, top: float, left: float = 0.0) -> tuple[Element, float]:
    """Every family's mark and name, wrapped to the width; and where it ends."""
    drawn: list[Element] = []
    x, y = left, top
    for family in families:
        title = TITLES.get(family, family)
        needed = 20 + LETTER * len(title) + 14
        if x > left and x + needed > width:
            x, y = left, y + LINE
        drawn.append(_swatch(family, x + 6, y))
        drawn.append(words(x + 18, y + 4.5, title))
        x += needed
    return element("g", *drawn), y + LINE


def _swatch(family: str, x: float, y: float) -> Element:
    if family == "tie":
        return element("rect", x=x - 6, y=y - 6, width=12, height=12, class_="tie segment")
    return mark(family, x, y)
