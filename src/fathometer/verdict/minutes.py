"""What more time would change: the gap, and each family's score, at several times the seconds.

A family gains from more time in two ways. Learners that the clock ended go on: by how much is read from their epoch
curves (`cut_off`), each further doubling bringing a part of what the one before brought. And what was not tried is
tried: further settings, learners that were not reached, more folds of networks; what that brings is small in the mean
and seldom large, by the development tables. A family that had come to its end with time left gains neither.

The gap at a later time is believed to be a normal curve: around what is believed of it now, moved by the difference of
the two gains, and wider by how little is known of them. It is a forecast from one run: nothing here trains.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from fathometer.study.budget import FAMILIES
from fathometer.study.outcome import Outcome
from fathometer.verdict.compare import Contrast, Score, score
from fathometer.verdict.cut_off import SPREAD_LEAST, CutOff, Reach, reach

FACTORS = (2.0, 5.0, 25.0)
FACTOR_MOST = 25.0
LOOKED_AT = 5.0  # times the time, at which it is asked whether the answer would be turned round
EIGHTY = NormalDist().inv_cdf(0.9)
NORMAL_HALF = NormalDist().inv_cdf(0.975)
STEPS = 97  # factors looked at for the crossover
# Chosen on the development tables named in docs/decisions/0016-minutes-as-an-axis.md. Shares of a family's loss.
SEARCHED = 0.002  # gained by a doubling of the time, by searching on
UNREACHED = 0.012  # further, where no learner but one was reached; in proportion to those that were not
STIRRED = 0.01  # standard deviation of one doubling
UNKNOWN = 0.03  # further, in proportion to the learners that were not reached


@dataclass(frozen=True)
class Level:
    """A family's score at a later time, with its 80 % interval."""

    score: float
    low: float
    high: float


@dataclass(frozen=True)
class Later:
    """The gap with `factor` times the time, in gap units with its 80 % interval; above 0 deep learning is better.

    p_deep, p_tie, p_classical: as in the verdict. change: how far the gap moves from now, with its 80 % interval.
    scores: of each family.
    """

    factor: float
    seconds: float
    p_deep: float
    p_tie: float
    p_classical: float
    gap: float
    low: float
    high: float
    change: float
    change_low: float
    change_high: float
    scores: Mapping[str, Level]

    def better(self, family: str) -> float:
        """The probability that this family is better by more than the margin."""
        return self.p_deep if family == "deep" else self.p_classical


@dataclass(frozen=True)
class Turn:
    """When the family that is behind would be ahead.

    p_by: the probability that it is, at so many times the time. seconds, low, high: the run's time at which this
    reaches a half, a tenth and nine tenths; None beyond 25 times.
    """

    leader: str
    p_by: Mapping[int, float]
    seconds: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Spent:
    """What a family had after some of the time: its score on the folds it then had, moved to the level of all folds."""

    seconds: float
    score: float
    folds: int


@dataclass(frozen=True)
class Minutes:
    """The outlook over time.

    seconds: the run's budget, which the factors multiply. families: how far each came. promised: what the epoch curves
    of those that were cut off promise at five times the time, in gap units. factors: first now, then later.
    p_turned: the probability that what is likeliest now is clearly another way at five times the time: that the other
    family is better by more than the margin, or either where no difference is likeliest. measured: each family's score
    when parts of the time were used, and at the end.
    """

    seconds: float
    families: Mapping[str, Reach]
    promised: Mapping[str, float]
    factors: tuple[Later, ...]
    turn: Turn | None
    p_turned: float
    measured: Mapping[str, tuple[Spent, ...]]

    def at(self, factor: float) -> Later | None:
        """The outlook at so many times the time."""
        return next((later for later in self.factors if later.factor == factor), None)


@dataclass(frozen=True)
class Gain:
    """The share of its loss that a family would take away: mean and standard deviation."""

    mean: float
    deviation: float


