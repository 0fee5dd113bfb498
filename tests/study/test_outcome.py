"""Known predictions give known losses, and test rows have no say in any choice."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from safetensors.numpy import load_file, save_file

from fathometer.data.rows import Rows
from fathometer.data.splits import Fold, Splits
from fathometer.errors import BadRun
from fathometer.study.ledger import Ledger, Trial
from fathometer.study.outcome import COMPARED, COMPETITORS, Outcome, measure
from fathometer.study.record import read_run
from fathometer.study.run import begin
from fathometer.task import Task
from fathometer.tasks.classification import Classification
from fathometer.tasks.regression import Regression

CLASSES = Classification("y", "accuracy", 0.5, ("a", "b"))
ROWS = 120


def splits(rows: int, passes: int = 1) -> Splits:
    folds = []
    for repeat in range(passes):
        part = np.random.default_rng(repeat).permutation(rows) % 3
        for k in range(3):
            outer, test = np.flatnonzero(part != k), np.flatnonzero(part == k)
            folds.append(Fold(f"r{repeat}f{k}", repeat, outer[::2], outer[1::2], test))
    thinner = [
        Fold(f"{fold.name}@{d}", fold.repeat, fold.train[: 40 // d], fold.valid[: 40 // d], fold.test)
        for fold in folds
        for d in (2, 4, 8)
    ]
    return Splits("random", tuple(folds), 3, 1 / 3, "", (np.arange(rows), np.arange(3)), tuple(thinner))


def a_run(folder: Path, task: Task = CLASSES, passes: int = 1, rows: int = ROWS) -> npt.NDArray[Any]:
    """A run folder before its first trial; its target."""
    rng = np.random.default_rng(0)
    target = rng.integers(0, 2, rows) if task.outputs > 1 else rng.normal(size=rows) * 10
    frame = pd.DataFrame({"x": np.zeros(rows)})
    facts = {"task": task.to_json(), "budget": 60.0, "workers": 1, "data": {"rows": rows}}
    begin(folder, Rows(frame, {"x": "number"}, target), splits(rows, passes), facts, np.arange(rows))
    return target


def enter(
    folder: Path, family: str, learner: str, said: npt.NDArray[np.float64], folds: list[str], **changes: Any
) -> None:
    """A finished trial on each fold, whose model says `said` of each row."""
    ledger, arrays = Ledger(folder), load_file(folder / "folds.safetensors")
    for fold in folds:
        values: dict[str, Any] = {
            "key": f"{fold}-{learner}",
            "family": family,
            "learner": learner,
            "title": learner,
            "settings": {},
            "turn": 1,
            "fold": fold,
            "seed": 0,
            "stage": "presets",
            "status": "done",
            "valid_loss": 0.5,
        }
        trial = Trial(**values | changes)
        scratch = None
        if trial.status == "done":
            scratch = ledger.scratch()
            places = {"valid": f"{fold}.valid", "test": f"{fold.partition('@')[0]}.test"}
            parts = {name: said[arrays[place]] for name, place in places.items()}
            if trial.screen_loss is not None:
                base = arrays[f"{fold.partition('@')[0]}.valid"]
                parts["unseen"] = said[np.setdiff1d(base, arrays[f"{fold}.valid"])]
            save_file(
                {name: np.ascontiguousarray(part) for name, part in parts.items()},
                scratch / "predictions.safetensors",
            )
            (scratch / "model").mkdir()
        ledger.commit(trial, scratch)


def probabilities(
    rng: np.random.Generator, target: npt.NDArray[Any], strength: float
) -> npt.NDArray[np.float64]:
    raw = np.exp(rng.normal(size=(len(target), 2)) + strength * np.eye(2)[target])
    made: npt.NDArray[np.float64] = raw / raw.sum(axis=1, keepdims=True)
    return made


FIRST = ["r0f0", "r0f1", "r0f2"]


def filled(folder: Path, models: int = 6) -> npt.NDArray[Any]:
    """A run with a baseline and several models of both families on three folds."""
    target = a_run(folder)
    rng = np.random.default_rng(1)
    enter(folder, "baseline", "baseline", np.full((ROWS, 2), 0.5), FIRST)
    for number in range(models):
        for family in ("classical", "deep"):
            said = probabilities(rng, target, rng.uniform(0.3, 1.5))
            enter(folder, family, f"{family}{number}", said, FIRST)
    return target


def test_known_predictions_have_known_losses(tmp_path: Path) -> None:
    target = a_run(tmp_path)
    right = np.where(target[:, None] == np.arange(2), 0.8, 0.2)
    wrong = np.arange(ROWS) % 4 == 0
    partly = np.where(wrong[:, None], 1 - right, right)
    enter(tmp_path, "baseline", "baseline", np.full((ROWS, 2), 0.5), FIRST)
    enter(tmp_path, "classical", "one", partly, FIRST)
    enter(tmp_path, "deep", "other", right, FIRST)
    outcome = measure(tmp_path)
    assert outcome.folds == 3
    for fold in outcome.results["classical"]:
        assert fold.losses.tolist() == wrong[fold.rows].astype(float).tolist()
    for fold in outcome.results["deep"]:
        assert not fold.losses.any()
        assert fold.valid_loss == pytest.approx(-np.log(0.8))
        assert fold.members == ((f"{fold.fold}-other", 1.0),)
    tested = np.concatenate([fold.rows for fold in outcome.results["deep"]])
    assert sorted(tested.tolist()) == list(range(ROWS))


def test_numbers_too(tmp_path: Path) -> None:
    target = a_run(tmp_path, Regression("y", "rmse", 1.0))
    for family, off in (("baseline", 3.0), ("classical", 1.0), ("deep", 2.0)):
        enter(tmp_path, family, family, target + off, FIRST)
    outcome = measure(tmp_path)
    assert {name: np.unique(outcome.results[name][0].losses.round(9)).tolist() for name in COMPARED} == {
        "baseline": [9.0],
        "classical": [1.0],
        "deep": [4.0],
        "together": [1.0],
    }


def members(outcome: Outcome) -> dict[str, list[tuple[tuple[str, float], ...]]]:
    return {name: [fold.members for fold in folds] for name, folds in outcome.results.items()}


def test_targets_of_test_rows_have_no_say_in_any_choice(tmp_path: Path) -> None:
    filled(tmp_path)
    before = members(measure(tmp_path))
    arrays = load_file(tmp_path / "folds.safetensors")
    rng = np.random.default_rng(5)
    for fold in FIRST:
        target = arrays["target"].copy()
        test = arrays[f"{fold}.test"]
        target[test] = rng.permutation(1 - target[test])
        save_file({**arrays, "target": target}, tmp_path / "folds.safetensors")
        outcome = measure(tmp_path)
        place = [result.fold for result in outcome.results["deep"]].index(fold)
        for name in outcome.results:
            assert outcome.results[name][place].members == before[name][place]
    save_file(arrays, tmp_path / "folds.safetensors")
    assert members(measure(tmp_path)) == before


def test_a_competitor_uses_its_own_trials_and_the_baseline_alone(tmp_path: Path) -> None:
    filled(tmp_path)
    outcome = measure(tmp_path)
    family = {trial.key: trial.family for trial in outcome.trials}
    for name, folds in outcome.results.items():
        for fold in folds:
            assert {family[key] for key, _ in fold.members} <= set(COMPETITORS[name])
            assert sum(weight for _, weight in fold.members) == pytest.approx(1)
            assert all(outcome.trial(key).fold == fold.fold for key, _ in fold.members)


def test_together_is_at_least_as_good_as_each_on_the_rows_of_the_choice(tmp_path: Path) -> None:
    filled(tmp_path)
    outcome = measure(tmp_path)
    for place in range(3):
        losses = {name: folds[place].valid_loss for name, folds in outcome.results.items()}
        assert max(losses["classical"], losses["deep"]) <= losses["baseline"] + 1e-9
        assert losses["together"] <= max(losses["classical"], losses["deep"])


def test_measuring_twice_gives_the_same(tmp_path: Path) -> None:
    filled(tmp_path)
    one, other = measure(tmp_path), measure(tmp_path)
    assert members(one) == members(other)
    for name in one.results:
        for a, b in zip(one.results[name], other.results[name], strict=True):
            assert np.array_equal(a.losses, b.losses)


def test_the_order_of_trials_in_the_record_does_not_matter(tmp_path: Path) -> None:
    filled(tmp_path)
    one = measure(tmp_path)
    path = tmp_path / "ledger.jsonl"
    path.write_bytes(b"".join(reversed(path.read_bytes().splitlines(keepends=True))))
    other = measure(tmp_path)
    for name in one.results:
        for a, b in zip(one.results[name], other.results[name], strict=True):
            assert dict(a.members) == pytest.approx(dict(b.members))
            assert a.prediction == pytest.approx(b.prediction, abs=1e-9)


def test_a_fold_counts_when_both_families_and_the_baseline_have_finished_it(tmp_path: Path) -> None:
    target = a_run(tmp_path)
    rng = np.random.default_rng(0)
    enter(tmp_path, "baseline", "baseline", np.full((ROWS, 2), 0.5), FIRST[:2])
    enter(tmp_path, "classical", "one", probabilities(rng, target, 1), FIRST)
    enter(tmp_path, "deep", "other", probabilities(rng, target, 1), FIRST[1:])
    enter(tmp_path, "deep", "bad", probabilities(rng, target, 1), FIRST[:1], status="failed", reason="no")
    outcome = measure(tmp_path)
    assert [fold.fold for fold in outcome.results["deep"]] == ["r0f1"]
    assert all(len(folds) == 1 for folds in outcome.results.values())


def test_a_hurried_fold_of_a_repeat_does_not_count(tmp_path: Path) -> None:
    target = a_run(tmp_path, passes=2)
    rng = np.random.default_rng(0)
    later = ["r1f0", "r1f1"]
    enter(tmp_path, "baseline", "baseline", np.full((ROWS, 2), 0.5), FIRST + later)
    for number in range(4):
        enter(tmp_path, "classical", f"c{number}", probabilities(rng, target, 1), FIRST + later)
        enter(
            tmp_path, "deep", f"d{number}", probabilities(rng, target, 1), FIRST + later[: 1 + (number < 2)]
        )
    outcome = measure(tmp_path)
    assert [fold.fold for fold in outcome.results["deep"]] == [*FIRST, "r1f0"]


def test_no_finished_trial_is_an_empty_outcome(tmp_path: Path) -> None:
    a_run(tmp_path)
    outcome = measure(tmp_path)
    assert outcome.folds == 0
    assert outcome.trials == ()


def test_training_again_on_all_rows_is_in_no_fold(tmp_path: Path) -> None:
    filled(tmp_path)
    before = members(measure(tmp_path))
    one = Ledger(tmp_path).trials()[5]
    Ledger(tmp_path).commit(replace(one, key="all-x", fold="all", stage="refit", status="failed"), None)
    assert members(measure(tmp_path)) == before


def test_anchors_hold_what_both_families_tried_at_every_size(tmp_path: Path) -> None:
    target = filled(tmp_path, models=2)
    rng = np.random.default_rng(5)
    said = {
        (family, size): probabilities(rng, target, 1.0)
        for family in ("classical", "deep")
        for size in (2, 4, 8)
    }
    for (family, size), answers in said.items():
        if (family, size) != ("deep", 8):  # so size 8 is not to be compared
            enter(
                tmp_path,
                family,
                f"{family}0",
                answers,
                [f"{fold}@{size}" for fold in FIRST[:2]],
                stage="curve",
            )
    found = measure(tmp_path)
    assert {name: sorted(of) for name, of in found.anchors.items()} == {
        name: [1, 2, 4] for name in ("classical", "deep", "together")
    }
    for family in ("classical", "deep"):
        for size in (2, 4):
            for fold in found.anchors[family][size]:
                assert np.array_equal(
                    fold.losses, found.task.losses(target[fold.rows], said[family, size][fold.rows])
                )
                assert fold.members == ((f"{fold.fold}-{family}0", 1.0),)
        # at all rows only the recipes that the smaller sizes have
        assert all(fold.members == ((f"{fold.fold}-{family}0", 1.0),) for fold in found.anchors[family][1])
        assert [fold.fold for fold in found.anchors[family][1]] == FIRST[:2]
    assert found.anchors["deep"][2][0].learned < found.anchors["deep"][1][0].learned
    assert {fold.fold for fold in found.results["deep"]} == set(FIRST)


def test_a_fit_on_fewer_rows_is_a_member_like_one_on_all_of_a_model_that_says_the_same(
    tmp_path: Path,
) -> None:
    """Its answers to the whole fold's validation rows are put together from those it was given and the others."""
    target = a_run(tmp_path / "thin")
    assert np.array_equal(target, a_run(tmp_path / "whole"))
    rng = np.random.default_rng(2)
    said = {family: probabilities(rng, target, 1.0) for family in ("classical", "deep")}
    for folder, name in ((tmp_path / "thin", "{}@4"), (tmp_path / "whole", "{}")):
        enter(folder, "baseline", "baseline", np.full((ROWS, 2), 0.5), FIRST)
        for family, answers in said.items():
            where = [name.format(fold) for fold in FIRST]
            screened = 0.4 if "@" in name else None
            enter(folder, family, family, answers, where, screen_loss=screened, stage="race")
    thin, whole = measure(tmp_path / "thin"), measure(tmp_path / "whole")
    for competitor in COMPARED:
        for one, other in zip(thin.results[competitor], whole.results[competitor], strict=True):
            assert one.valid_loss == other.valid_loss
            assert np.array_equal(one.losses, other.losses)
    assert thin.tried("deep") == whole.tried("deep") == 1
    assert thin.anchors["deep"] == {}


