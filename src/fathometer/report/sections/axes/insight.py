"""How easily the answers are understood, and how much work the families ask of people."""

from __future__ import annotations

from collections.abc import Iterator

from fathometer.report import amounts
from fathometer.report.document import with_ends
from fathometer.report.record import (
    COMPETITORS,
    DRAWN,
    Estimate,
    Record,
    estimate,
    items,
    mapping,
    number,
)
from fathometer.report.sections.axes.row import Row, apart


def understanding(record: Record) -> Iterator[Row]:
    fidelity = {
        name: found
        for name in COMPETITORS
        if (found := estimate(mapping(record.measures(name), "surrogate"), "fidelity"))
    }
    if fidelity:
        cells = {name: with_ends(_share_with_ends(found)) for name, found in fidelity.items()}
        meaning = "How well one small tree of questions repeats the answers; high: easily told in rules."
        yield Row(
            "repeated by a small tree",
            cells,
            meaning,
            apart(fidelity, more_is_better=True),
        )
    simple = mapping(record.result, "simplicity")
    price = estimate(simple, "price", "price_low", "price_high")
    if price is not None:
        unit = record.measure.gap_unit
        yield Row(
            "price of simplicity",
            {"classical": with_ends(amounts.differences(price, unit))},
            "What the best readable model loses against the best of all; around 0: take the readable one.",
        )


def effort(record: Record) -> Iterator[Row]:
    families = mapping(record.result, "effort", "families")
    needed = {name: count for name in DRAWN if (count := number(families, name, "trials_to_one_percent"))}
    if needed:
        cells = {name: amounts.count(count) for name, count in needed.items()}
        yield Row("trials to come within 1 % of the best", cells, "Few: good without much search.")
    spread = {name: value for name in DRAWN if (value := number(families, name, "spread")) is not None}
    if spread:
        cells = {name: f"{amounts.size(value)} %" for name, value in spread.items()}
        yield Row(
            "spread over settings, of the best loss",
            cells,
            "Large: settings matter, so search matters.",
        )
    by_hand = items(record.result, "effort", "by_hand")
    if number(record.result, "effort", "by_hand", 0) is None and "by_hand" in mapping(
        record.result, "effort"
    ):
        cells = {name: amounts.count(len(by_hand)) for name in record.families}
        yield Row(
            "choices made by hand",
            cells,
            "All other choices were made automatically, by the same rules.",
        )


def _share_with_ends(found: Estimate) -> tuple[str, str]:
    shown = amounts.share(found.value)
    if found.low is None or found.high is None:
        return shown, ""
    return shown, f"[{100 * found.low:.0f}, {100 * found.high:.0f}]"
