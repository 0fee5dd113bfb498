"""The audit: what is odd about the data, found before any training.

Columns that cannot help or would deceive are left out, each with a sentence and a way to overrule;
everything else is told and left to the user. Only numpy and pandas are used, so that `fathom inspect` answers at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from fathometer.data.finding import Finding, as_option, name_words
from fathometer.data.leaks import Leak, leaks_of_classes, leaks_of_numbers
from fathometer.data.oddities import odd_columns, odd_target
from fathometer.data.order import find_groups, find_time
from fathometer.data.repeats import Repeats, find_repeats, same_columns
from fathometer.data.rows import Rows
from fathometer.data.schema import Column, LeftOut, Schema, text_named
from fathometer.data.sentences import counted
from fathometer.data.target import Target
from fathometer.errors import UnknownColumn, UnsuitableData

FEWEST_ROWS = 20
COUNTER_GAPS = 1.2  # times as far as a counter without gaps would have come
FEW_ROWS = 50
ID_WORDS = frozenset({"id", "ids", "uid", "uuid", "guid"})
ROW_WORDS = frozenset({"pk", "key", "serial", "index", "idx", "row", "rownames"})


@dataclass(frozen=True)
class Audit:
    """What was found in the data.

    left_out: columns not to learn from.
    clusters: (rows,) int64; rows with equal inputs share a number and belong in one fold.
    group: the column whose rows belong in one fold, or None.
    time: the column by which to split forward, or None.
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
    frame = text_named(frame)
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
        *_told_left_out(left_out),
        *suspicions,
        *group_findings,
        *time_findings,
        *_told_repeats(repeats, target),
        *odd_columns(frame, rows, schema, rest),
        *(odd_target(target, answers) if target is not None and answers is not None else ()),
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
            f"There are {count} rows with a known target, and fewer than {FEWEST_ROWS} cannot be split into "
            "parts to learn from, choose by and test on. Add rows."
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
            found[repeated] = LeftOut(repeated, "duplicate_column", sentence, as_option("--keep", repeated))
    return [found[name] for name in schema.names if name in found]


def _empty_or_constant(column: Column, values: pd.Series) -> LeftOut | None:
    present = values.notna()
    if not present.any():
        return LeftOut(column.name, "empty", f"{column.name!r} is empty in every row.")
    first = values[present].iloc[0]
    if present.all() and bool((values == first).all()):
        told = f"{column.name!r} is {_short(first)} in every row."
        return LeftOut(column.name, "constant", told, as_option("--keep", column.name))
    return None


def _numbering(column: Column, values: pd.Series) -> LeftOut | None:
    """A column that names or counts the rows, so that no new row can have a value learned from."""
    present = values.dropna()
    if len(present) < 10:
        return None
    distinct = present.nunique()
    words = set(name_words(column.name))
    is_called_id = distinct > 0.5 * len(present) and bool(ID_WORDS & words)
    is_called_row = distinct > 0.95 * len(present) and bool(ROW_WORDS & words)
    sentence = ""
    if column.kind == "category" and distinct > 0.95 * len(present):
        sentence = (
            f"{column.name!r} is different in nearly every row ({distinct:,} values in {len(present):,} rows)"
        )
    elif column.kind == "number" and bool((present == present.round()).all()):
        # rising from row to row, with gaps where rows were left out: a counter; other numbers are not in order
        is_counted = (
            distinct == len(present)
            and float(present.max() - present.min()) <= COUNTER_GAPS * (distinct - 1)
            and (present.is_monotonic_increasing or float(present.max() - present.min()) == distinct - 1)
        )
        if is_counted and len(present) >= FEWEST_ROWS:
            sentence = f"{column.name!r} numbers the rows"
        elif is_called_id or is_called_row:
            sentence = f"{column.name!r} is called an identifier and has {distinct:,} different values"
    if not sentence:
        return None
    return LeftOut(
        column.name,
        "id",
        f"{sentence}, so nothing learned from it would hold for new rows.",
        as_option("--keep", column.name),
    )


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
    for leak in leaks:
        for name in leak.columns if leak.is_certain else ():
            if name not in keep:
                left_out.setdefault(name, LeftOut(name, "leak", leak.sentence, as_option("--keep", name)))
    told = [
        Finding("suspected_leak", "warning", _suspicion(leak), leak.columns)
        for leak in leaks
        if not set(leak.columns) <= set(left_out)
    ]
    told += _named_after(
        rows, target.name, {*left_out, *keep, *(name for item in told for name in item.columns)}
    )
    return list(left_out.values()), told


