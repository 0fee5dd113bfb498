"""The audit: what is odd about the data, found before any training.

Columns that cannot help or would deceive are left out, each with a sentence and a way to overrule; everything else is
told and left to the user. Only numpy and pandas are used, so that `fathom inspect` answers at once.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from fathometer.data.leaks import leaks_of_classes, leaks_of_numbers
from fathometer.data.order import find_groups, find_time
from fathometer.data.repeats import Repeats, find_repeats, same_columns
from fathometer.data.rows import Rows
from fathometer.data.schema import Column, LeftOut, Schema
from fathometer.data.target import Target
from fathometer.errors import UnknownColumn, UnsuitableData

FEWEST_ROWS = 20
FEW_ROWS = 50
FEW_OF_A_CLASS = 30
RARE_CLASS = 0.05  # of all rows: below it accuracy says little
MOSTLY_MISSING = 0.5
SKEWED = 3.0
SENSITIVE = re.compile(
    r"(?:^|[^a-z])(sex|gender|race|ethnicity|ethnic|religion|nationality|disability|age|marital(?:.status)?)(?:$|[^a-z])"
)
ID_NAME = re.compile(
    r"(?:^|[^a-z])(?:id|ids|uid|uuid|guid|pk|key|serial|index|idx|row|rowname|rownames|row.?names?|unnamed.*)$"
)


@dataclass(frozen=True)
class Finding:
    """One thing found.

    code: a short word that never changes. severity: "info", "warning" or "action" (something was done about it).
    """

    code: str
    severity: str
    sentence: str
    columns: tuple[str, ...] = ()


@dataclass(frozen=True)
class Audit:
    """What was found in the data.

    left_out: columns not to learn from.
    clusters: (rows,) int64; rows with equal inputs share a number and belong in one fold.
    group: the column whose rows belong in one fold, or None. time: the column by which to split forward, or None.
    least_error: share of rows that contradict an equal row, which no model can get right; 0 for numbers.
    """

    findings: tuple[Finding, ...]
    left_out: tuple[LeftOut, ...]
    clusters: npt.NDArray[np.int64] = field(repr=False, compare=False)
    group: str | None = None
    time: str | None = None
    least_error: float = 0.0

    def of(self, code: str) -> tuple[Finding, ...]:
        """The findings of one code."""
        return tuple(finding for finding in self.findings if finding.code == code)

    def to_json(self) -> dict[str, Any]:
        """The audit as plain data, without the clusters."""
        return {
            "findings": [asdict(finding) for finding in self.findings],
            "left_out": [asdict(left) for left in self.left_out],
            "group": self.group,
            "time": self.time,
            "least_error": self.least_error,
        }


def audit(
    frame: pd.DataFrame,
    rows: Rows,
    schema: Schema,
    target: Target | None = None,
    *,
    keep: Sequence[str] = (),
    group: str | None = None,
    time: str | None = None,
) -> Audit:
    """Look the data over.

    Args:
        frame: cells of all columns, the target's too. rows: `schema.read(frame)`, in the same order.
        target: what is to be predicted; None to look at the columns alone.
        keep: columns to learn from whatever is found.
        group, time: the column to split by; "none" to split at random; None to let the data decide.

    Raises:
        UnsuitableData: too few rows, or no column is left.
        UnknownColumn: `keep`, `group` or `time` names no column.
    """
    _check_names(frame, keep, group, time)
    answers = None if target is None else target.read(frame[target.name]).reset_index(drop=True)
    known = np.ones(len(rows), dtype=bool) if answers is None else answers.notna().to_numpy()
    _demand_rows(int(known.sum()))
    left_out = _useless_columns(schema, rows, keep)
    rest = _less(rows, left_out)
    leaks, suspicions = _leaks(rest, target, answers, known, keep)
    left_out += leaks
    group_used, group_findings = find_groups(frame, schema, [left.name for left in left_out], group)
    if group_used is not None and group_used in rest.kinds and group_used not in keep:
        left_out.append(_left_as_group(group_used))
    rest = _less(rows, left_out)
    if not rest.kinds:
        raise UnsuitableData(
            "Every column is left out, so there is nothing to learn from: "
            + " ".join(left.sentence for left in left_out)
            + " Overrule with --keep COLUMN."
        )
    time_used, time_findings = find_time(frame, rest, answers, time)
    repeats = find_repeats(rest, tuple(rest.kinds), answers)
    findings = [
        *_told_rows(int(known.sum())),
        *(_told_left_out(left) for left in left_out),
        *suspicions,
        *(Finding(code, severity, sentence, columns) for code, severity, sentence, columns in group_findings),
        *(Finding(code, severity, sentence, columns) for code, severity, sentence, columns in time_findings),
        *_told_repeats(repeats, target),
        *_told_columns(frame, rows, schema, rest),
        *(_told_target(target, answers) if target is not None and answers is not None else ()),
    ]
    least = repeats.least_error if target is not None and target.task == "classification" else 0.0
    return Audit(tuple(findings), tuple(left_out), repeats.clusters, group_used, time_used, least)


def _check_names(frame: pd.DataFrame, keep: Sequence[str], group: str | None, time: str | None) -> None:
    known = [str(name) for name in frame.columns]
    for name in [*keep, *(name for name in (group, time) if name not in (None, "none"))]:
        if name not in known:
            raise UnknownColumn(str(name), known)


def _demand_rows(count: int) -> None:
    if count < FEWEST_ROWS:
        raise UnsuitableData(
            f"There are {count} rows with a known target, and fewer than {FEWEST_ROWS} cannot be split into parts to "
            "learn from, choose by and test on. Add rows."
        )


def _less(rows: Rows, left_out: Iterable[LeftOut]) -> Rows:
    names = {left.name for left in left_out}
    kinds = {name: kind for name, kind in rows.kinds.items() if name not in names}
    return Rows(rows.frame[list(kinds)], kinds, rows.target)


def _useless_columns(schema: Schema, rows: Rows, keep: Sequence[str]) -> list[LeftOut]:
    """Empty, constant, numbering and repeated columns."""
    found: dict[str, LeftOut] = {}
    for column in schema.columns:
        if column.name in keep:
            continue
        values = rows.column(column.name)
        left = _empty_or_constant(column, values) or _numbering(column, values)
        if left is not None:
            found[column.name] = left
    equal, _ = same_columns(_less(rows, found.values()))
    for kept, repeated in equal:
        if repeated not in keep:
            sentence = f"{repeated!r} has the same values as {kept!r} in every row."
            found[repeated] = LeftOut(repeated, "duplicate_column", sentence, _overrule(repeated))
    return [found[name] for name in schema.names if name in found]


def _empty_or_constant(column: Column, values: pd.Series) -> LeftOut | None:
    present = values.notna()
    if not present.any():
        return LeftOut(column.name, "empty", f"{column.name!r} is empty in every row.")
    first = values[present].iloc[0]
    if present.all() and bool((values == first).all()):
        told = f"{column.name!r} is {_short(first)} in every row."
        return LeftOut(column.name, "constant", told, _overrule(column.name))
    return None


def _numbering(column: Column, values: pd.Series) -> LeftOut | None:
    """A column that names or counts the rows, so that no new row can have a value learned from."""
    present = values.dropna()
    if len(present) < 10:
        return None
    distinct = present.nunique()
    is_named_id = ID_NAME.search(_snake(column.name)) is not None
    sentence = ""
    if column.kind == "category" and distinct > 0.95 * len(present):
        sentence = (
            f"{column.name!r} is different in nearly every row ({distinct:,} values in {len(present):,} rows)"
        )
    elif column.kind == "number" and bool((present == present.round()).all()):
        is_counted = distinct == len(present) and float(present.max() - present.min()) == distinct - 1
        if is_counted and len(present) >= FEWEST_ROWS:
            sentence = f"{column.name!r} numbers the rows"
        elif is_named_id and distinct > 0.95 * len(present):
            sentence = f"{column.name!r} is named as an identifier and is different in nearly every row"
    if not sentence:
        return None
    return LeftOut(column.name, "id", f"{sentence}: an identifier.", _overrule(column.name))


def _leaks(
    rows: Rows,
    target: Target | None,
    answers: pd.Series | None,
    known: npt.NDArray[np.bool_],
    keep: Sequence[str],
) -> tuple[list[LeftOut], list[Finding]]:
    """Columns left out because they give the target away, and those that only look so."""
    if target is None or answers is None:
        return [], []
    learnable = rows.take(np.flatnonzero(known)) if not known.all() else rows
    if target.task == "classification":
        leaks = leaks_of_classes(learnable, target.name, answers[known].reset_index(drop=True))
    else:
        leaks = leaks_of_numbers(learnable, target.name, answers[known].to_numpy(dtype=np.float64))
    left_out: dict[str, LeftOut] = {}
    told = []
    for leak in leaks:
        asked = [name for name in leak.columns if name in keep]
        if leak.is_certain and not asked:
            for name in leak.columns:
                left_out.setdefault(name, LeftOut(name, "leak", leak.sentence, _overrule(name)))
        else:
            told.append(Finding("suspected_leak", "warning", leak.sentence, leak.columns))
    told += _named_after(
        rows, target.name, {*left_out, *keep, *(name for item in told for name in item.columns)}
    )
    return list(left_out.values()), told


def _named_after(rows: Rows, target: str, settled: set[str]) -> list[Finding]:
    """Columns whose name holds the target's whole name, as `price` in `price_confidence`."""
    mine = _words(target)
    found = []
    for name in rows.kinds:
        words = _words(name)
        holds = any(words[start : start + len(mine)] == mine for start in range(len(words)))
        if holds and len("".join(mine)) >= 5 and name not in settled:
            sentence = (
                f"{name!r} is named after the target {target!r}. If it is made from the target, or known only "
                f"afterwards, leave it out: --drop {_quoted(name)}."
            )
            found.append(Finding("suspected_leak", "warning", sentence, (name,)))
    return found


