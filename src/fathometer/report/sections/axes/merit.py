"""How good the families are, how much data they need, what engineered features bring them."""

from __future__ import annotations

from collections.abc import Iterator

from fathometer.report import amounts
from fathometer.report.document import Quiet, Words, with_ends
from fathometer.report.record import (
    ANYONE,
    COMPETITORS,
    FAMILIES,
    PRETRAINED,
    Record,
    estimate,
    mapping,
    number,
    text,
)
from fathometer.report.sections import foresight
from fathometer.report.sections.axes.row import Row

STILL = {"rising": "still rising", "plateau": "on a plateau", "unclear": "unclear"}


def how_good(record: Record) -> Iterator[Row]:
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
    """The family ahead row by row; both together, or the pre-trained model, where they beat the better family."""
    low = number(record.result, "verdict", "pretrained", "contrast", "low")
    if low is not None and low > 0:
        return PRETRAINED
    together = mapping(record.result, "verdict", "together")
    low = number(together, "low")
    if low is not None and low > 0:
        return "together"
    families = mapping(record.result, "verdict", "families")
    low, high = number(families, "low"), number(families, "high")
    if low is None or high is None:
        return ""
    return "deep" if low > 0 else "classical" if high < 0 else ""


def how_much_data(record: Record) -> Iterator[Row]:
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
            "rows for 95 % of the gain over the baseline",
            cells,
            "How many rows bring nearly all of what was reached; never fewer than the fewest measured.",
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


def features(record: Record) -> Iterator[Row]:
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
