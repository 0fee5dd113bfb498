"""Drawings over and beside a picture: which patches an answer rests on, which way its edges run."""

from __future__ import annotations

import math
from collections.abc import Sequence

from fathometer.report.elements import Element, element, number

SIDE = 100.0  # units of the longer side of a drawing
LEAST = 0.08  # of the largest weight: below it a patch is left bare
OPAQUE = 0.72  # of the patch that matters most

PLACES = (
    ("upper left", "top", "upper right"),
    ("left", "middle", "right"),
    ("lower left", "bottom", "lower right"),
)


def heat(weights: Sequence[Sequence[float]], width: int, height: int, title: str) -> Element:
    """The patches of a picture: filled where they speak for the answer, crossed where against, by how much.

    weights: -1 to 1, line by line.
    """
    wide, high = SIDE * width / max(width, height), SIDE * height / max(width, height)
    down, across = len(weights), len(weights[0])
    tall, broad = high / down, wide / across
    drawn = []
    for i, line in enumerate(weights):
        for j, weight in enumerate(line):
            if abs(weight) >= LEAST:
                shown = f"{OPAQUE * abs(weight):.2f}"
                drawn.append(_patch(j * broad, i * tall, broad, tall, shown, is_for=weight > 0))
    return _over(title, f"It rests most on: {where(weights)}.", wide, high, *drawn)


def where(weights: Sequence[Sequence[float]]) -> str:
    """The part of the picture that speaks most for the answer, in words; "no part" where none does.

    >>> where([[0.0, 0.0], [0.0, 1.0]])
    'lower right'
    """
    ranked = [(weight, i, j) for i, line in enumerate(weights) for j, weight in enumerate(line)]
    weight, i, j = max(ranked, key=lambda item: (item[0], -item[1], -item[2]))
    if weight < LEAST:
        return "no part"
    return PLACES[_third(i, len(weights))][_third(j, len(weights[0]))]


def edges(cells: Sequence[str], width: int, height: int, title: str) -> Element:
    """For each cell of a grid, line by line, one line per direction of edges, the longer the stronger.

    cells: nine digits each, of directions in steps of 20 degrees from upright on.
    """
    wide, high = SIDE * width / max(width, height), SIDE * height / max(width, height)
    side = math.isqrt(len(cells))
    broad, tall = wide / side, high / side
    reach = 0.5 * min(broad, tall)
    drawn = []
    for place, digits in enumerate(cells):
        x, y = (place % side + 0.5) * broad, (place // side + 0.5) * tall
        for step, digit in enumerate(digits):
            if int(digit) >= 2:
                # an edge runs across the direction in which the brightness changes
                angle = math.pi * step / len(digits) + math.pi / 2
                across, down = reach * math.cos(angle), reach * math.sin(angle)
                ends = {"x1": x - across, "y1": y - down, "x2": x + across, "y2": y + down}
                drawn.append(element("line", **ends, stroke_opacity=f"{int(digit) / 9:.2f}", class_="edge"))
    return _over(title, "Directions of edges in each part of the picture.", wide, high, *drawn)


def _patch(x: float, y: float, width: float, height: float, opacity: str, *, is_for: bool) -> Element:
    if is_for:
        return element("rect", x=x, y=y, width=width, height=height, fill_opacity=opacity, class_="for")
    cross = f"M{number(x)} {number(y)}L{number(x + width)} {number(y + height)}"
    cross += f"M{number(x + width)} {number(y)}L{number(x)} {number(y + height)}"
    # white on black, to be seen on any picture
    lines = (element("path", d=cross, class_="ground"), element("path", d=cross, class_="against"))
    return element("g", *lines, opacity=opacity)


def _over(title: str, description: str, width: float, height: float, *drawn: Element) -> Element:
    return element(
        "svg",
        element("title", title),
        element("desc", description),
        *drawn,
        viewBox=f"0 0 {number(width)} {number(height)}",
        role="img",
        aria_label=f"{title}. {description}",
        class_="heat",
    )


def _third(place: int, count: int) -> int:
    return min(2, int(3 * (place + 0.5) / count))
