"""How far each family's best learners came: which the clock ended, and what they were still gaining.

A learner is cut off where the clock stopped it, or where it planned fewer epochs than it wanted because time was short:
networks fit their schedule to the time they have, and so end by themselves far from their end. What it was still
gaining is read from its epoch curve: by what share the last doubling of its steps lowered its validation loss.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fathometer.study.budget import FAMILIES, TRAINING_ENDS, share_of_each
from fathometer.study.ledger import Trial
from fathometer.study.outcome import Outcome
from fathometer.study.record import FoldResult

NEARLY_ALL = 0.8  # of the time for training, or of a family's share: then time is what ended it
PLANNED_LEAST = 0.9  # of the epochs wanted: a network that planned so many had all the time it asked for
STEADY = 0.005  # of the loss: what gained less by the last doubling of its steps had come to its end
# Chosen, with those of minutes.py, on the development tables named in docs/decisions/0016-minutes-as-an-axis.md.
GAIN_MOST = 0.5  # of the loss: a curve that has only begun falls steeply, and says little of where it ends
FADING = 0.75  # what a further doubling brings, of what the one before brought
ANNEALED = (
    0.55  # of a network's gain: part of it is the end of its schedule, which every length of training has
)
POINTS = 3.0  # of an epoch curve, after which two thirds of what is believed come from it
USUAL, USUAL_DOUBT = 0.06, 0.3  # gain of a doubling, and its deviation, of a learner that has only begun
AGREED = 0.1  # share of the loss: learners nearer to each other have found what the data hold
AGREED_LEAST = 3  # different ones, of both families
SPREAD_LEAST = 0.1  # however well they agree, another may find more
DOUBTED = 0.6  # standard deviation of what an epoch curve promises, as a share of it


@dataclass(frozen=True)
class CutOff:
    """A learner that the clock ended while it was still gaining; means over the folds on which it was.

    weight: of its family's model. done: the share of its steps, of those it wanted; None where it names no number.
    gain: the share of its validation loss that a doubling of its steps would take away, by its epoch curve. near: its
    validation loss, in times that of its family's model.
    """

    title: str
    weight: float
    done: float | None
    gain: float
    near: float


@dataclass(frozen=True)
class Rest:
    """What one fit on one fold had before it.

    gain, doubt: the share of its loss that a doubling of its steps would take away now, and its standard deviation.
    doublings: of its steps, that it still wanted.
    """

    title: str
    weight: float
    near: float
    gain: float
    doubt: float
    doublings: float

    def faded(self, doublings: float, luck: float = 0.0) -> float:
        """The share of its loss that so many doublings of its time would take away; `luck` in standard deviations."""
        steps = min(doublings, self.doublings)
        one = min(max(self.gain + luck * self.doubt, 0.0), GAIN_MOST)
        kept = math.log1p(-one) * (1 - FADING**steps) / (1 - FADING)
        return 1 - math.exp(FADING * kept)


@dataclass(frozen=True)
class Reach:
    """How far a family came.

    cut_off: the share of its model's weight in learners that were ended while still gaining. learners: those that were,
    with weight or without it. not_reached: learners that suit the data and were not finished on every fold.
    is_over: the run ended with time left, so that there was nothing left to try. folds: the unfinished fits of each.
    spread: how far learners are apart, in the mean over the folds (see `apart`).
    """

    cut_off: float
    learners: tuple[CutOff, ...]
    not_reached: int
    is_over: bool
    folds: tuple[tuple[Rest, ...], ...] = ()
    spread: float = 1.0

    def gain(self, factor: float, luck: float = 0.0) -> float:
        """The share of its loss that the family's cut off learners would take away with `factor` times the time.

        On each fold the better of two: what its model would gain with the learners it has, and the best of those that
        were cut off alone, for a network without weight may become the best.
        """
        doublings = math.log2(factor)
        gains = [_gain(rests, doublings, luck) for rests in self.folds]
        return float(np.mean(gains)) if gains else 0.0


def reach(outcome: Outcome, family: str) -> Reach:
    """How far a family came, on the folds that count."""
    results = outcome.results.get(family, ())
    judged = [t for t in outcome.trials if t.family in FAMILIES and t.valid_loss is not None]
    mine = [t for t in judged if t.family == family]
    spreads = [apart([t for t in judged if t.fold == fold.fold]) for fold in results]
    folds = tuple(
        _rests(fold, [t for t in mine if t.fold == fold.fold], spread)
        for fold, spread in zip(results, spreads, strict=True)
    )
    learners = _learners(mine, folds)
    return Reach(
        cut_off=min(1.0, sum(one.weight for one in learners)),
        learners=learners,
        not_reached=_not_reached(outcome, family),
        is_over=_is_over(outcome, family),
        folds=folds,
        spread=float(np.mean(spreads)) if spreads else 1.0,
    )


def last_gain(curve: Sequence[tuple[int, float]]) -> float:
    """By what share the second half of an epoch curve's steps lowered the lowest loss, in shares of it.

    A half is a doubling; the first point is the loss before anything was learned, and does not count.
    """
    points = list(curve[1:])
    if len(points) < 2:
        return 0.0
    half = points[-1][0] / 2
    before = [loss for step, loss in points if step <= half] or [points[0][1]]
    now = min(loss for _, loss in points)
    return max(0.0, 1 - now / min(before)) if min(before) > 0 else 0.0


def apart(trials: Sequence[Trial]) -> float:
    """How far the three best learners on a fold are apart, from 0, where they agree, to 1.

    Learners of different kinds that come to the same loss have found what the data hold, and one that has only begun
    will hardly find much more.
    """
    best = sorted(_best_of_each(trials).values(), key=lambda trial: trial.valid_loss or 0.0)
    if len(best) < AGREED_LEAST:
        return 1.0
    first, last = (float(best[place].valid_loss or 0.0) for place in (0, AGREED_LEAST - 1))
    return min(1.0, (last / first - 1) / AGREED) if first > 0 else 1.0


def _best_of_each(trials: Sequence[Trial]) -> dict[str, Trial]:
    """Each learner's fit with the lowest loss on the validation rows."""
    best: dict[str, Trial] = {}
    for trial in trials:
        held = best.get(trial.learner)
        if held is None or (trial.valid_loss or 0.0, trial.key) < (held.valid_loss or 0.0, held.key):
            best[trial.learner] = trial
    return best


