"""Score against cost."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from fathometer.data.sentences import counted, opened
from fathometer.report import amounts
from fathometer.report.document import Block, Figure, Name, Paragraph, Section, Table, Words, with_ends
from fathometer.report.figures.canvas import figure
from fathometer.report.figures.plot import Dot, Plot, Rule, Series
from fathometer.report.figures.scales import TIMES, Axis
from fathometer.report.record import (
    COMPETITORS,
    DRAWN,
    TITLES,
    Record,
    estimate,
    mapping,
    number,
    records,
    text,
)

FAR = 3.0  # times the spread of the scores: a baseline further off is left out of the drawing
MOST_DOTS = 400  # recipes in one drawing; more would be a blot and a heavy page


def section(record: Record) -> Section:
    """What each side reached for which time, every recipe, and prices."""
    blocks = tuple(_blocks(record))
    return Section(
        "cost", "What it costs", blocks or (Paragraph("Cost was not measured in this run.", "missing"),)
    )


def _blocks(record: Record) -> Iterator[Block]:
    sides = _sides(record)
    if sides:
        yield sides
    times = [_time_of_one(attempt) for attempt in records(record.result, "leaderboard") if _is_drawn(attempt)]
    for family in DRAWN:
        recipes = _recipes(record, family, times)
        if recipes:
            yield recipes
    prices = mapping(record.result, "prices")
    table = _prices(prices)
    if table:
        yield table
        rate, watts = number(prices, "rate_per_core_hour"), number(prices, "watts_per_core")
        stated = []
        if rate is not None:
            stated.append(f"{rate:g} {text(prices, 'currency')} per core and hour".replace("  ", " "))
        if watts is not None:
            stated.append(f"{watts:g} W per core")
        if stated:
            yield Paragraph(f"Reckoned with {' and '.join(stated)}.", "note")
        if text(prices, "note"):
            yield Paragraph(text(prices, "note"), "note")


def _sides(record: Record) -> Figure | None:
    measure = record.measure
    series, rows = [], []
    for name in COMPETITORS:
        spent, found = number(record.standing(name), "cpu_seconds"), record.score(name)
        if not spent or found is None:
            continue
        shown = amounts.score(found, measure)
        says = f"{TITLES[name]}: {' '.join(shown)}, {amounts.seconds(spent)}"
        series.append(Series(name, (Dot(spent, found.value, found.low, found.high, says),)))
        rows.append((TITLES[name], *shown, amounts.seconds(spent)))
    if not series:
        return None
    unit = f" in {measure.unit}" if measure.unit else ""
    better = "higher" if measure.higher_is_better else "lower"
    top = 100.0 if measure.unit == "%" else float("inf")
    plot = Plot(
        Axis("processor time in all", amounts.seconds, is_log=True, marks=TIMES),
        Axis(f"{measure.title}{unit}, {better} is better", lambda value: amounts.level(value), top=top),
        tuple(series),
        _baseline(record, [one.dots[0] for one in series]),
        height=220,
    )
    return figure(
        "sides",
        "Score of each side against its processor time",
        "Score on test rows against processor seconds, with 95 % intervals. "
        + "; ".join(f"{row[0]}: {row[1]} for {row[3]}" for row in rows)
        + ".",
        plot.draw,
        Table(
            f"{opened(measure.title)} and processor time",
            ("", "score", "95 % interval", "processor time"),
            tuple(rows),
            frozenset({1, 2, 3}),
        ),
    )


def _baseline(record: Record, dots: list[Dot]) -> tuple[Rule, ...]:
    """The baseline as a line, unless it lies so far off that it would press the rest flat."""
    base = record.score("baseline")
    if base is None:
        return ()
    ends = [end for dot in dots for end in (dot.low, dot.y, dot.high) if end is not None]
    off = max(min(ends) - base.value, base.value - max(ends))
    is_far = off > FAR * (max(ends) - min(ends))
    return () if is_far else (Rule(base.value, "baseline, which ignores the inputs", is_upright=False),)


def _recipes(record: Record, family: str, times: list[float]) -> Figure | None:
    """Every recipe of one family: validation losses must not be compared across families, but times may be."""
    dots, rows = [], []
    for attempt in records(record.result, "leaderboard"):
        loss = number(attempt, "valid_loss")
        if text(attempt, "family") != family or loss is None or not _is_drawn(attempt):
            continue
        each = _time_of_one(attempt)
        title = text(attempt, "title") or text(attempt, "learner")
        dots.append(Dot(each, loss, says=f"{title}: {loss:.4g}, {amounts.seconds(each)}"))
        rows.append(_recipe_row(attempt, title, loss, each))
    if len(dots) < 2:
        return None
    best = min(dots, key=lambda dot: dot.y)
    plot = Plot(
        Axis("processor time of one fit", amounts.seconds, True, min(times), max(times), marks=TIMES),
        Axis("validation loss, lower is better", lambda value: amounts.level(value)),
        (Series(family, tuple(dots[:MOST_DOTS])),),
        (Rule(best.y, f"best: {amounts.level(best.y)}", is_upright=False),),
        height=190,
        has_legend=False,
    )
    return figure(
        f"recipes-{family}",
        f"Every recipe of {TITLES[family]}",
        f"{counted(len(dots), 'recipe')} of {TITLES[family]}: validation loss against processor time of one fit. The "
        f"best reaches {amounts.level(best.y)} in {amounts.seconds(best.x)}.",
        plot.draw,
        Table(
            f"Recipes of {TITLES[family]}, those on most folds first, then the best",
            ("learner", "validation loss", "time of one fit", "folds", "in the final model on"),
            tuple(rows[:MOST_DOTS]),
            frozenset({1, 2, 3, 4}),
        ),
        "Validation losses are compared within one family only; between families the test rows decide.",
    )


def _is_drawn(attempt: Mapping[str, Any]) -> bool:
    found = number(attempt, "valid_loss"), number(attempt, "cpu_seconds")
    return text(attempt, "family") in DRAWN and None not in found


def _time_of_one(attempt: Mapping[str, Any]) -> float:
    """Seconds of one fit; failures count as fits."""
    fits = max(1.0, (number(attempt, "folds") or 0) + (number(attempt, "failed") or 0))
    return max((number(attempt, "cpu_seconds") or 0.0) / fits, 1e-3)


def _recipe_row(attempt: Mapping[str, Any], title: str, loss: float, each: float) -> tuple[Words, ...]:
    chosen = number(attempt, "chosen") or 0
    return (
        Name(title),
        amounts.level(loss),
        amounts.seconds(each),
        amounts.count(number(attempt, "folds") or 0),
        counted(int(chosen), "fold") if chosen else "–",
    )


def _prices(prices: Mapping[str, Any]) -> Table | None:
    currency = text(prices, "currency")
    rows: list[tuple[Words, ...]] = []
    is_measured = False
    for name in COMPETITORS:
        found = mapping(prices, "families", name)
        if not found:
            continue
        is_measured = is_measured or found.get("measured") is True
        hours, price = number(found, "cpu_hours"), number(found, "price")
        watt_hours = estimate(found, "watt_hours", "watt_hours_low", "watt_hours_high")
        million = number(found, "price_per_million_answers")
        rows.append(
            (
                TITLES[name],
                f"{hours:.2g}" if hours is not None else "–",
                amounts.money(price, currency) if price is not None else "–",
                with_ends(amounts.energies(watt_hours)) if watt_hours else "–",
                amounts.money(million, currency) if million is not None else "–",
            )
        )
    if not rows:
        return None
    energy = "energy, measured" if is_measured else "energy, estimated"
    head = ("", "processor hours", "price of training", energy, "a million answers")
    return Table("Prices", head, tuple(rows), frozenset({1, 2, 3, 4}), stacked=True)
