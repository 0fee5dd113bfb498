"""What training and answering cost."""

from __future__ import annotations

from collections.abc import Iterator

from fathometer.report import amounts
from fathometer.report.document import Quiet, Words, with_ends
from fathometer.report.record import (
    ANYONE,
    COMPETITORS,
    FAMILIES,
    Record,
    estimate,
    mapping,
    number,
    text,
)
from fathometer.report.sections.axes.row import Row, less

CLEARLY = 1.5  # times: what was measured once, without an interval, is called less only from here on
SIMILAR_BYTES = 1.1


def computing(record: Record) -> Iterator[Row]:
    spent = _table_numbers(record, "cpu_seconds", ANYONE)
    if spent:
        cells = {name: _of_share(record, name, seconds) for name, seconds in spent.items()}
        yield Row("processor time spent", cells, "Both families may spend the same; failures count.")
    tried = _table_numbers(record, "trials", ANYONE)
    if tried:
        yield Row(
            "trials",
            {name: _trials(record, name, count) for name, count in tried.items()},
            "How many models that time was enough for.",
        )
    peak = _table_numbers(record, "peak_bytes", ANYONE)
    if peak:
        cells = {name: amounts.bytes_of(size) for name, size in peak.items()}
        smaller = less(peak, SIMILAR_BYTES)
        yield Row(
            "memory of the largest trial",
            cells,
            "The machine needs at least this.",
            smaller,
            "less",
        )
    prices = mapping(record.result, "prices", "families")
    energy = {
        name: found
        for name in COMPETITORS
        if (found := estimate(mapping(prices, name), "watt_hours", "watt_hours_low", "watt_hours_high"))
    }
    if energy:
        cells = {name: with_ends(amounts.energies(found)) for name, found in energy.items()}
        yield Row("energy, estimated", cells, "From processor time and an assumed power.")
    currency = text(record.result, "prices", "currency")
    money = {name: price for name in COMPETITORS if (price := number(prices, name, "price")) is not None}
    if money:
        cells = {name: amounts.money(price, currency) for name, price in money.items()}
        yield Row("price of training", cells, "Processor hours at the stated rate.")


def _of_share(record: Record, name: str, seconds: float) -> Words:
    share = number(record.standing(name), "share_seconds")
    return (
        (amounts.seconds(seconds), Quiet(f" of {amounts.seconds(share)}"))
        if share
        else amounts.seconds(seconds)
    )


def _trials(record: Record, name: str, count: float) -> Words:
    asides = [
        f"{amounts.count(found)} {word}"
        for key, word in (("failed", "failed"), ("cut_short", "cut short"))
        if (found := number(record.standing(name), key))
    ]
    return (amounts.count(count), Quiet(f" ({', '.join(asides)})")) if asides else amounts.count(count)


def answering(record: Record) -> Iterator[Row]:
    for key, what in (("one_row_ms", "one row"), ("thousand_rows_ms", "a thousand rows")):
        times: dict[str, tuple[float, float | None]] = {}
        for name in ANYONE:
            middle = number(record.measures(name), "latency", key, 0)
            if middle is not None:
                times[name] = (middle, number(record.measures(name), "latency", key, 1))
        if times:
            cells = {name: _latency(*time) for name, time in times.items()}
            meaning = "Half of the answers come within the first figure, 95 % within the second."
            yield Row(f"time for {what}", cells, meaning, _faster(times), "faster")
    per_row = _table_numbers(record, "microseconds_per_row", ANYONE)
    if per_row:
        cells = {name: amounts.milliseconds(value / 1000) for name, value in per_row.items()}
        meaning = "Processor time of one answer in a large batch."
        yield Row("processor time per row", cells, meaning, less(per_row, CLEARLY), "less")
    sizes = _table_numbers(record, "model_bytes", ANYONE)
    if sizes:
        cells = {name: amounts.bytes_of(size) for name, size in sizes.items()}
        yield Row(
            "size on disk",
            cells,
            "What is shipped and loaded.",
            less(sizes, SIMILAR_BYTES),
            "less",
        )


def _latency(middle: float, slow: float | None) -> Words:
    shown = amounts.milliseconds(middle)
    return shown if slow is None else (shown, Quiet(f" (95 %: {amounts.milliseconds(slow)})"))


def _faster(times: dict[str, tuple[float, float | None]]) -> str:
    """The family whose slow answers come before the other's usual ones."""
    if not all(name in times and times[name][1] is not None for name in FAMILIES):
        return ""
    for one, other in (FAMILIES, FAMILIES[::-1]):
        slow = times[one][1]
        if slow is not None and slow < times[other][0]:
            return one
    return ""


def _table_numbers(record: Record, key: str, names: tuple[str, ...]) -> dict[str, float]:
    return {name: value for name in names if (value := number(record.standing(name), key)) is not None}
