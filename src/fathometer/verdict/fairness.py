"""Do answers differ between groups of people? Rates per group, with intervals, and the widest differences.

Of two classes one is the favourable answer (a loan, an alarm). Per group: how often it is given (selection rate), how
often to rows that are truly so (true positive rate), and how often to rows that are not (false positive rate).

What is assumed: every tested row counts once, with its answers on several repeats averaged. Rows of one cluster
(duplicates, a group named by the user) vary together, as far as the rows show it; different clusters are independent,
in different groups too. An interval speaks of new rows of the same kind answered by these models, not of models
trained anew. A rate's interval is Wilson's (1927, https://doi.org/10.1080/01621459.1927.10502953) with as many rows
as independent ones would give the same variance (Kish 1965, the design effect). That of a difference is
made of the two intervals (MOVER; Newcombe 1998, method 10, https://doi.org/10.1002/(SICI)1097-0258(19980430)17:8<873::AID-SIM779>3.0.CO;2-I),
and is for the widest of all pairs of groups at once (Bonferroni), for the pair was picked because it is wide.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from fathometer.data.sentences import counted
from fathometer.study.outcome import Outcome
from fathometer.study.record import FoldResult
from fathometer.task import Task
from fathometer.tasks.classification import Classification
from fathometer.verdict.answers import Floats, Index, answers_given, once_per_row
from fathometer.verdict.posterior import spread_of

MISSING = "(missing)"
GROUP_ROWS_LEAST = 50  # tested rows, for any claim about a group
RATE_ROWS_LEAST = 10  # of a group's rows that a rate is a share of
NAMED_MOST = 50  # groups too small that are named
LEVEL = 0.95

Bools = npt.NDArray[np.bool_]
Estimate = tuple[float, float, float]
"""A value and the ends of its 95 % interval."""


@dataclass(frozen=True)
class GroupRates:
    """One group's answers of classes; None where it does not apply, or too few rows are of that kind.

    rows: tested. selection_rate, tpr, fpr: shares of 1. score: on the deciding metric, in its unit.
    """

    group: str
    rows: int
    selection_rate: Estimate | None
    tpr: Estimate | None
    fpr: Estimate | None
    score: Estimate | None


@dataclass(frozen=True)
class GroupErrors:
    """One group's answers that are numbers. mean_error: answer less truth, above 0 where answers are too high."""

    group: str
    rows: int
    mean_error: Estimate | None
    score: Estimate | None


@dataclass(frozen=True)
class Comparison:
    """One competitor's groups, the largest first; differences: the group with the largest value less the smallest."""

    groups: tuple[GroupRates | GroupErrors, ...]
    differences: Mapping[str, Estimate]


@dataclass(frozen=True)
class Fairness:
    """All competitors by the groups of a column.

    positive: label of the favourable answer, None for numbers and where it is not named among more than two.
    too_small: groups of which nothing is claimed.
    """

    column: str
    positive: str | None
    competitors: Mapping[str, Comparison]
    too_small: tuple[str, ...]
    note: str


def fairness(
    outcome: Outcome, column: str, groups: Sequence[str | None], favourable: int | None = None
) -> Fairness:
    """Compare every competitor's answers between groups.

    Args:
        groups: of every row of the table that can be learned from; None: missing, a group of its own.
        favourable: code of the favourable class; for two classes the rarer one unless named.

    Raises:
        ValueError: not one group per row, or no such class.
    """
    if len(groups) != len(outcome.target):
        raise ValueError(f"expected a group for each of {len(outcome.target)} rows, got {len(groups)}")
    positive = _favourable(outcome, favourable)
    names = np.array([MISSING if group is None else str(group) for group in groups], dtype=object)
    labels, codes = np.unique(names, return_inverse=True)
    tested = _tested(next(iter(outcome.results.values()), ()))
    rows = np.bincount(codes[tested], minlength=len(labels))
    order = sorted(range(len(labels)), key=lambda code: (-rows[code], labels[code]))
    large = [code for code in order if rows[code] >= GROUP_ROWS_LEAST]
    small = [str(labels[code]) for code in order if rows[code] < GROUP_ROWS_LEAST]
    members = {str(labels[code]): codes == code for code in large}
    return Fairness(
        column=column,
        positive=_label(outcome.task, positive),
        competitors={
            name: _comparison(outcome, folds, members, positive) for name, folds in outcome.results.items()
        },
        too_small=tuple(small[:NAMED_MOST]),
        note=_note(outcome.task, len(large), len(small), len(tested)),
    )


