"""Which mistakes are made, and whether both families make the same ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fathometer.study.outcome import Outcome
from fathometer.study.record import FoldResult
from fathometer.tasks.classification import Classification
from fathometer.verdict.answers import Floats, answers_given, first_tests, once_per_row

LABELS_MOST = 12
OTHER = "(other)"
RESIDUAL_BINS = 10
RESIDUAL_BIN_ROWS_LEAST = 10
LOW, HIGH = 0.10, 0.90  # of the residuals in a bin: four in five are between
HISTOGRAM_STEPS = 21  # odd, so that one step is around no error
HISTOGRAM_REACH = 0.99  # of the residuals are on steps of one width; the outermost hold the rest
NEAR = 0.5  # of the usual error: a number that close counts as right


@dataclass(frozen=True)
class Confusion:
    """How often each class (row) was answered as each (column); every tested row once, as first tested.

    labels: in the order of the classes; of more than twelve the commonest, the rest joined as the last.
    """

    labels: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class ResidualBin:
    """Rows given about the same answer: its mean, and truth minus answer there.

    Of that one in ten is below low, half are below the median, and one in ten is above high.
    """

    predicted: float
    low: float
    median: float
    high: float
    rows: int


@dataclass(frozen=True)
class Residuals:
    """Truth minus answer, in the target's unit; every tested row once, as first tested.

    histogram: steps {"from", "to", "rows"} of one width around 0, but the outermost reach to the extremes.
    r2: share of the truth's variance that is explained; None where the truth does not vary.
    """

    bins: tuple[ResidualBin, ...]
    histogram: tuple[Mapping[str, float], ...]
    r2: float | None


@dataclass(frozen=True)
class Agreement:
    """Shares of the tested rows on which both families are right, only one is, or none; they sum to one."""

    both_right: float
    only_classical: float
    only_deep: float
    both_wrong: float


@dataclass(frozen=True)
class Mistakes:
    """Every competitor's mistakes; agreement: None where nothing was tested."""

    competitors: Mapping[str, Confusion | Residuals]
    agreement: Agreement | None


def mistakes(outcome: Outcome) -> Mistakes:
    """What the competitors get wrong on the test rows."""
    if not outcome.folds:
        return Mistakes({}, None)
    competitors: dict[str, Confusion | Residuals] = {}
    for name, folds in outcome.results.items():
        told = [answers_given(outcome.task, fold.prediction) for fold in folds]
        fresh = first_tests(folds)
        rows = np.concatenate([fold.rows[keep] for fold, keep in zip(folds, fresh, strict=True)])
        answers = np.concatenate([some[keep] for some, keep in zip(told, fresh, strict=True)])
        truth = outcome.target[rows]
        if isinstance(outcome.task, Classification):
            competitors[name] = confusion(outcome.task.labels, truth.astype(np.int64), answers)
        else:
            competitors[name] = residuals(truth.astype(np.float64), answers)
    return Mistakes(competitors, _agreement(outcome))


def confusion(
    labels: Sequence[str], target: npt.NDArray[np.int64], answers: npt.NDArray[np.int64]
) -> Confusion:
    """The table of classes against answers, both as (rows,) codes of these labels."""
    kept = np.arange(len(labels))
    if len(labels) > LABELS_MOST:
        common = np.argsort(-np.bincount(target, minlength=len(labels)), kind="stable")
        kept = np.sort(common[: LABELS_MOST - 1])
    names = tuple(labels[code] for code in kept.tolist()) + ((OTHER,) if len(kept) < len(labels) else ())
    place = np.full(len(labels), len(kept))
    place[kept] = np.arange(len(kept))
    size = len(names)
    counts = np.bincount(place[target] * size + place[answers], minlength=size * size).reshape(size, size)
    return Confusion(names, tuple(tuple(int(count) for count in row) for row in counts))


def residuals(target: Floats, answers: Floats) -> Residuals:
    """Truth minus answer of (rows,) numbers."""
    left = target - answers
    around = float(((target - target.mean()) ** 2).sum())
    r2 = 1 - float((left**2).sum()) / around if around > 0 else None
    return Residuals(_residual_bins(answers, left), _histogram(left), r2)


def _residual_bins(answers: Floats, left: Floats) -> tuple[ResidualBin, ...]:
    """Bins of equal mass by rising answer; equal answers are never cut apart."""
    count = max(1, min(RESIDUAL_BINS, len(answers) // RESIDUAL_BIN_ROWS_LEAST))
    places = np.arange(1, count) * len(answers) // count - 1
    edges = np.unique(np.sort(answers)[places])
    member = np.searchsorted(edges, answers, side="left")
    bins = []
    for number in np.unique(member):
        here = member == number
        low, median, high = (float(value) for value in np.quantile(left[here], [LOW, 0.5, HIGH]))
        bins.append(ResidualBin(float(answers[here].mean()), low, median, high, int(here.sum())))
    return tuple(bins)


def _histogram(left: Floats) -> tuple[Mapping[str, float], ...]:
    reach = float(np.quantile(np.abs(left), HISTOGRAM_REACH)) or float(np.abs(left).max())
    if reach == 0:
        return ({"from": 0.0, "to": 0.0, "rows": len(left)},)
    edges = np.linspace(-reach, reach, HISTOGRAM_STEPS + 1)
    step = np.clip(np.searchsorted(edges, left, side="right") - 1, 0, HISTOGRAM_STEPS - 1)
    rows = np.bincount(step, minlength=HISTOGRAM_STEPS)
    edges[0], edges[-1] = min(edges[0], left.min()), max(edges[-1], left.max())
    return tuple(
        {"from": float(edges[k]), "to": float(edges[k + 1]), "rows": int(rows[k])}
        for k in range(HISTOGRAM_STEPS)
    )


def _agreement(outcome: Outcome) -> Agreement:
    """Shares of rows; one tested on several repeats counts once, in parts."""
    classical, deep = outcome.results["classical"], outcome.results["deep"]
    ones, others = _right(outcome, classical, deep)
    kinds = {
        "both_right": [a & b for a, b in zip(ones, others, strict=True)],
        "only_classical": [a & ~b for a, b in zip(ones, others, strict=True)],
        "only_deep": [~a & b for a, b in zip(ones, others, strict=True)],
        "both_wrong": [~a & ~b for a, b in zip(ones, others, strict=True)],
    }
    return Agreement(
        **{name: float(once_per_row(classical, parts)[1].mean()) for name, parts in kinds.items()}
    )


def _right(
    outcome: Outcome, classical: Sequence[FoldResult], deep: Sequence[FoldResult]
) -> tuple[list[npt.NDArray[np.bool_]], list[npt.NDArray[np.bool_]]]:
    """Per fold, which rows each family answers rightly.

    A number is right when it is off by at most half the usual error: the median of how far both families are off.
    """
    sides = []
    for folds in (classical, deep):
        truths = [outcome.target[fold.rows] for fold in folds]
        told = [answers_given(outcome.task, fold.prediction) for fold in folds]
        sides.append([np.abs(truth - some) for truth, some in zip(truths, told, strict=True)])
    if outcome.task.outputs > 1:
        near = 0.0
    else:
        near = NEAR * float(np.median(np.concatenate([off for side in sides for off in side])))
    ones, others = ([off <= near for off in side] for side in sides)
    return ones, others
