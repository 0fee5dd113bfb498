"""The plan on a simulated clock: nothing is trained, outcomes are made up."""

from __future__ import annotations

import heapq
import itertools
import zlib
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fathometer.data.thinning import is_whole, place
from fathometer.study.budget import FAMILIES, SEARCH_SHARE, Budget
from fathometer.study.ledger import Trial
from fathometer.study.plan import (
    BEST,
    SEARCH_ROUNDS,
    Candidate,
    Course,
    Lane,
    Unit,
    baseline_units,
    fairest,
)
from fathometer.study.race import ranked

SPACE = {"rate": {"low": 0.01, "high": 1.0, "logarithmic": True, "whole": False, "among": []}}
Cost = Callable[[Unit], tuple[float, str]]  # processor seconds it needs, and how it ends if it has them


def candidates(family: str, count: int = 6, *, space: bool = True) -> list[Candidate]:
    return [
        Candidate(f"{family}{k}", family, f"{family} {k}", k, {}, SPACE if space and k % 2 else {})
        for k in range(count)
    ]


def folds(first: int = 5, passes: int = 3) -> tuple[tuple[str, int], ...]:
    return tuple((f"r{repeat}f{k}", repeat) for repeat in range(passes) for k in range(first))


def a_course(family: str, count: int = 6, **changes: Any) -> Course:
    names = [name for name, _ in folds()]
    first = 5
    given: dict[str, Any] = {"first": tuple(names[:first]), "later": tuple(names[first:]), **changes}
    if given.get("recipes") is not None:
        given["later"] = ()
    return Course(family, tuple(given.pop("candidates", candidates(family, count))), **given)


def a_lane(
    course: Course, budget: Budget, finished: list[Trial], clock: Callable[[], float] = lambda: 0.0
) -> Lane:
    return Lane(course, budget, 3, finished, clock)


class Simulation:
    """Lanes, workers and a clock of its own. Stoppable learners end when their seconds are over."""

    def __init__(
        self,
        cost: Cost,
        *,
        budget: Budget,
        busy: float = 1.0,
        finished: list[Trial] | None = None,
        stoppable: bool = True,
        recipes: int | None = None,
        ends: float = np.inf,
        sizes: dict[str, tuple[int, ...]] | None = None,
        is_ablated: bool = False,
    ) -> None:
        self.now = 0.0
        self.cost, self.budget, self.busy, self.stoppable, self.ends = cost, budget, busy, stoppable, ends
        self.finished = [] if finished is None else finished
        self.started: list[tuple[float, Unit]] = []
        self.lanes = {
            family: a_lane(
                a_course(family, recipes=recipes, sizes=sizes or {}, is_ablated=is_ablated),
                budget,
                self.finished,
                lambda: self.now,
            )
            for family in FAMILIES
        }
        self.work()

    def work(self) -> None:
        running: list[tuple[float, int, Trial]] = []
        number = itertools.count()
        while True:
            while len(running) < self.budget.workers and self.now < self.ends:
                unit = fairest(self.lanes.values())
                if unit is None:
                    break
                self.started.append((self.now, unit))
                trial = self.outcome(unit)
                heapq.heappush(running, (self.now + trial.cpu_seconds * self.busy, next(number), trial))
            if not running or running[0][0] > self.ends:
                return
            self.now, _, trial = heapq.heappop(running)
            self.finished.append(trial)
            self.lanes[trial.family].end(trial.key)

    def outcome(self, unit: Unit) -> Trial:
        needed, status = self.cost(unit)
        used = needed
        if needed > unit.seconds and self.stoppable:
            used = unit.seconds
        elif needed > 1.3 * unit.seconds + 3:
            used, status = 1.3 * unit.seconds + 3, "out_of_time"
        # the same in every process, which `hash` is not, and hardly ever equal
        loss = 0.1 + zlib.crc32(f"{unit.candidate.recipe} {unit.fold}".encode()) / 2**36
        trial = a_trial(unit, used, status, loss if status == "done" else None)
        screened = loss if status == "done" and place(unit.fold)[1] > 1 else None
        return replace(trial, wall_seconds=used * self.busy, screen_loss=screened)

    def spent(self, family: str) -> float:
        return self.lanes[family].spent()