def wilson(share: float, rows: float, normal: float) -> tuple[float, float]:
    """Wilson's interval of a share of so many rows, `normal` standard deviations to either side."""
    square = normal**2
    middle = (share + square / (2 * rows)) / (1 + square / rows)
    half = normal / (1 + square / rows) * math.sqrt(share * (1 - share) / rows + square / (4 * rows**2))
    # at 0 and 1 the end is the share itself, but for rounding
    return min(max(middle - half, 0.0), share), max(min(middle + half, 1.0), share)


def effective_rows(values: Floats, clusters: npt.NDArray[np.int64]) -> float:
    """How many independent rows would tell as much of the mean of these shares (rows,) as these clusters do.

    At most the rows there are, and at least as many as if rows of a cluster were all alike.
    """
    count = float(len(values))
    _, member = np.unique(clusters, return_inverse=True)
    sizes = np.bincount(member).astype(np.float64)
    least = count**2 / float(sizes @ sizes)
    mean = float(values.mean())
    apart = np.bincount(member, weights=values - mean)
    variance = float(apart @ apart) / count**2
    if len(sizes) == count:
        return count
    if variance <= 0 or len(sizes) < 2:
        return least
    variance *= len(sizes) / (len(sizes) - 1)
    return min(max(mean * (1 - mean) / variance, least), count)


def _favourable(outcome: Outcome, named: int | None) -> int | None:
    classes = outcome.task.outputs
    if classes < 2:
        return None
    if named is not None:
        if not 0 <= named < classes:
            raise ValueError(f"expected a class from 0 to {classes - 1}, got {named}")
        return named
    if classes > 2:
        return None
    none, one = np.bincount(outcome.target.astype(np.int64), minlength=2)
    return 0 if none < one else 1


def _label(task: Task, code: int | None) -> str | None:
    return task.labels[code] if code is not None and isinstance(task, Classification) else None


