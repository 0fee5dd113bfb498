"""How much work it was: what people chose, what was chosen automatically, and how soon trials paid."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, fields
from typing import Any

import numpy as np

from fathometer.data.metrics import METRICS
from fathometer.data.sentences import counted
from fathometer.data.thinning import is_whole
from fathometer.study.ledger import Trial
from fathometer.study.outcome import Outcome
from fathometer.study.request import Request
from fathometer.verdict.wording import judged

POINTS_MOST = 60
NEAR_BEST = 0.01  # of the best loss
TRIALS_LEAST = 3  # on a fold; among fewer the best is too easily near
SEARCHED_LEAST = 5  # random settings, below which their spread says nothing
ASIDE = {"curve", "ablation", "refit", "pretraining"}  # stages that look for no better model
SPELLED = {"kinds": "kind", "learners": "learner"}
"""Options that are not called as the request's field is."""


@dataclass(frozen=True)
class FamilyEffort:
    """One family's trials, but those on fewer rows and those without engineering.

    recipes: different learners and settings. curve: expected best loss of 1, 2, 3 ... trials in random order, at most
    sixty, on validation rows (log-loss, or the deciding metric of numbers), mean over the folds of the first pass.
    trials_to_one_percent: how many until that is within 1 % of the best. spread: of the losses of searched random
    settings the middle half's width, in % of their fold's best. None, and an empty curve, where too little was tried.
    """

    trials: int
    recipes: int
    trials_to_one_percent: int | None
    curve: tuple[float, ...]
    spread: float | None


@dataclass(frozen=True)
class Effort:
    """by_hand: as options of the command line. automatic: sentences."""

    by_hand: tuple[str, ...]
    automatic: tuple[str, ...]
    families: Mapping[str, FamilyEffort]


def effort(outcome: Outcome) -> Effort:
    """What people did, what the program did, and what trials were for."""
    asked = dict(outcome.run.get("request", {}))
    mine = {
        family: [
            t for t in outcome.trials if t.family == family and t.stage not in ASIDE and is_whole(t.fold)
        ]
        for family in outcome.families
    }
    families = {family: _family(outcome, trials) for family, trials in mine.items()}
    return Effort(by_hand(asked), _automatic(outcome, asked, families), families)


def by_hand(asked: Mapping[str, Any]) -> tuple[str, ...]:
    """What a request asks for beyond the target, each as one option of the command line, quoted for a shell."""
    told = []
    for field in fields(Request):
        value = asked.get(field.name)
        default = None if field.default is MISSING else field.default
        if field.name == "target" or value in (None, default) or value == [] or value == () or value == {}:
            continue
        option = f"--{SPELLED.get(field.name, field.name).replace('_', '-')}"
        if isinstance(value, Mapping):
            words = [f"{key}={item}" for key, item in value.items()]
        elif isinstance(value, list | tuple):
            words = [str(item) for item in value]
        else:
            words = [f"{value:g}" if isinstance(value, float) else str(value)]
        told += [f"{option} {shlex.quote(word)}" for word in words]
    return tuple(told)


def expected_best(losses: Sequence[float]) -> list[float]:
    """Expected lowest of k losses drawn without replacement, k = 1 ... all.

    With losses sorted upwards, the i-th (from 0) is the lowest of k with probability C(n - 1 - i, k - 1) / C(n, k):
    it is in, and the others are from behind it. These probabilities follow from each other, so no large numbers
    are formed.
    """
    ordered = sorted(losses)
    count = len(ordered)
    expected = []
    for k in range(1, count + 1):
        probability, total = k / count, 0.0
        for place, loss in enumerate(ordered[: count - k + 1]):
            total += probability * loss
            behind = count - 1 - place
            probability *= (behind - k + 1) / behind if behind else 0.0
        expected.append(total)
    return expected