def _rests(fold: FoldResult, trials: Sequence[Trial], spread: float) -> tuple[Rest, ...]:
    """What the members of a fold's model, and each learner's best fit, had before them.

    A fit that is worse than another of the same learner promises nothing that the other does not.
    """
    weights, level = dict(fold.members), max(fold.valid_loss, 1e-12)
    best = {trial.key for trial in _best_of_each(trials).values()}
    found = []
    for trial in trials:
        if trial.key not in best and trial.key not in weights:
            continue
        doublings, (gain, doubt) = doublings_left(trial), next_gain(trial, spread)
        if doublings > 0 and gain >= STEADY:
            near = float(trial.valid_loss or 0.0) / level
            found.append(Rest(trial.title, weights.get(trial.key, 0.0), near, gain, doubt, doublings))
    return tuple(found)


def next_gain(trial: Trial, spread: float = 1.0) -> tuple[float, float]:
    """The share of its loss that a doubling of its steps would take away, and the standard deviation of that.

    A curve of few points has not shown what it will do: the fewer, the more is taken from what is usual, which is less
    where learners agree (`spread`: see `apart`).
    """
    known = 1 - math.exp(-max(len(trial.curve) - 1, 0) / POINTS)
    seen = last_gain(trial.curve) * (ANNEALED if "steps" in trial.decided else 1.0)
    usual = (1 - known) * max(spread, SPREAD_LEAST)
    return known * seen + usual * USUAL, math.hypot(known * DOUBTED * seen, usual * USUAL_DOUBT)


def doublings_left(trial: Trial) -> float:
    """How often its steps would have to be doubled until it had all it wanted; 0 where it ended by itself."""
    done = share_done(trial)
    if done is not None:
        return 0.0 if done >= PLANNED_LEAST else -math.log2(max(done, 1e-3))
    return math.inf if "stopped_at" in trial.decided else 0.0


def share_done(trial: Trial) -> float | None:
    """The steps a network took, of those it wanted; 1 where it ended for want of gain, None where it names none."""
    told = trial.decided
    if not {"steps", "epochs_wanted", "steps_an_epoch"} <= set(told):
        return None
    steps, per_epoch = float(told["steps"]), max(float(told["steps_an_epoch"]), 1.0)
    if "stopped_at" in told:
        steps = min(steps, float(told["stopped_at"]))
    elif trial.curve and trial.curve[-1][0] < math.ceil(steps / per_epoch):
        return 1.0  # nothing was better for long: it ended before its plan
    return steps / max(float(told["epochs_wanted"]) * per_epoch, 1.0)


def _gain(rests: Sequence[Rest], doublings: float, luck: float) -> float:
    if not rests:
        return 0.0
    together = sum(rest.weight * rest.faded(doublings, luck) for rest in rests)
    alone = max(1 - rest.near * (1 - rest.faded(doublings, luck)) for rest in rests)
    return max(together, alone, 0.0)


def _learners(trials: Sequence[Trial], folds: Sequence[tuple[Rest, ...]]) -> tuple[CutOff, ...]:
    """The learners among them, most weight first, then the nearest."""
    by_title: dict[str, list[Rest]] = {}
    for rest in (rest for rests in folds for rest in rests):
        by_title.setdefault(rest.title, []).append(rest)
    made = []
    for title, rests in by_title.items():
        shares = [share for t in trials if t.title == title and (share := share_done(t)) is not None]
        made.append(
            CutOff(
                title=title,
                weight=sum(rest.weight for rest in rests) / max(len(folds), 1),
                done=float(np.mean(shares)) if shares else None,
                gain=float(np.mean([rest.gain for rest in rests])),
                near=float(np.min([rest.near for rest in rests])),
            )
        )
    return tuple(sorted(made, key=lambda one: (-one.weight, one.near, one.title)))


def _not_reached(outcome: Outcome, family: str) -> int:
    """A plan of few recipes leaves learners out on purpose."""
    if outcome.run.get("recipes") or family not in outcome.results:
        return 0
    return max(outcome.suited.get(family, 0) - outcome.tried(family), 0)


def _is_over(outcome: Outcome, family: str) -> bool:
    """A run that was interrupted has time left too; it has not finished all its folds."""
    run, splits = outcome.run, outcome.run["splits"]
    planned = int(splits["first"]) if run.get("recipes") else len(splits["folds"])
    if outcome.folds < planned or _not_reached(outcome, family):
        return False
    last = max((trial.at for trial in outcome.trials), default=0.0)
    total = float(run["budget"]) * int(run["workers"]) * float(run["family_share"])
    spent = sum(trial.cpu_seconds for trial in outcome.trials if trial.family == family)
    has_time = last < NEARLY_ALL * TRAINING_ENDS * float(run["budget"])
    return has_time and spent < NEARLY_ALL * share_of_each(total, len(outcome.families))


__all__ = [
    "CutOff",
    "Reach",
    "Rest",
    "apart",
    "doublings_left",
    "last_gain",
    "next_gain",
    "reach",
    "share_done",
]