def a_trial(unit: Unit, seconds: float, status: str = "done", loss: float | None = 0.2) -> Trial:
    one = unit.candidate
    values: dict[str, Any] = {"settings": dict(one.settings), "cpu_seconds": seconds, "valid_loss": loss}
    return Trial(
        unit.key,
        one.family,
        one.learner,
        one.title,
        turn=one.turn,
        fold=unit.fold,
        seed=unit.seed,
        stage=unit.stage,
        status=status,
        **values,
    )


SIZES = {name: (2, 4, 8) for name, _ in folds()}


def with_sizes(cost: Cost, budget: Budget, **changes: Any) -> Simulation:
    """With thinner folds; a fit takes as much less as they have fewer rows."""

    def by_size(unit: Unit) -> tuple[float, str]:
        seconds, status = cost(unit)
        return seconds / place(unit.fold)[1], status

    return Simulation(by_size, budget=budget, sizes=SIZES, **changes)


def by_learner(classical: float, deep: float, status: str = "done") -> Cost:
    """Every further learner of a family takes a little longer."""

    def cost(unit: Unit) -> tuple[float, str]:
        base = classical if unit.candidate.family == "classical" else deep
        return base * (1 + 0.3 * unit.candidate.turn % 7), status

    return cost


@given(
    classical=st.floats(0.02, 200),
    deep=st.floats(0.02, 200),
    seconds=st.floats(10, 1_000),
    workers=st.sampled_from([1, 2, 3, 16]),
    busy=st.floats(1, 4),
    stoppable=st.booleans(),
)
@settings(deadline=None, max_examples=40)
def test_shares_are_kept_by_each_family_whatever_trials_cost(
    classical: float, deep: float, seconds: float, workers: int, busy: float, stoppable: bool
) -> None:
    run = Simulation(
        by_learner(classical, deep), budget=Budget(seconds, workers), busy=busy, stoppable=stoppable
    )
    share = run.budget.family_seconds
    late = 3.0 + 0.3 * share  # one trial per worker may be ended over its limit
    for family in FAMILIES:
        assert run.spent(family) <= share + (0 if stoppable else workers * late) + 1e-6
    keys = [unit.key for _, unit in run.started]
    assert len(set(keys)) == len(keys)
    for started, unit in run.started:
        assert 0 < unit.seconds <= run.budget.training_ends - started + 1e-9
    assert not any(lane.running for lane in run.lanes.values())


@pytest.mark.parametrize("workers", [1, 2, 4, 16, 64])
@pytest.mark.parametrize(("classical", "deep"), [(1.0, 1.0), (0.2, 8.0), (5.0, 0.3)])
def test_equal_time_is_spent_by_both_where_there_is_enough_to_do(
    workers: int, classical: float, deep: float
) -> None:
    run = Simulation(by_learner(classical, deep), budget=Budget(600, workers))
    if workers <= 4:
        for family in FAMILIES:
            searched = sum(u.candidate.family == family and u.stage == "search" for _, u in run.started)
            is_all = searched >= SEARCH_ROUNDS * 5  # all of the last round of search
            assert is_all or run.spent(family) == pytest.approx(run.budget.family_seconds, rel=0.1)
    else:  # more processors than the plan has trials for: what is left is left, but the plan is done
        assert all(run.spent(family) <= run.budget.family_seconds for family in FAMILIES)
        for family in FAMILIES:
            tried = {unit.candidate.recipe for _, unit in run.started if unit.candidate.family == family}
            assert {one.recipe for one in candidates(family)} <= tried


@pytest.mark.parametrize("workers", [1, 2, 8])
def test_at_any_moment_both_have_used_nearly_the_same(workers: int) -> None:
    run = Simulation(by_learner(0.5, 6.0), budget=Budget(600, workers))
    promised = dict.fromkeys(FAMILIES, 0.0)
    cost = by_learner(0.5, 6.0)
    longest = max(unit.seconds for _, unit in run.started)
    for moment, unit in run.started:
        if moment > 0.6 * run.budget.training_ends:
            break
        promised[unit.candidate.family] += min(cost(unit)[0], unit.seconds)
        assert abs(promised["deep"] - promised["classical"]) <= (workers + 1) * longest


