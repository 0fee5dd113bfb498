"""The training loop: schedules, choice of heat, budget."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from fathometer.data.rows import Rows
from fathometer.learner import LEARNERS, Run
from fathometer.learners._loop import _lowest, flat_then_down, slope, waves
from fathometer.task import TASKS


def test_waves_come_down_four_times() -> None:
    ends = [1 / 15, 3 / 15, 7 / 15, 1.0]
    assert [waves(end) for end in ends] == pytest.approx([0.0] * 4, abs=1e-9)
    assert max(waves(progress) for progress in np.linspace(0.5, 1, 50)) > 0.99


@pytest.mark.parametrize("schedule", [waves, slope, flat_then_down])
def test_schedules_stay_between_nothing_and_all_and_end_at_nothing(schedule) -> None:  # type: ignore[no-untyped-def]
    values = [schedule(progress) for progress in np.linspace(0, 1, 101)]
    assert min(values) >= 0
    assert max(values) <= 1
    assert values[-1] == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize("bottom", [-16, -3, 0, 7, 16])
def test_the_lowest_point_is_found(bottom: int) -> None:
    assert _lowest(lambda place: (place - bottom) ** 2, -16, 16) == bottom


def test_noise_is_answered_by_the_shares_of_the_classes() -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"a": rng.normal(size=600), "b": rng.normal(size=600)})
    rows = Rows(frame, {"a": "number", "b": "number"}, (rng.random(600) < 0.2).astype(np.int64))
    value = {
        "name": "classification",
        "target": "y",
        "metric": "accuracy",
        "margin": 0.5,
        "labels": ["n", "y"],
    }
    task = TASKS.get("classification").from_json(value)
    train, valid, test = (rows.take(np.arange(*span)) for span in ((0, 300), (300, 450), (450, 600)))
    model = LEARNERS.get("mlp")(epochs=6).fit(train, valid, task, Run(seconds=60))
    share = train.answers.mean()
    constant = np.tile([1 - share, share], (150, 1))
    loss = task.fitting_loss(test.answers, model.predict(test))
    assert loss < task.fitting_loss(test.answers, constant) + 0.03


def test_with_time_several_networks_answer_together_and_replay_alike() -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"a": rng.normal(size=300)})
    rows = Rows(frame, {"a": "number"}, np.sin(3 * frame["a"].to_numpy()))
    task = TASKS.get("regression").from_json(
        {"name": "regression", "target": "y", "metric": "rmse", "margin": 1.0}
    )
    train, valid = rows.take(np.arange(200)), rows.take(np.arange(200, 300))
    learner = LEARNERS.get("mlp")(epochs=4, networks=3)
    run = Run(seconds=60)
    first = learner.fit(train, valid, task, run)
    again = learner.fit(train, valid, task, Run(seconds=60, decided=dict(run.decided), replaying=True))
    assert len(first.trained.networks) == 3
    np.testing.assert_array_equal(first.predict(valid), again.predict(valid))
