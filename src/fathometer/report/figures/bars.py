"""Chances that add up to one as a divided bar, and values of both families side by side."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from fathometer.report.amounts import share
from fathometer.report.elements import Element, element
from fathometer.report.figures.canvas import LETTER, LINE, Canvas, label, legend, line, mark, whisker, words
from fathometer.report.figures.scales import Axis, Scale
from fathometer.report.record import Estimate

ORDER = ("classical", "tie", "deep")
GAP = 2.0  # white between two parts of a bar


@dataclass(frozen=True)
class Divided:
    """One bar: its name, an aside, and the three chances in the order of ORDER."""

    title: str
    aside: str
    shares: tuple[float, float, float]


def divided_bars(canvas: Canvas, bars: Sequence[Divided], height: float = 30.0) -> Element:
    """Bars of chances under each other; the name beside each on wide screens, above it on narrow ones."""
    key, top = legend(ORDER, canvas.width, 9)
    parts: list[Element] = [key]
    named = any(bar.title for bar in bars)
    above = named and canvas.is_narrow
    left = 210.0 if named and not above else 0.0
    y = top + 2
    for bar in bars:
        if above:
            parts.append(
                words(0, y + 13, " · ".join(filter(None, (bar.title, bar.aside))), room=canvas.width)
            )
            y += LINE + 2
        elif named:
            shift = 0.0 if bar.aside else 8.0
            parts.append(words(0, y + 12 + shift, bar.title, room=left - 8))
            parts.append(words(0, y + 27, bar.aside, style="aside", room=left - 8))
        parts += _segments(bar.shares, left, canvas.width - left, y, height)
        y += height + 10
    return canvas.svg(y - 4, *parts)


def _segments(shares: Sequence[float], left: float, width: float, y: float, height: float) -> list[Element]:
    drawn: list[Element] = []
    total = sum(shares)
    x = left
    for family, part in zip(ORDER, shares, strict=True):
        wide = width * part / total
        shown = max(wide - GAP, 0.0)
        if shown > 0.5:
            box = element("rect", x=x, y=y, width=shown, height=height, rx=2, class_=f"{family} segment")
            drawn.append(box)
        if wide > len(share(part)) * LETTER + 8:
            middle = y + height / 2 + 4.5
            drawn.append(words(x + shown / 2, middle, share(part), anchor="middle", style=f"on-{family}"))
        x += wide
    return drawn


@dataclass(frozen=True)
class Pair:
    """One thing, and what was measured of it for each family."""

    title: str
    values: Mapping[str, Estimate]


def paired_bars(
    canvas: Canvas,
    pairs: Sequence[Pair],
    families: Sequence[str],
    axis: Axis,
    written: Callable[[float], str],
    *,
    has_legend: bool = True,
) -> Element:
    """Horizontal bars from zero, one for each family under each thing's name."""
    key, top = legend(families, canvas.width, 9) if has_legend else (None, 0.0)
    left = 14.0 if canvas.is_narrow else 250.0
    thick = 13.0
    every = len(families) * (thick + 3) + (LINE + 6 if canvas.is_narrow else 12)
    values = [found.value for pair in pairs for found in pair.values.values()]
    low, high = axis.range([0.0, *_ends(pairs, values)], 0.02)
    scale = Scale(low, high, left, canvas.width - 9 * LETTER)
    bottom = top + 4 + every * len(pairs)
    parts: list[Element | None] = [
        key,
    ]
    y = top + 6
    for pair in pairs:
        if canvas.is_narrow:
            parts.append(words(0, y + 12, pair.title, room=canvas.width))
            start = y + LINE
        else:
            start = y
            middle = y + len(families) * (thick + 3) / 2 - 1.5
            parts.append(label(left - 20, middle, pair.title, left - 24))
        parts.append(line(scale(0), start - 3, scale(0), start + len(families) * (thick + 3), "axis"))
        for row, family in enumerate(families):
            found = pair.values.get(family)
            if found is not None:
                place = start + row * (thick + 3)
                parts.append(mark(family, left - 8, place + thick / 2, 3.6))
                parts += _bar(found, family, scale, place, thick, written)
        y += every
    parts.append(words(canvas.width, bottom + 12, axis.title, anchor="end", style="axis-title"))
    return canvas.svg(bottom + 20, *parts)


def _ends(pairs: Sequence[Pair], values: Sequence[float]) -> list[float]:
    """The values, and their intervals as far as they do not press the bars flat."""
    if not values:
        return [1.0]
    span = max(*values, 0.0) - min(*values, 0.0) or 1.0
    low, high = min(*values, 0.0) - 0.35 * span, max(*values, 0.0) + 0.35 * span
    ends = [
        min(max(end, low), high)
        for pair in pairs
        for found in pair.values.values()
        for end in (found.low, found.high)
        if end is not None
    ]
    return [*values, *ends]


def _bar(
    found: Estimate, family: str, scale: Scale, y: float, thick: float, written: Callable[[float], str]
) -> list[Element]:
    zero, end = scale(0), scale(found.value)
    drawn = [
        element(
            "rect",
            x=min(zero, end),
            y=y,
            width=max(abs(end - zero), 1.0),
            height=thick,
            class_=f"{family} segment",
        )
    ]
    right = max(zero, end)
    if found.low is not None and found.high is not None:
        ends = (scale(found.low), y + thick / 2, scale(found.high), y + thick / 2)
        # a wider line of paper below, so that the interval is seen on the bar as well as beside it
        drawn += [line(*ends, "halo"), whisker(*ends, "over")]
        right = max(right, scale(found.high))
    drawn.append(words(right + 7, y + thick - 2, written(found.value), style="aside"))
    return drawn
