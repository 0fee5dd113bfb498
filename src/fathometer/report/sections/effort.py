"""How much work and search each family needed, and what engineered features brought."""

from __future__ import annotations

from collections.abc import Iterator

from fathometer.report import amounts
from fathometer.report.document import (
    Block,
    Bullets,
    Code,
    Figure,
    Folded,
    Paragraph,
    Portion,
    Section,
    Table,
    Words,
    with_ends,
)
from fathometer.report.figures.canvas import figure
from fathometer.report.figures.plot import Dot, Plot, Series
from fathometer.report.figures.scales import Axis
from fathometer.report.record import (
    DRAWN,
    FAMILIES,
    TITLES,
    Record,
    estimate,
    mapping,
    number,
    numbers,
    text,
    texts,
)
from fathometer.report.sections import odds

SHOWN = (1, 2, 5, 10, 20)  # trials: what the table tells of a longer curve


def section(record: Record) -> Section:
    """Search, choices, features; and what less time would have said."""
    blocks = list(_blocks(record))
    if not blocks:
        blocks.append(Paragraph("The effort each family needs was not measured in this run.", "missing"))
    return Section("effort", "How much effort it takes", tuple(blocks))


def _blocks(record: Record) -> Iterator[Block]:
    search = _search(record)
    if search:
        yield search
    effort = mapping(record.result, "effort")
    by_hand, automatic = texts(effort, "by_hand"), texts(effort, "automatic")
    if "by_hand" in effort:
        if by_hand:
            yield Paragraph("Choices made by hand:")
            yield Bullets(tuple(Code(choice) for choice in by_hand))
        else:
            yield Paragraph("No choice was made by hand.")
    if automatic:
        yield Folded("Choices made automatically", (Bullets(tuple(automatic)),))
    features = _features(record)
    if features:
        yield features
    expected = odds.portion(record)
    if expected:
        yield expected


def _search(record: Record) -> Figure | None:
    series: list[Series] = []
    rows: list[tuple[Words, ...]] = []
    for name in DRAWN:
        found = mapping(record.result, "effort", "families", name)
        losses = numbers(found, "curve")
        if len(losses) < 2 or losses[-1] <= 0:
            continue
        above = [100 * (loss / losses[-1] - 1) for loss in losses]
        dots = tuple(Dot(k, above[k - 1]) for k in sorted({*SHOWN, len(above)}) if k <= len(above))
        series.append(Series(name, dots, tuple((float(k), value) for k, value in enumerate(above, 1))))
        needed, trials = number(found, "trials_to_one_percent"), number(found, "trials")
        rows.append(
            (
                TITLES[name],
                amounts.count(trials) if trials is not None else "–",
                amounts.count(needed) if needed else "not reached",
                *(f"{above[k - 1]:.1f} %" if k <= len(above) else "–" for k in SHOWN),
            )
        )
    if not series:
        return None
    plot = Plot(
        Axis("trials", amounts.count, is_log=True, low=1),
        Axis("expected best, % above the family's own best", lambda value: f"{value:.3g}", bottom=0, low=0),
        tuple(series),
        height=220,
    )
    head = ("", "trials", "to come within 1 %", "after 1", "after 2", "after 5", "after 10", "after 20")
    return figure(
        "search",
        "What searching longer brings",
        "The best validation loss to be expected of so many trials, in per cent above the family's own best. "
        + "; ".join(f"{row[0]}: trials to come within 1 %: {row[2]}" for row in rows)
        + ".",
        plot.draw,
        Table(
            "Expected best of so many trials, above the family's own best",
            head,
            tuple(rows),
            frozenset(range(1, 8)),
        ),
        "A curve that falls fast means the family is good without much search.",
    )


def _features(record: Record) -> Portion | None:
    found = mapping(record.result, "ablation")
    measure = record.measure
    rows: list[tuple[Words, ...]] = []
    for name in FAMILIES:
        one = mapping(found, "families", name)
        gain = estimate(one, "gain")
        if gain is None:
            continue
        scores = [number(one, key) for key in ("raw", "engineered")]
        shown = [amounts.level(value, measure.unit) if value is not None else "–" for value in scores]
        title = text(one, "title")
        rows.append(
            (
                f"{TITLES[name]}{f': {title}' if title else ''}",
                *shown,
                with_ends(amounts.differences(gain, measure.gap_unit)),
            )
        )
    if not rows:
        return None
    head = ("", "raw columns", "engineered", "gain, 95 % interval")
    table = Table(
        "Score on raw columns and with engineered features", head, tuple(rows), frozenset({1, 2, 3})
    )
    blocks: list[Block] = [table]
    if text(found, "sentence"):
        blocks.append(Paragraph(text(found, "sentence"), "note"))
    return Portion("What engineered features bring", tuple(blocks))