def test_time_a_family_leaves_is_not_given_to_the_other() -> None:
    budget = Budget(600, 2)

    def cost(unit: Unit) -> tuple[float, str]:
        return (0.01, "done") if unit.candidate.family == "classical" else (50.0, "done")

    alone = Simulation(cost, budget=budget)
    assert alone.spent("classical") < 0.1 * budget.family_seconds
    assert alone.spent("deep") <= budget.family_seconds


def test_many_workers_do_not_end_a_plan_early() -> None:
    """All of a share may be promised to running trials that then take a little of it."""
    run = Simulation(by_learner(0.4, 0.4), budget=Budget(60, 48))
    for family in FAMILIES:
        stages = Counter(unit.stage for _, unit in run.started if unit.candidate.family == family)
        assert stages["race"] == 30
        assert stages["search"] > 50


def test_presets_come_in_one_order_on_every_fold_and_before_search_and_repeats() -> None:
    run = Simulation(by_learner(0.5, 0.5), budget=Budget(600, 2))
    for family in FAMILIES:
        mine = [unit for _, unit in run.started if unit.candidate.family == family]
        orders = {
            tuple(unit.candidate.learner for unit in mine if unit.fold == fold and unit.stage == "race")
            for fold, _ in folds()[:5]
        }
        assert orders == {tuple(one.learner for one in candidates(family))}
        stages = [unit.stage for unit in mine]
        assert stages.index("search") > max(k for k, stage in enumerate(stages) if stage == "race")
        assert {unit.fold for unit in mine if unit.stage == "repeats"} <= {name for name, _ in folds()[5:]}


def test_the_folds_of_the_first_pass_go_on_evenly() -> None:
    run = with_sizes(by_learner(1.0, 3.0), Budget(300, 2))
    first = run.lanes["deep"].course.first
    used = dict.fromkeys(first, 0.0)
    longest = 0.0
    for trial in run.finished:
        if trial.family == "deep" and place(trial.fold)[0] in used and trial.stage == "race":
            used[place(trial.fold)[0]] += trial.cpu_seconds
            longest = max(longest, trial.cpu_seconds)
            assert max(used.values()) - min(used.values()) <= 3 * longest


def test_search_takes_no_more_than_its_share_before_repeats() -> None:
    run = Simulation(by_learner(0.5, 0.5), budget=Budget(600, 2), is_ablated=True)
    for family in FAMILIES:
        mine = [unit for _, unit in run.started if unit.candidate.family == family]
        before = {unit.key for unit in itertools.takewhile(lambda unit: unit.stage != "repeats", mine)}
        searched = [t for t in run.finished if t.key in before and t.stage == "search"]
        spent = sum(trial.cpu_seconds for trial in searched)
        assert spent <= SEARCH_SHARE * run.budget.family_seconds + 5 * max(t.cpu_seconds for t in searched)
        assert {unit.stage for unit in mine} >= {"ablation", "repeats"}


def test_what_cannot_end_in_time_is_not_started_again() -> None:
    def cost(unit: Unit) -> tuple[float, str]:
        return (1e6, "done") if unit.candidate.turn == 2 else (0.5, "done")

    run = Simulation(cost, budget=Budget(300, 1), stoppable=False)
    for family in FAMILIES:
        assert sum(unit.candidate.learner == f"{family}2" for _, unit in run.started) == 1


def test_towards_the_end_only_what_fits_is_started() -> None:
    run = Simulation(by_learner(4.0, 4.0), budget=Budget(200, 1), stoppable=False)
    ended = Counter(t.recipe for t in run.finished if t.status == "out_of_time" and t.stage != "search")
    assert set(ended.values()) <= {1}
    known: dict[str, float] = {}
    for trial, (_, unit) in zip(run.finished, run.started, strict=True):  # one worker: in order
        assert unit.seconds >= 0.6 * known.get(trial.recipe, 0.0)
        if unit.stage != "search" and trial.status == "done":
            known[trial.recipe] = max(trial.cpu_seconds, known.get(trial.recipe, 0.0))


