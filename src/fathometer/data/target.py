"""The column to predict: is it a class or a number, and which rows can be learned from?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

from fathometer.data.labels import label_order, label_text
from fathometer.data.metrics import METRICS
from fathometer.data.sentences import counted
from fathometer.errors import UnknownName, UnsuitableData
from fathometer.kind import KINDS, Reading
from fathometer.kinds._cells import MACHINE_WORDS, MISSING_WORDS

FEWEST_OF_A_CLASS = 6  # rows: fewer cannot be shared between training, choosing and testing
MOST_CLASSES = 200
MOST_NUMBER_CLASSES = 10  # whole numbers of up to so many values are taken for classes
TASKS = ("classification", "regression")


@dataclass(frozen=True)
class Target:
    """What the column to predict is.

    task: "classification" or "regression". why: one sentence that says how that was decided.
    reading: how its numbers are written; empty for classes.
    labels: the classes that are learned, in order; empty for numbers. label_rows: rows of each.
    rare: (label, rows) of classes too rare to be learned; their rows are left out.
    missing_rows: rows without a target, left out.
    """

    name: str
    task: str
    why: str
    reading: Reading
    labels: tuple[str, ...] = ()
    label_rows: tuple[int, ...] = ()
    rare: tuple[tuple[str, int], ...] = ()
    missing_rows: int = 0

    def read(self, cells: pd.Series) -> pd.Series:
        """Labels as text, or float64 numbers; missing where a row cannot be learned from."""
        if self.task == "regression":
            return KINDS.get("number")().read(cells, self.reading)
        text = label_text(cells)
        return text.where(text.isin(self.labels))

    @property
    def sentences(self) -> tuple[str, ...]:
        """What was decided and which rows are left out, for people."""
        told = [self.why]
        if self.missing_rows:
            told.append(f"{counted(self.missing_rows, 'row')} without a value of {self.name!r} are left out.")
        if self.rare:
            listed = ", ".join(f"{label!r} ({rows})" for label, rows in self.rare[:10])
            told.append(
                f"Classes with fewer than {FEWEST_OF_A_CLASS} rows cannot be learned and tested, their rows "
                f"are left out: {listed}{' and more' if len(self.rare) > 10 else ''}."
            )
        return tuple(told)

    def to_json(self) -> dict[str, Any]:
        """The target as plain data."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Target:
        """The target of this plain data."""
        return cls(
            value["name"],
            value["task"],
            value["why"],
            dict(value["reading"]),
            tuple(value["labels"]),
            tuple(value["label_rows"]),
            tuple((label, rows) for label, rows in value["rare"]),
            value["missing_rows"],
        )


def learn_target(cells: pd.Series, *, asked: str | None = None, metric: str | None = None) -> Target:
    """Decide what kind of task this column makes.

    Args:
        cells: the target's cells as the source held them; the series' name is the column's.
        asked: "classification" or "regression", when the user says so.
        metric: the metric asked for, which may decide.

    Raises:
        UnknownName: `asked` or `metric` does not exist.
        UnsuitableData: the column cannot be predicted as asked, or at all.
    """
    name = str(cells.name)
    asked = _asked_task(asked, metric)
    counts = label_text(cells).value_counts()
    counts = counts[~counts.index.isin(MACHINE_WORDS)]
    if not len(counts):
        raise UnsuitableData(f"The target {name!r} has no value in any row. Choose a column that is filled.")
    if len(counts) == 1:
        raise UnsuitableData(
            f"The target {name!r} has the same value {counts.index[0]!r} in every row, so there is nothing "
            "to predict. Choose another column, or add rows with other values."
        )
    number = KINDS.get("number")()
    reading = number.learn_reading(cells)
    numbers = number.read(cells, reading)
    meant = counts[~counts.index.str.lower().isin(MISSING_WORDS)]
    share = float(numbers.notna().sum()) / max(float(meant.sum()), 1.0)
    task, why = (
        (asked, f"You asked for {asked} of {name!r}.")
        if asked
        else _decide(name, cells, numbers, counts, share)
    )
    if task == "regression":
        return _regression(name, why, reading, numbers, share)
    return _classification(name, why, counts, len(cells))


def _asked_task(asked: str | None, metric: str | None) -> str | None:
    if asked is not None and asked not in TASKS:
        raise UnknownName("task", asked, TASKS)
    if metric is None:
        return asked
    if metric not in METRICS:
        raise UnknownName("metric", metric, METRICS)
    by_metric = "classification" if METRICS[metric].for_classes else "regression"
    if asked is not None and asked != by_metric:
        fitting = ", ".join(
            name for name, item in METRICS.items() if item.for_classes == (asked == "classification")
        )
        raise UnsuitableData(
            f"The metric {metric!r} is for {by_metric}, not for {asked}. Choose one of: {fitting}."
        )
    return by_metric


