"""Outcomes made by hand: predictions that err where the test says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from fathometer.study.ledger import Trial
from fathometer.study.outcome import Outcome
from fathometer.study.record import FoldResult
from fathometer.task import Task
from fathometer.tasks.classification import Classification
from fathometer.tasks.regression import Regression
from fathometer.verdict.axes import Standing, standings

NAMES = ("baseline", "classical", "deep", "together")
CLASSES = Classification("answer", "accuracy", 0.5, ("no", "yes"))
NUMBERS = Regression("answer", "rmse", 1.0)


def a_trial(family: str, fold: str, **changes: Any) -> Trial:
    values: dict[str, Any] = {
        "key": f"{fold}-{family}",
        "family": family,
        "learner": f"{family}_learner",
        "title": f"a {family} learner",
        "settings": {},
        "turn": 1,
        "fold": fold,
        "seed": 0,
        "stage": "presets",
        "status": "done",
        "cpu_seconds": 1.0,
        "predict_seconds": 0.01 if family == "classical" else 0.05,
        "predicted_rows": 100,
        "valid_loss": 0.5,
    }
    return Trial(**values | changes)


def outcome(
    predictions: Mapping[str, npt.NDArray[np.float64]],
    target: npt.NDArray[Any],
    *,
    task: Task = CLASSES,
    folds: int = 5,
    planned: int | None = None,
    clusters: npt.NDArray[np.int64] | None = None,
    budget: float = 60.0,
    of: int = 5,
) -> Outcome:
    """`predictions`: of each competitor for every row; rows are dealt to `of` parts, `folds` of them are done."""
    part = np.random.default_rng(0).permutation(len(target)) % of
    results = {}
    for name in NAMES:
        done = []
        for k in range(folds):
            rows = np.flatnonzero(part == k % of)
            losses = task.losses(target[rows], predictions[name][rows])
            family = name if name != "together" else "deep"
            done.append(
                FoldResult(
                    f"f{k}", k // of, rows, predictions[name][rows], losses, 0.5, ((f"f{k}-{family}", 1.0),)
                )
            )
        results[name] = tuple(done)
    names = [[f"f{k}", k // of] for k in range(planned or folds)]
    run = {
        "budget": budget,
        "workers": 2,
        "family_share": 0.4,
        "data": {"rows": len(target)},
        "splits": {"folds": names, "first": of, "overlap": 1 / of, "how": "random"},
    }
    trials = tuple(a_trial(family, f"f{k}") for k in range(folds) for family in NAMES[:3])
    own = np.arange(len(target)) if clusters is None else clusters
    return Outcome(run, task, target, own, trials, results)


ENCODER = {
    "name": "/models/small-encoder",
    "kind": "text",
    "folder": "/models/small-encoder",
    "form": "onnx",
    "digest": "ab" * 32,
    "licence": "Apache-2.0",
    "size_bytes": 90_000_000,
    "learned_from": "a billion pairs of sentences",
    "width": 384,
}


def with_pretrained(
    made: Outcome, predicted: Mapping[int, npt.NDArray[np.float64]], *, lacks: int = 0, **encoder: Any
) -> Outcome:
    """A third competitor: `predicted` for every row, by divisor; it has all folds but the last few it `lacks`."""

    def fold_of(fold: FoldResult, divisor: int) -> FoldResult:
        said = predicted[divisor][fold.rows]
        own = ((f"{fold.fold.partition('@')[0]}-pretrained", 1.0),)
        return replace(
            fold, prediction=said, losses=made.task.losses(made.target[fold.rows], said), members=own
        )

    whole = made.results["deep"]
    mine = tuple(fold_of(fold, 1) for fold in whole[: len(whole) - lacks])
    anchors = dict(made.anchors)
    if made.anchors:
        anchors["pretrained"] = {
            divisor: tuple(fold_of(fold, divisor) for fold in folds)
            for divisor, folds in made.anchors["deep"].items()
            if divisor in predicted
        }
    digest = ENCODER["digest"]
    trials = tuple(
        a_trial("pretrained", fold.fold, settings={"encoder": digest, "folder": "/models"}, model_bytes=1_000)
        for fold in mine
    )
    return replace(
        made,
        run={**made.run, "encoders": [{**ENCODER, **encoder}]},
        results={**made.results, "pretrained": mine},
        anchors=anchors,
        trials=(*made.trials, *trials),
        families=("classical", "deep", "pretrained"),
    )


def by_errors(
    target: npt.NDArray[np.int64], errors: Mapping[str, npt.NDArray[np.bool_]]
) -> dict[str, npt.NDArray[np.float64]]:
    """Probabilities that answer wrongly on these rows; the baseline answers 0 everywhere."""
    predictions = {"baseline": np.tile([0.6, 0.4], (len(target), 1))}
    for name, wrong in errors.items():
        said = np.where(wrong, 1 - target, target)
        predictions[name] = np.where(said[:, None] == np.arange(2), 0.9, 0.1)
    return predictions


def table(of: Outcome) -> Mapping[str, Standing]:
    return standings(of)