def test_a_recipe_that_fails_twice_is_left() -> None:
    def cost(unit: Unit) -> tuple[float, str]:
        return 0.5, "failed" if unit.candidate.turn == 1 else "done"

    run = Simulation(cost, budget=Budget(300, 1))
    for family in FAMILIES:
        failed = [u for _, u in run.started if u.candidate.learner == f"{family}1" and u.stage != "search"]
        assert len(failed) == 2


def test_a_recipe_that_needs_too_much_memory_is_left_at_once() -> None:
    run = Simulation(by_learner(0.5, 0.5, "out_of_memory"), budget=Budget(300, 1))
    assert max(Counter(unit.candidate.recipe for _, unit in run.started).values()) == 1


def test_failures_count() -> None:
    run = Simulation(by_learner(0.5, 0.5, "failed"), budget=Budget(300, 1))
    for family in FAMILIES:
        mine = [trial for trial in run.finished if trial.family == family]
        assert mine
        assert run.spent(family) == pytest.approx(sum(trial.cpu_seconds for trial in mine))


def test_training_again_on_all_rows_is_charged_to_nobody() -> None:
    run = Simulation(by_learner(0.5, 0.5), budget=Budget(60, 1))
    before = run.spent("deep")
    run.finished.append(a_trial(run.started[-1][1], 100.0))
    run.finished[-1] = Trial(**{**vars(run.finished[-1]), "stage": "refit", "family": "deep"})
    assert run.spent("deep") == before


@pytest.mark.parametrize("stop", [1.0, 20.0, 100.0, 400.0])
def test_a_resumed_plan_repeats_no_finished_key(stop: float) -> None:
    budget = Budget(600, 2)
    first = Simulation(by_learner(0.7, 2.0), budget=budget, ends=stop)
    kept = {trial.key for trial in first.finished}
    second = Simulation(by_learner(0.7, 2.0), budget=budget, finished=list(first.finished))
    assert not kept & {unit.key for _, unit in second.started}
    keys = [trial.key for trial in second.finished]
    assert len(set(keys)) == len(keys)
    whole = Simulation(by_learner(0.7, 2.0), budget=budget)
    presets = {unit.key for _, unit in whole.started if unit.stage == "race"}
    assert presets <= set(keys)


def test_a_recipe_ended_with_the_run_is_tried_on_other_folds_with_more_time() -> None:
    budget = Budget(600, 1)
    run = Simulation(by_learner(1.0, 1.0), budget=budget, ends=0.0)
    lane = run.lanes["deep"]
    unit = lane.next()
    assert unit is not None
    lane.end(unit.key)
    run.finished.append(a_trial(unit, 0.4, "out_of_time", None))  # the run was over, not its own time
    following = lane.next()
    assert following is not None
    assert following.candidate.recipe == unit.candidate.recipe
    assert following.fold != unit.fold


def test_a_short_plan_has_so_many_recipes_on_the_first_pass_and_no_search() -> None:
    run = Simulation(by_learner(0.5, 0.5), budget=Budget(600, 2), recipes=2)
    assert len(run.started) == 2 * 2 * 5
    assert {unit.stage for _, unit in run.started} == {"presets"}


def test_searched_settings_come_from_the_fold_that_judges_them_by_its_own_validation_rows() -> None:
    run = Simulation(by_learner(0.5, 0.5), budget=Budget(300, 1))
    seen: list[Trial] = []
    best: dict[tuple[str, str], list[str]] = {}
    for trial, (_, unit) in zip(run.finished, run.started, strict=True):
        if unit.stage == "search":
            scored = [t for t in seen if t.fold == unit.fold and t.family == trial.family and t.valid_loss]
            tried = sorted(
                {t.learner for t in scored},
                key=lambda name: min(t.valid_loss or 9 for t in scored if t.learner == name),
            )
            with_space = [name for name in tried if int(name[-1]) % 2]
            assert trial.learner in with_space[:2]
            best.setdefault((unit.fold, trial.learner), []).append(unit.candidate.recipe)
        seen.append(trial)
    assert all(len(set(recipes)) == len(recipes) for recipes in best.values())