def test_a_fit_on_fewer_rows_that_answered_only_these_is_no_member(tmp_path: Path) -> None:
    """As runs of before have them."""
    target = filled(tmp_path, models=1)
    before = members(measure(tmp_path))
    enter(tmp_path, "deep", "deep9", np.eye(2)[target], [f"{fold}@2" for fold in FIRST], stage="curve")
    assert members(measure(tmp_path)) == before


def test_only_what_was_known_by_then_is_looked_at(tmp_path: Path) -> None:
    target = a_run(tmp_path)
    rng = np.random.default_rng(1)
    for family, at in (("baseline", 1.0), ("classical", 2.0), ("deep", 3.0)):
        enter(tmp_path, family, family, probabilities(rng, target, 1.0), FIRST, at=at)
    enter(tmp_path, "deep", "late", probabilities(rng, target, 3.0), FIRST, at=9.0)
    assert measure(tmp_path, until=2.5).folds == 0
    early = measure(tmp_path, until=5.0)
    assert early.folds == 3
    assert {trial.learner for trial in early.trials} == {"baseline", "classical", "deep"}
    assert len(measure(tmp_path).trials) == len(early.trials) + 3


@pytest.mark.parametrize("name", ["run.json", "rows.feather", "folds.safetensors"])
def test_a_run_that_lacks_a_file_is_told(tmp_path: Path, name: str) -> None:
    filled(tmp_path, 1)
    (tmp_path / name).unlink()
    with pytest.raises(BadRun, match=name):
        read_run(tmp_path)


