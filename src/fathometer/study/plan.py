"""What to run next.

Each family has a lane of units (one recipe on one fold). The engine's free worker is given the next unit of the lane
that has used less of its share. The order in a lane is fixed before any result is known, and the same on every fold:

1. the baseline on every fold;
2. the presets by turn, each over all folds of the first pass, so that an answer exists early and sharpens;
3. searched settings, proposed in each fold from that fold's own validation results, up to a share of the time;
4. the data learning curve: the best recipes of each fold again on half, a quarter and an eighth of its rows, from a
   part of the share that is kept for it;
5. the ablation: the best recipe once more on plain numbers, without engineered features;
6. repeats, and more folds of the curve: next always the size where the spread of what is known of the gap falls most
   for a second spent;
7. more searched settings until the share is spent, or very many were tried.

A plan of so many recipes a family ends after 2.

So no fold's choice ever rests on a row that the same fold later judges by.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from fathometer.data.thinning import is_whole, thinned
from fathometer.study.budget import ABLATION_SHARE, CURVE_SHARE, PRETRAINED, SEARCH_SHARE, Budget
from fathometer.study.ledger import Trial
from fathometer.study.search import propose

FIRST_PORTION = 0.4  # of what is left of the share, for the next preset over all its folds
FEATURES_PORTION = (
    0.5  # of what is left of the share may go into features of words or pictures, made once for all
)
SECONDS_LEAST = 0.3  # a unit that could have less than this is not started
ENOUGH = 0.6  # of what a recipe took on another fold; with less it would be stopped far from its end
TWICE = 2.0  # times what a recipe had when it ran out of time: with less it would again
HURRIED = 0.5  # of what the first network took: another is not begun with less
FAILURES_MOST = 2  # folds a recipe may fail on before it is left
REPEAT_MOST = 1.5  # times what a recipe took on other folds
SEARCH_ROUNDS = 40
SEARCHED_LEARNERS = 2  # the best in a fold whose settings are searched there
CURVE_LEARNERS = (
    3  # the best in a fold that are fitted on fewer of its rows: enough for the ranking to change
)
CURVE_FOLDS = 3  # before anything else is repeated; fewer do not show how much folds vary
PULL = {1: 1.0, 2: 0.3, 4: 0.12, 8: 0.07, 16: 0.03}
"""How far the forecast gap moves with the gap measured at a size, against the gap at all rows; by the divisor.