def test_the_baseline_comes_on_every_fold_and_once() -> None:
    base = [Candidate("baseline", "baseline", "baseline", 0, {}, {})]
    names = [name for name, _ in folds()]
    units = list(baseline_units(base, names, 0, []))
    assert [unit.fold for unit in units] == names
    rest = list(baseline_units(base, names, 0, [a_trial(unit, 0.1) for unit in units[:4]]))
    assert [unit.fold for unit in rest] == names[4:]


def test_a_key_names_the_recipe_the_fold_and_the_seed_and_is_a_file_name() -> None:
    one = Candidate("mlp", "deep", "", 1, {"a": (1, 2), "b": "../x"}, {})
    keys = {
        Unit(candidate, fold, "presets", seed, 1.0).key
        for candidate in (one, Candidate("mlp", "deep", "", 1, {"a": (1, 3), "b": "../x"}, {}))
        for fold in ("r0f0", "r0f1")
        for seed in (0, 1)
    }
    assert len(keys) == 8
    assert all(key.replace("-", "").isalnum() for key in keys)
    listed = Candidate("mlp", "deep", "", 1, {"b": "../x", "a": [1, 2]}, {})
    assert Unit(one, "f", "presets", 0, 1.0).key == Unit(listed, "f", "repeats", 0, 9.0).key


def test_engineered_features_are_left_out_once_a_fold_where_there_are_any() -> None:
    run = with_sizes(by_learner(0.5, 0.5), Budget(600, 2), is_ablated=True)
    for family in FAMILIES:
        raw = [u for _, u in run.started if u.candidate.family == family and u.stage == "ablation"]
        assert [place(u.fold)[0] for u in raw] == ["r0f0", "r0f1", "r0f2"]
        for unit in raw:
            done = {(t.fold, t.recipe) for t in run.finished}
            assert (unit.fold.removesuffix("~raw"), unit.candidate.recipe) in done
    assert not [
        u for _, u in with_sizes(by_learner(0.5, 0.5), Budget(600, 2)).started if u.stage == "ablation"
    ]


@pytest.mark.parametrize("seconds", [60, 300, 1_200])
def test_three_folds_have_all_sizes_in_both_families(seconds: float) -> None:
    run = with_sizes(by_learner(1.0, 2.0), Budget(seconds, 2))
    for family in FAMILIES:
        sizes: dict[str, set[int]] = {}
        for trial in run.finished:
            if trial.family == family:
                fold, divisor = place(trial.fold)
                sizes.setdefault(fold, set()).add(divisor)
        assert all(sizes[fold] == {1, 2, 4, 8} for fold in run.lanes[family].course.first[:3])
        assert run.spent(family) <= run.budget.family_seconds + 1e-6


def test_all_rows_are_for_the_best_by_the_folds_own_looks_and_for_favourites() -> None:
    run = with_sizes(by_learner(3.0, 3.0), Budget(120, 1))
    looks = {t.key: t for t in run.finished if place(t.fold)[1] == 8}
    checked = 0
    for family in FAMILIES:
        favourites = {one.recipe for one in run.lanes[family].course.favourites()}
        for fold in run.lanes[family].course.first:
            mine = [t for t in looks.values() if t.family == family and t.fold == f"{fold}@8"]
            best = {t.recipe for t in ranked(mine)[:BEST]}
            began = [u for _, u in run.started if u.fold == fold and u.candidate.family == family]
            assert {u.candidate.recipe for u in began[:BEST]} <= best | favourites
            checked += len(began)
    assert checked >= 10


def test_other_folds_losses_change_nothing_that_a_fold_tries() -> None:
    """Times are shared between folds; losses may not be, for a fold's validation rows are others' test rows."""

    def tried(worse: str) -> list[tuple[str, str]]:
        class Worse(Simulation):
            def outcome(self, unit: Unit) -> Trial:
                trial = super().outcome(unit)
                if place(unit.fold)[0] == worse and trial.valid_loss is not None:
                    loss = 1.0 - trial.valid_loss
                    return replace(trial, valid_loss=loss, screen_loss=trial.screen_loss and loss)
                return trial

        run = Worse(lambda unit: (0.5 / place(unit.fold)[1], "done"), budget=Budget(300, 1), sizes=SIZES)
        return [
            (u.fold, u.candidate.recipe)
            for family in FAMILIES
            for _, u in run.started
            if place(u.fold)[0] == "r0f1" and u.candidate.family == family
        ]

    assert tried("r0f0") == tried("none")
    assert tried("r0f1") != tried("none")


