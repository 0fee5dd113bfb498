"""The table of differences: every axis on which the families differ, as measured."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from fathometer.report.document import Block, Mark, Paragraph, Section, Table, Words
from fathometer.report.record import TITLES, Record
from fathometer.report.sections.axes import expense, insight, merit, reliance
from fathometer.report.sections.axes.row import Row


@dataclass(frozen=True)
class Axis:
    """One axis of the table, and how its rows are found."""

    title: str
    rows: Callable[[Record], Iterator[Row]] = field(repr=False)


AXES = (
    Axis("How good", merit.how_good),
    Axis("How much data", merit.how_much_data),
    Axis("Feature engineering", merit.features),
    Axis("Computing and training", expense.computing),
    Axis("Answering", expense.answering),
    Axis("Interpretability", insight.understanding),
    Axis("Human effort", insight.effort),
    Axis("Overfitting", reliance.overfitting),
    Axis("Calibration", reliance.calibration),
    Axis("Robustness", reliance.robustness),
    Axis("Fairness", reliance.fairness),
)


def section(record: Record) -> Section:
    """The table; axes without a measured row are named below it."""
    found: list[tuple[Words, ...]] = []
    groups: list[tuple[int, str]] = []
    missing = []
    for axis in AXES:
        rows = [_line(row, record.anyone) for row in axis.rows(record)]
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
        head = ("what", *(TITLES[name] for name in record.anyone), "what this means")
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


def _line(row: Row, names: tuple[str, ...]) -> tuple[Words, ...]:
    cells = []
    for name in names:
        words = row.cells.get(name, "–")
        if name == row.better:
            words = (*(words if isinstance(words, tuple) else (words,)), " ", Mark(row.word))
        cells.append(words)
    return (row.what, *cells, row.meaning)