def foresee_minutes(outcome: Outcome, families: Contrast) -> Minutes | None:
    """The outlook over time; None where no time was measured, or nothing can be said of now.

    `families`: classical ML against deep learning. A replay repeats trials, and has no time of its own.
    """
    if outcome.run.get("replay") or not math.isfinite(families.spread.scale):
        return None
    reaches = {family: reach(outcome, family) for family in FAMILIES}
    outlook = _Outlook(outcome, families, reaches)
    seconds = float(outcome.run["budget"])
    factors = tuple(outlook.later(factor, seconds) for factor in (1.0, *FACTORS))
    return Minutes(
        seconds=seconds,
        families=reaches,
        promised={
            name: outlook.scale * outlook.losses[name] * found.gain(LOOKED_AT)
            for name, found in reaches.items()
        },
        factors=factors,
        turn=outlook.turn(seconds),
        p_turned=_turned(factors),
        measured={},
    )


def gain(found: Reach, suited: int, factor: float) -> Gain:
    """What a family would gain with `factor` times the time.

    Args:
        suited: how many of its learners suit the data.
    """
    promised, lucky, doublings = found.gain(factor), found.gain(factor, luck=1.0), math.log2(factor)
    # where learners agree, one that was not reached will hardly find more
    unreached = found.not_reached / max(suited, 1) * max(found.spread, SPREAD_LEAST)
    if found.is_over:
        doublings = 0.0
    mean = promised + (SEARCHED + UNREACHED * unreached) * doublings
    # what searches bring adds up at random; that learners were not reached is one unknown
    stirred = (STIRRED + UNKNOWN * unreached) * math.sqrt(doublings)
    return Gain(min(mean, 0.95), math.hypot(lucky - promised, stirred))


def measured_at(now: Outcome, parts: Mapping[float, Outcome]) -> dict[str, tuple[Spent, ...]]:
    """Each family's score after so many seconds; the last is that of now.

    A part's score is the present one, worse by as much as the part was worse on the folds that it had: neither easy
    folds nor hard ones bend the line.
    """
    found: dict[str, tuple[Spent, ...]] = {}
    for family in FAMILIES:
        whole = {fold.fold: float(fold.losses.mean()) for fold in now.results.get(family, ())}
        if not whole:
            continue
        level = float(np.mean(list(whole.values())))
        points = []
        for seconds, part in sorted(parts.items()):
            held = {fold.fold: float(fold.losses.mean()) for fold in part.results.get(family, ())}
            common = sorted(set(held) & set(whole))
            if not common:
                continue
            then, after = (float(np.mean([losses[name] for name in common])) for losses in (held, whole))
            loss = level * then / after if after > 0 else level + then
            points.append(Spent(seconds, now.task.measure.score(loss), len(common)))
        found[family] = tuple(points)
    return found


