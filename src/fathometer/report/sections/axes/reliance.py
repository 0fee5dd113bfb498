"""How far the answers may be relied on: learned by heart or not, probabilities, worse data, groups."""

from __future__ import annotations

from collections.abc import Iterator

from fathometer.report import amounts
from fathometer.report.document import Quiet, Words, with_ends
from fathometer.report.record import (
    ANYONE,
    COMPETITORS,
    Estimate,
    Record,
    estimate,
    mapping,
    number,
    records,
    text,
    triple,
)
from fathometer.report.sections.axes.row import Row, apart

ROBUSTNESS = (
    ("missing_10", "10 % of cells missing"),
    ("missing_30", "30 % of cells missing"),
    ("noise_10", "a little noise"),
    ("noise_30", "more noise"),
    ("shifted", "rows least like those learned from"),
)

RATES = (
    ("selection_rate", "favourable answers"),
    ("tpr", "true positive rate"),
    ("fpr", "false positive rate"),
    ("mean_error", "mean error"),
)


def overfitting(record: Record) -> Iterator[Row]:
    unit = record.measure.gap_unit
    gaps = {
        name: gap for name in ANYONE if (gap := number(record.measures(name), "train_gap", "gap")) is not None
    }
    if gaps:
        cells = {name: amounts.difference(gap, unit) for name, gap in gaps.items()}
        meaning = "How much better on rows learned from than on new ones; not bad by itself."
        yield Row("better on learned rows by", cells, meaning)


def calibration(record: Record) -> Iterator[Row]:
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


def robustness(record: Record) -> Iterator[Row]:
    unit = record.measure.gap_unit
    for code, known in ROBUSTNESS:
        losses: dict[str, Estimate] = {}
        what = known
        for name in COMPETITORS:
            for change in records(record.measures(name), "robustness"):
                found = estimate(change, "loss_of_score")
                if text(change, "code") == code and found:
                    losses[name] = found
                    if code.startswith("noise"):  # what noise is depends on the columns
                        what = text(change, "what") or known
        if losses:
            cells = {name: with_ends(amounts.differences(found, unit)) for name, found in losses.items()}
            meaning = "Loss of score; above 0: worse than on rows as they are."
            yield Row(what, cells, meaning, apart(losses, more_is_better=False))


def fairness(record: Record) -> Iterator[Row]:
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
            yield Row(f"difference in {what}", cells, meaning, apart(differences, more_is_better=False))


def _points_with_ends(found: Estimate) -> tuple[str, str]:
    in_points = Estimate(
        100 * found.value,
        None if found.low is None else 100 * found.low,
        None if found.high is None else 100 * found.high,
    )
    return amounts.differences(in_points, "points")
