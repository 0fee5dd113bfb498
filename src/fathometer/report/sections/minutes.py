"""What more time would do: scores against the time, measured and forecast, and who was cut off."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from fathometer.data.sentences import opened
from fathometer.report import amounts
from fathometer.report.document import Block, Figure, Paragraph, Section, Table, Words, with_ends
from fathometer.report.figures.canvas import figure
from fathometer.report.figures.plot import Dot, Plot, Rule, Series
from fathometer.report.figures.scales import Axis
from fathometer.report.record import (
    FAMILIES,
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

RATE = (
    "Times hold for a machine like this one, with nothing else to do, and the budget shared as in this run."
)


def section(record: Record) -> Section | None:
    """Scores against the time, chances, learners that were cut off; None where nothing was said of more time."""
    found = mapping(record.result, "minutes")
    said = text(record.result, "verdict", "more_time")
    if not found and not said:
        return None
    blocks: list[Block] = [Paragraph(said, "lead")] if said else []
    blocks += [block for block in (_figure(record, found), _chances(record, found)) if block is not None]
    blocks += _cut_off(found)
    blocks.append(Paragraph(RATE, "note"))
    return Section("time", "What more time would do", tuple(blocks))


def told_seconds(seconds: float) -> str:
    """About so long, short enough for an axis: "45 s", "5 min", "2.5 h"."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 90 * 60:
        return f"{float(f'{seconds / 60:.2g}'):g} min"
    return f"{float(f'{seconds / 3600:.2g}'):g} h"


def _figure(record: Record, found: Mapping[str, Any]) -> Figure | None:
    measure, now = record.measure, number(found, "seconds")
    if not now:
        return None
    series = [one for name in FAMILIES if (one := _series(record, found, name)) is not None]
    if not series:
        return None
    better = "higher" if measure.higher_is_better else "lower"
    plot = Plot(
        Axis("time for everything", told_seconds, is_log=True),
        Axis(
            f"{measure.title}{f' in {measure.unit}' if measure.unit else ''}, {better} is better",
            amounts.level,
            top=100.0 if measure.unit == "%" else float("inf"),
        ),
        tuple(series),
        tuple(_rules(found, now)),
        beyond=now,
    )
    table = _table(record, found)
    said = [
        f"{opened(TITLES[one.family])} comes to {amounts.level(one.dashed[-1][1], measure.unit)} at "
        f"{told_seconds(one.dashed[-1][0])}, as forecast."
        for one in series
        if one.dashed
    ]
    return figure(
        "minutes",
        "Score against the time, measured and forecast",
        " ".join(["Scores of both families against the time.", *said]),
        plot.draw,
        table,
        "Marks are what was reached when parts of the budget were used, on the test rows, at the level of all folds; "
        "dashed lines and bands are the forecast, with 80 % intervals.",
    )


def _series(record: Record, found: Mapping[str, Any], name: str) -> Series | None:
    measure = record.measure
    dots = []
    for point in records(found, "measured", name):
        seconds, score = number(point, "seconds"), number(point, "score")
        if seconds and score is not None:
            shown = amounts.level(score, measure.unit)
            dots.append(Dot(seconds, score, says=f"{TITLES[name]}, {told_seconds(seconds)}: {shown}"))
    ahead = _ahead(found, name)
    if not dots and not ahead:
        return None
    band = tuple(
        (seconds, level.low, level.high)
        for seconds, level in ahead
        if level.low is not None and level.high is not None
    )
    line = tuple((dot.x, dot.y) for dot in dots)
    return Series(name, tuple(dots), line, tuple((seconds, level.value) for seconds, level in ahead), band)


def _ahead(found: Mapping[str, Any], name: str) -> list[tuple[float, Estimate]]:
    """A family's score now and later."""
    return [
        (seconds, level)
        for step in records(found, "factors")
        if (seconds := number(step, "seconds"))
        and (level := estimate(mapping(step, "scores", name), "score"))
    ]


def _rules(found: Mapping[str, Any], now: float) -> Iterator[Rule]:
    yield Rule(now, "this run")
    turn = number(found, "turn", "seconds")
    if turn and turn > now:
        yield Rule(turn, "overtaking")


def _table(record: Record, found: Mapping[str, Any]) -> Table:
    measure = record.measure
    cells: dict[tuple[float, str], dict[str, Words]] = {}
    for name in FAMILIES:
        for point in records(found, "measured", name):
            seconds, score = number(point, "seconds"), number(point, "score")
            if seconds and score is not None:
                cells.setdefault((seconds, "measured"), {})[name] = amounts.level(score, measure.unit)
        for seconds, level in _ahead(found, name)[1:]:
            cells.setdefault((seconds, "forecast"), {})[name] = with_ends(amounts.score(level, measure))
    body = tuple(
        (told_seconds(seconds), kind, *(told.get(name, "–") for name in FAMILIES))
        for (seconds, kind), told in sorted(cells.items(), key=lambda item: item[0])
    )
    head = ("time", "", *(TITLES[name] for name in FAMILIES))
    caption = f"{opened(measure.title)} against the time: measured, and forecast with 80 % intervals"
    return Table(caption, head, body, frozenset({2, 3}))


def _chances(record: Record, found: Mapping[str, Any]) -> Table | None:
    rows: list[tuple[Words, ...]] = []
    for step in records(found, "factors"):
        factor, seconds, shares = number(step, "factor"), number(step, "seconds"), probabilities(step)
        if factor is None or seconds is None or shares is None:
            continue
        title = "now" if factor == 1 else f"{amounts.factor(factor)} times"
        gap = estimate(step, "gap")
        shown = with_ends(amounts.differences(gap, record.measure.gap_unit)) if gap else "–"
        rows.append((title, told_seconds(seconds), *(amounts.chance(part) for part in shares), shown))
    if not rows:
        return None
    return Table(
        "Chances with more time, and the gap (above 0: deep learning is better; 80 % interval)",
        ("", "time", "classical ML better", "no practical difference", "deep learning better", "gap"),
        tuple(rows),
        frozenset({1, 2, 3, 4, 5}),
    )


def _cut_off(found: Mapping[str, Any]) -> Iterator[Block]:
    rows: list[tuple[Words, ...]] = []
    for name in FAMILIES:
        for learner in records(found, "families", name, "learners"):
            weight, gain = number(learner, "weight"), number(learner, "gain")
            if weight is None or gain is None:
                continue
            done = number(learner, "done")
            rows.append(
                (
                    TITLES[name],
                    text(learner, "title"),
                    f"{100 * weight:.0f} %",
                    f"{100 * done:.0f} %" if done is not None else "–",
                    f"{100 * gain:.0f} %",
                )
            )
    if rows:
        yield Table(
            "Learners that the clock ended while they were still gaining",
            (
                "",
                "learner",
                "weight in its model",
                "of the epochs it wanted",
                "off its loss by twice the steps",
            ),
            tuple(rows),
            frozenset({2, 3, 4}),
        )


__all__ = ["section", "told_seconds"]