Median slopes of `verdict.forecast_gap` at four times the rows over 109 public pairs of curves: .23, .07, .03, .02.
"""


@dataclass(frozen=True)
class Candidate:
    """A learner with one set of settings."""

    learner: str
    family: str
    title: str
    turn: int
    settings: Mapping[str, Any]
    space: Mapping[str, Mapping[str, Any]]
    transparent: bool = False

    @property
    def recipe(self) -> str:
        """The learner and its settings, whatever the fold; as in `Trial.recipe`."""
        return f"{self.learner} {json.dumps(dict(self.settings), sort_keys=True)}"


@dataclass(frozen=True)
class Unit:
    """One recipe on one fold: the next trial.

    seconds: processor seconds it may use. for_features: further ones, for features that later trials find ready.
    """

    candidate: Candidate
    fold: str
    stage: str
    seed: int
    seconds: float
    decided: Mapping[str, Any] = field(default_factory=dict)
    replaying: bool = False
    for_features: float = 0.0

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
        sizes: Mapping[str, tuple[int, ...]] | None = None,
        is_ablated: bool = False,
        keeps_features: bool = False,
        is_raw: bool = False,
    ) -> None:
        """`folds`: (name, repeat) in order, `first` of them in the first pass; `clock`: wall seconds of the run.

        recipes: so many presets on the folds of the first pass are all; None: go on until the share is spent.
        sizes: the divisors of each fold's rows for the data learning curve. is_ablated: whether there are engineered
            features to leave out. keeps_features: whether features of words or pictures are made once for all trials.
            is_raw: whether networks read words or pictures themselves, so that time is what makes them good.
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
        self.sizes = {} if sizes is None or self.is_short else dict(sizes)
        self.is_ablated = is_ablated and not self.is_short
        self.keeps_features = keeps_features
        self.is_raw = is_raw
        self.kept_back = 0.0  # of the share, and of the time by the clock, that later stages are to have
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

    def available(self) -> float:
        """Processor seconds of the share that the present stage may use."""
        return max(self.left() - self.kept_back * self.budget.family_seconds, 0.0)

    def ends(self) -> float:
        """Second of the run after which the present stage starts nothing; a busy machine must not starve the next."""
        return (1.0 - self.kept_back) * self.budget.training_ends

    def has_answer(self) -> bool:
        """Whether something was tried on every fold of the first pass."""
        tried = {trial.fold for trial in self.finished if trial.family == self.family}
        return set(self.first) <= tried

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
        for_curve = CURVE_SHARE if self.sizes else 0.0
        for_ablation = ABLATION_SHARE if self.is_ablated else 0.0
        self.kept_back = for_curve + for_ablation
        yield from self._presets()
        if self.is_short:
            return
        yield from self._searched(SEARCH_SHARE * self.budget.family_seconds, range(SEARCH_ROUNDS))
        self.kept_back = for_ablation
        yield from self._on_fewer_rows(self.first[:CURVE_FOLDS])
        self.kept_back = 0.0
        if self.is_ablated:
            yield from self._without_engineering()
        for fold, divisor in further(self.first, self.later, self.sizes):
            if divisor == 1:
                yield from self._repeated(fold)
            else:
                yield from self._on_fewer_rows([fold], divisor)
        yield from self._searched(self.budget.family_seconds, range(SEARCH_ROUNDS, 2 * SEARCH_ROUNDS))

    def _presets(self) -> Iterator[Unit | None]:
        folds = self.first
        for number, candidate in enumerate(self.candidates):
            quota = FIRST_PORTION * self.available() / max(len(folds), 1)
            for fold in folds:
                while (
                    limit := self._limit(quota, is_first=number == 0)
                ) < SECONDS_LEAST and self._may_wait():
                    yield None
                    quota = max(quota, FIRST_PORTION * self.available() / max(len(folds), 1))
                if limit < SECONDS_LEAST or self._is_hurried(fold, limit):
                    return
                if self._is_hopeless(candidate, limit):
                    break
                yield self._unit(candidate, fold, "presets", limit)

    def _repeated(self, fold: str) -> Iterator[Unit | None]:
        """The presets in turn on a fold of a further repeat, each for about as long as on other folds."""
        for candidate in self.candidates:
            usual = [own_seconds(t) for t in self._whole() if t.recipe == candidate.recipe]
            if not usual:
                continue
            while (limit := self._limit(REPEAT_MOST * max(usual))) < SECONDS_LEAST and self._may_wait():
                yield None
            if limit < SECONDS_LEAST:
                return
            if not self._is_hopeless(candidate, limit):
                yield self._unit(candidate, fold, "repeats", limit)

    def _on_fewer_rows(self, folds: list[str], only: int | None = None) -> Iterator[Unit | None]:
        """The best recipes of each fold, by its own validation rows, on part of its rows; the best one first."""
        divisors = sorted({d for fold in folds for d in self.sizes.get(fold, ()) if only in (None, d)})
        for rank in range(CURVE_LEARNERS):
            for divisor in divisors:
                for fold in folds:
                    best = self._best(fold)
                    if rank >= len(best) or divisor not in self.sizes.get(fold, ()):
                        continue
                    # with fewer rows it may take as long as with all: nobody's budget shrinks with the table
                    unit = yield from self._again(best[rank], thinned(fold, divisor), "curve", 1 / divisor)
                    if unit is not None:
                        yield unit

    def _without_engineering(self) -> Iterator[Unit | None]:
        """Each fold's best recipe on plain numbers, at a size at which it was fitted with engineered features."""
        for fold in self.first[:CURVE_FOLDS]:
            for trial in self._best(fold)[:1]:
                known = {t.fold for t in self.finished if t.recipe == trial.recipe and t.status == "done"}
                divisor = 2 if thinned(fold, 2) in known else 1
                name = thinned(fold, divisor, is_raw=True)
                unit = yield from self._again(trial, name, "ablation", 1 / divisor)
                if unit is not None:
                    yield unit

    def _again(
        self, trial: Trial, fold: str, stage: str, part: float
    ) -> Generator[Unit | None, None, Unit | None]:
        """A finished trial's recipe on `part` of its rows; None where it would not end in time."""
        needed = ENOUGH * part * own_seconds(trial)
        while (limit := self._limit(max(own_seconds(trial), 1.0))) < needed and self._may_wait():
            yield None
        if limit < max(needed, SECONDS_LEAST):
            return None
        space: Mapping[str, Mapping[str, Any]] = {}
        again = Candidate(trial.learner, trial.family, trial.title, trial.turn, trial.settings, space)
        return self._unit(again, fold, stage, limit)

    def _best(self, fold: str) -> list[Trial]:
        """The best trial of each learner on all rows of a fold, by its validation rows; the best learner first."""
        best: dict[str, Trial] = {}
        for trial in self.finished:
            if trial.family == self.family and trial.fold == fold and trial.valid_loss is not None:
                held = best.get(trial.learner)
                if held is None or (trial.valid_loss, trial.key) < (held.valid_loss, held.key):
                    best[trial.learner] = trial
        return sorted(best.values(), key=lambda trial: (trial.valid_loss, trial.key))

    def _whole(self) -> list[Trial]:
        """This family's trials on all rows of a fold."""
        return [t for t in self.finished if t.family == self.family and is_whole(t.fold)]

    def _may_wait(self) -> bool:
        """Whether running trials may give time back, and early enough to use it."""
        return bool(self.running) and self.ends() - self.clock() >= SECONDS_LEAST

    def _limit(self, quota: float, is_first: bool = False) -> float:
        """Seconds for a unit: its quota, but an early answer comes before a perfect one."""
        limit = min(quota, self.available(), self.ends() - self.clock())
        # a network that reads raw values is made good by time, and cut short it answers nothing early either
        return min(limit, max(15.0, 0.06 * self.budget.seconds)) if is_first and not self.is_raw else limit

    def _is_hurried(self, fold: str, limit: float) -> bool:
        """Whether a network would have much less time than the first one had: it could only be worse.

        Then the time is better spent on curves and further folds of those that had enough.
        """
        if not self.is_raw or not self.candidates:
            return False
        first = self.candidates[0].recipe
        had = [t.cpu_seconds for t in self.finished if t.recipe == first and t.fold == fold]
        return bool(had) and limit < HURRIED * max(had)

    def _is_hopeless(self, candidate: Candidate, limit: float) -> bool:
        """It failed on two folds or ran out of memory on one, or would not end within the limit, by its other folds."""
        mine = [trial for trial in self._whole() if trial.recipe == candidate.recipe]
        ended = [trial.status for trial in mine]
        if "out_of_memory" in ended or ended.count("failed") >= FAILURES_MOST:
            return True
        late = [trial for trial in mine if trial.status == "out_of_time"]
        if self.keeps_features and len(late) == 1:
            late = []  # it may have been making features, and whoever comes after finds them ready
        done = [trial for trial in mine if trial.status == "done"]
        return any(limit < ENOUGH * own_seconds(trial) for trial in done) or any(
            limit < TWICE * own_seconds(trial) for trial in late
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
        limit = self._limit(3.0 * self._usual(candidate.learner, fold))
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
            (own_seconds(t) for t in self.finished if t.learner == learner and t.fold == fold), default=5.0
        )

    def _unit(self, candidate: Candidate, fold: str, stage: str, seconds: float) -> Unit:
        mark = hashlib.sha256(f"{self.seed} {fold} {candidate.recipe}".encode()).digest()
        for_features = FEATURES_PORTION * self.available() if self.keeps_features else 0.0
        number = int.from_bytes(mark[:4], "big") >> 1
        return Unit(candidate, fold, stage, number, seconds, for_features=for_features)