def _left_as_group(name: str) -> LeftOut:
    sentence = (
        f"{name!r} says which rows belong together; new rows come from others, so it is not learned from."
    )
    return LeftOut(name, "group", sentence, _overrule(name))


def _told_rows(count: int) -> list[Finding]:
    if count >= FEW_ROWS:
        return []
    sentence = f"There are only {count} rows: every score will be very uncertain."
    return [Finding("few_rows", "warning", sentence)]


def _told_left_out(left: LeftOut) -> Finding:
    overrule = f" Overrule: {left.overrule}." if left.overrule else ""
    return Finding(left.reason, "action", f"{left.sentence} It is left out.{overrule}", (left.name,))


def _told_repeats(repeats: Repeats, target: Target | None) -> list[Finding]:
    if not repeats.repeated:
        return []
    told = f"{repeats.repeated:,} rows have the same inputs as a row before them"
    if target is not None:
        told += f", {repeats.whole:,} of them the same {target.name!r} too"
    if repeats.by_nature:
        sentence = f"{told}; the columns allow few combinations, so they are taken as different cases."
        found = [Finding("repeated_rows", "info", sentence)]
    else:
        sentence = f"{told}; equal rows are kept in one part, so that no model is tested on rows it has seen."
        found = [Finding("duplicate_rows", "action", sentence)]
    if repeats.contradicting and target is not None:
        floor = f"; no model can be right on more than {1 - repeats.least_error:.1%} of rows"
        sentence = (
            f"{repeats.contradicting:,} rows have equals with another {target.name!r}"
            f"{floor if target.task == 'classification' else ''}."
        )
        found.append(Finding("contradictions", "info", sentence))
    return found


