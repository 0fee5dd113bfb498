"""Fit one recipe once on given rows and measure it: what runs inside a worker."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors.numpy import load_file, save_file

from fathometer.core.files import read_json, size_bytes
from fathometer.core.memo import borrowed_seconds, made_seconds, remembering
from fathometer.data.rows import Rows
from fathometer.data.storage import read_rows
from fathometer.data.thinning import RAW, place, thinned
from fathometer.errors import MissingExtra
from fathometer.learner import LEARNERS, Facts, Learner, Range, Run
from fathometer.study.raw import as_raw, with_pixels
from fathometer.task import Prediction, Task, task_from_json

UNSEEN = "unseen"  # the part of a whole fold's validation rows that a fit on fewer rows is not given
MEMO = "memo"  # in the run's folder: features that trials have made, until the run ends
CURVE_POINTS = 60  # points of an epoch curve kept in the record
LARGEST = 1e100  # an answer whose square, and the sum of these, is still a number
TRAIN_ROWS_SCORED = 1_000  # training rows on which the training loss is measured


@dataclass(frozen=True)
class Order:
    """What one trial is to do.

    folder: the run. scratch: where its files go. seconds, wall_seconds: how long the fit may take; decided and
    replaying, for_features: see `Run`.
    """

    folder: str
    learner: str
    settings: dict[str, Any]
    fold: str
    seed: int
    seconds: float
    wall_seconds: float
    scratch: str
    decided: dict[str, Any]
    replaying: bool = False
    for_features: float = 0.0


def run_trial(order: Order) -> dict[str, Any]:
    """Fit, predict the validation and test rows, write predictions and model; what it cost and decided."""
    with remembering(Path(order.folder) / MEMO):
        return _run_trial(order)


def _run_trial(order: Order) -> dict[str, Any]:
    folder, scratch = Path(order.folder), Path(order.scratch)
    task = task_from_json(read_json(folder / "run.json")["task"])
    rows = load_rows(folder)
    parts = load_fold(folder, order.fold)
    taken = _taker(rows, is_raw=order.fold.endswith(RAW))
    train, valid = taken(parts["train"]), taken(parts["valid"])
    recipe = LEARNERS.get(order.learner)(**_tuples(order.settings))
    run = Run(
        seed=order.seed,
        seconds=order.seconds,
        wall_seconds=order.wall_seconds,
        decided=dict(order.decided),
        replaying=order.replaying,
        for_features=order.for_features,
        excused=made_seconds,
    )
    model = recipe.fit(train, valid, task, run)
    fitted = run.used() + _feature_seconds()
    # the test rows' targets are taken away, so that no model could look
    asked = replace(taken(parts["test"]), target=None)
    predictions = {"valid": model.predict(Rows(valid.frame, valid.kinds)), "test": model.predict(asked)}
    unseen = taken(parts[UNSEEN])
    if len(unseen):
        predictions[UNSEEN] = model.predict(Rows(unseen.frame, unseen.kinds))
    _check(predictions, parts, task)
    some = np.random.default_rng(0).permutation(len(train))[:TRAIN_ROWS_SCORED]
    seen = train.take(np.sort(some))
    train_loss = task.fitting_loss(seen.answers, model.predict(Rows(seen.frame, seen.kinds)))
    predicted = run.used() + _feature_seconds() - fitted
    kept = {
        name: np.ascontiguousarray(values, dtype=_kept_type(task)) for name, values in predictions.items()
    }
    save_file(kept, scratch / "predictions.safetensors")
    (scratch / "model").mkdir()
    model.save(scratch / "model")
    done = {
        "fit_seconds": fitted,
        "predict_seconds": predicted,
        "shared_seconds": made_seconds(),
        "borrowed_seconds": borrowed_seconds(),
        "predicted_rows": len(seen) + sum(map(len, predictions.values())),
        "valid_loss": task.fitting_loss(valid.answers, predictions["valid"]),
        "screen_loss": task.fitting_loss(unseen.answers, predictions[UNSEEN]) if len(unseen) else None,
        "train_loss": train_loss if math.isfinite(train_loss) else None,
        "model_bytes": size_bytes(scratch / "model"),
        "decided": run.decided,
        "curve": _thinned(run.curve),
    }
    # what the record could not hold must fail here, where it is one trial's failure
    json.dumps(done, allow_nan=False)
    return done


def _feature_seconds() -> float:
    """What the features used so far have taken, whoever made them: a recipe's time must not hang on who came first."""
    return made_seconds() + borrowed_seconds()


