"""Points, lines and bands over two axes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fathometer.report.elements import Element, element
from fathometer.report.figures.canvas import LETTER, LINE, Canvas, legend, line, mark, path, whisker, words
from fathometer.report.figures.scales import Axis, Scale

Point = tuple[float, float]


@dataclass(frozen=True)
class Dot:
    """One measured point; low and high are its interval. says: shown when it is pointed at."""

    x: float
    y: float
    low: float | None = None
    high: float | None = None
    says: str = ""


@dataclass(frozen=True)
class Series:
    """One family's part of a plot: dots, a drawn line, a dashed line for what is forecast, bands (x, low, high)."""

    family: str
    dots: tuple[Dot, ...] = ()
    line: tuple[Point, ...] = ()
    dashed: tuple[Point, ...] = ()
    band: tuple[tuple[float, float, float], ...] = ()


@dataclass(frozen=True)
class Rule:
    """A line across the plot at one value of x (is_upright) or y, with a word or two."""

    at: float
    says: str
    is_upright: bool = True


@dataclass(frozen=True)
class Plot:
    """height: of the plot itself on a wide screen. beyond: from this x on, the ground is shaded as forecast."""

    x: Axis
    y: Axis
    series: tuple[Series, ...]
    rules: tuple[Rule, ...] = ()
    height: float = 300.0
    beyond: float | None = None
    is_diagonal: bool = False
    has_legend: bool = True

    def draw(self, canvas: Canvas) -> Element:
        """The plot on this canvas."""
        families = [series.family for series in self.series]
        key, top = legend(families, canvas.width, 9) if self.has_legend else (None, 6.0)
        height = min(self.height, 250.0) if canvas.is_narrow else self.height
        area = self._area(canvas, top + LINE + 4, height)
        parts = [
            key,
            words(0, top + 8, self.y.title, style="axis-title"),
            self._ground(area),
            *self._grid(area, canvas),
            *self._rules(area),
            *(drawn for series in self.series for drawn in _lines(series, area)),
            *(
                drawn
                for position, series in enumerate(self.series)
                for drawn in _dots(series, area, self._aside(position))
            ),
            words(canvas.width, area.bottom + 38, self.x.title, anchor="end", style="axis-title"),
        ]
        return canvas.svg(area.bottom + 44, *parts)

    def _aside(self, position: int) -> float:
        """Dots with intervals stand a little beside each other, so that equal ones are both seen."""
        if not any(dot.low is not None for series in self.series for dot in series.dots):
            return 0.0
        return 6.0 * (position - (len(self.series) - 1) / 2)

    def _area(self, canvas: Canvas, top: float, height: float) -> _Area:
        xs, ys = _values(self.series)
        xs += [rule.at for rule in self.rules if rule.is_upright]
        ys += [rule.at for rule in self.rules if not rule.is_upright]
        x_low, x_high = self.x.range(xs, 0.03)
        y_low, y_high = self.y.range(ys)
        ticks = self.y.ticks(y_low, y_high, 5 if height < 200 else 8)
        left = max(len(self.y.written(tick)) for tick in ticks) * LETTER + 10
        return _Area(
            Scale(x_low, x_high, left, canvas.width - 10, self.x.is_log),
            Scale(y_low, y_high, top + height, top, self.y.is_log),
            tuple(ticks),
        )

    def _ground(self, area: _Area) -> Element | None:
        if self.beyond is None:
            return None
        x = area.x(self.beyond)
        if area.right - x < 1:
            return None
        shade = element(
            "rect", x=x, y=area.top, width=area.right - x, height=area.bottom - area.top, class_="beyond"
        )
        return element("g", shade, words(x + 6, area.top + 14, "forecast →", style="aside"))

    def _grid(self, area: _Area, canvas: Canvas) -> list[Element]:
        drawn: list[Element] = []
        for tick in area.ticks:
            y = area.y(tick)
            drawn.append(line(area.left, y, area.right, y, "grid"))
            drawn.append(words(area.left - 7, y + 4.5, self.y.written(tick), anchor="end"))
        drawn.append(line(area.left, area.bottom, area.right, area.bottom, "axis"))
        before = -1e9
        for tick in self.x.ticks(area.x.low, area.x.high, 5 if canvas.is_narrow else 9):
            x, shown = area.x(tick), self.x.written(tick)
            reach = len(shown) * LETTER / 2
            if x - reach < before + 6 or x + reach > canvas.width + 2:
                continue
            drawn.append(line(x, area.bottom, x, area.bottom + 5, "axis"))
            drawn.append(words(x, area.bottom + 19, shown, anchor="middle"))
            before = x + reach
        if self.is_diagonal:
            low, high = max(area.x.low, area.y.low), min(area.x.high, area.y.high)
            drawn.append(line(area.x(low), area.y(low), area.x(high), area.y(high), "rule"))
        return drawn

    def _rules(self, area: _Area) -> list[Element]:
        drawn: list[Element] = []
        for position, rule in enumerate(self.rules):
            if not rule.is_upright:
                y = area.y(rule.at)
                drawn.append(line(area.left, y, area.right, y, "rule"))
                drawn.append(words(area.right - 2, y - 5, rule.says, anchor="end", style="aside"))
                continue
            x = area.x(rule.at)
            fits = x - 6 - len(rule.says) * LETTER > area.left
            drawn.append(line(x, area.top, x, area.bottom, "rule"))
            side = ("end", x - 5) if fits else ("start", x + 5)
            drawn.append(
                words(side[1], area.top + 14 + 16 * position, rule.says, anchor=side[0], style="aside")
            )
        return drawn