def _told_columns(frame: pd.DataFrame, rows: Rows, schema: Schema, rest: Rows) -> list[Finding]:
    return [
        *_told_missing(rest),
        *_told_unread(frame, rows, schema),
        *_told_same_information(rest),
        *_told_levels(rest),
        *_told_dates(schema, rest),
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
            sentence = f"{count:,} cells of {name!r} do not read as {kind} and count as missing."
            found.append(
                Finding("unread", "warning" if count > 0.01 * len(rows) else "info", sentence, (name,))
            )
    return found


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
        if distinct > 1000 or distinct > max(30, 0.5 * int(rows.column(name).notna().sum())):
            sentence = f"{name!r} has {distinct:,} levels, most of them too rare to learn from one by one."
            found.append(Finding("many_levels", "info", sentence, (name,)))
    return found


def _told_dates(schema: Schema, rows: Rows) -> list[Finding]:
    found = []
    for column in schema.columns:
        if column.name in rows.kinds and column.reading.get("is_ambiguous"):
            order = "day before month" if column.reading.get("day_first") else "month before day"
            sentence = (
                f"The dates of {column.name!r} could be read either way; they are read {order}. If that is wrong, "
                "write them as year-month-day."
            )
            found.append(Finding("ambiguous_dates", "warning", sentence, (column.name,)))
    return found


def _told_sensitive(rows: Rows) -> list[Finding]:
    names = tuple(name for name in rows.kinds if SENSITIVE.search(_snake(name)))
    if not names:
        return []
    sentence = (
        f"{_listed(names)} may be sensitive. To see how the models treat each group, say --sensitive COLUMN; "
        "to learn without one, --drop COLUMN."
    )
    return [Finding("sensitive", "info", sentence, names)]


def _told_target(target: Target, answers: pd.Series) -> list[Finding]:
    found = [Finding("target", "info", sentence, (target.name,)) for sentence in target.sentences]
    if target.task == "classification":
        return found + _told_classes(target)
    return found + _told_numbers(target, answers.dropna().to_numpy(dtype=np.float64))


def _told_classes(target: Target) -> list[Finding]:
    total, fewest = sum(target.label_rows), min(target.label_rows)
    rarest, commonest = target.labels[target.label_rows.index(fewest)], max(target.label_rows) / total
    found = []
    if fewest / total < RARE_CLASS and fewest / total < 0.5 / len(target.labels):
        sentence = (
            f"{rarest!r} is rare: {fewest:,} of {total:,} rows ({fewest / total:.2%}). Always answering the commonest "
            f"class is right in {commonest:.1%}, so accuracy says little here."
        )
        found.append(Finding("imbalance", "warning", sentence, (target.name,)))
    few = [
        label for label, count in zip(target.labels, target.label_rows, strict=True) if count < FEW_OF_A_CLASS
    ]
    if few:
        sentence = (
            f"{_listed(few)} have fewer than {FEW_OF_A_CLASS} rows: what is said of them will be uncertain."
        )
        found.append(Finding("few_of_a_class", "warning", sentence, (target.name,)))
    return found


def _told_numbers(target: Target, numbers: npt.NDArray[np.float64]) -> list[Finding]:
    found = []
    for side, limit in (("highest", float(numbers.max())), ("lowest", float(numbers.min()))):
        held = int((numbers == limit).sum())
        _, counts = np.unique(numbers, return_counts=True)
        is_usual = held < max(10, 0.01 * len(numbers)) or held < 5 * float(np.quantile(counts, 0.9))
        if len(counts) > 50 and not is_usual and limit != 0:
            sentence = (
                f"{held:,} rows have exactly the {side} {target.name!r}, {limit:,.6g}: it seems to be cut off there, "
                "and no model can tell what lies beyond."
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


def _words(name: str) -> list[str]:
    return [word for word in re.split(r"[^a-z0-9]+", _snake(name)) if word]


def _snake(name: str) -> str:
    """Lower case, humps parted: customerID -> customer_id."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def _overrule(name: str) -> str:
    return f"--keep {_quoted(name)}"


def _quoted(name: str) -> str:
    return name if re.fullmatch(r"[\w.-]+", name) else f'"{name}"'


def _short(value: object) -> str:
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= 40 else text[:37] + "..."


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(repr(name) for name in names[:8])
    return shown + (f" and {len(names) - 8} more" if len(names) > 8 else "")
