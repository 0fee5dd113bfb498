"""Score and processor time of single learners on fixed splits, beside plain LightGBM and scikit-learn's network.

    OMP_NUM_THREADS=1 FATHOMETER_DATA=... python -m benchmarks.deep_learners \\
        --tables california_housing telco_churn --learners mlp tabm --seconds 5 15 --seeds 0 1 --set mlp.width=384

Rows are split 64 / 16 / 20 into training, validation and test rows, anew for every seed. The processor seconds are
those of the whole fit, the features' included. The figures in docs/decisions/0004-deep-learners.md are from here.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import dataclass
from functools import cache
from typing import Any

import lightgbm
import numpy as np
import numpy.typing as npt
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier, MLPRegressor

from benchmarks.tables import read_table, table_by_name
from fathometer.data.metrics import METRICS
from fathometer.data.rows import Rows
from fathometer.data.schema import learn_schema
from fathometer.learner import LEARNERS, Run
from fathometer.learners._inputs import Inputs
from fathometer.learners._tensors import Scaling
from fathometer.task import TASKS, Prediction, Task

TABLES = (
    "california_housing",
    "bike_sharing_hourly",
    "adult_with_header",
    "telco_churn",
    "german_credit",
    "digits",
)
YARDSTICKS = ("lightgbm", "sklearn_mlp")


@dataclass(frozen=True)
class Split:
    """One table's rows, split."""

    task: Task
    train: Rows
    valid: Rows
    test: Rows


@cache
def split(name: str, seed: int) -> Split:
    """The rows of a table, split 64 / 16 / 20."""
    table = table_by_name(name)
    frame = read_table(table)
    schema, _ = learn_schema(frame, target=table.target)
    rows = schema.read(frame)
    settings: dict[str, Any] = {
        "target": table.target,
        "metric": table.metric,
        "margin": 0.5,
        "name": table.task,
    }
    if table.task == "classification":
        labels = sorted(set(frame[table.target].astype(str).str.strip()))
        task = TASKS.get("classification").from_json({**settings, "labels": labels})
    else:
        task = TASKS.get("regression").from_json(settings)
    target = task.encode(frame[table.target])
    alike = target if table.task == "classification" else None
    places = np.arange(len(frame))
    rest, test = train_test_split(places, test_size=0.2, random_state=seed, stratify=alike)
    again = alike[rest] if alike is not None else None
    train, valid = train_test_split(rest, test_size=0.2, random_state=seed, stratify=again)
    whole = Rows(rows.frame, rows.kinds, target)
    return Split(task, whole.take(train), whole.take(valid), whole.take(test))


def scores(task: Task, rows: Rows, prediction: Prediction) -> dict[str, float]:
    """Score on the task's metric, and log-loss for classes."""
    names = ("accuracy", "log_loss") if task.outputs > 1 else ("rmse",)
    losses = {name: METRICS[name].losses(rows.answers, prediction).mean() for name in names}
    return {name: round(METRICS[name].score(float(loss)), 4) for name, loss in losses.items()}


def measure(table: str, learner: str, settings: dict[str, Any], seconds: float, seed: int) -> dict[str, Any]:
    """Fit once and score on validation and test rows."""
    parts = split(table, seed)
    run = Run(seed=seed, seconds=seconds)
    model = LEARNERS.get(learner)(**settings).fit(parts.train, parts.valid, parts.task, run)
    used = run.used()
    epochs = len(run.curve)
    best = min(run.curve, key=lambda point: point[1])[0] if run.curve else 0
    started = time.process_time()
    test = scores(parts.task, parts.test, model.predict(parts.test))
    return {
        "used": round(used, 2),
        "test": test,
        "valid": scores(parts.task, parts.valid, model.predict(parts.valid)),
        "epochs": epochs,
        "best": best,
        "predict_ms_per_1k": round((time.process_time() - started) / len(parts.test) * 1e6, 1),
    }


