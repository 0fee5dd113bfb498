"""Do answers differ between groups of people? Rates per group, with intervals, and the widest differences.

Of two classes one is the favourable answer (a loan, an alarm). Per group: how often it is given (selection rate), how
often to rows that are truly so (true positive rate), and how often to rows that are not (false positive rate).

What is assumed: every tested row counts once, with its answers on several repeats averaged. Rows of one cluster
(duplicates, a group named by the user) vary together, as far as the rows show it; different clusters are independent,
and so are different groups. An interval speaks of new rows of the same kind answered by these models, not of models
trained anew. That of a difference holds for the widest of all pairs of groups at once (Bonferroni), for the pair was
picked because it is wide.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from fathometer.data.sentences import counted
from fathometer.study.outcome import Outcome
from fathometer.study.record import FoldResult
from fathometer.task import Task
from fathometer.tasks.classification import Classification
from fathometer.verdict.answers import Floats, Index, answers_given, averaged, once_per_row
from fathometer.verdict.posterior import spread_of
from fathometer.verdict.rates import Estimate, difference, rate

MISSING = "(missing)"
GROUP_ROWS_LEAST = 50  # tested rows, for any claim about a group
RATE_ROWS_LEAST = 10  # of a group's rows that a rate is a share of
NAMED_MOST = 50  # groups too small that are named
LEVEL = 0.95

Bools = npt.NDArray[np.bool_]
Sample = tuple[Floats, Index]
"""What was measured on some rows, once per row, and their positions."""


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
    answers = _answers(outcome, folds, positive)
    passes = _passes(folds)
    tested = _tested(folds)
    groups: list[GroupRates | GroupErrors] = []
    widened: dict[str, list[Estimate]] = {}
    for name, member in members.items():
        samples = {
            what: (values[member[rows]], rows[member[rows]]) for what, (values, rows) in answers.items()
        }
        samples["score"] = _losses(outcome, passes, member)
        found = _estimates(outcome, samples, plain)
        groups.append(_group(outcome.task, name, int(member[tested].sum()), found))
        for what, estimate in _estimates(outcome, samples, wider).items():
            widened.setdefault(what, []).append(estimate)
    differences = {
        what: difference(max(several), min(several)) for what, several in widened.items() if len(several) > 1
    }
    return Comparison(tuple(groups), differences)


def _tested(folds: Sequence[FoldResult]) -> Index:
    rows: Index = np.unique(np.concatenate([np.zeros(0, dtype=np.intp), *(fold.rows for fold in folds)]))
    return rows


def _group(task: Task, name: str, rows: int, found: Mapping[str, Estimate]) -> GroupRates | GroupErrors:
    if task.outputs < 2:
        return GroupErrors(name, rows, found.get("mean_error"), found.get("score"))
    return GroupRates(
        name, rows, found.get("selection_rate"), found.get("tpr"), found.get("fpr"), found.get("score")
    )


def _answers(outcome: Outcome, folds: Sequence[FoldResult], positive: int | None) -> dict[str, Sample]:
    """What each tested row was answered: whether favourably, by what is true of it, or how far off."""
    told = [answers_given(outcome.task, fold.prediction) for fold in folds]
    if outcome.task.outputs < 2:
        errors = [some - outcome.target[fold.rows] for some, fold in zip(told, folds, strict=True)]
        rows, error = once_per_row(folds, errors)
        return {"mean_error": (error, rows)}
    if positive is None:
        return {}
    rows, chosen = once_per_row(folds, [some == positive for some in told])
    if outcome.task.outputs > 2:
        return {"selection_rate": (chosen, rows)}
    truly = outcome.target[rows] == positive
    return {
        "selection_rate": (chosen, rows),
        "tpr": (chosen[truly], rows[truly]),
        "fpr": (chosen[~truly], rows[~truly]),
    }


def _passes(folds: Sequence[FoldResult]) -> list[tuple[Index, Floats]]:
    """Rows and predictions of every repeat, its folds together: on one alone a group may have a single class."""
    passes = []
    for repeat in sorted({fold.repeat for fold in folds}):
        mine = [fold for fold in folds if fold.repeat == repeat]
        rows: Index = np.concatenate([fold.rows for fold in mine])
        passes.append((rows, np.concatenate([fold.prediction for fold in mine])))
    return passes


def _losses(outcome: Outcome, passes: Sequence[tuple[Index, Floats]], member: Bools) -> Sample:
    """Losses on the deciding metric of one group's tested rows, as if there were no others."""
    rows: list[Index] = [np.zeros(0, dtype=np.intp)]
    losses: list[Floats] = [np.zeros(0)]
    for tested, prediction in passes:
        here = member[tested]
        truth = outcome.target[tested[here]]
        if len(truth) and (outcome.task.metric != "auc" or len(np.unique(truth)) > 1):
            rows.append(tested[here])
            losses.append(outcome.task.losses(truth, prediction[here]))
    every, mean = averaged(np.concatenate(rows), np.concatenate(losses))
    return mean, every


def _estimates(outcome: Outcome, samples: Mapping[str, Sample], normal: float) -> dict[str, Estimate]:
    """Everything that can be said of one group, with intervals `normal` standard deviations to either side."""
    found = {
        what: _estimate(outcome, what, values, rows, normal)
        for what, (values, rows) in samples.items()
        if len(rows) >= RATE_ROWS_LEAST
    }
    return {what: estimate for what, estimate in found.items() if estimate is not None}


def _estimate(outcome: Outcome, what: str, values: Floats, rows: Index, normal: float) -> Estimate | None:
    measure, clusters = outcome.task.measure, outcome.clusters
    if what == "mean_error":
        return _mean(values, rows, clusters, normal)
    if what != "score":
        return rate(values, clusters[rows], normal)
    if measure.name == "accuracy":
        found: Estimate | None = rate(values, clusters[rows], normal)
    else:
        found = _mean(values, rows, clusters, normal)
    if found is None:
        return None
    value, *ends = (measure.score(max(loss, 0.0)) for loss in found)
    low, high = sorted(ends)
    if measure.unit == "%":
        low, high = max(low, 0.0), min(high, 100.0)
    return value, low, high


def _mean(values: Floats, rows: Index, clusters: npt.NDArray[np.int64], normal: float) -> Estimate | None:
    """A mean with a Student-t interval over clusters; None where it has no finite one."""
    spread = spread_of([values], [rows], clusters, 0.0)
    ends = spread.interval(2 * NormalDist().cdf(normal) - 1)
    return (spread.mean, *ends) if all(map(math.isfinite, (spread.mean, *ends))) else None


def _note(task: Task, large: int, small: int, tested: int) -> str:
    told = []
    if not tested:
        return "Nothing was tested yet."
    if large < 2:
        only = "Only one group has" if large else "No group has"
        told.append(f"{only} at least {GROUP_ROWS_LEAST} tested rows, so nothing can be compared.")
    if small > NAMED_MOST:
        told.append(f"{counted(small, 'group')} have fewer; {NAMED_MOST} of them are named.")
    if task.outputs > 2:
        told.append("Rates of true and false positives are for two classes.")
    if large > 2:
        told.append(
            f"Differences are between the two of {large} groups furthest apart; their intervals allow for that."
        )
    return " ".join(told)
