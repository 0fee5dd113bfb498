"""What to run next.

Each family has a lane of units (one recipe on one fold). The engine's free worker is given the next unit of the lane
that has used less of its share. The order in a lane is fixed before any result is known, and the same on every fold:

1. the baseline on every fold;
2. the presets by turn, each over all folds of the first pass, so that an answer exists early and sharpens;
3. searched settings, proposed in each fold from that fold's own validation results, up to a share of the time;
4. the presets again on the folds of further repeats;
5. more searched settings until the share is spent, or very many were tried.

A plan of so many recipes a family ends after 2.

So no fold's choice ever rests on a row that the same fold later judges by.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from fathometer.study.budget import SEARCH_SHARE, Budget
from fathometer.study.ledger import Trial
from fathometer.study.search import propose

FIRST_PORTION = 0.4  # of what is left of the share, for the next preset over all its folds
SECONDS_LEAST = 0.3  # a unit that could have less than this is not started
ENOUGH = 0.6  # of what a recipe took on another fold; with less it would be stopped far from its end
TWICE = 2.0  # times what a recipe had when it ran out of time: with less it would again
FAILURES_MOST = 2  # folds a recipe may fail on before it is left
SEARCH_ROUNDS = 40
SEARCHED_LEARNERS = 2  # the best in a fold whose settings are searched there


@dataclass(frozen=True)
class Candidate:
    """A learner with one set of settings."""

    learner: str
    family: str
    title: str
    turn: int
    settings: Mapping[str, Any]
    space: Mapping[str, Mapping[str, Any]]

    @property
    def recipe(self) -> str:
        """The learner and its settings, whatever the fold; as in `Trial.recipe`."""
        return f"{self.learner} {json.dumps(dict(self.settings), sort_keys=True)}"


@dataclass(frozen=True)
class Unit:
    """One recipe on one fold: the next trial. `seconds`: processor seconds it may use."""

    candidate: Candidate
    fold: str
    stage: str
    seed: int
    seconds: float
    decided: Mapping[str, Any] = field(default_factory=dict)
    replaying: bool = False

    @property
    def key(self) -> str:
        """Where its files go; the same recipe, fold and seed always give the same."""
        settings = json.dumps([dict(self.candidate.settings), self.seed], sort_keys=True)
        mark = hashlib.sha256(settings.encode()).hexdigest()[:8]
        return f"{self.fold}-{self.candidate.learner}-{mark}"


class Lane:
    """One family's units, in order, within its share.

    finished: all trials so far, kept up to date by whoever owns the lane.
    """

    def __init__(
        self,
        family: str,
        candidates: list[Candidate],
        folds: tuple[tuple[str, int], ...],
        first: int,
        budget: Budget,
        seed: int,
        finished: list[Trial],
        clock: Callable[[], float],
        recipes: int | None = None,
    ) -> None:
        """`folds`: (name, repeat) in order, `first` of them in the first pass; `clock`: wall seconds of the run.

        recipes: so many presets on the folds of the first pass are all; None: go on until the share is spent.
        """
        self.family = family
        self.candidates = sorted(candidates, key=lambda candidate: candidate.turn)[:recipes]
        self.is_short = recipes is not None
        self.first = [name for name, _ in folds[:first]]
        self.later = [name for name, _ in folds[first:]]
        self.budget = budget
        self.seed = seed
        self.finished = finished
        self.clock = clock
        self.running: dict[str, float] = {}  # key -> seconds it may use
        self._units = self._order()
        self.is_over = False

    def spent(self) -> float:
        """Processor seconds used by this family's finished trials, failures included."""
        mine = (t for t in self.finished if t.family == self.family and t.stage != "refit")
        return sum(trial.cpu_seconds for trial in mine)

    def left(self) -> float:
        """Processor seconds of the share neither used nor promised to a running trial."""
        return self.budget.family_seconds - self.spent() - sum(self.running.values())

    def next(self) -> Unit | None:
        """The next unit; None when the share or the list is used up, or what runs must end before that is known."""
        if self.is_over:
            return None
        done = {trial.key for trial in self.finished}
        for unit in self._units:
            if unit is None:
                return None
            if unit.key not in done and unit.key not in self.running:
                self.running[unit.key] = unit.seconds
                return unit
        self.is_over = True
        return None

    def end(self, key: str) -> None:
        """A unit has ended, whatever came of it."""
        self.running.pop(key, None)

    def _order(self) -> Iterator[Unit | None]:
        """The units; None where all that is left is promised to running trials, which may give part of it back."""
        yield from self._presets(self.first, "presets")
        if self.is_short:
            return
        yield from self._searched(SEARCH_SHARE * self.budget.family_seconds, range(SEARCH_ROUNDS))
        yield from self._presets(self.later, "repeats")
        yield from self._searched(self.budget.family_seconds, range(SEARCH_ROUNDS, 2 * SEARCH_ROUNDS))

    def _presets(self, folds: list[str], stage: str) -> Iterator[Unit | None]:
        passes = [folds] if stage == "presets" else [folds[i : i + 5] for i in range(0, len(folds), 5)]
        for names in passes:
            for place, candidate in enumerate(self.candidates):
                quota = FIRST_PORTION * max(self.left(), 0.0) / max(len(names), 1)
                for fold in names:
                    while (
                        limit := self._limit(quota, is_first=place == 0)
                    ) < SECONDS_LEAST and self._may_wait():
                        yield None
                        quota = max(quota, FIRST_PORTION * max(self.left(), 0.0) / max(len(names), 1))
                    if limit < SECONDS_LEAST:
                        return
                    if self._is_hopeless(candidate, limit):
                        break
                    yield self._unit(candidate, fold, stage, limit)

    def _may_wait(self) -> bool:
        """Whether running trials may give time back, and early enough to use it."""
        return bool(self.running) and self.budget.training_ends - self.clock() >= SECONDS_LEAST

    def _limit(self, quota: float, is_first: bool) -> float:
        """Seconds for a unit: its quota, but an early answer comes before a perfect one."""
        limit = min(quota, max(self.left(), 0.0), self.budget.training_ends - self.clock())
        return min(limit, max(15.0, 0.06 * self.budget.seconds)) if is_first else limit

    def _is_hopeless(self, candidate: Candidate, limit: float) -> bool:
        """It failed on two folds or ran out of memory on one, or would not end within the limit, by its other folds."""
        mine = [trial for trial in self.finished if trial.recipe == candidate.recipe]
        ended = [trial.status for trial in mine]
        if "out_of_memory" in ended or ended.count("failed") >= FAILURES_MOST:
            return True
        return any(
            limit < (ENOUGH if trial.status == "done" else TWICE) * trial.cpu_seconds
            for trial in mine
            if trial.status in ("done", "out_of_time")
        )

    def _searched(self, allowed: float, rounds: range) -> Iterator[Unit | None]:
        for number in rounds:
            for fold in self.first:
                candidate = self._proposal(fold, number)
                if candidate is None:
                    continue
                while (
                    limit := self._search_limit(candidate, fold, allowed)
                ) < SECONDS_LEAST and self._may_wait():
                    yield None
                if limit < SECONDS_LEAST:
                    return
                yield self._unit(candidate, fold, "search", limit)

    def _search_limit(self, candidate: Candidate, fold: str, allowed: float) -> float:
        spent = sum(t.cpu_seconds for t in self.finished if t.family == self.family and t.stage == "search")
        limit = self._limit(3.0 * self._usual(candidate.learner, fold), is_first=False)
        return min(limit, allowed - spent)

    def _proposal(self, fold: str, number: int) -> Candidate | None:
        """Random settings for one of the learners that do best on this fold's own validation rows."""
        best: dict[str, float] = {}
        for trial in self.finished:
            if trial.family == self.family and trial.fold == fold and trial.valid_loss is not None:
                best[trial.learner] = min(trial.valid_loss, best.get(trial.learner, np.inf))
        spaces = {c.learner: c for c in self.candidates if c.space}
        ranked = [name for name in sorted(best, key=lambda name: best[name]) if name in spaces]
        if not ranked:
            return None
        base = spaces[ranked[number % min(SEARCHED_LEARNERS, len(ranked))]]
        mark = int.from_bytes(hashlib.sha256(f"{self.seed} {fold} {number}".encode()).digest()[:8], "big")
        settings = propose(base.space, np.random.default_rng(mark))
        return Candidate(base.learner, base.family, base.title, 100 + number, settings, base.space)

    def _usual(self, learner: str, fold: str) -> float:
        """Processor seconds this learner has taken on the fold, the longest so far."""
        return max(
            (t.cpu_seconds for t in self.finished if t.learner == learner and t.fold == fold), default=5.0
        )

    def _unit(self, candidate: Candidate, fold: str, stage: str, seconds: float) -> Unit:
        mark = hashlib.sha256(f"{self.seed} {fold} {candidate.recipe}".encode()).digest()
        return Unit(candidate, fold, stage, int.from_bytes(mark[:4], "big") >> 1, seconds)


def fairest(lanes: Iterable[Lane]) -> Unit | None:
    """The next unit of the lane that has used less, running trials counted at what they may use."""
    for lane in sorted(lanes, key=lambda lane: lane.spent() + sum(lane.running.values())):
        unit = lane.next()
        if unit is not None:
            return unit
    return None


def baseline_units(
    candidates: list[Candidate], folds: list[str], seed: int, finished: list[Trial]
) -> Iterator[Unit]:
    """The baseline on every fold of the first pass; it takes next to no time and is charged to nobody."""
    done = {trial.key for trial in finished}
    for candidate in candidates:
        for fold in folds:
            unit = Unit(candidate, fold, "baseline", seed, 30.0)
            if unit.key not in done:
                yield unit