def yardstick(table: str, name: str, seed: int) -> dict[str, Any]:
    """The same for a plain learner with the defaults most people use, on the same features."""
    parts = split(table, seed)
    started = time.process_time()
    inputs = Inputs.fit(parts.train)
    features = inputs.features(parts.train)
    if name == "lightgbm":
        matrices = [
            np.hstack([f.numbers, f.codes])
            for f in map(inputs.features, (parts.train, parts.valid, parts.test))
        ]
        prediction = _lightgbm(parts, matrices, len(features.number_names), seed)
    else:
        prediction = _sklearn_mlp(parts, inputs, Scaling.fit(features), seed)
    used = time.process_time() - started
    return {"used": round(used, 2), "test": scores(parts.task, parts.test, prediction)}


def _lightgbm(parts: Split, matrices: list[npt.NDArray[np.float32]], numbers: int, seed: int) -> Prediction:
    """At most 2000 trees at rate 0.05, stopped by the validation rows."""
    settings = {"n_estimators": 2000, "learning_rate": 0.05, "n_jobs": 1, "random_state": seed, "verbose": -1}
    kind = lightgbm.LGBMClassifier if parts.task.outputs > 1 else lightgbm.LGBMRegressor
    model = kind(**settings)
    model.fit(
        matrices[0],
        parts.train.answers,
        eval_set=[(matrices[1], parts.valid.answers)],
        categorical_feature=list(range(numbers, matrices[0].shape[1])),
        callbacks=[lightgbm.early_stopping(50, verbose=False)],
    )
    answer: Prediction = (
        model.predict_proba(matrices[2]) if parts.task.outputs > 1 else model.predict(matrices[2])
    )
    return answer


def _sklearn_mlp(parts: Split, inputs: Inputs, scaling: Scaling, seed: int) -> Prediction:
    """scikit-learn's network, two layers of 128, early stopping; categories as columns of their own."""

    def matrix(rows: Rows) -> npt.NDArray[np.float32]:
        tensors = scaling.apply(inputs.features(rows))
        hot = [
            np.eye(size, dtype=np.float32)[tensors.codes[:, c].numpy()]
            for c, size in enumerate(scaling.sizes)
        ]
        return np.hstack([tensors.numbers.numpy(), tensors.flags.numpy(), *hot])

    settings: dict[str, Any] = {
        "hidden_layer_sizes": (128, 128),
        "early_stopping": True,
        "random_state": seed,
    }
    if parts.task.outputs > 1:
        classifier = MLPClassifier(**settings).fit(matrix(parts.train), parts.train.answers)
        probabilities: Prediction = classifier.predict_proba(matrix(parts.test)).astype(np.float64)
        return probabilities
    centre, scale = parts.train.answers.mean(), parts.train.answers.std()
    regressor = MLPRegressor(**settings).fit(matrix(parts.train), (parts.train.answers - centre) / scale)
    values: Prediction = regressor.predict(matrix(parts.test)).astype(np.float64) * scale + centre
    return values


def chosen_settings(pairs: list[str], learner: str) -> dict[str, Any]:
    """`learner.setting=value` pairs that are about this learner."""
    found = {}
    for pair in pairs:
        name, value = pair.split("=", 1)
        owner, setting = name.split(".", 1)
        if owner == learner:
            found[setting] = json.loads(value) if value[:1] in "-.0123456789[tf" else value
    return found


def main() -> None:
    """Print one line per fit."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tables", nargs="+", default=TABLES)
    parser.add_argument("--learners", nargs="+", default=("mlp", "tabm", "resnet", "nca", *YARDSTICKS))
    parser.add_argument("--seconds", nargs="+", type=float, default=(5.0, 15.0, 40.0))
    parser.add_argument("--seeds", nargs="+", type=int, default=(0,))
    parser.add_argument("--set", nargs="*", default=[], dest="pairs")
    asked = parser.parse_args()
    for table in asked.tables:
        for learner in asked.learners:
            settings = chosen_settings(asked.pairs, learner)
            for seconds in asked.seconds if learner not in YARDSTICKS else (0.0,):
                for seed in asked.seeds:
                    if learner in YARDSTICKS:
                        figures = yardstick(table, learner, seed)
                    else:
                        figures = measure(table, learner, settings, seconds, seed)
                    print(json.dumps([table, learner, settings, seconds, seed, figures]), flush=True)


if __name__ == "__main__":
    main()
