"""Oddities of columns and of the target that the user should know; nothing is done about them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from fathometer.data.finding import Finding, name_words, quoted_names
from fathometer.data.repeats import same_columns
from fathometer.data.rows import Rows
from fathometer.data.schema import Schema
from fathometer.data.sentences import counted, short
from fathometer.data.target import Target
from fathometer.kind import KINDS, Kind

FEW_OF_A_CLASS = 30
RARE_CLASS = 0.1  # of all rows, with two classes: below it accuracy says little
MOSTLY_MISSING = 0.5
MANY_LEVELS = 1000
COMPLAINTS_TOLD = 8  # cells that cannot be read, told one by one
SKEWED = 3.0
SENSITIVE = frozenset(
    {
        "sex",
        "gender",
        "race",
        "ethnicity",
        "ethnic",
        "religion",
        "nationality",
        "disability",
        "female",
        "male",
    }
    | {"nonwhite", "marital", "citizenship", "pregnant"}
)
AGE_OF_PERSON = frozenset(
    {"age", "ages", "years", "year", "group", "customer", "patient", "person", "user", "client"}
)


def odd_columns(frame: pd.DataFrame, rows: Rows, schema: Schema, rest: Rows) -> list[Finding]:
    return [
        *_told_missing(rest),
        *_told_unread(frame, rows, schema),
        *_told_same_information(rest),
        *_told_levels(rest),
        *_told_dates(schema, rest),
        *_told_stand_ins(rest),
        *_told_sensitive(rest),
    ]


def _told_missing(rows: Rows) -> list[Finding]:
    shares = {name: float(rows.column(name).isna().mean()) for name in rows.kinds}
    gaps = {name: share for name, share in sorted(shares.items(), key=lambda pair: -pair[1]) if share > 0}
    if not gaps:
        return []
    mostly = any(share > MOSTLY_MISSING for share in gaps.values())
    listed = ", ".join(f"{name!r} {share:.1%}" for name, share in list(gaps.items())[:8])
    more = f" and {len(gaps) - 8} more columns" if len(gaps) > 8 else ""
    sentence = f"Cells are missing in {len(gaps)} of {len(shares)} columns: {listed}{more}."
    return [Finding("missing", "warning" if mostly else "info", sentence, tuple(gaps))]


def _told_unread(frame: pd.DataFrame, rows: Rows, schema: Schema) -> list[Finding]:
    found = []
    for name, count in schema.unread(frame, rows).items():
        kind = schema.column(name).kind
        if kind in ("number", "moment"):
            sentence = f"{counted(count, 'cell')} of {name!r} cannot be read as {kind} and count as missing."
            found.append(
                Finding("unread", "warning" if count > 0.01 * len(rows) else "info", sentence, (name,))
            )
        elif KINDS.get(kind).unstructured:
            told = unread_cells(frame[name].reset_index(drop=True), rows.column(name), KINDS.get(kind)())
            sentence = f"{counted(count, 'cell')} of {name!r} cannot be read and count as missing: {told}."
            found.append(Finding("unread", "warning", sentence, (name,)))
    return found


def unread_cells(cells: pd.Series, values: pd.Series, kind: Kind) -> str:
    """The first cells that could not be read, each with why: "a.jpg (it is cut off), b.jpg (it is no picture)"."""
    gone = np.flatnonzero(values.isna().to_numpy() & cells.notna().to_numpy())
    told = []
    for place in gone[:COMPLAINTS_TOLD]:
        why = kind.complaint(cells.iloc[place])
        told.append(f"{short(str(cells.iloc[place]))}{f' ({why})' if why else ''}")
    more = f" and {len(gone) - COMPLAINTS_TOLD:,} more" if len(gone) > COMPLAINTS_TOLD else ""
    return f"{', '.join(told)}{more}"


def _told_same_information(rows: Rows) -> list[Finding]:
    _, pairs = same_columns(rows)
    return [
        Finding(
            "same_information",
            "info",
            f"{left!r} and {right!r} stand for each other one to one.",
            (left, right),
        )
        for left, right in pairs[:20]
    ]


def _told_levels(rows: Rows) -> list[Finding]:
    found = []
    for name, kind in rows.kinds.items():
        distinct = int(rows.column(name).nunique()) if kind == "category" else 0
        if distinct > MANY_LEVELS or distinct > max(30, 0.5 * int(rows.column(name).notna().sum())):
            sentence = f"{name!r} has {distinct:,} levels, most of them too rare to learn from one by one."
            found.append(Finding("many_levels", "info", sentence, (name,)))
    return found


def _told_dates(schema: Schema, rows: Rows) -> list[Finding]:
    found = []
    for column in schema.columns:
        if column.name in rows.kinds and column.reading.get("is_ambiguous"):
            order = "day before month" if column.reading.get("day_first") else "month before day"
            sentence = (
                f"The dates of {column.name!r} could be read either way; they are read {order}. If that is "
                "wrong, write them as year-month-day."
            )
            found.append(Finding("ambiguous_dates", "warning", sentence, (column.name,)))
    return found


def _told_sensitive(rows: Rows) -> list[Finding]:
    names = tuple(name for name in rows.kinds if _is_sensitive(name))
    if not names:
        return []
    sentence = (
        f"{quoted_names(names)} may be sensitive: the models may treat groups of people differently. To learn "
        "without one, --drop COLUMN."
    )
    return [Finding("sensitive", "info", sentence, names)]


def _is_sensitive(name: str) -> bool:
    words = set(name_words(name))
    return bool(words & SENSITIVE) or ("age" in words and words <= AGE_OF_PERSON)


def _told_stand_ins(rows: Rows) -> list[Finding]:
    """Numbers that stand for "missing", as -999 does."""
    found = []
    for name, kind in rows.kinds.items():
        if kind == "number":
            numbers = rows.column(name).dropna().to_numpy(dtype=np.float64)
            stand_in = stand_in_for_missing(numbers)
            if stand_in is not None:
                count = int((numbers == stand_in).sum())
                sentence = (
                    f"{name!r} is exactly {stand_in:,.6g} in {counted(count, 'row')}, far from all other "
                    "values. If that "
                    "stands for a missing value, leave these cells empty."
                )
                found.append(Finding("stand_in", "warning", sentence, (name,)))
    return found


def stand_in_for_missing(numbers: npt.NDArray[np.float64]) -> float | None:
    """A whole number at an end, held by many rows, farther from the rest than the rest is wide."""
    values, counts = np.unique(numbers, return_counts=True)
    if len(values) < 10:
        return None
    for end, next_to_it, width in (
        (0, values[1] - values[0], values[-1] - values[1]),
        (-1, values[-1] - values[-2], values[-2] - values[0]),
    ):
        value = float(values[end])
        if (
            value == round(value)
            and value != 0
            and counts[end] >= max(5, 0.002 * len(numbers))
            and next_to_it > width
        ):
            return value
    return None


def odd_target(target: Target, answers: pd.Series) -> list[Finding]:
    found = [Finding("target", "info", sentence, (target.name,)) for sentence in target.sentences]
    if target.task == "classification":
        return found + _told_classes(target)
    return found + _told_numbers(target, answers.dropna().to_numpy(dtype=np.float64))


def _told_classes(target: Target) -> list[Finding]:
    total, fewest = sum(target.label_rows), min(target.label_rows)
    rarest, commonest = target.labels[target.label_rows.index(fewest)], max(target.label_rows) / total
    found = []
    if fewest / total * len(target.labels) / 2 <= RARE_CLASS:
        sentence = (
            f"{rarest!r} is rare: {fewest:,} of {total:,} rows ({fewest / total:.2%}). Always answering the "
            f"commonest class is right in {commonest:.1%}, so accuracy says little here."
        )
        found.append(Finding("imbalance", "warning", sentence, (target.name,)))
    few = [
        label for label, count in zip(target.labels, target.label_rows, strict=True) if count < FEW_OF_A_CLASS
    ]
    if few:
        sentence = (
            f"{quoted_names(few)} have fewer than {FEW_OF_A_CLASS} rows: what is said of them is uncertain."
        )
        found.append(Finding("few_of_a_class", "warning", sentence, (target.name,)))
    return found


def _told_numbers(target: Target, numbers: npt.NDArray[np.float64]) -> list[Finding]:
    found = []
    stand_in = stand_in_for_missing(numbers)
    if stand_in is not None:
        sentence = (
            f"{target.name!r} is exactly {stand_in:,.6g} in "
            f"{counted(int((numbers == stand_in).sum()), 'row')}, far from "
            "all other values. If that stands for a missing value, leave these cells empty."
        )
        found.append(Finding("stand_in", "warning", sentence, (target.name,)))
    for side, limit in (("highest", float(numbers.max())), ("lowest", float(numbers.min()))):
        held = int((numbers == limit).sum())
        _, counts = np.unique(numbers, return_counts=True)
        is_usual = held < max(10, 0.01 * len(numbers)) or held < 5 * float(np.quantile(counts, 0.9))
        if len(counts) > 50 and not is_usual and limit not in (0, stand_in):
            sentence = (
                f"{held:,} rows have exactly the {side} {target.name!r}, {limit:,.6g}: it seems to be cut "
                "off there, and no model can tell what lies beyond."
            )
            found.append(Finding("capped_target", "warning", sentence, (target.name,)))
    spread = numbers.std()
    skew = float((((numbers - numbers.mean()) / spread) ** 3).mean()) if spread > 0 else 0.0
    if abs(skew) > SKEWED:
        sentence = (
            f"{target.name!r} has a long tail (skewness {skew:.1f}): a few rows weigh heavily in RMSE; "
            "--metric mae weighs all rows alike."
        )
        found.append(Finding("skewed_target", "info", sentence, (target.name,)))
    return found