def test_a_damaged_or_foreign_run_is_told(tmp_path: Path) -> None:
    filled(tmp_path, 1)
    path = tmp_path / "run.json"
    facts = json.loads(path.read_text())
    path.write_text(json.dumps({**facts, "format": 99}))
    with pytest.raises(BadRun, match="format 99"):
        read_run(tmp_path)
    path.write_text("{")
    with pytest.raises(BadRun, match="damaged"):
        read_run(tmp_path)
    path.write_text("[1]")
    with pytest.raises(BadRun, match="damaged"):
        read_run(tmp_path)


def test_a_folder_with_a_run_is_not_written_over(tmp_path: Path) -> None:
    filled(tmp_path, 1)
    with pytest.raises(BadRun, match="already holds a run"):
        a_run(tmp_path)


def test_optimism_is_the_loss_where_learners_are_judged_over_that_where_they_are_chosen(
    tmp_path: Path,
) -> None:
    target = a_run(tmp_path)
    enter(tmp_path, "baseline", "baseline", np.full((ROWS, 2), 0.5), FIRST, valid_loss=np.log(2))
    rng = np.random.default_rng(3)
    for family in ("classical", "deep"):
        enter(tmp_path, family, family, probabilities(rng, target, 1.0), FIRST, valid_loss=0.1)
    found = measure(tmp_path).optimism
    assert found["baseline"].ratio == pytest.approx(1.0)
    assert (found["deep"].folds, found["deep"].trials, found["deep"].family) == (3, 3, "deep")
    assert found["deep"].ratio > 2
