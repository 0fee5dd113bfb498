"""Which test rows stand for what a model gets right and wrong, and for where two models part."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
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
    """One row and why it was chosen.

    row: position in the run. against: the other competitor, of the last two whys. answer: code of the class answered,
    or the number. sure: the probability of that class; None of a number. is_drawn: its picture is kept with this pick;
    otherwise a competitor before has it.
    """

    row: int
    why: str
    against: str = ""
    answer: float = 0.0
    sure: float | None = None
    is_drawn: bool = True

    def to_json(self) -> dict[str, Any]:
        """As plain data."""
        return asdict(self)


@dataclass(frozen=True)
class Told:
    """A competitor's answers to some rows.

    answer: (rows,) codes of the classes answered, or numbers. right: (rows,) whether each counts as right. sure:
    (rows,) probability of what was answered; of numbers the error, below zero. weight: (rows,) probability of the
    truth, or likewise the error, to rank rows on which two part.
    """

    answer: Floats
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
            _pick(own, rows, place, why, "", task.outputs > 1)
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
                for name, why, rival in ((better, "alone_right", worse), (worse, "alone_wrong", better)):
                    picks[name].append(_pick(told[name], rows, place, why, rival, task.outputs > 1))
    return _drawn_once({name: _in_turn(found) for name, found in picks.items()})


def _pick(told: Told, rows: Places, place: int, why: str, against: str, is_class: bool) -> Pick:
    sure = float(told.sure[place]) if is_class else None
    return Pick(int(rows[place]), why, against, float(told.answer[place]), sure)


def _answer_codes(task: Task, prediction: Prediction) -> npt.NDArray[Any]:
    """(rows,) class codes or numbers that a user would be told."""
    return task.encode(task.answer(prediction)["prediction"])


def _all_told(task: Task, truth: npt.NDArray[Any], predictions: Mapping[str, Prediction]) -> dict[str, Told]:
    if task.outputs > 1:
        return {name: _told_classes(task, truth, found) for name, found in predictions.items()}
    off: dict[str, Floats] = {name: np.abs(found - truth) for name, found in predictions.items()}
    near = NEAR * float(np.median(np.concatenate(list(off.values()))))
    return {name: Told(predictions[name], far <= near, -far, -far) for name, far in off.items()}


def _told_classes(task: Task, truth: npt.NDArray[Any], prediction: Prediction) -> Told:
    codes = _answer_codes(task, prediction)
    every = np.arange(len(codes))
    sure, of_truth = prediction[every, codes], prediction[every, truth]
    return Told(codes.astype(np.float64), codes == truth, sure, of_truth)


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


def _drawn_once(picks: Mapping[str, list[Pick]]) -> dict[str, list[Pick]]:
    """A picture that several competitors show is kept by the first of them: it takes more room than all the rest."""
    drawn: set[int] = set()
    told: dict[str, list[Pick]] = {}
    for name, found in picks.items():
        told[name] = [replace(pick, is_drawn=pick.row not in drawn) for pick in found]
        drawn |= {pick.row for pick in found}
    return told


def _in_turn(picks: Sequence[Pick]) -> list[Pick]:
    """One of each reason, then the second of each: what time cuts off is the end of all."""
    groups: dict[tuple[str, str], list[Pick]] = {}
    for pick in picks:
        groups.setdefault((pick.why, pick.against), []).append(pick)
    longest = max(map(len, groups.values()), default=0)
    return [group[turn] for turn in range(longest) for group in groups.values() if turn < len(group)]
