"""What to run next.

Each family has a lane of units (one recipe on one fold). The engine's free worker is given the next unit of the lane
that has used less of its share. What a lane does is the same in both families:

1. the baseline on every fold;
2. on every fold of the first pass, each at its own pace and evenly, a race (study/race.py): a look at all recipes on a
   small part of the fold's rows, the best of them on all rows, these on the sizes between for the curve;
3. there too, what else may be good: the best of those that did not reach all rows, in turn with searched settings,
   which enter at a small size as well;
4. the ablation: the best recipe once more on plain numbers, without engineered features;
5. repeats: the race on further folds;
6. more searched settings until the share is spent, or very many were tried.

A plan of so many recipes a family fits these on all rows of the first pass, and ends.

Nothing is chosen for a fold but by its own validation rows, so no fold's choice ever rests on a row that the same fold
later judges by. Only times are shared between folds.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from fathometer.data.thinning import MARK, place, thinned
from fathometer.study.budget import (
    ABLATION_SHARE,
    CURVE_SHARE,
    PRETRAINED,
    RACE_SHARE,
    SEARCH_SHARE,
    Budget,
)
from fathometer.study.ledger import Trial
from fathometer.study.race import BEHIND, Finished, different, own_seconds, ranked, standing
from fathometer.study.search import propose

FEATURES_PORTION = (
    0.5  # of what is left of the share may go into features of words or pictures, made once for all
)
SECONDS_LEAST = 0.3  # a unit that could have less than this is not started
ENOUGH = 0.6  # of what a recipe is expected to take; with less it would be stopped far from its end
ENOUGH_BY_PLAN = 0.3  # the same of what plans by the clock, and ends with less in order
TWICE = 2.0  # times what a recipe had when it ran out of time: with less it would again
FIRST_LOOK = 0.5  # seconds for a look at least, though others may get none
ROOM = 1.5  # times what a recipe is expected to take, where there is as much
HURRIED = 0.7  # of what the first network took on all rows: another is not begun with less
TIGHT = 0.15  # of a fold's time: where the best recipe takes more on all rows, few others can be tried there
LOOKS = 0.2  # of a fold's time, about, for looks at few rows,
LOOK = 0.05  # and this for one of them by what plans by the clock
BEST = 2  # learners, the best by the looks, that are fitted on all rows
FAVOURITES = (
    2  # presets, the first by turn, strongest on most data: they are as well, unless they fell behind
)
CURVE_FOLDS = (
    3  # whose smaller sizes are measured although time is short; fewer do not show how much folds vary
)
CURVE_RECIPES = 2  # of a fold's best that are measured there
CURVE_GROWTH = 0.7  # power of the rows with which their time is cut
FAILURES_MOST = 2  # folds a recipe may fail on before it is left
FOLLOWED = 1.3  # times what the best recipe took on all rows: with less, nothing would follow a further look
SEARCH_ROUNDS = 40
SEARCHED_LEARNERS = 2  # the best in a fold whose settings are searched there
SMALL = 0.03  # of a fold's time: what takes less on all rows need not be looked at on fewer first
DEAR = 0.15  # of a fold's time: what takes more on all rows, and did not get there by the race, is left
ABLATION_FOLDS = 3
REPEAT_LEAST = 0.9  # of what the race had on the folds of the first pass; with less a repeat would be hurried
SPEED_KNOWN = 10  # finished trials, from which on it is known how busy the machine is


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
    quick: bool = False
    growth: float = 1.0

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
        # a model folder's names may hold no "@"
        return f"{self.fold.replace(MARK, '.')}-{self.candidate.learner}-{mark}"


Units = Iterator[Unit | None]
"""Units in order; None where the next one hangs on the outcome of one that runs."""


@dataclass(frozen=True)
class Course:
    """What a family has before it.

    candidates: its presets. first: folds of the first pass; later: further ones, in order.
    sizes: the divisors of each fold's rows, for the race and the data learning curve.
    recipes: so many presets on the folds of the first pass are all; None: go on until the share is spent.
    is_ablated: whether there are engineered features to leave out. keeps_features: whether features of words or
        pictures are made once for all trials. opening: the part of a fold's time for the race, at most, in which the
        strongest preset comes first on all rows; networks are made good by time, and a look at them for a moment tells
        nothing. 0: there is none.
    """

    family: str
    candidates: tuple[Candidate, ...]
    first: tuple[str, ...]
    later: tuple[str, ...] = ()
    sizes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    recipes: int | None = None
    is_ablated: bool = False
    keeps_features: bool = False
    opening: float = 0.0

    def favourites(self) -> list[Candidate]:
        """The presets that are strongest on most data."""
        return sorted(self.candidates, key=lambda one: one.turn)[:FAVOURITES]

    def entrants(self) -> list[Candidate]:
        """The presets as they start: quick learners first, and one of each, for these differ more than settings do.

        In a short plan the strongest come first, whatever they take.
        """
        ordered = sorted(self.candidates, key=lambda one: one.turn)
        if self.recipes is not None:
            return ordered[: self.recipes]
        ordered.sort(key=lambda one: not one.quick)
        leading: dict[str, Candidate] = {}
        for one in ordered:
            leading.setdefault(one.learner, one)
        return [*leading.values(), *(one for one in ordered if leading[one.learner] is not one)]


class Lane:
    """One family's units, in order, within its share.

    finished: all trials so far, of every family, kept up to date by whoever owns the lane.
    clock: wall seconds of the run.
    """

    def __init__(
        self, course: Course, budget: Budget, seed: int, finished: list[Trial], clock: Callable[[], float]
    ) -> None:
        self.course = course
        self.family = course.family
        self.budget = budget
        self.seed = seed
        self.finished = finished
        self.clock = clock
        self.kept_back = 0.0  # of the share, and of the time by the clock, that later stages are to have
        self.part = 1.0  # of the share, for the folds of the first pass
        self.running: dict[str, Unit] = {}
        self._found = Finished(self.family)
        self._units = self._order()
        self.is_over = False

    def spent(self) -> float:
        """Processor seconds used by this family's finished trials, failures included."""
        return self._mine.spent

    def promised(self) -> float:
        """Processor seconds that running trials may use."""
        return sum(unit.seconds for unit in self.running.values())

    def left(self) -> float:
        """Processor seconds of the share neither used nor promised to a running trial."""
        return self.budget.family_seconds - self.spent() - self.promised()

    def available(self) -> float:
        """Processor seconds of the share that the present stage may use."""
        return max(self.left() - self.kept_back * self.budget.family_seconds, 0.0)

    def ends(self) -> float:
        """Second of the run after which the present stage starts nothing; a busy machine must not starve the next."""
        return (1.0 - self.kept_back) * self.budget.training_ends

    def has_answer(self) -> bool:
        """Whether something was tried on every fold of the first pass."""
        return set(self.course.first) <= self._mine.folds

    def next(self) -> Unit | None:
        """The next unit; None when the share or the list is used up, or what runs must end before that is known."""
        if self.is_over:
            return None
        for unit in self._units:
            if unit is None:
                return None
            if unit.key not in self._mine.keys and unit.key not in self.running:
                self.running[unit.key] = unit
                return unit
        self.is_over = True
        return None

    def end(self, key: str) -> None:
        """A unit has ended, whatever came of it."""
        self.running.pop(key, None)

    @property
    def _mine(self) -> Finished:
        """This family's finished trials, as of now."""
        self._found.look(self.finished)
        return self._found

    def _order(self) -> Units:
        """The units; None where all that is left hangs on running trials."""
        course = self.course
        if course.recipes is not None:
            yield from self._evenly({fold: self._plainly(fold) for fold in course.first})
            return
        self.kept_back = ABLATION_SHARE if course.is_ablated else 0.0
        self.part = 1.0 - self.kept_back
        yield from self._evenly({fold: self._first_pass(fold) for fold in course.first})
        self.kept_back = 0.0
        if course.is_ablated:
            yield from self._without_engineering()
        for fold in course.later:
            if REPEAT_LEAST * RACE_SHARE * self._fold_seconds() > self.available():
                break
            yield from self._race(fold, "repeats")
        self.part = 1.0
        yield from self._evenly({fold: self._searched(fold, SEARCH_ROUNDS) for fold in course.first})

    def _evenly(self, by_fold: dict[str, Units]) -> Units:
        """The units of several folds, always of the one that has used least and knows what it wants."""
        while by_fold:
            for fold in sorted(by_fold, key=self._used_on):
                try:
                    unit = next(by_fold[fold])
                except StopIteration:
                    del by_fold[fold]
                    break
                if unit is not None:
                    yield unit
                    break
            else:
                yield None

    def _plainly(self, fold: str) -> Units:
        """A short plan: the presets on all rows, each with an even part of what the fold has left."""
        entrants = self.course.entrants()
        for number, candidate in enumerate(entrants):
            limit = self._limit(self._left_on(fold) / (len(entrants) - number))
            if limit >= SECONDS_LEAST and not self._is_hopeless(candidate, 1, limit):
                yield self._unit(candidate, fold, "presets", limit)

    def _first_pass(self, fold: str) -> Units:
        """The race, and what else may be good: what it left behind in turn with searched settings."""
        yield from self._race(fold, "race")
        others, search = self._left_behind(fold), self._searched(fold, 0)
        going = [others, search]
        while going:
            for several in list(going):
                try:
                    yield next(several)
                except StopIteration:
                    going.remove(several)

    def _race(self, fold: str, stage: str) -> Units:
        """Looks at few rows, all rows for the best, and what the curve lacks.

        Networks begin on all rows; where that takes long they have no looks, for cut short they tell nothing.
        """
        sizes = self.course.sizes.get(fold, ())
        if self.course.opening:
            yield from self._opening(fold, stage)
        if sizes and not (self.course.opening and self._is_tight(fold)):
            yield from self._each(fold, max(sizes), self.course.entrants(), stage, self._look_limit)
        if self.course.opening:
            # what is kept for the curve comes before further networks, or on a busy machine it would never come
            yield from self._on_fewer_rows(fold, stage, CURVE_SHARE)
        yield from self._each(fold, 1, self._going_on(fold), stage, self._whole_limit)
        yield from self._on_fewer_rows(fold, stage)

    def _opening(self, fold: str, stage: str) -> Units:
        """The strongest preset on all rows, before anything else: an early answer, and the measure of all others."""
        candidate = self.course.favourites()[0]
        limit = self._limit(self.course.opening * RACE_SHARE * self._fold_seconds())
        if limit >= SECONDS_LEAST and not self._is_hopeless(candidate, 1, limit):
            yield self._unit(candidate, fold, stage, limit)
        while self._is_busy(fold):
            yield None

    def _is_tight(self, fold: str) -> bool:
        """Whether the best recipe so far takes much of the fold's time on all rows."""
        stood = self._standing(fold)
        if not stood:
            return self.course.opening > 0
        expected = self._expected(_again(stood[0][1]), 1)
        return expected is not None and expected > TIGHT * self._fold_seconds()

    def _standing(self, fold: str) -> list[tuple[float, Trial]]:
        sizes = [self._at(fold, divisor) for divisor in sorted((1, *self.course.sizes.get(fold, ())))]
        return standing(sizes, self._naive(fold))

    def _going_on(self, fold: str) -> list[Candidate]:
        """Who is fitted on all rows: the best so far, of different kinds, and the favourites that did not fall behind.

        What is strongest on most data comes before the second best look. Where there were no looks, all presets.
        """
        stood = self._standing(fold)
        if len(stood) <= 1 or not self.course.sizes.get(fold):
            return self.course.entrants()
        near = [trial for skill, trial in stood if skill >= BEHIND]
        favourites = {one.recipe for one in self.course.favourites()}
        ordered = [near[0], *(trial for trial in near if trial.recipe in favourites), *different(near, BEST)]
        return [self._known(trial) for trial in {trial.recipe: trial for trial in ordered}.values()]

    def _known(self, trial: Trial) -> Candidate:
        """A finished trial's recipe as it was listed, or as it was searched."""
        listed = (one for one in self.course.candidates if one.recipe == trial.recipe)
        return next(listed, _again(trial))

    def _expected(self, candidate: Candidate, divisor: int) -> float | None:
        return self._mine.expected_seconds(candidate.recipe, divisor, candidate.growth)

    def _on_fewer_rows(self, fold: str, stage: str, most: float = 1.0) -> Units:
        """What the data learning curve lacks: the best recipes on fewer rows, the best one and few rows first."""
        if fold not in (*self.course.first[:CURVE_FOLDS], *self.course.later):
            return
        for trial in different(ranked(self._at(fold, 1)), CURVE_RECIPES):
            for divisor in sorted(self.course.sizes.get(fold, ()), reverse=True):
                name, candidate = thinned(fold, divisor), self._known(trial)
                if not self._has(candidate, name):
                    # few rows take longer than in proportion: more passes over them are worth it
                    wanted = max(own_seconds(trial) * divisor**-CURVE_GROWTH, SECONDS_LEAST)
                    if self._used_on(fold) - self._opened(fold) + wanted > most * self._fold_seconds():
                        return
                    limit = yield from self._granted(fold, partial(self._at_most, fold, wanted))
                    if limit < max(SECONDS_LEAST, ENOUGH * wanted):
                        return
                    yield self._unit(candidate, name, stage, limit)

    def _naive(self, fold: str) -> float | None:
        """The baseline's loss on the fold's validation rows."""
        found = (t.valid_loss for t in self.finished if t.family == "baseline" and t.fold == fold)
        return next((loss for loss in found if loss is not None), None)

    def _each(
        self,
        fold: str,
        divisor: int,
        entrants: Sequence[Candidate],
        stage: str,
        limit_of: Callable[[str, Sequence[Candidate]], float],
    ) -> Units:
        """These recipes at one size, in order, as many as there is time for; ends when all of them have ended."""
        name = thinned(fold, divisor)
        for number, candidate in enumerate(entrants):
            if not self._has(candidate, name):
                limit = yield from self._granted(fold, partial(limit_of, fold, entrants[number:]))
                least = SECONDS_LEAST if divisor > 1 else max(SECONDS_LEAST, HURRIED * self._opened(fold))
                if limit >= least and not self._is_hopeless(candidate, divisor, limit):
                    yield self._unit(candidate, name, stage, limit)
        while self._is_busy(fold):
            yield None

    def _look_limit(self, fold: str, waiting: Sequence[Candidate]) -> float:
        """Seconds for a look by the first of those that wait. A favourite has its look whatever others have used."""
        candidate = waiting[0]
        left = LOOKS * self._fold_seconds() - self._used_on(fold) + self._opened(fold)
        moment = max(FIRST_LOOK, LOOK * self._fold_seconds())
        expected = self._expected(candidate, max(self.course.sizes[fold]))
        # what plans by the clock takes what it is given, and would be given more and more
        is_known = expected is not None and not self._plans(candidate)
        wanted = max(ROOM * expected, SECONDS_LEAST) if is_known and expected is not None else moment
        return (
            self._at_most(fold, wanted)
            if candidate in self.course.favourites()
            else self._limit(min(left, wanted))
        )

    def _whole_limit(self, fold: str, waiting: Sequence[Candidate]) -> float:
        """Seconds on all rows for the first of those that wait.

        As many of them as would all have enough share what is left, by what they are expected to take. Where not one
        more such fit would fit into what the race leaves, there is no search to leave it to.
        """
        until = 1.0 - self._for_curve(fold) if self._is_tight(fold) else RACE_SHARE
        left = until * self._fold_seconds() - self._used_on(fold)
        usual = self._opened(fold) or max(left, SECONDS_LEAST) / len(waiting)
        expected = [self._expected(one, 1) or usual for one in waiting]
        of_all, needed = expected[0], 0.0
        for candidate, seconds in zip(waiting[1:], expected[1:], strict=True):
            needed += self._enough(candidate) * seconds
            if needed + self._enough(waiting[0]) * expected[0] > left:
                break
            of_all += seconds
        return self._limit(max(left * expected[0] / of_all, min(left, ROOM * expected[0])))

    def _opened(self, fold: str) -> float:
        """Processor seconds that the opening took; 0 where there was none."""
        if not self.course.opening:
            return 0.0
        opening = self.course.favourites()[0].recipe
        return sum(own_seconds(trial) for trial in self._at(fold, 1) if trial.recipe == opening)

    def _for_curve(self, fold: str) -> float:
        """The part of a fold's time that is kept for smaller sizes where there was none for them before."""
        return CURVE_SHARE if fold in self.course.first[:CURVE_FOLDS] and self.course.sizes.get(fold) else 0.0

    def _left_behind(self, fold: str) -> Units:
        """Learners that the race had no time for, on few rows; then what did not get to all rows, the best first."""
        sizes = self.course.sizes.get(fold, ())
        looked = {trial.learner for divisor in (1, *sizes) for trial in self._at(fold, divisor)}
        for candidate in self.course.entrants() if sizes else ():
            if candidate.learner not in looked and self._may_follow(fold):
                looked.add(candidate.learner)
                yield from self._one(candidate, thinned(fold, max(sizes)), "race")
        # the larger the size at which it was left, the better it was
        for divisor in sorted(sizes):
            for trial in ranked(self._at(fold, divisor)):
                candidate = self._known(trial)
                expected = self._expected(candidate, 1) or 0.0
                if not self._has(candidate, fold) and expected <= DEAR * self._fold_seconds():
                    yield from self._one(candidate, fold, "race")
        # other settings of the learners that got to all rows; the others' would hardly do better
        good = {trial.learner for trial in self._at(fold, 1)}
        for candidate in self.course.entrants():
            if candidate.learner in good and not self._has(candidate, fold):
                yield from self._one(candidate, fold, "race", self._usual(candidate.learner, fold))

    def _searched(self, fold: str, start: int) -> Units:
        """Searched settings: on few rows first, unless all rows are cheap, and on all where they promise more."""
        sizes = sorted(self.course.sizes.get(fold, ()))
        look = sizes[min(1, len(sizes) - 1)] if sizes else 1
        for number in range(start, start + SEARCH_ROUNDS):
            candidate = self._proposal(fold, number)
            if candidate is None or (start == 0 and self._searched_long(fold)):
                return
            whole = self._usual(candidate.learner, fold)
            if look > 1 and whole > SMALL * self._fold_seconds():
                name = thinned(fold, look)
                if not self._may_follow(fold) or not (
                    yield from self._one(candidate, name, "search", whole / look)
                ):
                    return
                while self._is_running(candidate, name):
                    yield None
                alike = ranked(t for t in self._at(fold, look) if t.learner == candidate.learner)
                if not alike or alike[0].recipe != candidate.recipe:
                    continue
            if not (yield from self._one(candidate, fold, "search", whole)):
                return

    def _searched_long(self, fold: str) -> bool:
        """Whether searching a fold has had its part of the time, so that repeats come before more of it."""
        sizes = (1, *self.course.sizes.get(fold, ()))
        taken = sum(own_seconds(t) for size in sizes for t in self._at(fold, size) if t.stage == "search")
        return bool(taken >= SEARCH_SHARE * self._fold_seconds())

    def _one(
        self, candidate: Candidate, name: str, stage: str, usual: float = FIRST_LOOK
    ) -> Generator[Unit | None, None, bool]:
        """A recipe on one size of a fold out of what the fold has left; whether there was time for it.

        usual: seconds that it may take where nothing is known of it.
        """
        fold, divisor = place(name)
        expected = self._expected(candidate, divisor) or usual
        wanted = max(ROOM * expected, SECONDS_LEAST)
        limit = yield from self._granted(fold, partial(self._at_most, fold, wanted))
        if limit < max(SECONDS_LEAST, ENOUGH * expected) or self._is_hopeless(candidate, divisor, limit):
            return False
        yield self._unit(candidate, name, stage, limit)
        return True

    def _may_follow(self, fold: str) -> bool:
        """Whether after another look there would be time for a fit on all rows, such as the best one took."""
        best = ranked(self._at(fold, 1))
        return not best or self._left_on(fold) >= FOLLOWED * own_seconds(best[0])

    def _at_most(self, fold: str, seconds: float) -> float:
        """So many seconds for a unit, if the fold has as much left."""
        return self._limit(min(seconds, self._left_on(fold)))

    def _granted(self, fold: str, limit: Callable[[], float]) -> Generator[Unit | None, None, float]:
        """Seconds for the next unit, once running ones of the fold have given back what they did not need."""
        while (seconds := limit()) < SECONDS_LEAST and self._may_wait(fold):
            yield None
        return seconds

    def _proposal(self, fold: str, number: int) -> Candidate | None:
        """Random settings for one of the learners that do best on this fold's own validation rows."""
        spaces = {c.learner: c for c in self.course.candidates if c.space}
        best = dict.fromkeys(t.learner for t in ranked(self._at(fold, 1)) if t.learner in spaces)
        if not best:
            return None
        base = spaces[list(best)[number % min(SEARCHED_LEARNERS, len(best))]]
        mark = int.from_bytes(hashlib.sha256(f"{self.seed} {fold} {number}".encode()).digest()[:8], "big")
        settings = propose(base.space, np.random.default_rng(mark))
        return Candidate(base.learner, base.family, base.title, 100 + number, settings, base.space)

    def _usual(self, learner: str, fold: str) -> float:
        """Processor seconds this learner has taken on all rows of the fold, the longest so far."""
        return max((own_seconds(t) for t in self._at(fold, 1) if t.learner == learner), default=5.0)

    def _without_engineering(self) -> Units:
        """Each fold's best recipe on plain numbers, at the largest size that the time is enough for."""
        folds = self.course.first[:ABLATION_FOLDS]
        each = ABLATION_SHARE * self.budget.family_seconds / len(folds)
        for fold in folds:
            for trial in ranked(self._at(fold, 1))[:1]:
                again = self._known(trial)
                tried = [d for d in (2, 4, 8, 16) if self._has(again, thinned(fold, d))] or [1]
                fits = [d for d in tried if (self._expected(again, d) or 0.0) <= each]
                divisor = fits[0] if fits else tried[-1]
                limit = self._limit(max(ROOM * each, SECONDS_LEAST))
                if limit >= SECONDS_LEAST and not self._is_hopeless(again, divisor, limit):
                    yield self._unit(again, thinned(fold, divisor, is_raw=True), "ablation", limit)

    def _at(self, fold: str, divisor: int) -> list[Trial]:
        """This family's trials on one size of a fold."""
        return self._mine.on(thinned(fold, divisor))

    def _has(self, candidate: Candidate, name: str) -> bool:
        """Whether a recipe was begun on this size of a fold."""
        tried = any(trial.recipe == candidate.recipe for trial in self._mine.on(name))
        return tried or self._is_running(candidate, name)

    def _is_running(self, candidate: Candidate, name: str) -> bool:
        running = self.running.values()
        return any(unit.fold == name and unit.candidate.recipe == candidate.recipe for unit in running)

    def _used_on(self, fold: str) -> float:
        """Processor seconds that a fold's trials have used or may use, of whatever size."""
        promised = sum(unit.seconds for unit in self.running.values() if place(unit.fold)[0] == fold)
        return self._mine.used_on(fold) + promised

    def _left_on(self, fold: str) -> float:
        return self._fold_seconds() - self._used_on(fold)

    def _is_busy(self, fold: str) -> bool:
        return any(place(unit.fold)[0] == fold for unit in self.running.values())

    def _may_wait(self, fold: str) -> bool:
        """Whether running trials of the fold may give time back, and early enough to use it."""
        return self._is_busy(fold) and self.ends() - self.clock() >= SECONDS_LEAST

    def _fold_seconds(self) -> float:
        """Processor seconds of one fold of the first pass: its even part of what the share will come to.

        On a busy machine the run ends by the clock before the share is spent; then every size has to make do with less,
        or the last ones would never come.
        """
        share = self.part * self.budget.family_seconds * min(1.0, speed(self.finished))
        return max(share - self._mine.for_features, 0.0) / max(len(self.course.first), 1)

    def _limit(self, quota: float) -> float:
        """Seconds for a unit: its quota, if the share and the clock have as much."""
        return min(quota, self.available(), self.ends() - self.clock())

    def _is_hopeless(self, candidate: Candidate, divisor: int, limit: float) -> bool:
        """It failed on two folds or ran out of memory on one, or would not end within the limit."""
        mine = self._mine.of(candidate.recipe)
        ended = [trial.status for trial in mine]
        if "out_of_memory" in ended or ended.count("failed") >= FAILURES_MOST:
            return True
        late = [t for t in mine if t.status == "out_of_time" and place(t.fold)[1] >= divisor]
        if self.course.keeps_features and len(late) == 1:
            late = []  # it may have been making features, and whoever comes after finds them ready
        if any(limit < TWICE * own_seconds(trial) for trial in late):
            return True
        expected = self._expected(candidate, divisor)
        return expected is not None and limit < self._enough(candidate) * expected

    def _enough(self, candidate: Candidate) -> float:
        """The part of what a recipe is expected to take that is worth beginning with."""
        if self.course.opening and not self._mine.of(candidate.recipe):
            return 1.0  # as much as the strongest had, or it could only be worse
        return ENOUGH_BY_PLAN if self._plans(candidate) else ENOUGH

    def _plans(self, candidate: Candidate) -> bool:
        """Whether a recipe has been seen to decide by the clock, and so ends in order with less than it would take."""
        return any(trial.decided for trial in self._mine.of(candidate.recipe))

    def _unit(self, candidate: Candidate, fold: str, stage: str, seconds: float) -> Unit:
        mark = hashlib.sha256(f"{self.seed} {fold} {candidate.recipe}".encode()).digest()
        for_features = FEATURES_PORTION * self.available() if self.course.keeps_features else 0.0
        number = int.from_bytes(mark[:4], "big") >> 1
        return Unit(candidate, fold, stage, number, seconds, for_features=for_features)


def _again(trial: Trial) -> Candidate:
    """A finished trial's recipe, to be fitted on other rows."""
    return Candidate(trial.learner, trial.family, trial.title, trial.turn, trial.settings, {})


def speed(finished: Sequence[Trial]) -> float:
    """Processor seconds that trials had for each second by the clock; 1 while too few have ended to tell."""
    if len(finished) < SPEED_KNOWN:
        return 1.0
    wall = sum(trial.wall_seconds for trial in finished)
    return sum(trial.cpu_seconds for trial in finished) / wall if wall > 0 else 1.0


def fairest(lanes: Iterable[Lane]) -> Unit | None:
    """The next unit of the lane that has used less, running trials counted at what they may use.

    The pre-trained family comes first until it has an answer on every fold of the first pass: reading with its encoder
    costs it much at once, and a fold that had to wait until the others have used as much might never come.
    """

    def turn(lane: Lane) -> tuple[bool, float]:
        return lane.family != PRETRAINED or lane.has_answer(), lane.spent() + lane.promised()

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
