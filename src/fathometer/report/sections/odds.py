"""What was to be expected before any training, and what less time would have said."""

from __future__ import annotations

from fathometer.report import amounts
from fathometer.report.document import Block, Paragraph, Portion, Table
from fathometer.report.figures.bars import Divided, divided_bars
from fathometer.report.figures.canvas import figure
from fathometer.report.record import Record, mapping, number, probabilities, records, text


def portion(record: Record) -> Portion | None:
    """The chances before training and after each part of the budget; nothing to say of fewer than two of these."""
    bars = []
    odds = probabilities(mapping(record.result, "odds"))
    if odds:
        bars.append(Divided("before training", "odds for data of this shape", odds))
    for stage in records(record.result, "budgets"):
        shares, part = probabilities(stage), number(stage, "share")
        if shares is None or part is None:
            continue
        seconds = number(stage, "seconds")
        title = "the whole budget" if part >= 1 else f"{amounts.share(part)} of the budget"
        bars.append(Divided(title, amounts.span(seconds) if seconds else "", shares))
    measured = record.probabilities
    if measured and not any(bar.title == "the whole budget" for bar in bars):
        bars.append(Divided("measured", "", measured))
    if len(bars) < 2:
        return None
    rows = [(bar.title, *(amounts.chance(share) for share in bar.shares)) for bar in bars]
    shown = figure(
        "odds",
        "The answer as time went on",
        "Bars of three chances: "
        + "; ".join(f"{row[0]}: {row[1]}, {row[2]}, {row[3]}" for row in rows)
        + ".",
        lambda canvas: divided_bars(canvas, bars),
        Table(
            "Chances before training and after each part of the budget",
            ("when", "classical ML better", "no practical difference", "deep learning better"),
            tuple(rows),
            frozenset({1, 2, 3}),
        ),
    )
    blocks: list[Block] = [shown]
    source = text(record.result, "odds", "source")
    if odds and source:
        blocks.append(Paragraph(f"Odds before training: {source}", "note"))
    sentences = [
        (amounts.share(part), text(stage, "sentence"))
        for stage in records(record.result, "budgets")
        if (part := number(stage, "share")) is not None and text(stage, "sentence")
    ]
    if sentences:
        blocks.append(
            Table("What the answer would have been", ("of the budget", "the answer"), tuple(sentences))
        )
    return Portion("Would less time have been enough?", tuple(blocks))