def _decide(
    name: str, cells: pd.Series, numbers: pd.Series, counts: pd.Series, share: float
) -> tuple[str, str]:
    """(task, why) of a target with at least two different values."""
    classes = f"{name!r} has {len(counts):,} different values"
    if len(counts) == 2 or share < 0.9:
        if len(counts) > 2:
            _refuse_unless_classes(name, cells, counts)
        return "classification", f"{classes}, so it is taken as classes."
    present = numbers.dropna().to_numpy(dtype=np.float64)
    _refuse_row_numbers(name, present)
    if _looks_like_classes(present):
        return "classification", (
            f"{classes}, all small whole numbers, so it is taken as classes (--task regression overrules)."
        )
    return (
        "regression",
        f"{classes}, nearly all numbers, so it is taken as an amount (--task classification overrules).",
    )


def _looks_like_classes(numbers: np.ndarray[Any, np.dtype[np.float64]]) -> bool:
    """Whether numbers name classes: whole, few, each often; up to 30 if 0, 1, 2 ... equally often."""
    values, counts = np.unique(numbers, return_counts=True)
    if (
        not (values == np.round(values)).all()
        or len(numbers) < 3 * len(values)
        or np.abs(values).max() > 1000
    ):
        return False
    if len(values) <= MOST_NUMBER_CLASSES:
        return True
    is_counted_up = values[0] in (0, 1) and values[-1] - values[0] == len(values) - 1
    return bool(len(values) <= 30 and is_counted_up and counts.min() >= 0.2 * counts.mean())


def _refuse_row_numbers(name: str, numbers: np.ndarray[Any, np.dtype[np.float64]]) -> None:
    if len(numbers) >= 20 and bool((np.diff(numbers) == 1).all()) and numbers[0] == round(numbers[0]):
        raise UnsuitableData(
            f"The target {name!r} only numbers the rows ({numbers[0]:.0f}, {numbers[1]:.0f}, ...), so there "
            "is nothing to predict. Choose another column, or say --task regression."
        )


def _refuse_unless_classes(name: str, cells: pd.Series, counts: pd.Series) -> None:
    """Refuse dates, ids and texts, naming what they are."""
    if KINDS.get("moment")().guess(cells) > 0.7:
        raise UnsuitableData(
            f"The target {name!r} holds dates or times, and only classes and numbers can be predicted. "
            "Give a column with, say, the number of days instead."
        )
    if len(counts) > 20 and len(counts) > 0.5 * float(counts.sum()):
        raise UnsuitableData(
            f"The target {name!r} has a different text in nearly every row (for example "
            f"{counts.index[0]!r}), so it "
            "is an identifier or free text. Choose a column with few different values, or with numbers."
        )


def _regression(name: str, why: str, reading: Reading, numbers: pd.Series, share: float) -> Target:
    if share < 0.5:
        raise UnsuitableData(
            f"The target {name!r} was to be a number, but only {share:.0%} of its cells read as one. "
            "Choose another column, or --task classification."
        )
    if numbers.nunique() < 2:
        raise UnsuitableData(
            f"The numbers of the target {name!r} are all the same, so there is nothing to predict."
        )
    return Target(name, "regression", why, reading, missing_rows=int(numbers.isna().sum()))


def _classification(name: str, why: str, counts: pd.Series, rows: int) -> Target:
    rare = sorted((str(label), int(count)) for label, count in counts.items() if count < FEWEST_OF_A_CLASS)
    kept = {str(label): int(count) for label, count in counts.items() if count >= FEWEST_OF_A_CLASS}
    if len(kept) < 2:
        raise UnsuitableData(
            f"The target {name!r} has {len(counts):,} classes, but fewer than two of them have "
            f"{FEWEST_OF_A_CLASS} "
            "rows or more, the least that can be learned and tested. Add rows, or merge classes."
        )
    if len(kept) > MOST_CLASSES:
        raise UnsuitableData(
            f"The target {name!r} has {len(kept):,} classes; at most {MOST_CLASSES} can be learned. Merge "
            "classes, or, if they are amounts, say --task regression."
        )
    labels = label_order(list(kept))
    return Target(
        name,
        "classification",
        why,
        {},
        tuple(labels),
        tuple(kept[label] for label in labels),
        tuple(rare),
        rows - int(counts.sum()),
    )
