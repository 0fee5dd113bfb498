"""What the record says of each family: its best use by validation on every fold, judged on the test rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fathometer.core.files import read_json
from fathometer.study.budget import FAMILIES
from fathometer.study.ensemble import choose_members
from fathometer.study.ledger import Ledger, Trial, read_arrays
from fathometer.study.run import read_run
from fathometer.task import Prediction, Task, task_from_json

COMPETITORS: Mapping[str, tuple[str, ...]] = {
    "baseline": ("baseline",),
    "classical": ("baseline", "classical"),
    "deep": ("baseline", "deep"),
    "together": ("baseline", "classical", "deep"),
}
"""Whose trials each competitor may use. The baseline is open to all: on noise it is the best choice."""

TRIALS_LEAST = 3  # of each family on a repeated fold, before it counts beside the first pass


@dataclass(frozen=True)
class FoldResult:
    """One competitor on one fold.

    rows: positions of the test rows. prediction, losses: on them. members: (trial key, weight), chosen on the
    fold's validation rows.
    """

    fold: str
    repeat: int
    rows: npt.NDArray[np.intp]
    prediction: Prediction
    losses: npt.NDArray[np.float64]
    valid_loss: float
    members: tuple[tuple[str, float], ...]


@dataclass(frozen=True)
class Outcome:
    """Every competitor on every fold that both families have finished, and all trials.

    results: competitor -> its folds, the same folds for all. Empty where no fold is finished by both.
    not_tried: (learner, why) of those that do not suit the data, or whose package is not installed.
    """

    run: Mapping[str, Any]
    task: Task
    target: npt.NDArray[Any]
    clusters: npt.NDArray[np.int64]
    trials: tuple[Trial, ...]
    results: Mapping[str, tuple[FoldResult, ...]]
    not_tried: tuple[tuple[str, str], ...] = ()

    @property
    def folds(self) -> int:
        """How many folds every competitor has."""
        return len(next(iter(self.results.values()), ()))

    def trial(self, key: str) -> Trial:
        """The trial of that key."""
        return next(trial for trial in self.trials if trial.key == key)


def measure(folder: Path) -> Outcome:
    """Read a run's record and form every competitor from it; trains nothing, and gives the same every time."""
    run = read_run(folder)
    task = task_from_json(run["task"])
    ledger = Ledger(folder)
    trials = tuple(trial for trial in ledger.trials() if trial.stage != "refit")
    arrays = read_arrays(folder / "folds.safetensors")
    target = arrays["target"]
    results: dict[str, list[FoldResult]] = {name: [] for name in COMPETITORS}
    for name, repeat in _comparable_folds(run, trials):
        done = [trial for trial in trials if trial.fold == name and trial.status == "done"]
        stored = {trial.key: ledger.predictions(trial) for trial in done}
        valid = target[arrays[f"{name}.valid"]]
        test = arrays[f"{name}.test"].astype(np.intp)
        for competitor, families in COMPETITORS.items():
            keys = [trial.key for trial in done if trial.family in families]
            weights = choose_members([stored[key]["valid"] for key in keys], valid, task)
            members = tuple((keys[place], weight) for place, weight in weights.items())
            prediction = _mixed(stored, members, "test", task)
            results[competitor].append(
                FoldResult(
                    fold=name,
                    repeat=repeat,
                    rows=test,
                    prediction=prediction,
                    losses=task.losses(target[test], prediction),
                    valid_loss=task.fitting_loss(valid, _mixed(stored, members, "valid", task)),
                    members=members,
                )
            )
    clusters = arrays.get("clusters", np.arange(len(target)))
    done_by = {name: tuple(folds) for name, folds in results.items()}
    return Outcome(run, task, target, clusters, trials, done_by, _not_tried(folder))


def _not_tried(folder: Path) -> tuple[tuple[str, str], ...]:
    listed = folder / "learners.json"
    left_out = read_json(listed)["left_out"] if listed.exists() else []
    return tuple((str(name), str(why)) for name, why in left_out)


def _comparable_folds(run: Mapping[str, Any], trials: tuple[Trial, ...]) -> list[tuple[str, int]]:
    """Folds that the baseline and both families have finished.

    On a further repeat both must have done as much as a fair use of a family needs, or a hurried last fold would be
    mixed with well-searched ones.
    """
    first = {name for name, _ in run["splits"]["folds"][: run["splits"]["first"]]}
    counts: dict[tuple[str, str], int] = {}
    for trial in trials:
        if trial.status == "done":
            counts[trial.fold, trial.family] = counts.get((trial.fold, trial.family), 0) + 1
    usual = {family: max((counts.get((name, family), 0) for name in first), default=0) for family in FAMILIES}
    chosen = []
    for name, repeat in run["splits"]["folds"]:
        enough = all(
            counts.get((name, family), 0)
            >= (1 if name in first else max(1, min(TRIALS_LEAST, usual[family])))
            for family in FAMILIES
        )
        if enough and counts.get((name, "baseline"), 0):
            chosen.append((str(name), int(repeat)))
    return chosen


def _mixed(
    stored: Mapping[str, Mapping[str, Prediction]],
    members: tuple[tuple[str, float], ...],
    part: str,
    task: Task,
) -> Prediction:
    return task.average([stored[key][part] for key, _ in members], [weight for _, weight in members])
