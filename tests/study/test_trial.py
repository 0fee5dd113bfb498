"""What runs inside a worker: it never shows a model the targets of test rows, and what cannot be kept is a failure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from safetensors.numpy import load_file

from fathometer.data.rows import Rows
from fathometer.data.splits import Fold, make_splits
from fathometer.learner import LEARNERS, Facts, Learner, Model, Run
from fathometer.study.run import begin
from fathometer.study.trial import Order, list_candidates, load_fold, load_rows, run_trial
from fathometer.task import Prediction, Task
from fathometer.tasks.classification import Classification
from fathometer.tasks.regression import Regression

NUMBERS = Regression("y", "rmse", 1.0)
ROWS = 60


def a_run(folder: Path, task: Task = NUMBERS) -> Rows:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"x": rng.normal(size=ROWS), "../évil \0 name": np.arange(ROWS, dtype=float)})
    target = frame["x"].to_numpy() if task.outputs == 1 else np.arange(ROWS) % task.outputs
    rows = Rows(frame, dict.fromkeys(frame.columns, "number"), target)
    columns = [{"name": name, "kind": "number"} for name in frame.columns]
    strata = np.zeros(ROWS, dtype=np.int64)
    splits = make_splits(strata, np.arange(ROWS), None, False, 0)
    thinner = tuple(
        Fold("r0f0@2", 0, part.train[::2], part.valid[::2], part.test) for part in splits.folds[:1]
    )
    splits = replace(splits, thinner=thinner)
    facts = {"task": task.to_json(), "schema": {"columns": columns}}
    begin(folder, rows, splits, facts, np.arange(ROWS))
    return rows


def an_order(folder: Path, learner: str = "spy", **changes: Any) -> Order:
    scratch = folder / "trials" / ".draft-0"
    scratch.mkdir(parents=True, exist_ok=True)
    values: dict[str, Any] = {
        "folder": str(folder),
        "learner": learner,
        "settings": {},
        "fold": "r0f0",
        "seed": 1,
        "seconds": 5.0,
        "wall_seconds": 5.0,
        "scratch": str(scratch),
        "decided": {},
    }
    return Order(**values | changes)


@dataclass(frozen=True)
class SpyModel(Model):
    said: Any
    asked: list[Rows]

    def predict(self, rows: Rows) -> Prediction:
        self.asked.append(rows)
        return np.array(self.said(rows), dtype=np.float64)

    def save(self, folder: Path) -> None:
        (folder / "model.json").write_text("{}")


def spy(monkeypatch: pytest.MonkeyPatch, said: Any, decided: Any = None) -> list[Rows]:
    """Every learner is one that answers `said`; gives the rows it was shown."""
    shown: list[Rows] = []

    @dataclass(frozen=True)
    class Spy(Learner):
        family = "classical"
        title = "spy"
        presets: ClassVar[Any] = ()

        def fit(self, train: Rows, valid: Rows, task: Task, run: Run) -> Model:
            shown.extend([train, valid])
            if decided is not None:
                run.decided["it"] = decided
            run.report(1, float("inf"))
            run.report(2, 0.5)
            return SpyModel(said, shown)

        @classmethod
        def load(cls, folder: Path) -> Model:
            raise NotImplementedError

    monkeypatch.setattr(LEARNERS, "get", lambda name: Spy)
    return shown


def zeros(rows: Rows) -> npt.NDArray[np.float64]:
    return np.zeros(len(rows))


def test_no_model_is_shown_a_target_it_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = a_run(tmp_path)
    shown = spy(monkeypatch, zeros)
    done = run_trial(an_order(tmp_path))
    fold = load_fold(tmp_path, "r0f0")
    train, valid, *asked = shown
    assert np.array_equal(train.answers, rows.answers[fold["train"]])
    assert np.array_equal(valid.answers, rows.answers[fold["valid"]])
    assert asked
    assert all(one.target is None for one in asked)
    test = rows.frame.iloc[fold["test"]].reset_index(drop=True)
    assert any(one.frame.equals(test) for one in asked)
    assert not set(train.frame["x"]) & set(test["x"])
    kept = load_file(tmp_path / "trials" / ".draft-0" / "predictions.safetensors")
    assert {name: len(values) for name, values in kept.items()} == {"valid": len(valid), "test": len(test)}
    assert done["valid_loss"] == pytest.approx(float((valid.answers**2).mean()))
    assert done["curve"] == [(2, 0.5)]


def test_a_thinner_fold_learns_from_fewer_rows_and_is_judged_by_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = a_run(tmp_path)
    shown = spy(monkeypatch, zeros)
    run_trial(an_order(tmp_path, fold="r0f0@2"))
    whole, half = load_fold(tmp_path, "r0f0"), load_fold(tmp_path, "r0f0@2")
    assert np.array_equal(shown[0].answers, rows.answers[whole["train"][::2]])
    assert np.array_equal(shown[1].answers, rows.answers[whole["valid"][::2]])
    assert np.array_equal(half["test"], whole["test"])


def test_a_fit_on_fewer_rows_answers_the_whole_folds_validation_rows_and_is_ranked_by_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = a_run(tmp_path)
    spy(monkeypatch, zeros)
    order = an_order(tmp_path, fold="r0f0@2")
    done = run_trial(order)
    whole, half = load_fold(tmp_path, "r0f0"), load_fold(tmp_path, "r0f0@2")
    assert sorted([*half["valid"], *half["unseen"]]) == sorted(whole["valid"])
    assert not len(whole["unseen"])
    unseen = rows.answers[half["unseen"]]
    assert done["screen_loss"] == pytest.approx(float((unseen**2).mean()))
    assert load_file(Path(order.scratch) / "predictions.safetensors")["unseen"].shape == unseen.shape


def test_a_fit_on_all_rows_has_none_left_to_be_ranked_by(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_run(tmp_path)
    spy(monkeypatch, zeros)
    assert run_trial(an_order(tmp_path))["screen_loss"] is None


def test_a_raw_fold_shows_plain_numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    a_run(tmp_path)
    shown = spy(monkeypatch, zeros)
    run_trial(an_order(tmp_path, fold="r0f0@2~raw"))
    assert set(shown[0].kinds.values()) == {"number"}
    assert len(shown[0]) == len(load_fold(tmp_path, "r0f0@2")["train"])


def test_rows_are_read_as_they_were_written(tmp_path: Path) -> None:
    rows = a_run(tmp_path)
    again = load_rows(tmp_path)
    assert again.frame.equals(rows.frame)
    assert np.array_equal(again.answers, rows.answers)


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (lambda rows: np.full(len(rows), np.nan), "not finite"),
        (lambda rows: np.full(len(rows), np.inf), "not finite"),
        (lambda rows: np.full(len(rows), 1e200), "no answer"),
        (lambda rows: np.zeros(len(rows) + 1), "expected"),
        (lambda rows: np.zeros((len(rows), 2)), "expected"),
    ],
)
def test_a_model_that_does_not_answer_fails_with_a_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: Any, words: str
) -> None:
    a_run(tmp_path)
    spy(monkeypatch, said)
    with pytest.raises(ValueError, match=words):
        run_trial(an_order(tmp_path))


@pytest.mark.parametrize("decided", [float("nan"), float("inf"), np.int64(3), {1, 2}])
def test_a_choice_the_record_cannot_hold_is_the_trials_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, decided: Any
) -> None:
    a_run(tmp_path)
    spy(monkeypatch, zeros, decided)
    with pytest.raises((ValueError, TypeError)):
        run_trial(an_order(tmp_path))


def test_a_training_loss_that_is_no_number_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_run(tmp_path)
    calls: list[int] = []

    def said(rows: Rows) -> npt.NDArray[np.float64]:
        calls.append(1)
        return np.full(len(rows), np.nan if len(calls) > 2 else 0.0)

    spy(monkeypatch, said)
    assert run_trial(an_order(tmp_path))["train_loss"] is None


def test_learners_that_do_not_suit_are_left_out_with_why() -> None:
    task = Classification("y", "accuracy", 0.5, ("a", "b"))
    listed = list_candidates(
        task.to_json(), Facts(100, 3, "classification", 2, ("number",)), ("linear", "mlp")
    )
    assert {one["learner"] for one in listed["candidates"]} == {"linear", "mlp", "baseline"}
    assert all(why for _, why in listed["left_out"])
    assert "forest" in dict(listed["left_out"])