def test_a_favourite_that_did_not_fall_behind_reaches_all_rows_though_others_were_better_on_few() -> None:
    """Strong learners often need rows to show it."""

    class Slow(Simulation):
        def outcome(self, unit: Unit) -> Trial:
            trial = super().outcome(unit)
            loss = 0.5 + 0.001 * (10 - unit.candidate.turn)  # the first presets are a little behind
            return replace(trial, valid_loss=loss, screen_loss=loss if place(unit.fold)[1] > 1 else None)

    # enough for the race and no more
    run = Slow(lambda unit: (4.0 / place(unit.fold)[1], "done"), budget=Budget(100, 2), sizes=SIZES)
    for family in FAMILIES:
        whole = {t.learner for t in run.finished if t.family == family and t.fold == "r0f0"}
        assert whole & {f"{family}0", f"{family}1"}


def test_on_a_busy_machine_all_sizes_have_less_and_none_is_missing() -> None:
    run = with_sizes(by_learner(1.0, 1.0), Budget(120, 2), busy=2.5)
    for family in FAMILIES:
        whole = {t.fold for t in run.finished if t.family == family and is_whole(t.fold)}
        assert set(run.lanes[family].course.first) <= whole


def test_a_short_plan_has_no_curve() -> None:
    run = with_sizes(by_learner(0.5, 0.5), Budget(600, 2), recipes=2, is_ablated=True)
    assert {unit.stage for _, unit in run.started} == {"presets"}


def test_features_made_for_all_do_not_make_a_recipe_hopeless_on_other_folds() -> None:
    """The first fold of a recipe may pay for features that the others find ready."""
    finished: list[Trial] = []
    budget = Budget(60, 2)
    lane = a_lane(a_course("classical", 1, keeps_features=True), budget, finished)
    first = lane.next()
    assert first is not None and first.for_features > 0.4 * budget.family_seconds
    lane.end(first.key)
    dear = a_trial(first, 30.0)
    finished.append(replace(dear, shared_seconds=28.0))
    second = lane.next()
    assert second is not None and second.candidate == first.candidate and second.fold != first.fold
    without = a_lane(a_course("classical", 1), budget, [dear])
    unit = without.next()
    assert unit is None or unit.stage != "race"


def test_a_first_trial_that_was_ended_while_making_features_is_followed_by_others() -> None:
    finished: list[Trial] = []
    lane = a_lane(a_course("classical", 1, keeps_features=True), Budget(60, 2), finished)
    for _ in range(2):
        unit = lane.next()
        assert unit is not None and unit.stage == "race"
        lane.end(unit.key)
        finished.append(a_trial(unit, 12.0, status="out_of_time", loss=None))
    unit = lane.next()
    assert unit is None or unit.stage != "race"


def test_the_pre_trained_family_has_an_answer_on_every_fold_before_others_catch_up() -> None:
    """Reading with its encoder is dear on the first fold; its other folds must not wait until all have used as much."""
    finished: list[Trial] = []
    budget = Budget(60, 2, families=3)
    lanes = [
        a_lane(
            a_course(name, 3, first=("r0f0", "r0f1", "r0f2"), later=(), keeps_features=True), budget, finished
        )
        for name in (*FAMILIES, "pretrained")
    ]
    order = []
    for number in range(5):
        unit = fairest(lanes)
        assert unit is not None
        order.append((unit.candidate.family, unit.fold))
        for lane in lanes:
            lane.end(unit.key)
        dear = 9.0 if number == 0 else 0.4
        finished.append(replace(a_trial(unit, dear), shared_seconds=dear - 0.4))
    assert order[:3] == [("pretrained", f"r0f{k}") for k in range(3)]
    assert {family for family, _ in order[3:]} == set(FAMILIES)