def _comparison(
    outcome: Outcome,
    folds: Sequence[FoldResult],
    members: Mapping[str, Bools],
    positive: int | None,
) -> Comparison:
    if not folds or not members:
        return Comparison((), {})
    pairs = max(len(members) * (len(members) - 1) // 2, 1)
    plain = NormalDist().inv_cdf(1 - (1 - LEVEL) / 2)
    wider = NormalDist().inv_cdf(1 - (1 - LEVEL) / (2 * pairs))
    measured = _measured(outcome, folds, positive)
    groups: list[GroupRates | GroupErrors] = []
    widened: dict[str, list[Estimate]] = {}
    for name, member in members.items():
        found = _estimates(outcome, folds, measured, member, plain)
        groups.append(_group(outcome.task, name, int(member[_tested(folds)].sum()), found))
        for what, estimate in _estimates(outcome, folds, measured, member, wider).items():
            widened.setdefault(what, []).append(estimate)
    differences = {what: _widest(several) for what, several in widened.items() if len(several) > 1}
    return Comparison(tuple(groups), differences)


def _tested(folds: Sequence[FoldResult]) -> Index:
    rows: Index = np.unique(np.concatenate([np.zeros(0, dtype=np.intp), *(fold.rows for fold in folds)]))
    return rows


def _estimates(
    outcome: Outcome,
    folds: Sequence[FoldResult],
    measured: tuple[Index, Mapping[str, tuple[Bools, Floats]]],
    member: Bools,
    normal: float,
) -> dict[str, Estimate]:
    """Everything that can be said of one group, with intervals `normal` standard deviations to either side."""
    rows, values = measured
    found: dict[str, Estimate | None] = {}
    for what, (counts, value) in values.items():
        here = member[rows] & counts
        if int(here.sum()) >= RATE_ROWS_LEAST:
            interval = _mean if what == "mean_error" else _share
            found[what] = interval(value[here], rows[here], outcome, normal)
    found["score"] = _score(outcome, folds, member, normal)
    return {what: estimate for what, estimate in found.items() if estimate is not None}


def _group(
    task: Task, name: str, rows: int, found: Mapping[str, Estimate | None]
) -> GroupRates | GroupErrors:
    if task.outputs < 2:
        return GroupErrors(name, rows, found.get("mean_error"), found.get("score"))
    return GroupRates(
        name, rows, found.get("selection_rate"), found.get("tpr"), found.get("fpr"), found.get("score")
    )


def _measured(
    outcome: Outcome, folds: Sequence[FoldResult], positive: int | None
) -> tuple[Index, dict[str, tuple[Bools, Floats]]]:
    """The tested rows, and per measure which of them count and their values, averaged over repeats."""
    told = [answers_given(outcome.task, fold.prediction) for fold in folds]
    if outcome.task.outputs < 2:
        errors = [some - outcome.target[fold.rows] for some, fold in zip(told, folds, strict=True)]
        rows, error = once_per_row(folds, errors)
        return rows, {"mean_error": (np.ones(len(rows), dtype=bool), error)}
    rows, chosen = once_per_row(folds, [some == positive for some in told])
    if positive is None:
        return rows, {}
    truly = outcome.target[rows] == positive
    measured = {"selection_rate": (np.ones(len(rows), dtype=bool), chosen)}
    if outcome.task.outputs == 2:
        measured |= {"tpr": (truly, chosen), "fpr": (~truly, chosen)}
    return rows, measured


def _share(values: Floats, rows: Index, outcome: Outcome, normal: float) -> Estimate | None:
    share = float(values.mean())
    return (share, *wilson(share, effective_rows(values, outcome.clusters[rows]), normal))


def _mean(values: Floats, rows: Index, outcome: Outcome, normal: float) -> Estimate | None:
    """A mean with a Student-t interval over clusters."""
    level = 2 * NormalDist().cdf(normal) - 1
    spread = spread_of([values], [rows], outcome.clusters, 0.0)
    low, high = spread.interval(level)
    return (spread.mean, low, high) if math.isfinite(low) and math.isfinite(high) else None


def _score(outcome: Outcome, folds: Sequence[FoldResult], member: Bools, normal: float) -> Estimate | None:
    """The deciding metric on one group's rows alone."""
    measure = outcome.task.measure
    tested, losses = [], []
    for repeat in sorted({fold.repeat for fold in folds}):
        # all of a repeat at once: a group may have one class only on a single fold
        mine = [fold for fold in folds if fold.repeat == repeat]
        rows = np.concatenate([fold.rows for fold in mine])
        here = member[rows]
        truth = outcome.target[rows[here]]
        if not here.any() or (measure.name == "auc" and len(np.unique(truth)) < 2):
            continue
        told = np.concatenate([fold.prediction for fold in mine])[here]
        tested.append(rows[here])
        losses.append(outcome.task.losses(truth, told))
    if not tested:
        return None
    every, place = np.unique(np.concatenate(tested), return_inverse=True)
    per_row = np.bincount(place, weights=np.concatenate(losses)) / np.bincount(place)
    if measure.name == "accuracy":
        found = _share(np.clip(per_row, 0.0, 1.0), every, outcome, normal)
    else:
        found = _mean(per_row, every, outcome, normal)
    if found is None:
        return None
    value, *ends = (measure.score(max(loss, 0.0)) for loss in found)
    low, high = sorted(ends)
    if measure.unit == "%":
        low, high = max(low, 0.0), min(high, 100.0)
    return value, low, high


def _widest(several: Sequence[Estimate]) -> Estimate:
    """The largest value less the smallest, with an interval made of theirs."""
    pairs = combinations(sorted(several, reverse=True), 2)
    (one, low_one, high_one), (two, low_two, high_two) = max(pairs, key=lambda pair: pair[0][0] - pair[1][0])
    difference = one - two
    low = difference - math.hypot(one - low_one, high_two - two)
    high = difference + math.hypot(high_one - one, two - low_two)
    return difference, low, high


def _note(task: Task, large: int, small: int, tested: int) -> str:
    told = []
    if not tested:
        return "Nothing was tested yet."
    if large < 2:
        told.append(
            f"{counted(large, 'group')} of at least {GROUP_ROWS_LEAST} tested rows: nothing can be compared."
        )
    if small:
        hidden = f", {small - NAMED_MOST:,} of them not named" if small > NAMED_MOST else ""
        told.append(
            f"Of {counted(small, 'group')} with fewer than {GROUP_ROWS_LEAST} tested rows nothing is claimed{hidden}."
        )
    if task.outputs > 2:
        told.append("Rates of true and false positives are for two classes.")
    if large > 2:
        told.append(
            f"Differences are between the two of {large} groups furthest apart; their intervals allow for that."
        )
    return " ".join(told)
