"""Small models of every learner over columns of every kind, packed, for the tests of the export."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fathometer.bundle import Bundle, Member, open_bundle, pack
from fathometer.data.rows import Rows
from fathometer.data.schema import Schema, learn_schema
from fathometer.learner import LEARNERS, Run
from fathometer.task import Task
from fathometer.tasks.classification import Classification
from fathometer.tasks.regression import Regression

TASKS: dict[str, Task] = {
    "two classes": Classification("answer", "balanced_accuracy", 0.5, ("no", "yes"), (0.7, 0.3)),
    "three classes": Classification("answer", "accuracy", 0.5, ("low, <b>", "middle", "high")),
    "a number": Regression("answer", "rmse", 1.0),
}
OF_PICTURES = ("cnn", "patches", "patchnet", "rescnn")
"""Learners that are exported with the pixels as their input."""
SMALL: dict[str, dict[str, Any]] = {
    "forest": {"trees": 50},
    "boosting": {"rounds": 40, "leaf_rows": 5},
    "catboost": {"rounds": 30, "one_hot": 16},
    "mlp": {"width": 48, "depth": 2, "epochs": 4, "networks": 2},
    "resnet": {"width": 32, "depth": 2, "epochs": 3, "embedding": "periodic"},
    "tabm": {"width": 32, "depth": 2, "members": 3, "epochs": 3},
    "nca": {"width": 32, "depth": 1, "space_width": 16, "epochs": 3},
    "cnn": {"filters": 8, "side": 24, "epochs": 2},
    "rescnn": {"filters": 8, "side": 24, "epochs": 2, "flip": "yes"},
    "patches": {"words": 32},
    "patchnet": {"filters": 8, "side": 24, "epochs": 2, "places": "no"},
}
"""Settings with which a learner is done in a moment."""


def table(rows: int, seed: int = 0) -> tuple[pd.DataFrame, np.ndarray[Any, Any]]:
    """Columns of every kind for tables, with gaps, and a signal in [0, 1] that they carry."""
    rng = np.random.default_rng(seed)
    signal = rng.random(rows)
    noise = rng.normal(size=(4, rows)) * 0.1
    many = np.array([f"town {place:02d}" for place in range(45)], dtype=object)
    frame = pd.DataFrame(
        {
            "size": 10 * (signal + noise[0]),
            "label": (1.7e9 + 1e4 * (signal + noise[1])).round(2),  # called as an output is, and large
            "pieces": rng.integers(0, 9, rows).astype(np.float64),
            "colour": np.array(["red", "green", "blue, dark"], dtype=object)[
                np.clip(3 * (signal + noise[2]), 0, 2).astype(int)
            ],
            "town": many[np.clip(45 * (signal + 3 * noise[3]), 0, 44).astype(int)],
            "grade": rng.choice(["1", "2", "3.0"], rows).astype(object),
            "sent": pd.Timestamp("2019-12-20 10:00")
            + pd.to_timedelta((signal * 900 * 86_400).round(), unit="s"),
        }
    )
    gaps = rng.random(frame.shape) < 0.06
    gaps[:, frame.columns.get_loc("pieces")] = False
    return frame.mask(gaps), signal


def pictures(
    rows: int, seed: int = 0, shape: tuple[int, int, int] = (40, 29, 3)
) -> tuple[pd.DataFrame, np.ndarray[Any, Any]]:
    """Pictures beside a number, and the signal that both carry: how far down a bright bar lies."""
    rng = np.random.default_rng(seed)
    signal = rng.random(rows)
    height, width, channels = shape
    lines = np.arange(height)[None, :] / height
    bar = np.exp(-(((lines - signal[:, None]) / 0.15) ** 2))  # (rows, height)
    shade = 60 + 30 * rng.random((rows, height, width, channels)) + 140 * bar[:, :, None, None]
    frame = pd.DataFrame(
        {"photo": list(shade.astype(np.uint8)), "size": signal + rng.normal(size=rows) * 0.2}
    )
    frame.loc[::17, "photo"] = None
    return frame, signal


def answers(task: Task, signal: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """What is to be learned of the signal."""
    if task.outputs == 1:
        return 50 + 20 * signal
    return np.minimum((signal * task.outputs).astype(np.int64), task.outputs - 1)


def packed(
    folder: Path,
    task: Task,
    learners: Sequence[str],
    frame: pd.DataFrame,
    signal: np.ndarray[Any, Any],
    kinds: dict[str, str] | None = None,
) -> Bundle:
    """Two folds of each learner, mixed: the family "classical"; each learner alone is a family of its name."""
    schema: Schema = learn_schema(frame, kinds=kinds or {})[0]
    read = schema.read(frame)
    rows = Rows(read.frame, read.kinds, answers(task, signal))
    members, mixes, half = [], {}, len(frame) // 2
    for name in learners:
        for fold, valid in enumerate((np.arange(half // 2), np.arange(len(frame) - half // 2, len(frame)))):
            train = np.setdiff1d(np.arange(len(frame)), valid)
            learner = LEARNERS.get(name)(**SMALL.get(name, {}))
            model = learner.fit(rows.take(train), rows.take(valid), task, Run(seed=fold, seconds=20.0))
            place = folder / "trials" / f"f{fold}-{name}"
            place.mkdir(parents=True)
            model.save(place)
            members.append(Member(place.name, name, name, place))
        mixes[name] = [{f"f0-{name}": 1.0}, {f"f1-{name}": 1.0}]
    both = [name for name in learners if name != "baseline"][:2]
    mixes["classical"] = [
        {f"f{fold}-{name}": share for name, share in zip(both, (0.75, 0.25), strict=False)}
        if len(both) > 1
        else {f"f{fold}-{both[0]}": 1.0}
        for fold in (0, 1)
    ]
    pack(
        folder / "model",
        schema=schema,
        task=task,
        members=members,
        mixes=mixes,
        default="classical",
        about={},
    )
    return open_bundle(folder / "model")