def _taker(rows: Rows, *, is_raw: bool) -> Callable[[npt.NDArray[np.intp]], Rows]:
    """Gives the rows at some positions, as plain numbers where nothing may be engineered."""
    if not is_raw:
        return rows.take
    plain = as_raw(rows)
    return lambda positions: with_pixels(plain.take(positions))


def list_candidates(task_json: dict[str, Any], facts: Facts, only: tuple[str, ...]) -> dict[str, Any]:
    """Every learner's presets and space as plain data; runs in a worker, so that the main program stays light.

    Returns:
        "candidates": learner, family, title, turn, settings, space; "left_out": (name, why) of the others.
    """
    task = task_from_json(task_json)
    candidates: list[dict[str, Any]] = []
    left_out: list[tuple[str, str]] = []
    for name in LEARNERS.names():
        try:
            learner = LEARNERS.get(name)
        except MissingExtra as error:
            left_out.append((name, str(error)))
            continue
        why = _why_not(name, learner, facts, only)
        if why:
            left_out.append((name, why))
            continue
        space = {key: _plain(value) for key, value in learner.space(task).items()}
        candidates += [
            {
                "learner": name,
                "family": learner.family,
                "title": learner.title,
                "turn": turn,
                "settings": dict(settings),
                "space": space,
                "transparent": learner.transparent,
                "quick": learner.quick,
                "growth": learner.growth,
            }
            for turn, settings in learner.presets_for(facts)
        ]
    return {"candidates": candidates, "left_out": left_out}


def load_rows(folder: Path) -> Rows:
    """All rows of a run, with their targets."""
    kinds = {column["name"]: column["kind"] for column in read_json(folder / "run.json")["schema"]["columns"]}
    return read_rows(folder, kinds, load_file(folder / "folds.safetensors")["target"])


def load_fold(folder: Path, name: str) -> dict[str, npt.NDArray[np.intp]]:
    """Positions of one fold's rows: "train", "valid", "test"; of a thinner fold too (data/thinning.py).

    And "unseen": of a thinner fold, the whole fold's validation rows that are not among its own.
    """
    arrays = load_file(folder / "folds.safetensors")
    base, divisor = place(name)
    own = thinned(base, divisor)
    places = {"train": f"{own}.train", "valid": f"{own}.valid", "test": f"{base}.test"}
    parts = {part: arrays[key].astype(np.intp) for part, key in places.items()}
    return parts | {UNSEEN: np.setdiff1d(arrays[f"{base}.valid"].astype(np.intp), parts["valid"])}


def _why_not(name: str, learner: type[Learner], facts: Facts, only: tuple[str, ...]) -> str | None:
    if only and name not in only and learner.family != "baseline":
        return "not among the learners asked for"
    if facts.task not in learner.solves:
        return f"does not solve {facts.task}"
    if learner.only and not set(facts.kinds) <= learner.only:
        return f"takes only columns of kind {', '.join(sorted(learner.only))}"
    return learner.unsuited(facts)


def _check(predictions: dict[str, Prediction], parts: dict[str, npt.NDArray[np.intp]], task: Task) -> None:
    for name, values in predictions.items():
        wanted = (len(parts[name]),) if task.outputs == 1 else (len(parts[name]), task.outputs)
        if values.shape != wanted:
            raise ValueError(f"the model answered {values.shape} for {name} rows, expected {wanted}")
        if not np.isfinite(values).all():
            raise ValueError(
                f"{int((~np.isfinite(values)).sum())} of the model's {name} answers are not finite"
            )
        if np.abs(values).max(initial=0.0) > LARGEST:
            raise ValueError(
                f"the model's {name} answers reach {np.abs(values).max():.1e}, which is no answer"
            )


def _kept_type(task: Task) -> type[np.floating[Any]]:
    # seven digits are plenty for probabilities; a number's unit may need more
    return np.float32 if task.outputs > 1 else np.float64


def _thinned(curve: list[tuple[int, float]]) -> list[tuple[int, float]]:
    finite = [(step, loss) for step, loss in curve if np.isfinite(loss)]
    stride = max(1, -(-len(finite) // CURVE_POINTS))
    return finite[::stride]


def _plain(value: Range) -> dict[str, Any]:
    return {
        "low": value.low,
        "high": value.high,
        "logarithmic": value.logarithmic,
        "whole": value.whole,
        "among": list(value.among),
    }


def _tuples(settings: dict[str, Any]) -> dict[str, Any]:
    """JSON has no tuples, and recipes must be hashable."""
    return {key: tuple(value) if isinstance(value, list) else value for key, value in settings.items()}


def wait_a_moment() -> float:
    """A job that does nothing: starting it makes the engine load what later trials need."""
    return time.process_time()