def own_seconds(trial: Trial) -> float:
    """Processor seconds that the same recipe would take where the features are there already."""
    return max(trial.cpu_seconds - trial.shared_seconds, 0.0)


def further(
    first: list[str], later: list[str], sizes: Mapping[str, tuple[int, ...]]
) -> Iterator[tuple[str, int]]:
    """Further folds to run, as (fold, divisor): next always where the variance of the forecast falls most a second.

    A size's part in that variance is PULL^2 s^2 / J with J folds, and one more fold takes time in proportion to its
    rows. The spread s between folds is about the same at all sizes, for the test rows are the same. So the order is
    known before any result, and both families take the same one. A fold is thinned only after it was run whole.
    """
    counts = {1: len(first)}
    waiting: dict[int, list[str]] = {1: list(later)}
    for divisor in sorted({d for several in sizes.values() for d in several}):
        waiting[divisor] = [name for name in [*first, *later] if divisor in sizes.get(name, ())][CURVE_FOLDS:]
        counts[divisor] = CURVE_FOLDS
    whole = set(first)
    while True:
        open_ = [d for d, names in waiting.items() if names and (d == 1 or names[0] in whole)]
        if not open_:
            return
        gain = {d: PULL[d] ** 2 * d / (counts[d] * (counts[d] + 1)) for d in open_}
        chosen = max(open_, key=lambda d: (gain[d], -d))
        fold = waiting[chosen].pop(0)
        counts[chosen] += 1
        if chosen == 1:
            whole.add(fold)
        yield fold, chosen


def fairest(lanes: Iterable[Lane]) -> Unit | None:
    """The next unit of the lane that has used less, running trials counted at what they may use.

    The pre-trained family comes first until it has an answer on every fold of the first pass: reading with its encoder
    costs it much at once, and a fold that had to wait until the others have used as much might never come.
    """

    def turn(lane: Lane) -> tuple[bool, float]:
        return lane.family != PRETRAINED or lane.has_answer(), lane.spent() + sum(lane.running.values())

    for lane in sorted(lanes, key=turn):
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
