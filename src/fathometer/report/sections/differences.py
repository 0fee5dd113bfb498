"""The table of differences: every axis on which the families differ, as measured."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from fathometer.report import amounts
from fathometer.report.document import Block, Mark, Paragraph, Quiet, Section, Table, Words, with_ends
from fathometer.report.record import (
    ANYONE,
    COMPETITORS,
    FAMILIES,
    Estimate,
    Record,
    estimate,
    items,
    mapping,
    number,
    records,
    text,
    triple,
)
from fathometer.report.sections import foresight

CLEARLY = 1.5  # times: what was measured once, without an interval, is called less only from here on
SIMILAR_BYTES = 1.1

STILL = {"rising": "still rising", "plateau": "on a plateau", "unclear": "unclear"}

ROBUSTNESS = (
    ("missing_10", "10 % of cells missing"),
    ("missing_30", "30 % of cells missing"),
    ("noise_10", "noise of 0.1 standard deviations"),
    ("noise_30", "noise of 0.3 standard deviations"),
    ("shifted", "rows least like those learned from"),
)

RATES = (
    ("selection_rate", "favourable answers"),
    ("tpr", "true positive rate"),
    ("fpr", "false positive rate"),
    ("mean_error", "mean error"),
)


@dataclass(frozen=True)
class Row:
    """One line of the table. better: the competitor that is better by more than noise, and the word for it."""

    what: str
    cells: Mapping[str, Words]
    meaning: str
    better: str = ""
    word: str = "better"


@dataclass(frozen=True)
class Axis:
    """One axis of the table, and how its rows are found."""

    title: str
    rows: Callable[[Record], Iterator[Row]] = field(repr=False)


def section(record: Record) -> Section:
    """The table; axes without a measured row are named below it."""
    found: list[tuple[Words, ...]] = []
    groups: list[tuple[int, str]] = []
    missing = []
    for axis in AXES:
        rows = [_line(row) for row in axis.rows(record)]
        if rows:
            groups.append((len(found), axis.title))
            found += rows
        elif axis.title != "Calibration" or record.is_classes:  # numbers have no probabilities
            missing.append(axis.title)
    blocks: list[Block] = []
    if found:
        blocks.append(
            Paragraph(
                (
                    "Intervals are 95 %. A cell is marked ",
                    Mark("better"),
                    " only where the difference between the families is more than noise.",
                ),
                "note",
            )
        )
        head = ("what", "classical ML", "deep learning", "both together", "baseline", "what this means")
        blocks.append(
            Table(
                "Classical ML and deep learning on your rows",
                head,
                tuple(found),
                stacked=True,
                groups=tuple(groups),
            )
        )
    if missing:
        blocks.append(Paragraph(f"Not measured in this run: {', '.join(missing).lower()}.", "missing"))
    return Section("table", "The differences, measured", tuple(blocks))


def _line(row: Row) -> tuple[Words, ...]:
    cells = []
    for name in ANYONE:
        words = row.cells.get(name, "–")
        if name == row.better:
            words = (*(words if isinstance(words, tuple) else (words,)), " ", Mark(row.word))
        cells.append(words)
    return (row.what, *cells, row.meaning)


# How good -----------------------------------------------------------------------------------------------------------


def _good(record: Record) -> Iterator[Row]:
    measure = record.measure
    scores = {name: found for name in ANYONE if (found := record.score(name))}
    if scores:
        better = _paired_winner(record)
        direction = "Higher" if measure.higher_is_better else "Lower"
        yield Row(
            measure.title,
            {name: with_ends(amounts.score(found, measure)) for name, found in scores.items()},
            f"{direction} is better; measured on rows no choice was made on.",
            better,
        )
    signal = mapping(record.result, "verdict", "signal")
    sure = {name: share for name in COMPETITORS if (share := number(signal, name)) is not None}
    if sure:
        yield Row(
            "probability of beating the baseline",
            {name: amounts.chance(share) for name, share in sure.items()},
            "The baseline ignores the inputs. Near 100 %: there is something to learn.",
        )


def _paired_winner(record: Record) -> str:
    """The family ahead row by row; both together where they beat the better family."""
    together = mapping(record.result, "verdict", "together")
    low = number(together, "low")
    if low is not None and low > 0:
        return "together"
    families = mapping(record.result, "verdict", "families")
    low, high = number(families, "low"), number(families, "high")
    if low is None or high is None:
        return ""
    return "deep" if low > 0 else "classical" if high < 0 else ""


# How much data ------------------------------------------------------------------------------------------------------


def _data(record: Record) -> Iterator[Row]:
    curves = mapping(record.result, "curves", "competitors")
    unit = record.measure.gap_unit
    for key, what in (
        ("gain_last_doubling", "gain by the last doubling of rows"),
        ("gain_next_doubling", "gain by the next doubling, forecast"),
    ):
        gains = {
            name: found for name in COMPETITORS if (found := estimate(mapping(curves, name, key), "gain"))
        }
        if gains:
            cells = {name: with_ends(amounts.differences(found, unit)) for name, found in gains.items()}
            yield Row(what, cells, "Above 0: more rows still help.")
    enough = {name: rows for name in COMPETITORS if (rows := number(curves, name, "rows_for_95_percent"))}
    if enough:
        cells = {name: f"about {amounts.about(rows)}" for name, rows in enough.items()}
        yield Row(
            "rows for 95 % of the best score",
            cells,
            "How many rows bring nearly all of what was reached.",
        )
    yield from _crossover(record)
    still = {name: STILL[word] for name in COMPETITORS if (word := text(curves, name, "still")) in STILL}
    if still:
        yield Row("the learning curve is", dict(still), "Still rising: further rows are worth collecting.")


def _crossover(record: Record) -> Iterator[Row]:
    """At how many rows the family behind would be ahead; nothing of two that are alike."""
    found = mapping(record.result, "outlook", "crossover")
    leader, never = foresight.leader(record), number(found, "p_never")
    if not leader or never is None:
        return
    rows = estimate(found, "median_rows", "low_rows", "high_rows")
    if never >= 0.5 or rows is None:
        said: Words = (f"not within 16 times your rows: {amounts.chance(never)}",)
    else:
        low, high = (amounts.about(end) if end is not None else "beyond" for end in (rows.low, rows.high))
        said = (f"near {amounts.about(rows.value)} rows", Quiet(f" [{low}, {high}]"))
    other = foresight.OTHER[leader]
    meaning = "Where the family behind would be ahead; 80 % interval."
    yield Row("crossover", {leader: "ahead with your rows", other: said}, meaning)


# Features, computing, answering -------------------------------------------------------------------------------------


def _features(record: Record) -> Iterator[Row]:
    found = mapping(record.result, "ablation", "families")
    gains = {name: gain for name in FAMILIES if (gain := estimate(mapping(found, name), "gain"))}
    if gains:
        unit = record.measure.gap_unit
        cells = {name: with_ends(amounts.differences(gain, unit)) for name, gain in gains.items()}
        yield Row(
            "gain over raw columns",
            cells,
            "What features made by rules bring to each family.",
        )


def _computing(record: Record) -> Iterator[Row]:
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
        less = _less(peak, SIMILAR_BYTES)
        yield Row(
            "memory of the largest trial",
            cells,
            "The machine needs at least this.",
            less,
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


def _answering(record: Record) -> Iterator[Row]:
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
        yield Row("processor time per row", cells, meaning, _less(per_row, CLEARLY), "less")
    sizes = _table_numbers(record, "model_bytes", ANYONE)
    if sizes:
        cells = {name: amounts.bytes_of(size) for name, size in sizes.items()}
        yield Row(
            "size on disk",
            cells,
            "What is shipped and loaded.",
            _less(sizes, SIMILAR_BYTES),
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


# Understanding, effort ----------------------------------------------------------------------------------------------


def _understanding(record: Record) -> Iterator[Row]:
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
            _apart(fidelity, more_is_better=True),
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


def _effort(record: Record) -> Iterator[Row]:
    families = mapping(record.result, "effort", "families")
    needed = {name: count for name in FAMILIES if (count := number(families, name, "trials_to_one_percent"))}
    if needed:
        cells = {name: amounts.count(count) for name, count in needed.items()}
        yield Row("trials to come within 1 % of the best", cells, "Few: good without much search.")
    spread = {name: value for name in FAMILIES if (value := number(families, name, "spread")) is not None}
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
        cells = {name: amounts.count(len(by_hand)) for name in FAMILIES}
        yield Row(
            "choices made by hand",
            cells,
            "All other choices were made automatically, by the same rules.",
        )


# Trust --------------------------------------------------------------------------------------------------------------


def _overfitting(record: Record) -> Iterator[Row]:
    unit = record.measure.gap_unit
    gaps = {
        name: gap for name in ANYONE if (gap := number(record.measures(name), "train_gap", "gap")) is not None
    }
    if gaps:
        cells = {name: amounts.difference(gap, unit) for name, gap in gaps.items()}
        meaning = "How much better on rows learned from than on new ones; not bad by itself."
        yield Row("better on learned rows by", cells, meaning)


def _calibration(record: Record) -> Iterator[Row]:
    found = mapping(record.result, "calibration")
    errors = {name: value for name in ANYONE if (value := number(found, name, "ece")) is not None}
    if errors:
        cells: dict[str, Words] = {}
        for name, value in errors.items():
            after = number(found, name, "ece_after")
            aside = f" ({amounts.fine_share(after)} after a correction)" if after is not None else ""
            cells[name] = (amounts.fine_share(value), Quiet(aside)) if aside else amounts.fine_share(value)
        yield Row(
            "mean error of stated probabilities",
            cells,
            "Lower is better: 70 % sure should be right in 70 %.",
        )
    brier = {name: value for name in ANYONE if (value := number(found, name, "brier")) is not None}
    if brier:
        cells = {name: f"{value:.3f}" for name, value in brier.items()}
        yield Row("Brier score", cells, "Squared error of the probabilities; lower is better.")


def _robustness(record: Record) -> Iterator[Row]:
    unit = record.measure.gap_unit
    for code, what in ROBUSTNESS:
        losses: dict[str, Estimate] = {}
        for name in COMPETITORS:
            for change in records(record.measures(name), "robustness"):
                found = estimate(change, "loss_of_score")
                if text(change, "code") == code and found:
                    losses[name] = found
        if losses:
            cells = {name: with_ends(amounts.differences(found, unit)) for name, found in losses.items()}
            meaning = "Loss of score; above 0: worse than on rows as they are."
            yield Row(what, cells, meaning, _apart(losses, more_is_better=False))


def _fairness(record: Record) -> Iterator[Row]:
    found = mapping(record.result, "fairness", "competitors")
    for key, what in RATES:
        differences: dict[str, Estimate] = {}
        for name in ANYONE:
            value = triple(found, name, "differences", key)
            if value is not None:
                differences[name] = value
        if differences:
            in_target = key == "mean_error"
            cells = {
                name: with_ends(
                    amounts.score(value, record.measure) if in_target else _points_with_ends(value)
                )
                for name, value in differences.items()
            }
            meaning = "Largest difference between groups; 0: all alike."
            yield Row(f"difference in {what}", cells, meaning, _apart(differences, more_is_better=False))


AXES = (
    Axis("How good", _good),
    Axis("How much data", _data),
    Axis("Feature engineering", _features),
    Axis("Computing and training", _computing),
    Axis("Answering", _answering),
    Axis("Interpretability", _understanding),
    Axis("Human effort", _effort),
    Axis("Overfitting", _overfitting),
    Axis("Calibration", _calibration),
    Axis("Robustness", _robustness),
    Axis("Fairness", _fairness),
)


# Cells --------------------------------------------------------------------------------------------------------------


def _share_with_ends(found: Estimate) -> tuple[str, str]:
    shown = amounts.share(found.value)
    if found.low is None or found.high is None:
        return shown, ""
    return shown, f"[{100 * found.low:.0f}, {100 * found.high:.0f}]"


def _points_with_ends(found: Estimate) -> tuple[str, str]:
    in_points = Estimate(
        100 * found.value,
        None if found.low is None else 100 * found.low,
        None if found.high is None else 100 * found.high,
    )
    return amounts.differences(in_points, "points")


def _table_numbers(record: Record, key: str, names: tuple[str, ...]) -> dict[str, float]:
    return {name: value for name in names if (value := number(record.standing(name), key)) is not None}


def _less(values: dict[str, float], times: float) -> str:
    """The family that needs less, by more than measuring once can be off."""
    one, other = (values.get(name) for name in FAMILIES)
    if one is None or other is None:
        return ""
    if one * times < other:
        return "classical"
    return "deep" if other * times < one else ""


def _apart(found: dict[str, Estimate], *, more_is_better: bool) -> str:
    """The better family, where the two intervals do not touch."""
    if not all(name in found and found[name].has_interval for name in FAMILIES):
        return ""
    for one, other in (FAMILIES, FAMILIES[::-1]):
        low, high = found[one].low, found[other].high
        if low is not None and high is not None and low > high:
            return one if more_is_better else other
    return ""