class _Outlook:
    """The present gap and what both families would gain."""

    def __init__(self, outcome: Outcome, families: Contrast, reaches: Mapping[str, Reach]) -> None:
        self.outcome, self.families, self.reaches = outcome, families, reaches
        self.losses = {
            name: float(np.mean([fold.losses.mean() for fold in outcome.results[name]])) for name in FAMILIES
        }
        self.scale = outcome.task.measure.gap_scale(sum(self.losses.values()) / len(FAMILIES))
        self.scores = {name: score(outcome, name) for name in FAMILIES}

    def later(self, factor: float, seconds: float) -> Later:
        """The gap and the scores then."""
        belief = self.families.belief
        change, moved = self._change(factor)
        if moved == 0.0 and change == 0.0:  # as it is now, whatever its form
            chances = (belief.above, belief.within, belief.below)
            gap, low, high = belief.middle, belief.low, belief.high
        else:
            then = self._normal(factor)
            margin = self.families.margin
            below, above = then.cdf(-margin), 1 - then.cdf(margin)
            chances = (above, max(0.0, 1 - above - below), below)
            gap, half = then.mean, EIGHTY * then.stdev
            low, high = gap - half, gap + half
        half = EIGHTY * moved
        levels = {name: self._level(name, factor) for name in FAMILIES}
        return Later(
            factor, factor * seconds, *chances, gap, low, high, change, change - half, change + half, levels
        )

    def turn(self, seconds: float) -> Turn | None:
        """When the family that is behind would be ahead; None where neither is."""
        middle = self.families.belief.middle
        if middle == 0:
            return None
        side = 1.0 if middle > 0 else -1.0
        grid = np.geomspace(1.0, FACTOR_MOST, STEPS)
        chances = np.maximum.accumulate([self._ahead(side, float(factor)) for factor in grid])
        first = {
            share: next((float(f) * seconds for f, p in zip(grid, chances, strict=True) if p >= share), None)
            for share in (0.1, 0.5, 0.9)
        }
        by = {int(factor): float(np.interp(math.log(factor), np.log(grid), chances)) for factor in FACTORS}
        return Turn("deep" if side > 0 else "classical", by, first[0.5], first[0.1], first[0.9])

    def _ahead(self, side: float, factor: float) -> float:
        """The chance that the family that is behind, at -`side`, is ahead then."""
        then = self._normal(factor)
        return then.cdf(0.0) if side > 0 else 1 - then.cdf(0.0)

    def _normal(self, factor: float) -> NormalDist:
        belief = self.families.belief
        now = (belief.high - belief.low) / 2 / EIGHTY
        change, moved = self._change(factor)
        return NormalDist(belief.middle + change, max(math.hypot(now, moved), 1e-12))

    def _change(self, factor: float) -> tuple[float, float]:
        """How far the gap moves: mean and standard deviation."""
        gains = {name: self._gain(name, factor) for name in FAMILIES}
        mean = self.losses["deep"] * gains["deep"].mean - self.losses["classical"] * gains["classical"].mean
        deviation = math.hypot(*(self.losses[name] * gains[name].deviation for name in FAMILIES))
        return self.scale * mean, self.scale * deviation

    def _gain(self, name: str, factor: float) -> Gain:
        if factor <= 1:
            return Gain(0.0, 0.0)
        return gain(self.reaches[name], self.outcome.suited.get(name, 0), factor)

    def _level(self, name: str, factor: float) -> Level:
        """A family's score then; what is not known of it now is not known of it then."""
        loss, found, now = self.losses[name], self._gain(name, factor), self.scores[name]
        measure = self.outcome.task.measure
        middle = measure.score(loss * (1 - found.mean))
        moved = abs(measure.score(loss * max(1 - found.mean - found.deviation, 0.0)) - middle)
        half = EIGHTY * math.hypot(_deviation(now), moved)
        low, high = middle - half, middle + half
        if measure.unit == "%":
            low, high = max(low, 0.0), min(high, 100.0)
        return Level(middle, low if measure.unit == "%" else max(low, 0.0), high)


def _deviation(now: Score) -> float:
    deviation = (now.high - now.low) / 2 / NORMAL_HALF
    return deviation if math.isfinite(deviation) else 0.0


def _turned(factors: tuple[Later, ...]) -> float:
    """The probability that what is likeliest now is clearly another way at five times the time."""
    now = factors[0]
    then = next(later for later in factors if later.factor == LOOKED_AT)
    shares = {"deep": now.p_deep, "tie": now.p_tie, "classical": now.p_classical}
    others = {"deep": then.p_classical, "tie": 1.0 - then.p_tie, "classical": then.p_deep}
    return others[max(shares, key=lambda name: shares[name])]


__all__ = [
    "FACTORS",
    "FACTOR_MOST",
    "LOOKED_AT",
    "CutOff",
    "Gain",
    "Later",
    "Level",
    "Minutes",
    "Spent",
    "Turn",
    "foresee_minutes",
    "gain",
    "measured_at",
]