@dataclass(frozen=True)
class _Area:
    x: Scale
    y: Scale
    ticks: tuple[float, ...]

    @property
    def left(self) -> float:
        return self.x.start

    @property
    def right(self) -> float:
        return self.x.end

    @property
    def top(self) -> float:
        return self.y.end

    @property
    def bottom(self) -> float:
        return self.y.start


def _values(series: Sequence[Series]) -> tuple[list[float], list[float]]:
    """All x, and all y with as much of the intervals as does not press the rest flat."""
    xs: list[float] = []
    middle: list[float] = []
    ends: list[float] = []
    halves: list[float] = []
    for one in series:
        for x, y in (*one.line, *one.dashed, *((dot.x, dot.y) for dot in one.dots)):
            xs.append(x)
            middle.append(y)
        for x, low, high in one.band:
            xs.append(x)
            ends += [low, high]
            halves.append((high - low) / 2)
        halves += [
            (dot.high - dot.low) / 2 for dot in one.dots if dot.low is not None and dot.high is not None
        ]
        ends += [end for dot in one.dots for end in (dot.low, dot.high) if end is not None]
    if not middle:
        return xs, ends
    span = max(middle) - min(middle)
    usual = sorted(halves)[len(halves) // 2] if halves else 0.0
    room = max(0.8 * span, 1.6 * usual)
    low, high = min(middle) - room, max(middle) + room
    return xs, middle + [min(max(end, low), high) for end in ends]


def _lines(series: Series, area: _Area) -> list[Element]:
    drawn: list[Element] = []
    if len(series.band) > 1:
        upper = [(area.x(x), area.y(high)) for x, _, high in series.band]
        lower = [(area.x(x), area.y(low)) for x, low, _ in reversed(series.band)]
        drawn.append(path(upper + lower, f"band {series.family}", is_closed=True))
    for points, style in ((series.line, "line"), (series.dashed, "line dashed")):
        if len(points) > 1:
            placed = [(area.x(x), area.y(y)) for x, y in points]
            drawn.append(path(placed, f"{style} {series.family}"))
    return drawn


def _dots(series: Series, area: _Area, aside: float) -> list[Element]:
    drawn: list[Element] = []
    for dot in series.dots:
        x, y = area.x(dot.x) + aside, area.y(dot.y)
        if dot.low is not None and dot.high is not None:
            drawn.append(whisker(x, area.y(dot.low), x, area.y(dot.high), series.family))
        shape = mark(series.family, x, y)
        drawn.append(element("g", element("title", dot.says), shape) if dot.says else shape)
    return drawn
