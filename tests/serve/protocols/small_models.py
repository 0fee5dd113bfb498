"""Models made in a second, of any columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from fathometer.bundle import Member, pack
from fathometer.bundle.reference import make_reference
from fathometer.data.rows import Rows
from fathometer.data.schema import learn_schema
from fathometer.learner import LEARNERS, Run
from fathometer.task import Task
from fathometer.tasks.classification import Classification

COLOURS = ("red", "green", "blue", "Ünï")


def three_classes(folder: Path) -> Path:
    """A model of a number, a category, a moment and a text, that tells a, b and c apart."""
    rng = np.random.default_rng(0)
    rows = 120
    size, colour = rng.normal(size=rows), rng.choice(np.array(COLOURS, dtype=object), rows)
    days = pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 300, rows), unit="D")
    notes = [" ".join(rng.choice(["late", "parcel", "lovely", "slow"], 5)) for _ in range(rows)]
    frame = pd.DataFrame(
        {
            "size": [repr(round(float(value), 2)) for value in size],
            "colour": colour,
            "day": days.strftime("%Y-%m-%d"),
            "note": notes,
        }
    )
    target = np.clip((size + (colour == "red") + 1).astype(np.int64), 0, 2)
    kinds = {"size": "number", "colour": "category", "day": "moment", "note": "text"}
    task = Classification("kind", "log_loss", 0.01, ("a", "b", "c"))
    return make_model(folder, frame, target, task, kinds, ("linear", "tree"))


def make_model(
    folder: Path,
    frame: pd.DataFrame,
    target: npt.NDArray[np.float64] | npt.NDArray[np.int64],
    task: Task,
    kinds: Mapping[str, str] | None = None,
    learners: Sequence[str] = ("linear", "boosting"),
) -> Path:
    """A model folder in which all these learners answer together, the first as classical, and each by its name."""
    schema, _ = learn_schema(frame, kinds=kinds)
    read = schema.read(frame)
    rows = Rows(read.frame, read.kinds, target)
    cut = len(frame) * 3 // 4
    members = []
    for name in learners:
        place = folder.parent / f"{folder.name}-members" / name
        place.mkdir(parents=True)
        model = LEARNERS.get(name)().fit(
            rows.take(np.arange(cut)), rows.take(np.arange(cut, len(frame))), task, Run()
        )
        model.save(place)
        members.append(Member(f"t-{name}", name, name.title(), place))
    share = 1 / len(members)
    pack(
        folder,
        schema=schema,
        task=task,
        members=members,
        mixes={
            "together": [{member.key: share for member in members}],
            "classical": [{members[0].key: 1.0}],
            **{member.learner: [{member.key: 1.0}] for member in members},
        },
        default="together",
        about={"verdict": "made for tests"},
        reference=make_reference(rows),
    )
    return folder