def _suspicion(leak: Leak) -> str:
    drop = " ".join(as_option("--drop", name) for name in leak.columns)
    return f"{leak.sentence} If that is known only afterwards, leave it out: {drop}."


def _named_after(rows: Rows, target: str, settled: set[str]) -> list[Finding]:
    """Columns whose name holds the target's whole name, as `price` in `price_confidence`."""
    mine = name_words(target)
    found = []
    for name in rows.kinds:
        words = name_words(name)
        holds = any(words[start : start + len(mine)] == mine for start in range(len(words)))
        if holds and len("".join(mine)) >= 5 and name not in settled:
            sentence = (
                f"{name!r} is named after the target {target!r}. If it is made from the target, or known "
                f"only afterwards, leave it out: {as_option('--drop', name)}."
            )
            found.append(Finding("suspected_leak", "warning", sentence, (name,)))
    return found


def _left_as_group(name: str) -> LeftOut:
    sentence = (
        f"{name!r} says which rows belong together; new rows come from others, so it is not learned from."
    )
    return LeftOut(name, "group", sentence, as_option("--keep", name))


def _told_rows(count: int) -> list[Finding]:
    if count >= FEW_ROWS:
        return []
    sentence = f"There are only {count} rows: every score will be very uncertain."
    return [Finding("few_rows", "warning", sentence)]


def _told_left_out(left_out: Sequence[LeftOut]) -> list[Finding]:
    """One finding per reason given, for columns that are left out together."""
    together: dict[tuple[str, str], list[LeftOut]] = {}
    for left in left_out:
        together.setdefault((left.reason, left.sentence), []).append(left)
    found = []
    for (reason, sentence), members in together.items():
        overrule = " ".join(left.overrule for left in members if left.overrule)
        done = "It is left out." if len(members) == 1 else "They are left out."
        columns = tuple(left.name for left in members)
        told = f"{sentence} {done}{f' Overrule: {overrule}.' if overrule else ''}"
        found.append(Finding(reason, "action", told, columns))
    return found


def _told_repeats(repeats: Repeats, target: Target | None) -> list[Finding]:
    return _told_equal(repeats, target) + _told_alike(repeats, target)


def _told_alike(repeats: Repeats, target: Target | None) -> list[Finding]:
    """Pictures and texts that are nearly the same."""
    if not repeats.alike:
        return []
    sentence = (
        f"{counted(repeats.alike, 'row')} {'shows' if repeats.alike == 1 else 'show'} nearly the same picture or text "
        "as a row before; such rows are kept in one part, so that no model is tested on what it has seen."
    )
    found = [Finding("near_duplicates", "action", sentence)]
    if repeats.torn and target is not None:
        pairs = ", ".join(f"{one + 1} and {other + 1}" for one, other in repeats.torn[:5])
        more = " and more" if len(repeats.torn) > 5 else ""
        told = f"Rows {pairs}{more} are nearly the same, but their {target.name!r} differs: one of each may be wrong."
        found.append(Finding("alike_but_different", "warning", told))
    return found


def _told_equal(repeats: Repeats, target: Target | None) -> list[Finding]:
    if not repeats.repeated:
        return []
    told = f"{repeats.repeated:,} rows have the same inputs as a row before them"
    if target is not None:
        told += f", {repeats.whole:,} of them the same {target.name!r} too"
    if repeats.by_nature:
        sentence = f"{told}; the columns allow few combinations, so they are taken as different cases."
        found = [Finding("repeated_rows", "info", sentence)]
    else:
        common = f" (but for {counted(repeats.common, 'row')} of cases too common to be copies)"
        sentence = (
            f"{told}; equal rows are kept in one part{common if repeats.common else ''}, so that no model is tested on "
            "rows it has seen."
        )
        found = [Finding("duplicate_rows", "action", sentence)]
    if repeats.contradicting and target is not None:
        sentence = f"{repeats.contradicting:,} rows have equals with another {target.name!r}."
        if target.task == "classification":
            sentence += f" No model can be right on these {repeats.least_error:.2%} of all rows."
        found.append(Finding("contradictions", "info", sentence))
    return found


def _short(value: object) -> str:
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= 40 else text[:37] + "..."
