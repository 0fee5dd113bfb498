"""Whether stated probabilities hold, and which mistakes are made."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fathometer.data.sentences import opened
from fathometer.report import amounts
from fathometer.report.document import Block, Figure, Folded, Name, Paragraph, Section, Table, Words
from fathometer.report.figures.bars import Pair, paired_bars
from fathometer.report.figures.canvas import figure
from fathometer.report.figures.plot import Dot, Plot, Rule, Series
from fathometer.report.figures.scales import Axis
from fathometer.report.record import (
    COMPETITORS,
    DRAWN,
    TITLES,
    Estimate,
    Record,
    items,
    mapping,
    number,
    numbers,
    records,
    text,
)

AGREEMENT = (
    ("both_right", "both right"),
    ("only_classical", "only classical ML right"),
    ("only_deep", "only deep learning right"),
    ("both_wrong", "both wrong"),
)


def calibration(record: Record) -> Section | None:
    """Reliability diagrams; left out for numbers, which have no probabilities."""
    found = mapping(record.result, "calibration")
    drawn = [name for name in DRAWN if records(found, name, "bins")]
    if not drawn:
        if not record.is_classes:
            return None
        missing = "Whether the stated probabilities hold was not measured in this run."
        return Section("calibration", "Can its probabilities be believed?", (Paragraph(missing, "missing"),))
    said = [
        f"{TITLES[name]} is off by {amounts.amount(100 * error, 'points')} on average"
        for name in drawn
        if (error := number(found, name, "ece")) is not None
    ]
    lead = "; ".join(said)
    blocks: list[Block] = []
    if lead:
        blocks.append(Paragraph(f"{opened(lead)}.", "lead"))
    blocks += [_reliability(found, drawn), _calibration_table(found)]
    return Section("calibration", "Can its probabilities be believed?", tuple(blocks))


def _reliability(found: Mapping[str, Any], drawn: list[str]) -> Figure:
    series, rows = [], []
    for name in drawn:
        dots = []
        for group in records(found, name, "bins"):
            stated, seen = number(group, "predicted"), number(group, "observed")
            size = number(group, "rows")
            if stated is None or seen is None:
                continue
            count = amounts.count(size) if size is not None else "–"
            says = f"{TITLES[name]}: stated {amounts.share(stated)}, seen {amounts.share(seen)}, {count} rows"
            dots.append(Dot(100 * stated, 100 * seen, says=says))
            rows.append((TITLES[name], amounts.fine_share(stated), amounts.fine_share(seen), count))
        series.append(Series(name, tuple(dots), tuple((dot.x, dot.y) for dot in dots)))
    percent = amounts.signed_zero
    plot = Plot(
        Axis("stated probability, %", lambda value: percent(value, 0), low=0, high=100, bottom=0, top=100),
        Axis(
            "how often it came true, %", lambda value: percent(value, 0), low=0, high=100, bottom=0, top=100
        ),
        tuple(series),
        height=320,
        is_diagonal=True,
    )
    return figure(
        "reliability",
        "Stated probabilities against what came true",
        "Stated probability against the share that came true, for each family. On the diagonal they agree; below it "
        "the model is too sure.",
        plot.draw,
        Table(
            "Stated probability and share that came true",
            ("", "stated", "came true", "rows"),
            tuple(rows),
            frozenset({1, 2, 3}),
        ),
        "On the dotted diagonal, what is said with 70 % comes true in 70 %. Below it, the model is too sure.",
    )


def _calibration_table(found: Mapping[str, Any]) -> Table:
    rows: list[tuple[Words, ...]] = []
    for name in COMPETITORS:
        one = mapping(found, name)
        if one:
            rows.append(
                (
                    TITLES[name],
                    *(_fixed(one, key) for key in ("brier", "log_loss")),
                    _percent(one, "ece"),
                    _percent(one, "ece_after"),
                    _fixed(one, "log_loss_after"),
                    _fixed(one, "temperature", 2),
                )
            )
    head: tuple[Words, ...] = (
        "",
        "Brier score",
        "log-loss",
        "mean error",
        "mean error after correction",
        "log-loss after correction",
        "temperature",
    )
    caption = "Errors of the probabilities, before and after one common correction (a temperature)"
    return Table(caption, head, tuple(rows), frozenset(range(1, 7)), stacked=True)


def _fixed(found: Mapping[str, Any], key: str, digits: int = 3) -> str:
    value = number(found, key)
    return "–" if value is None else f"{value:.{digits}f}"


def _percent(found: Mapping[str, Any], key: str) -> str:
    value = number(found, key)
    return "–" if value is None else amounts.fine_share(value)


def mistakes(record: Record) -> Section:
    """Confusion tables or bands of residuals, and where the families agree."""
    found = mapping(record.result, "mistakes", "competitors")
    blocks: list[Block] = []
    agreement = _agreement(record, mapping(record.result, "mistakes", "agreement"))
    if agreement:
        blocks.append(agreement)
    confusions = [(name, table) for name in COMPETITORS if (table := _confusion(name, mapping(found, name)))]
    blocks += [table for name, table in confusions if name in DRAWN]
    others = tuple(table for name, table in confusions if name not in DRAWN)
    if others:
        blocks.append(Folded("Both together", others))
    bands = _bands(record, found)
    if bands:
        blocks.append(bands)
    histogram = _histogram(found)
    if histogram:
        blocks.append(histogram)
    if not blocks:
        blocks.append(Paragraph("The kinds of mistakes were not measured in this run.", "missing"))
    return Section("mistakes", "Which mistakes are made", tuple(blocks))


def _agreement(record: Record, found: Mapping[str, Any]) -> Figure | None:
    shares = [(title, share) for key, title in AGREEMENT if (share := number(found, key)) is not None]
    if not shares:
        return None
    rows = tuple((title, amounts.fine_share(share)) for title, share in shares)
    pairs = [Pair(title, {"together": Estimate(100 * share)}) for title, share in shares]
    axis = Axis("% of test rows", lambda value: f"{value:.0f}", low=0)
    return figure(
        "agreement",
        "Where the families agree",
        "Shares of test rows: " + ", ".join(f"{title} {shown}" for title, shown in rows) + ".",
        lambda canvas: paired_bars(
            canvas,
            pairs,
            ("together",),
            axis,
            lambda value: f"{amounts.signed_zero(value, 1)} %",
            has_legend=False,
        ),
        Table("Where the families agree", ("", "share of test rows"), rows, frozenset({1})),
        "Rows that only one of the two gets right are what using both together can win."
        + (
            ""
            if record.is_classes
            else " A number counts as right when it is off by at most half the usual error."
        ),
    )


def _confusion(name: str, found: Mapping[str, Any]) -> Table | None:
    labels = [text(label) for label in items(found, "labels")]
    counts = [numbers(row) for row in items(found, "counts")]
    if not labels or len(counts) != len(labels) or any(len(row) != len(labels) for row in counts):
        return None
    rows: list[tuple[Words, ...]] = []
    shades = []
    for position, (label, row) in enumerate(zip(labels, counts, strict=True)):
        total = sum(row)
        right = amounts.share(row[position] / total) if total else "–"
        rows.append((("is ", Name(label)), *(amounts.count(count) for count in row), right))
        for column, count in enumerate(row):
            if total and count:
                shades.append((position, column + 1, min(5, 1 + int(4.999 * count / total))))
    head: tuple[Words, ...] = ("", *(("said ", Name(label)) for label in labels), "right")
    caption = f"{opened(TITLES[name])}: what rows are, and what was said"
    return Table(caption, head, tuple(rows), frozenset(range(1, len(labels) + 2)), shades=tuple(shades))


def _bands(record: Record, found: Mapping[str, Any]) -> Figure | None:
    series, rows = [], []
    for name in DRAWN:
        points = []
        for group in records(found, name, "bins"):
            values = [number(group, key) for key in ("predicted", "low", "median", "high")]
            if any(value is None for value in values):
                continue
            stated, low, median, high = (value or 0.0 for value in values)
            points.append((stated, low, median, high))
            size = number(group, "rows")
            shown = [amounts.level(value) for value in (stated, low, median, high)]
            rows.append((TITLES[name], *shown, amounts.count(size) if size is not None else "–"))
        if points:
            dots = tuple(Dot(stated, median) for stated, _, median, _ in points)
            band = tuple((stated, low, high) for stated, low, _, high in points)
            series.append(Series(name, dots, tuple((dot.x, dot.y) for dot in dots), band=band))
    if not series:
        return None
    explained = [
        f"{TITLES[name]} explains {amounts.share(share)} of the variance"
        for name in DRAWN
        if (share := number(found, name, "r2")) is not None
    ]
    plot = Plot(
        Axis("predicted", lambda value: amounts.level(value)),
        Axis("error (truth minus prediction)", lambda value: amounts.level(value)),
        tuple(series),
        (Rule(0.0, "", is_upright=False),),
        height=260,
    )
    said = "; ".join(explained)
    return figure(
        "residuals",
        "Errors over the range of predictions",
        "Median error and its band over the predicted value, for each family. A line off zero means predictions are "
        "off in one direction there; a wide band means they scatter.",
        plot.draw,
        Table(
            "Errors over the range of predictions",
            ("", "predicted", "low", "median", "high", "rows"),
            tuple(rows),
            frozenset({1, 2, 3, 4, 5}),
        ),
        f"{opened(said)}." if said else "",
    )


def _histogram(found: Mapping[str, Any]) -> Folded | None:
    rows: list[tuple[Words, ...]] = []
    for name in DRAWN:
        for part in records(found, name, "histogram"):
            start, end, size = (number(part, key) for key in ("from", "to", "rows"))
            if start is not None and end is not None and size is not None:
                rows.append((TITLES[name], amounts.level(start), amounts.level(end), amounts.count(size)))
    if not rows:
        return None
    table = Table("How large the errors are", ("", "from", "to", "rows"), tuple(rows), frozenset({1, 2, 3}))
    return Folded("How large the errors are, in a table", (table,))