def _family(outcome: Outcome, trials: Sequence[Trial]) -> FamilyEffort:
    curve = _curve(_losses(outcome, trials))
    if len(curve) < TRIALS_LEAST:
        curve = []
    enough = curve[-1] + NEAR_BEST * abs(curve[-1]) if curve else 0.0
    near = next((k for k, loss in enumerate(curve, 1) if loss <= enough), None)
    return FamilyEffort(
        trials=len(trials),
        recipes=len({trial.recipe for trial in trials}),
        trials_to_one_percent=near,
        curve=tuple(curve[:POINTS_MOST]),
        spread=_spread(outcome, trials),
    )


def _losses(outcome: Outcome, trials: Sequence[Trial]) -> list[list[float]]:
    """Validation losses of the folds of the first pass that both families have finished, in units people read."""
    folds = [fold.fold for fold in next(iter(outcome.results.values()), ()) if fold.repeat == 0]
    measure = METRICS[outcome.task.fitting_metric]
    losses = [
        [measure.score(t.valid_loss) for t in trials if t.fold == fold and t.valid_loss is not None]
        for fold in folds
    ]
    return [several for several in losses if several]


def _curve(losses: Sequence[Sequence[float]]) -> list[float]:
    """Mean of the folds' expected bests; a fold with fewer trials than others stays at its best."""
    longest = max(map(len, losses), default=0)
    curves = [expected_best(several) for several in losses]
    padded = [curve + [curve[-1]] * (longest - len(curve)) for curve in curves]
    return [float(value) for value in np.mean(padded, axis=0)] if padded else []


def _spread(outcome: Outcome, trials: Sequence[Trial]) -> float | None:
    measure = METRICS[outcome.task.fitting_metric]
    best: dict[str, float] = {}
    for trial in trials:
        if trial.valid_loss is not None:
            best[trial.fold] = min(trial.valid_loss, best.get(trial.fold, np.inf))
    searched = [t for t in trials if t.stage == "search" and t.valid_loss is not None]
    over = [
        100 * (measure.score(float(t.valid_loss or 0.0)) / max(measure.score(best[t.fold]), 1e-12) - 1)
        for t in searched
    ]
    if len(over) < SEARCHED_LEAST:
        return None
    low, high = np.quantile(over, [0.25, 0.75])
    return float(high - low)


def _automatic(
    outcome: Outcome, asked: Mapping[str, Any], families: Mapping[str, FamilyEffort]
) -> tuple[str, ...]:
    run, task = outcome.run, outcome.task
    told = []
    columns = run.get("schema", {}).get("columns", [])
    guessed = sum(bool(column.get("guessed")) for column in columns)
    if guessed:
        told.append(f"The {_of('kind', guessed, 'column')} found out from the cells.")
    dropped = sum(item.get("reason") != "asked" for item in run.get("left_out", []))
    if dropped:
        told.append(f"{counted(dropped, 'column')} {_were(dropped)} left out, and it is said why.")
    if not asked.get("task"):
        told.append(f"The task was found out from the target: {task.name}.")
    if not asked.get("metric"):
        told.append(f"The metric was chosen: {task.measure.title}.")
    if asked.get("margin") is None:
        told.append(f"The smallest difference that matters was set: {task.margin:g} {task.measure.gap_unit}.")
    told.append(f"Rows to learn from, to choose by and to judge were set apart: {judged(outcome)}.")
    recipes = sum(family.recipes for family in families.values())
    trials = sum(family.trials for family in families.values())
    if trials:
        tried = f"{counted(recipes, 'recipe')} (a learner with settings) {_were(recipes)} tried"
        told.append(
            f"{tried} in {counted(trials, 'trial')}; the best were chosen, and mixed, on other rows than judge."
        )
    return tuple(told)


def _of(noun: str, count: int, of: str) -> str:
    return f"{noun} of 1 {of} was" if count == 1 else f"{noun}s of {counted(count, of)} were"


def _were(count: int) -> str:
    return "was" if count == 1 else "were"
