"""What the models look at: importances of both families, a small tree's rules, the price of simplicity."""

from __future__ import annotations

from collections.abc import Iterator

from fathometer.data.sentences import counted, opened
from fathometer.report import amounts
from fathometer.report.document import (
    Block,
    Figure,
    Folded,
    Name,
    Paragraph,
    Section,
    Table,
    Words,
    with_ends,
)
from fathometer.report.figures.bars import Pair, paired_bars
from fathometer.report.figures.canvas import figure
from fathometer.report.figures.scales import Axis
from fathometer.report.record import (
    COMPETITORS,
    TITLES,
    Estimate,
    Record,
    items,
    mapping,
    number,
    records,
    text,
)

MOST_COLUMNS = 12  # drawn; the others are in the table


def section(record: Record) -> Section:
    """Importances of both families, the surrogate's rules, the price of simplicity."""
    blocks: list[Block] = []
    importance = _importance(record)
    if importance:
        blocks.append(importance)
        stable = [
            f"{TITLES[name]} {value:.2f}"
            for name in record.families
            if (value := number(record.measures(name), "stability")) is not None
        ]
        if stable:
            said = ", ".join(stable)
            blocks.append(
                Paragraph(f"Agreement of the order between two folds (1: the same order): {said}.", "note")
            )
    blocks += _rules(record)
    price = _simplicity(record)
    if price:
        blocks.append(price)
    if not blocks:
        blocks.append(Paragraph("What the models look at was not measured in this run.", "missing"))
    return Section("looks", "What the models look at", tuple(blocks))


def _importance(record: Record) -> Figure | None:
    values: dict[str, dict[str, Estimate]] = {}
    for name in record.families:
        for found in records(record.measures(name), "importance"):
            gap = number(found, "gap")
            if gap is not None:
                ends = Estimate(gap, number(found, "low"), number(found, "high"))
                values.setdefault(text(found, "column"), {})[name] = ends
    if not values:
        return None
    ranked = sorted(values, key=lambda column: -max(found.value for found in values[column].values()))
    unit = record.measure.gap_unit
    pairs = [Pair(column, values[column]) for column in ranked[:MOST_COLUMNS]]
    rows: list[tuple[Words, ...]] = []
    for column in ranked[:200]:
        cells: list[Words] = []
        for name in record.families:
            one = values[column].get(name)
            cells.append(with_ends(amounts.differences(one, unit)) if one else "–")
        rows.append((Name(column), *cells))
    axis = Axis(f"loss when shuffled, {unit}", lambda value: amounts.level(value))
    others = len(ranked) - MOST_COLUMNS
    more = f"; {counted(others, 'other')} in the table" if others > 0 else ""
    return figure(
        "importance",
        "Loss when one column is shuffled",
        f"How much worse each family answers when one column's values are shuffled. Most important: {ranked[0]}.",
        lambda canvas: paired_bars(
            canvas, pairs, record.families, axis, lambda value: amounts.difference(value, "").strip()
        ),
        Table(
            f"Loss when one column is shuffled, {unit}, with 95 % intervals",
            ("column", *(TITLES[name] for name in record.families)),
            tuple(rows),
            frozenset(range(1, 1 + len(record.families))),
        ),
        f"The longer the bar, the more the answers rest on that column{more}.",
    )


def _rules(record: Record) -> Iterator[Block]:
    for name in COMPETITORS:
        found = mapping(record.measures(name), "surrogate")
        rules = [rule for rule in map(text, items(found, "rules")) if rule]
        fidelity = number(found, "fidelity")
        if not rules and fidelity is None:
            continue
        low, high = number(found, "low"), number(found, "high")
        ends = f" [{100 * low:.0f}, {100 * high:.0f}]" if low is not None and high is not None else ""
        leaves, own = number(found, "leaves"), number(found, "score")
        said = f"A small tree of questions{f' with {leaves:.0f} ends' if leaves else ''}"
        if fidelity is not None:
            verb = "repeats" if record.is_classes else "explains"
            said += f" {verb} {amounts.share(fidelity)}{ends} of the answers of {TITLES[name]}"
        else:
            said += f" stands for {TITLES[name]}"
        if own is not None:
            said += f"; by itself it reaches {record.measure.title} {amounts.level(own, record.measure.unit)}"
        blocks: list[Block] = [Paragraph(f"{said}.")]
        if rules:
            table = Table(f"The tree in rules, for {TITLES[name]}", ("", "rule"), _numbered(rules))
            blocks.append(table)
        yield Folded(f"{opened(TITLES[name])} in a few rules", tuple(blocks))


def _numbered(rules: list[str]) -> tuple[tuple[Words, ...], ...]:
    return tuple((str(position), rule) for position, rule in enumerate(rules[:64], 1))


def _simplicity(record: Record) -> Paragraph | None:
    found = mapping(record.result, "simplicity")
    price = number(found, "price")
    if price is None:
        return None
    measure = record.measure
    shown, ends = amounts.differences(
        Estimate(price, number(found, "price_low"), number(found, "price_high")), measure.gap_unit
    )
    own = number(found, "score")
    used = number(found, "columns")
    reached = f" reaches {measure.title} {amounts.level(own, measure.unit)}" if own is not None else ""
    columns = f" with {used:.0f} columns" if used else ""
    loses = "gives up nothing measurable" if price <= 0 else f"gives up {shown.lstrip('+')}"
    interval = f" (95 % interval {ends})" if ends else ""
    title = text(found, "title") or "the best readable model"
    return Paragraph(
        (
            "Price of simplicity: ",
            Name(title),
            f"{reached}{columns} and {loses} against the best of all{interval}.",
        )
    )
