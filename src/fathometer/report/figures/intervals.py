"""Values with their intervals on one axis, against a zone that does not matter."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from fathometer.report.elements import Element, element
from fathometer.report.figures.canvas import LETTER, LINE, Canvas, line, mark, whisker, words
from fathometer.report.figures.scales import Axis, Scale
from fathometer.report.record import Estimate


@dataclass(frozen=True)
class Line:
    """One value with its interval; family gives colour and shape."""

    title: str
    family: str
    found: Estimate


def interval_lines(
    canvas: Canvas,
    lines: Sequence[Line],
    axis: Axis,
    written: Callable[[Estimate], str],
    *,
    margin: float | None = None,
    sides: tuple[str, str] = ("", ""),
) -> Element:
    """Each value as a mark, its interval as a line; the margin around zero is shaded.

    sides: what lies to the left and to the right of zero, in words.
    """
    left = 0.0 if canvas.is_narrow else 250.0
    right = canvas.width - 8
    ends = [
        end for one in lines for end in (one.found.low, one.found.value, one.found.high) if end is not None
    ]
    zone = [] if margin is None else [-1.6 * margin, 1.6 * margin]
    low, high = axis.range([*ends, *zone])
    scale = Scale(low, high, left + 4, right)
    top = LINE + 8 if any(sides) else 6.0
    every = 2 * LINE + 18 if canvas.is_narrow else 2 * LINE + 4
    bottom = top + every * len(lines) + 4
    parts: list[Element | None] = [*_ground(scale, top, bottom, margin), *_sides(scale, top, sides, canvas)]
    for tick in axis.ticks(low, high, 5 if canvas.is_narrow else 8):
        x = scale(tick)
        parts.append(line(x, bottom, x, bottom + 5, "axis"))
        parts.append(words(x, bottom + 19, axis.written(tick), anchor="middle"))
    parts.append(line(scale.start, bottom, right, bottom, "axis"))
    for position, one in enumerate(lines):
        y = top + every * position
        middle = y + (every - 10 if canvas.is_narrow else every / 2)
        room = canvas.width if canvas.is_narrow else left - 10
        parts.append(words(0, y + (14 if canvas.is_narrow else every / 2 - 3), one.title, room=room))
        shown = y + (30 if canvas.is_narrow else every / 2 + 13)
        parts.append(words(0, shown, written(one.found), style="aside", room=room))
        if one.found.low is not None and one.found.high is not None:
            parts.append(whisker(scale(one.found.low), middle, scale(one.found.high), middle, one.family))
        parts.append(mark(one.family, scale(one.found.value), middle))
    parts.append(words(canvas.width, bottom + 38, axis.title, anchor="end", style="axis-title"))
    return canvas.svg(bottom + 44, *parts)


def _ground(scale: Scale, top: float, bottom: float, margin: float | None) -> list[Element]:
    drawn: list[Element] = []
    if margin is not None:
        x, end = scale(-margin), scale(margin)
        drawn.append(element("rect", x=x, y=top, width=end - x, height=bottom - top, class_="beyond"))
    if scale.low < 0 < scale.high:
        drawn.append(line(scale(0), top, scale(0), bottom, "axis"))
    return drawn


def _sides(scale: Scale, top: float, sides: tuple[str, str], canvas: Canvas) -> list[Element]:
    """Which side is whose; on the edges, where there is always room for both."""
    drawn = []
    room = (scale.end - scale.start) / 2
    for text, x, anchor in ((sides[0], scale.start, "start"), (sides[1], scale.end, "end")):
        if text:
            cut = None if len(text) * LETTER < room else room
            drawn.append(words(x, top - 8, text, anchor=anchor, style="aside", room=cut))
    return drawn
