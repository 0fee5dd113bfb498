"""Members and weights against brute force, and what they keep whatever the models."""

from __future__ import annotations

import itertools

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fathometer.study.ensemble import MEMBERS_MOST, choose_members
from fathometer.task import Task
from fathometer.tasks.classification import Classification
from fathometer.tasks.regression import Regression

Floats = npt.NDArray[np.float64]
TASKS: list[Task] = [
    Classification("y", "accuracy", 0.5, ("a", "b", "c")),
    Regression("y", "rmse", 1.0),
    Regression("y", "mae", 1.0),
]


def models(task: Task, count: int, rows: int, seed: int) -> tuple[list[Floats], npt.NDArray[np.float64]]:
    """Predictions of models of several strengths, some of them equal, and the target."""
    rng = np.random.default_rng(seed)
    made: list[Floats] = []
    if task.outputs == 1:
        target = rng.normal(size=rows)
        made = [target + rng.normal(size=rows) * rng.uniform(0.2, 2) for _ in range(count)]
    else:
        target = rng.integers(0, task.outputs, rows)
        for _ in range(count):
            raw = np.exp(
                rng.normal(size=(rows, task.outputs)) + rng.uniform(0, 2) * np.eye(task.outputs)[target]
            )
            made.append(raw / raw.sum(axis=1, keepdims=True))
    if count > 3 and seed % 2:
        made[3] = made[0].copy()
    return made, target


def loss_of(weights: dict[int, float], made: list[Floats], target: Floats, task: Task) -> float:
    mixed = task.average([made[place] for place in weights], list(weights.values()))
    return task.fitting_loss(target, mixed)


@pytest.mark.parametrize("task", TASKS, ids=lambda task: f"{task.name}-{task.metric}")
@given(count=st.integers(1, 25), rows=st.integers(1, 60), seed=st.integers(0, 10_000))
@settings(deadline=None, max_examples=40)
def test_weights_are_right_and_the_mix_is_never_worse_than_the_best_model(
    task: Task, count: int, rows: int, seed: int
) -> None:
    made, target = models(task, count, rows, seed)
    weights = choose_members(made, target, task)
    assert sum(weights.values()) == pytest.approx(1)
    assert all(0 <= place < count and weight > 0 for place, weight in weights.items())
    assert len(weights) <= MEMBERS_MOST
    best = min(task.fitting_loss(target, one) for one in made)
    assert loss_of(weights, made, target, task) <= best * (1 + 1e-9) + 1e-12


@pytest.mark.parametrize("task", TASKS, ids=lambda task: f"{task.name}-{task.metric}")
@given(count=st.integers(1, 10), seed=st.integers(0, 10_000))
@settings(deadline=None, max_examples=40)
def test_the_order_of_the_models_does_not_matter(task: Task, count: int, seed: int) -> None:
    made, target = models(task, count, 40, seed)
    order = np.random.default_rng(seed).permutation(count)
    weights = choose_members(made, target, task)
    other = choose_members([made[place] for place in order], target, task)
    one = task.average([made[place] for place in weights], list(weights.values()))
    two = task.average([made[order[place]] for place in other], list(other.values()))
    assert two == pytest.approx(one, abs=1e-9)


@pytest.mark.parametrize("task", TASKS, ids=lambda task: f"{task.name}-{task.metric}")
@pytest.mark.parametrize("seed", range(6))
def test_greedy_choice_comes_near_the_best_of_all_mixes(task: Task, seed: int) -> None:
    made, target = models(task, 3, 60, seed)
    grid = [w for w in itertools.product(range(13), repeat=3) if sum(w) == 12]
    best = min(loss_of({k: n / 12 for k, n in enumerate(w) if n}, made, target, task) for w in grid)
    alone = min(task.fitting_loss(target, one) for one in made)
    greedy = loss_of(choose_members(made, target, task), made, target, task)
    assert greedy <= best + 0.1 * (alone - best) + 1e-3 * best


def test_a_perfect_model_stays_alone() -> None:
    task = TASKS[1]
    target = np.arange(10.0)
    assert choose_members([target + 1, target.copy(), target - 3], target, task) == {1: 1.0}


def test_two_models_that_err_to_both_sides_are_mixed_by_halves() -> None:
    target = np.arange(10.0)
    assert choose_members([target + 1, target - 1, target + 5], target, TASKS[1]) == {0: 0.5, 1: 0.5}


def test_copies_of_one_model_change_nothing() -> None:
    task = TASKS[0]
    made, target = models(task, 2, 50, 0)
    weights = choose_members([made[0]] * 20, target, task)
    assert loss_of(weights, [made[0]] * 20, target, task) == pytest.approx(task.fitting_loss(target, made[0]))
    assert len(weights) == 1


def test_predictions_are_left_as_they_were() -> None:
    made, target = models(TASKS[0], 6, 30, 1)
    before = [one.copy() for one in made]
    choose_members(made, target, TASKS[0])
    assert all(np.array_equal(one, other) for one, other in zip(made, before, strict=True))
