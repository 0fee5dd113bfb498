"""A look at few rows, then all rows for the best: who of a fold's recipes goes on.

Every suited recipe is fitted on a small nested part of the fold's rows, for a few per cent of the time; the best of
them, and the presets that are strongest on most data unless they fell behind, go on to all rows. What a fit on all rows
will take is known before it is begun.

This is data allocation (Sabharwal, Samulowitz & Tesauro 2016, https://arxiv.org/abs/1601.00024) in one step, with a
prior. On 121 public sets of learning curves it found better learners, and for fewer fits, than halving in four steps
(docs/decisions/0017-a-look-first.md).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Protocol, TypeVar

from fathometer.data.thinning import RAW, place
from fathometer.study.ledger import Trial

BEHIND = 0.9  # of the best one's skill at the same size: with less, a recipe fell behind and goes no further
FIXED_SECONDS = 0.05  # of a trial, whatever its rows: no growth can be read from less
GROWTH_RANGE = (0.5, 2.2)  # powers of the rows with which time may be seen to grow


class Named(Protocol):
    """A trial or a candidate: what a learner makes or may make."""

    @property
    def learner(self) -> str: ...


T = TypeVar("T", bound=Named)


def judged_loss(trial: Trial) -> float | None:
    """The loss by which trials of one size of one fold are ranked, on rows that the fit has not seen if it can be.

    After a fit on fewer rows these are the fold's other validation rows; after one on all, its validation rows.
    """
    return trial.valid_loss if trial.screen_loss is None else trial.screen_loss


def ranked(trials: Iterable[Trial]) -> list[Trial]:
    """Finished trials of one size of one fold, the best first."""
    judged = [(loss, trial.key, trial) for trial in trials if (loss := judged_loss(trial)) is not None]
    return [trial for _, _, trial in sorted(judged, key=lambda one: one[:2])]


def standing(sizes: Iterable[Sequence[Trial]], naive: float | None) -> list[tuple[float, Trial]]:
    """Each recipe's skill at the largest size that it got to, against the best one's there, and its trial; best first.

    Skill is the part of the baseline's loss that a recipe takes away, so that one which was left at a small size can be
    compared with others that went on.

    Args:
        sizes: finished trials of a fold, the largest size first. naive: the baseline's loss; None: not known.
    """
    found: dict[str, tuple[float, Trial]] = {}
    for trials in sizes:
        ordered = ranked(trials)
        for trial in ordered:
            loss, best = judged_loss(trial), judged_loss(ordered[0])
            if trial.recipe not in found and loss is not None and best is not None:
                found[trial.recipe] = relative_skill(loss, best, naive), trial
    return sorted(found.values(), key=lambda one: (-one[0], one[1].key))


def relative_skill(loss: float, best: float, naive: float | None) -> float:
    """1 for the best, 0 for what is no better than the baseline; by the losses alone where the best is not either."""
    if naive is None or not best < naive:
        return best / loss if loss > 0 else 1.0
    return (naive - loss) / (naive - best)


def different(entrants: Iterable[T], count: int) -> list[T]:
    """The first few of them that are of different learners, for these differ more than settings do."""
    chosen: dict[str, T] = {}
    for entrant in entrants:
        if len(chosen) < count:
            chosen.setdefault(entrant.learner, entrant)
    return list(chosen.values())


def own_seconds(trial: Trial) -> float:
    """Processor seconds that the same recipe would take where the features are there already."""
    return max(trial.cpu_seconds - trial.shared_seconds, 0.0)


class Finished:
    """The finished trials of one family, looked up by recipe and place; each is entered once.

    keys: of all. folds: on which something was tried, of whatever size. spent: processor seconds. for_features: of
    these, on features that later trials find ready.
    """

    def __init__(self, family: str) -> None:
        self.family = family
        self.keys: set[str] = set()
        self.folds: set[str] = set()
        self.spent = 0.0
        self.for_features = 0.0
        self._seen = 0
        self._on: dict[str, list[Trial]] = {}
        self._of: dict[str, list[Trial]] = {}
        self._used: dict[str, float] = {}
        self._taken: dict[str, dict[int, float]] = {}

    def look(self, trials: Sequence[Trial]) -> None:
        """Enter what has come to this list since the last look."""
        for trial in trials[self._seen :]:
            if trial.family == self.family and trial.stage != "refit":
                self._enter(trial)
        self._seen = len(trials)

    def _enter(self, trial: Trial) -> None:
        fold, divisor = place(trial.fold)
        self.keys.add(trial.key)
        self.folds.add(fold)
        self.spent += trial.cpu_seconds
        self.for_features += trial.shared_seconds
        self._on.setdefault(trial.fold, []).append(trial)
        self._of.setdefault(trial.recipe, []).append(trial)
        self._used[fold] = self._used.get(fold, 0.0) + own_seconds(trial)
        if trial.status == "done" and not trial.fold.endswith(RAW):
            taken = self._taken.setdefault(trial.recipe, {})
            taken[divisor] = max(taken.get(divisor, 0.0), own_seconds(trial))

    def on(self, name: str) -> list[Trial]:
        """Those on one size of a fold."""
        return self._on.get(name, [])

    def of(self, recipe: str) -> list[Trial]:
        """Those of one recipe, on whatever fold and size."""
        return self._of.get(recipe, [])

    def used_on(self, fold: str) -> float:
        """Processor seconds of a fold's trials, of whatever size, without features that others find ready."""
        return self._used.get(fold, 0.0)

    def expected_seconds(self, recipe: str, divisor: int, growth: float) -> float | None:
        """What a recipe will take at a size, by what it took at this or smaller ones on any fold; None: not known.

        Times may be shared between folds: they say nothing of the rows that judge.

        Args:
            growth: power of the rows with which its time grows, until two sizes have shown it.
        """
        taken = self._taken.get(recipe, {})
        if divisor in taken:
            return taken[divisor]
        smaller = sorted(size for size in taken if size > divisor)
        if not smaller:
            return None
        near = smaller[0]
        if len(smaller) > 1:
            far = smaller[1]
            learned = [max(taken[size] - FIXED_SECONDS, FIXED_SECONDS) for size in (near, far)]
            growth = math.log(learned[0] / learned[1]) / math.log(far / near)
            growth = min(max(growth, GROWTH_RANGE[0]), GROWTH_RANGE[1])
        return FIXED_SECONDS + max(taken[near] - FIXED_SECONDS, 0.0) * float((near / divisor) ** growth)
