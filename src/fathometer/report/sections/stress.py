"""What happens when rows are not as they were: missing cells, noise, other rows; and between groups of people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from fathometer.data.sentences import opened
from fathometer.report import amounts
from fathometer.report.document import (
    Block,
    Figure,
    Name,
    Paragraph,
    Section,
    Table,
    Words,
    parts_of,
    with_ends,
)
from fathometer.report.figures.bars import Pair, paired_bars
from fathometer.report.figures.canvas import figure
from fathometer.report.figures.intervals import Line, interval_lines
from fathometer.report.figures.scales import Axis
from fathometer.report.record import (
    COMPETITORS,
    DRAWN,
    TITLES,
    Estimate,
    Record,
    estimate,
    mapping,
    number,
    records,
    text,
    texts,
    triple,
)

RATES = (
    ("selection_rate", "favourable answers"),
    ("tpr", "true positive rate"),
    ("fpr", "false positive rate"),
)
MOST_GROUPS = 12  # drawn; the others are in the table


def robustness(record: Record) -> Section:
    """Loss of score under each disturbance, for both families."""
    losses: dict[str, dict[str, Estimate]] = {}
    scores: dict[str, dict[str, str]] = {}
    for name in COMPETITORS:
        for change in records(record.measures(name), "robustness"):
            what = text(change, "what") or text(change, "code")
            found = estimate(change, "loss_of_score")
            if found:
                losses.setdefault(what, {})[name] = found
                own = number(change, "score")
                scores.setdefault(what, {})[name] = (
                    f", {amounts.level(own, record.measure.unit)}" if own is not None else ""
                )
    if not losses:
        said = "How the models bear missing cells, noise and other rows was not measured in this run."
        return Section(
            "robustness", "When the data gets worse", (Paragraph(said, "missing"), *_skipped(record))
        )
    blocks = (_robustness_figure(record, losses, scores), *_skipped(record))
    return Section("robustness", "When the data gets worse", blocks)


def _robustness_figure(
    record: Record, losses: Mapping[str, Mapping[str, Estimate]], scores: Mapping[str, Mapping[str, str]]
) -> Figure:
    unit = record.measure.gap_unit
    drawn = [name for name in COMPETITORS if any(name in found for found in losses.values())]
    rows: list[tuple[Words, ...]] = []
    for what, found in losses.items():
        cells: list[Words] = []
        for name in drawn:
            one = found.get(name)
            shown = with_ends(amounts.differences(one, unit)) if one else "–"
            cells.append((*parts_of(shown), scores[what].get(name, "")))
        rows.append((what, *cells))
    pairs = [Pair(what, found) for what, found in losses.items()]
    axis = Axis(f"loss of score, {unit}", lambda value: amounts.level(value))
    families = [name for name in DRAWN if name in drawn] or drawn
    return figure(
        "robustness",
        "Loss of score when the data gets worse",
        "Bars for each disturbance and family; longer means the score suffers more. "
        + "; ".join(
            f"{what}: "
            + ", ".join(
                f"{TITLES[name]} {amounts.difference(one.value, unit)}" for name, one in found.items()
            )
            for what, found in losses.items()
        )
        + ".",
        lambda canvas: paired_bars(
            canvas, pairs, families, axis, lambda value: amounts.difference(value, "").strip()
        ),
        Table(
            "Loss of score with 95 % intervals, and the score then",
            ("disturbance", *(TITLES[name] for name in drawn)),
            tuple(rows),
            frozenset(range(1, len(drawn) + 1)),
        ),
        "Right of zero the score suffers, left of it the score is better than on the rows as they are.",
    )


def _skipped(record: Record) -> Iterator[Block]:
    for name in COMPETITORS:
        skipped = mapping(record.measures(name), "skipped")
        for what, why in skipped.items():
            yield Paragraph(
                f"Not measured for {TITLES[name]}: {what} ({text(why) or 'no reason given'}).", "note"
            )


def fairness(record: Record) -> Section:
    """Rates of every group, where a sensitive column was named."""
    found = mapping(record.result, "fairness")
    title = "Are groups treated alike?"
    drawn = [name for name in COMPETITORS if records(found, "competitors", name, "groups")]
    if not drawn:
        said = "No sensitive column was named, so differences between groups were not measured."
        if found:
            said = text(found, "note") or "Differences between groups could not be measured."
        return Section("fairness", title, (Paragraph(said, "missing"),))
    blocks: list[Block] = [_about(found)]
    rates = [(key, word) for key, word in RATES if _has(found, drawn, key)]
    if rates:
        blocks.append(_groups_figure(found, drawn, *rates[0], in_points=True))
    elif _has(found, drawn, "mean_error"):
        blocks.append(_groups_figure(found, drawn, "mean_error", "mean error", in_points=False))
    blocks += [_groups_table(record, found, name) for name in drawn]
    too_small = texts(found, "too_small")
    if too_small:
        blocks.append(Paragraph(f"Too few rows for a claim: {', '.join(too_small[:30])}.", "note"))
    if text(found, "note"):
        blocks.append(Paragraph(text(found, "note"), "note"))
    return Section("fairness", title, tuple(blocks))


def _about(found: Mapping[str, Any]) -> Paragraph:
    positive = text(found, "positive")
    said: tuple[Any, ...] = ("Groups of the column ", Name(text(found, "column")))
    if positive:
        how = (
            "as asked"
            if text(found, "favourable")
            else "taken because it is rarer; --favourable names another"
        )
        said = (*said, "; the favourable answer is ", Name(positive), f" ({how})")
    return Paragraph((*said, ". Intervals are 95 %."))


def _has(found: Mapping[str, Any], drawn: list[str], key: str) -> bool:
    return any(
        triple(group, key) for name in drawn for group in records(found, "competitors", name, "groups")
    )


def _groups_figure(
    found: Mapping[str, Any], drawn: list[str], key: str, word: str, *, in_points: bool
) -> Figure:
    scale = 100.0 if in_points else 1.0
    lines, rows = [], []
    values = {
        (text(group, "group"), name): own.times(scale)
        for name in drawn
        for group in records(found, "competitors", name, "groups")
        if (own := triple(group, key))
    }
    titles = list(dict.fromkeys(title for title, _ in values))
    for title in titles[:MOST_GROUPS]:
        for name in [name for name in drawn if name in DRAWN] or drawn:
            own = values.get((title, name))
            if own is not None:
                lines.append(Line(f"{title}, {TITLES[name]}", name, own))
                rows.append((Name(title), TITLES[name], with_ends(_written(own, in_points))))
    axis = Axis(f"{word}{', %' if in_points else ''}", lambda value: amounts.level(value))
    return figure(
        "groups",
        f"{opened(word)} by group",
        f"{word} of each group and family with 95 % intervals.",
        lambda canvas: interval_lines(
            canvas, lines, axis, lambda one: " ".join(_written(one, in_points)).strip()
        ),
        Table(f"{opened(word)} by group", ("group", "", word), tuple(rows), frozenset({2})),
    )


def _written(found: Estimate, in_points: bool) -> tuple[str, str]:
    unit = "%" if in_points else ""
    shown = amounts.level(found.value, unit)
    if found.low is None or found.high is None:
        return shown, ""
    return shown, amounts.interval(found.low, found.high, unit)


def _groups_table(record: Record, found: Mapping[str, Any], name: str) -> Table:
    groups = records(found, "competitors", name, "groups")
    keys = [
        (key, word)
        for key, word in (*RATES, ("mean_error", "mean error"))
        if any(triple(g, key) for g in groups)
    ]
    rows: list[tuple[Words, ...]] = []
    for group in groups:
        cells = [_cell(triple(group, key), key != "mean_error") for key, _ in keys]
        size = number(group, "rows")
        own = triple(group, "score")
        score = with_ends(amounts.score(own, record.measure)) if own else "–"
        rows.append(
            (Name(text(group, "group")), amounts.count(size) if size is not None else "–", *cells, score)
        )
    differences = mapping(found, "competitors", name, "differences")
    if differences:
        cells = [_cell(triple(differences, key), key != "mean_error", is_gap=True) for key, _ in keys]
        rows.append(("largest difference", "", *cells, ""))
    head: tuple[Words, ...] = ("group", "rows", *(word for _, word in keys), record.measure.title)
    caption = f"{opened(TITLES[name])}: rates by group"
    return Table(caption, head, tuple(rows), frozenset(range(1, len(head))), stacked=True)


def _cell(found: Estimate | None, in_points: bool, *, is_gap: bool = False) -> Words:
    if found is None:
        return "–"
    scaled = found.times(100.0) if in_points else found
    return with_ends(
        amounts.differences(scaled, "points") if is_gap and in_points else _written(scaled, in_points)
    )
