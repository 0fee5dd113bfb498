"""What more data would do: both learning curves, the forecast, the crossover."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from fathometer.data.sentences import opened
from fathometer.report import amounts
from fathometer.report.document import Block, Figure, Paragraph, Section, Table, Words, with_ends
from fathometer.report.figures.bars import Divided, divided_bars
from fathometer.report.figures.canvas import figure
from fathometer.report.figures.plot import Dot, Plot, Rule, Series
from fathometer.report.figures.scales import Axis
from fathometer.report.record import (
    COMPETITORS,
    DRAWN,
    PRETRAINED,
    TITLES,
    Estimate,
    Record,
    estimate,
    mapping,
    number,
    probabilities,
    records,
    text,
)
from fathometer.report.sections import foresight

STILL = {"rising": "still rising", "plateau": "on a plateau", "unclear": "unclear"}
SAME_SOURCE = (
    "Every forecast supposes that further rows come from the same source as these, and ends at 16 times them."
)


def section(record: Record) -> Section:
    """Curves, forecast and crossover; or one sentence that they were not measured."""
    blocks = tuple(_blocks(record))
    if not blocks:
        blocks = (Paragraph("Curves against the number of rows were not measured in this run.", "missing"),)
    return Section("data", "What more data would do", blocks)


def _blocks(record: Record) -> Iterator[Block]:
    curves = mapping(record.result, "curves", "competitors")
    outlook = mapping(record.result, "outlook")
    said = foresight.sentence(record)
    if said:
        yield Paragraph(said, "lead")
    more_rows = text(record.result, "verdict", "more_rows")
    if more_rows:
        yield Paragraph(more_rows)
    drawn = [name for name in DRAWN if records(curves, name, "points")]
    if drawn:
        yield _curves(record, curves, drawn)
        yield from _notes(record, curves)
    chances = _chances(outlook)
    if chances:
        yield chances
    if text(outlook, "note"):
        yield Paragraph(text(outlook, "note"), "note")
    if drawn or chances:
        yield Paragraph(SAME_SOURCE, "note")


def _curves(record: Record, curves: Mapping[str, Any], drawn: list[str]) -> Figure:
    measure = record.measure
    now = number(record.result, "curves", "rows") or max(
        (number(point, "rows") or 0.0 for name in drawn for point in records(curves, name, "points")),
        default=0.0,
    )
    better = "higher" if measure.higher_is_better else "lower"
    plot = Plot(
        Axis("rows to learn from in one fold", amounts.count, is_log=True),
        Axis(
            f"{measure.title}{f' in {measure.unit}' if measure.unit else ''}, {better} is better",
            lambda value: amounts.level(value),
            top=100.0 if measure.unit == "%" else float("inf"),
        ),
        tuple(_series(name, mapping(curves, name), now, record) for name in drawn),
        tuple(_rules(record, now)),
        height=340,
        beyond=now or None,
    )
    table = _curve_table(record, curves, drawn)
    third = (
        " The pre-trained model's have long dashes, its forecast dashes and dots."
        if PRETRAINED in drawn
        else ""
    )
    return figure(
        "curves",
        "Score against rows, measured and forecast",
        _described(record, curves, drawn),
        plot.draw,
        table,
        "Marks are measured, with 95 % intervals; solid lines are fitted to them; dashed lines and bands are the "
        f"forecast, with 80 % intervals.{third}",
    )


def _series(name: str, curve: Mapping[str, Any], now: float, record: Record) -> Series:
    unit = record.measure.unit
    dots = []
    for point in records(curve, "points"):
        rows, found = number(point, "rows"), estimate(point, "score")
        if rows and found:
            shown = " ".join(filter(None, amounts.score(found, record.measure)))
            says = f"{TITLES[name]}, {amounts.count(rows)} rows: {shown}"
            dots.append(Dot(rows, found.value, found.low, found.high, says))
    smooth = [
        (rows, found)
        for point in records(curve, "smooth")
        if (rows := number(point, "rows")) and (found := estimate(point, "score"))
    ]
    if not smooth:
        smooth = [(dot.x, Estimate(dot.y)) for dot in dots]
        smooth += [
            (rows, found)
            for point in records(curve, "forecast")
            if (rows := number(point, "rows")) and (found := estimate(point, "score"))
        ]
    line = tuple((rows, found.value) for rows, found in smooth if rows <= now * 1.001)
    ahead = [(rows, found) for rows, found in smooth if rows >= now * 0.999]
    if line and ahead and ahead[0][0] > now:
        joint = _joint(line[-1], ahead[0], now)
        line = (*line, (now, joint.value))
        ahead.insert(0, (now, joint))
    band = tuple(
        (rows, *_ends(found.low, found.high, unit))
        for rows, found in ahead
        if found.low is not None and found.high is not None
    )
    return Series(name, tuple(dots), line, tuple((rows, found.value) for rows, found in ahead), band)


def _joint(last: tuple[float, float], following: tuple[float, Estimate], now: float) -> Estimate:
    """Where the forecast leaves the measured line: between the two points beside it, as wide as the later one."""
    rows, found = following
    if rows <= last[0]:  # one point may end the line and begin the forecast
        return found
    way = math.log(now / last[0]) / math.log(rows / last[0])
    value = last[1] + min(max(way, 0.0), 1.0) * (found.value - last[1])
    if found.low is None or found.high is None:
        return Estimate(value)
    return Estimate(value, value - (found.value - found.low), value + (found.high - found.value))


def _ends(low: float, high: float, unit: str) -> tuple[float, float]:
    return (low, min(high, 100.0)) if unit == "%" else (low, high)


def _rules(record: Record, now: float) -> Iterator[Rule]:
    if now:
        yield Rule(now, "all your rows")
    if not foresight.leader(record):
        return
    crossover = mapping(record.result, "outlook", "crossover")
    never, rows = number(crossover, "p_never"), number(crossover, "median_rows")
    if rows and never is not None and never < 0.5:
        yield Rule(rows, "crossover")
    overtook = number(crossover, "overtook", "rows")
    if overtook:
        yield Rule(overtook, "overtook")


def _curve_table(record: Record, curves: Mapping[str, Any], drawn: list[str]) -> Table:
    measure = record.measure
    found: dict[tuple[float, str], dict[str, Words]] = {}
    for name in drawn:
        for key, kind in (("points", "measured"), ("forecast", "forecast")):
            for point in records(curves, name, key):
                rows, score = number(point, "rows"), estimate(point, "score")
                if rows and score:
                    found.setdefault((rows, kind), {})[name] = with_ends(amounts.score(score, measure))
    body = tuple(
        (amounts.count(rows), kind, *(cells.get(name, "–") for name in drawn))
        for (rows, kind), cells in sorted(found.items())
    )
    head = ("rows to learn from", "", *(TITLES[name] for name in drawn))
    return Table(
        f"{opened(measure.title)} at each size: measured with 95 %, forecast with 80 % intervals",
        head,
        body,
        frozenset(range(2, 2 + len(drawn))),
    )


def _described(record: Record, curves: Mapping[str, Any], drawn: list[str]) -> str:
    said = []
    for name in drawn:
        points = [found for point in records(curves, name, "points") if (found := estimate(point, "score"))]
        sizes = [rows for point in records(curves, name, "points") if (rows := number(point, "rows"))]
        if points and sizes:
            unit = record.measure.unit
            said.append(
                f"{opened(TITLES[name])} goes from {amounts.level(points[0].value, unit)} at "
                f"{amounts.count(sizes[0])} rows to {amounts.level(points[-1].value, unit)} at "
                f"{amounts.count(sizes[-1])} rows."
            )
    return " ".join(["Learning curves of both families.", *said])


def _notes(record: Record, curves: Mapping[str, Any]) -> Iterator[Block]:
    unit = record.measure.gap_unit
    rows: list[tuple[Words, ...]] = []
    for name in COMPETITORS:
        curve = mapping(curves, name)
        if not curve:
            continue
        enough = number(curve, "rows_for_95_percent")
        cells = [
            with_ends(amounts.differences(estimate(mapping(curve, key), "gain"), unit))
            for key in ("gain_last_doubling", "gain_next_doubling")
        ]
        still = STILL.get(text(curve, "still"), "–")
        rows.append((TITLES[name], *cells, still, f"about {amounts.about(enough)}" if enough else "–"))
    if rows:
        head = (
            "",
            "last doubling of rows (95 %)",
            "next doubling, forecast (80 %)",
            "the curve is",
            "rows for 95 % of the gain over the baseline",
        )
        yield Table(
            "What a doubling of the rows brings (above 0: better)",
            head,
            tuple(rows),
            frozenset({1, 2, 4}),
            True,
        )
    noted: dict[str, list[str]] = {}
    for name in COMPETITORS:
        noted.setdefault(text(curves, name, "note"), []).append(TITLES[name])
    for note, titles in noted.items():
        if note:
            yield Paragraph(f"{opened(', '.join(titles))}: {note}", "note")
    drawn_how = text(record.result, "curves", "sentence")
    if drawn_how:
        yield Paragraph(drawn_how, "note")


def _chances(outlook: Mapping[str, Any]) -> Figure | None:
    bars: list[Divided] = []
    rows: list[tuple[Words, ...]] = []
    for step in records(outlook, "factors"):
        factor, size, shares = number(step, "factor"), number(step, "rows"), probabilities(step)
        if factor is None or shares is None:
            continue
        title = "with your rows" if factor == 1 else f"with {amounts.factor(factor)} times your rows"
        aside = f"{amounts.count(size)} to learn from" if size else ""
        bars.append(Divided(title, aside, shares))
        gap = estimate(step, "gap")
        shown = with_ends(amounts.differences(gap, "")) if gap else "–"
        rows.append((title, *(amounts.chance(part) for part in shares), shown))
    if not bars:
        return None
    said = "; ".join(
        f"{bar.title}: {', '.join(amounts.chance(part) for part in bar.shares)}"
        for bar in (bars[0], bars[-1])
    )
    return figure(
        "factors",
        "Who would be better with more rows",
        "Bars of three chances for growing numbers of rows: classical better, no practical difference, deep better. "
        f"{opened(said)}.",
        lambda canvas: divided_bars(canvas, bars),
        Table(
            "Chances with more rows, and the forecast gap (above 0: deep learning is better; 80 % interval)",
            ("rows", "classical ML better", "no practical difference", "deep learning better", "gap"),
            tuple(rows),
            frozenset({1, 2, 3, 4}),
        ),
    )
