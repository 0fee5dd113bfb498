"""Which test rows stand for what a model gets right and wrong, and for where two models part."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt

from fathometer.task import Prediction, Task

Floats = npt.NDArray[np.float64]
Places = npt.NDArray[np.intp]

SURE, UNSURE = 8, 4  # rows answered rightly, as many wrongly; and those that the model was least sure of
APART = 4  # rows for each side of a pair of competitors
QUARTERS = 4  # into which numbers are cut, so that examples are spread over small and large ones
NEAR = 0.5  # of the usual error: a number that close counts as right

WHYS = ("right", "wrong", "unsure", "alone_right", "alone_wrong")
"""Surest right (numbers: nearest), surest wrong (farthest), least sure; right where another is wrong, the reverse."""


@dataclass(frozen=True)
class Pick:
    """One row and why it was chosen. row: position in the run. against: the other competitor, of the last two whys."""

    row: int
    why: str
    against: str = ""

    def to_json(self) -> dict[str, Any]:
        """As plain data."""
        return asdict(self)


@dataclass(frozen=True)
class Told:
    """A competitor's answers to some rows.

    right: (rows,) whether each counts as right. sure: (rows,) probability of what was answered; of numbers the error,
    below zero. weight: (rows,) how far it is from a wrong answer, to rank rows on which two part.
    """

    right: npt.NDArray[np.bool_]
    sure: Floats
    weight: Floats


def chosen_rows(
    task: Task,
    target: npt.NDArray[Any],
    clusters: npt.NDArray[np.int64],
    rows: Places,
    predictions: Mapping[str, Prediction],
) -> dict[str, list[Pick]]:
    """Per competitor the rows to show, the same every time; copies of a row are shown once for each reason.

    Args:
        target, clusters: of all rows of the run. rows: positions of the test rows, which every competitor answered.
    """
    if not len(rows) or not predictions:
        return {name: [] for name in predictions}
    truth = target[rows]
    told = _all_told(task, truth, predictions)
    strata = _strata(task, truth)
    picks: dict[str, list[Pick]] = {}
    for name, own in told.items():
        picks[name] = [
            Pick(int(rows[place]), why)
            for why, ranked, most in _rankings(task, own)
            for place in _spread(ranked, strata, clusters[rows], most)
        ]
    most = APART if len(told) < 3 else APART // 2
    for one, other in combinations(told, 2):
        for better, worse in ((one, other), (other, one)):
            apart = told[better].right & ~told[worse].right
            by_weight = np.argsort(-(told[better].weight - told[worse].weight), kind="stable")
            ranked = by_weight[apart[by_weight]]
            for place in _spread(ranked, strata, clusters[rows], most):
                picks[better].append(Pick(int(rows[place]), "alone_right", worse))
                picks[worse].append(Pick(int(rows[place]), "alone_wrong", better))
    return {name: _in_turn(found) for name, found in picks.items()}


def answer_codes(task: Task, prediction: Prediction) -> npt.NDArray[Any]:
    """(rows,) class codes or numbers that a user would be told."""
    return task.encode(task.answer(prediction)["prediction"])


def _all_told(task: Task, truth: npt.NDArray[Any], predictions: Mapping[str, Prediction]) -> dict[str, Told]:
    if task.outputs > 1:
        return {name: _told_classes(task, truth, found) for name, found in predictions.items()}
    off = {name: np.abs(found - truth) for name, found in predictions.items()}
    near = NEAR * float(np.median(np.concatenate(list(off.values()))))
    return {name: Told(far <= near, -far, -far) for name, far in off.items()}


def _told_classes(task: Task, truth: npt.NDArray[Any], prediction: Prediction) -> Told:
    codes = answer_codes(task, prediction)
    every = np.arange(len(codes))
    sure, of_truth = prediction[every, codes], prediction[every, truth]
    return Told(codes == truth, sure, of_truth)


def _strata(task: Task, truth: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    """(rows,) true classes; of numbers the quarter."""
    if task.outputs > 1:
        return truth.astype(np.int64)
    edges = np.quantile(truth, np.linspace(0, 1, QUARTERS + 1)[1:-1])
    return np.searchsorted(edges, truth, side="right").astype(np.int64)


def _rankings(task: Task, told: Told) -> Iterator[tuple[str, Places, int]]:
    """(why, places from the best on, how many)."""
    surest = np.argsort(-told.sure, kind="stable")
    if task.outputs == 1:
        yield "right", surest[told.right[surest]], SURE
        yield "wrong", surest[::-1][~told.right[surest[::-1]]], SURE
        return
    yield "right", surest[told.right[surest]], SURE
    yield "wrong", surest[~told.right[surest]], SURE
    yield "unsure", np.argsort(told.sure, kind="stable"), UNSURE


def _spread(
    ranked: Places, strata: npt.NDArray[np.int64], clusters: npt.NDArray[np.int64], most: int
) -> list[int]:
    """The best of every stratum, then the second best of every one, ...; of each cluster one."""
    seen: set[int] = set()
    by_stratum: dict[int, list[int]] = {}
    for place in ranked.tolist():
        mine = by_stratum.setdefault(int(strata[place]), [])
        if len(mine) < most and int(clusters[place]) not in seen:
            seen.add(int(clusters[place]))
            mine.append(place)
    turns = [
        place
        for turn in range(most)
        for place in (mine[turn] for mine in by_stratum.values() if turn < len(mine))
    ]
    return turns[:most]


def _in_turn(picks: Sequence[Pick]) -> list[Pick]:
    """One of each reason, then the second of each: what time cuts off is the end of all."""
    groups: dict[tuple[str, str], list[Pick]] = {}
    for pick in picks:
        groups.setdefault((pick.why, pick.against), []).append(pick)
    longest = max(map(len, groups.values()), default=0)
    return [group[turn] for turn in range(longest) for group in groups.values() if turn < len(group)]
