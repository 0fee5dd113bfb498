"""The price of simplicity: what is lost by taking one model that can be read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace

import numpy as np

from fathometer.study.ledger import Trial
from fathometer.study.outcome import Outcome
from fathometer.study.record import FoldResult
from fathometer.task import Prediction
from fathometer.verdict.compare import contrast, score

NAME = "transparent"
RIVALS = ("classical", "deep", "together", "pretrained")


@dataclass(frozen=True)
class Simplicity:
    """The best single transparent model, chosen in every fold by its validation rows, and judged on its test rows.

    title: of the recipe chosen most often. price: gap to the best competitor, above 0 where that one is better.
    columns: inputs it may use. Intervals are of 95 %.
    """

    title: str
    score: float
    low: float
    high: float
    price: float
    price_low: float
    price_high: float
    columns: int


def simplicity(
    outcome: Outcome,
    transparent: Collection[str],
    predictions: Callable[[Trial], dict[str, Prediction]],
) -> Simplicity | None:
    """What the best transparent model costs in score; None where none was finished, or nothing was tested.

    The rival is the competitor with the best mean score, so the price is rather too high than too low.

    Args:
        transparent: names of learners. predictions: a finished trial's "valid" and "test" predictions.
    """
    chosen = {fold: trial for fold in _common_folds(outcome) if (trial := _best(outcome, fold, transparent))}
    if not chosen:
        return None
    shared = {
        name: tuple(fold for fold in folds if fold.fold in chosen) for name, folds in outcome.results.items()
    }
    simple = tuple(
        _result(outcome, fold, chosen[fold.fold], predictions(chosen[fold.fold])["test"])
        for fold in next(iter(shared.values()))
    )
    both = replace(outcome, results={**shared, NAME: simple})
    rivals = [name for name in RIVALS if name in shared]
    rival = min(rivals, key=lambda name: float(np.mean([fold.losses.mean() for fold in shared[name]])))
    found, gap = score(both, NAME), contrast(both, NAME, rival)
    titles = Counter(trial.title for trial in chosen.values())
    # the very answers of the rival: the simple model is all that it consists of
    is_rival = all(
        np.array_equal(own.prediction, other.prediction)
        for own, other in zip(simple, shared[rival], strict=True)
    )
    return Simplicity(
        title=min(titles, key=lambda title: (-titles[title], title)),
        score=found.score,
        low=found.low,
        high=found.high,
        price=gap.gap,
        price_low=0.0 if is_rival else gap.low,
        price_high=0.0 if is_rival else gap.high,
        columns=int(outcome.run["data"]["columns"]),
    )


def _common_folds(outcome: Outcome) -> list[str]:
    """The folds that every competitor has."""
    names = [{fold.fold for fold in folds} for folds in outcome.results.values()]
    first = next(iter(outcome.results.values()), ())
    return [fold.fold for fold in first if all(fold.fold in one for one in names)]


def _best(outcome: Outcome, fold: str, transparent: Collection[str]) -> Trial | None:
    """The fold's best transparent trial by its validation rows; the first of equals."""
    mine = [
        (trial.valid_loss, place, trial)
        for place, trial in enumerate(outcome.trials)
        if trial.fold == fold
        and trial.status == "done"
        and trial.learner in transparent
        and trial.valid_loss is not None
    ]
    return min(mine, key=lambda found: found[:2])[2] if mine else None


def _result(outcome: Outcome, fold: FoldResult, trial: Trial, prediction: Prediction) -> FoldResult:
    losses = outcome.task.losses(outcome.target[fold.rows], prediction)
    return replace(
        fold,
        prediction=prediction,
        losses=losses,
        valid_loss=float(trial.valid_loss or 0.0),
        members=((trial.key, 1.0),),
    )
