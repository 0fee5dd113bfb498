"""Whether an exported model answers what the bundle answers: asked of made-up rows, one at a time and many at once."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime
import pandas as pd

from fathometer.bundle import Bundle
from fathometer.bundle.golden import golden_frame
from fathometer.bundle.reference import drawn_cells
from fathometer.data.rows import Rows
from fathometer.export.build import Built, Choice
from fathometer.task import Prediction
from fathometer.tasks.classification import Classification

ROWS = 600
ALONE = 20  # rows also asked one at a time
LOOSELY = 1e-5  # how far probabilities may lie apart, and numbers as a share of their spread
TIED = 2 * LOOSELY  # of two classes so near to each other either is right
SEED = 5


@dataclass(frozen=True)
class Agreement:
    """How an exported model compares with the bundle on some rows.

    worst: the largest difference of a probability, or of a number as a share of its spread. labels: the share of rows
    outside ties with the same label; 1 for numbers. alone: the worst difference between a row asked alone and among
    others.
    """

    rows: int
    worst: float
    labels: float
    alone: float

    @property
    def holds(self) -> bool:
        """Whether it answers the same."""
        return self.worst <= LOOSELY and self.alone <= LOOSELY and self.labels == 1.0

    def and_also(self, other: Agreement) -> Agreement:
        """On these rows and on others."""
        return Agreement(
            self.rows + other.rows,
            max(self.worst, other.worst),
            min(self.labels, other.labels),
            max(self.alone, other.alone),
        )


def session(model: bytes | str, threads: int = 1) -> onnxruntime.InferenceSession:
    """The model in onnxruntime, on the processor."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def probes(bundle: Bundle, built: Built | None = None, rows: int = ROWS) -> Rows:
    """Rows to compare by: drawn from the bundle's sketch of each column, with missing and never-seen cells.

    Of an exported model every category that it knows comes in one of them.
    """
    usual = drawn_cells(bundle.reference, bundle.schema, rows - rows // 4, SEED)
    odd = drawn_cells(bundle.reference, bundle.schema, rows // 4, SEED + 1)
    parts = [usual, _odd(odd)]
    levels = {} if built is None else _levels(built)
    most = max(map(len, levels.values()), default=0)
    if most:
        known = drawn_cells(bundle.reference, bundle.schema, most, SEED + 2, oddities=False)
        turned = {
            column: [names[place % len(names)] for place in range(most)] for column, names in levels.items()
        }
        parts.append(known.assign(**turned))
    return bundle.schema.read(pd.concat(parts, ignore_index=True))


def _levels(built: Built) -> dict[str, list[str]]:
    """Column -> the categories that the exported model knows."""
    columns = {name: column for column, name in built.inputs.names.items()}
    found: dict[str, dict[str, None]] = {}
    for node in built.model.graph.node:
        if node.op_type == "LabelEncoder" and node.input[0] in columns:
            keys = next(one.strings for one in node.attribute if one.name == "keys_strings")
            levels = found.setdefault(columns[node.input[0]], {})
            levels.update(dict.fromkeys(key.decode("utf-8") for key in keys))
    return {column: list(levels) for column, levels in found.items()}


def golden_probes(bundle: Bundle) -> Rows:
    """The rows whose answers are kept with the model; none where it was made without."""
    return bundle.schema.read(golden_frame(bundle))


def _odd(cells: pd.DataFrame) -> pd.DataFrame:
    """A third of all cells missing, a row without any, and numbers beyond those that were learned from."""
    rng = np.random.default_rng(SEED)
    gaps = rng.random(cells.shape) < 1 / 3
    gaps[0] = True
    stretched = {
        name: column * rng.choice([-1.0, 0.0, 1.0, 3.0], len(column))
        for name, column in cells.items()
        if pd.api.types.is_float_dtype(column.dtype)
    }
    return cells.assign(**{str(name): column for name, column in stretched.items()}).mask(gaps)


def asked(built: Built, running: onnxruntime.InferenceSession, rows: Rows) -> dict[str, npt.NDArray[Any]]:
    """Output name -> what the exported model answers."""
    names = [output.name for output in running.get_outputs()]
    return dict(zip(names, running.run(names, built.inputs.fed(rows)), strict=True))


def agreement(
    bundle: Bundle, choice: Choice, built: Built, running: onnxruntime.InferenceSession, rows: Rows
) -> Agreement:
    """Compare the exported model with the bundle, on all rows at once and on some of them alone."""
    wanted = told_by(bundle, choice, rows)
    answers = asked(built, running, rows)
    places = np.linspace(0, len(rows) - 1, min(ALONE, len(rows))).astype(np.intp)
    single = [asked(built, running, rows.take(places[at : at + 1])) for at in range(len(places))]
    alone = {name: np.concatenate([answer[name] for answer in single]) for name in answers}
    if isinstance(bundle.task, Classification):
        return _of_classes(
            bundle.task, wanted, answers, {n: (a[places], alone[n]) for n, a in answers.items()}
        )
    spread = _spread(bundle, choice, rows, wanted)
    return Agreement(
        len(rows),
        _most(np.abs(answers["value"] - wanted)) / spread,
        1.0,
        _most(np.abs(answers["value"][places] - alone["value"])) / spread,
    )


def told_by(bundle: Bundle, choice: Choice, rows: Rows) -> Prediction:
    """What the bundle itself answers, of a family or of one member."""
    if choice.name in bundle.mixes:
        return bundle.predict_raw(rows, choice.name)
    single = {choice.name: [{choice.members[0]: 1.0}]}
    return _with_mixes(bundle, single).predict_raw(rows, choice.name)


def _with_mixes(bundle: Bundle, mixes: Mapping[str, Any]) -> Bundle:
    return replace(bundle, mixes={**bundle.mixes, **mixes})


def _of_classes(
    task: Classification,
    wanted: Prediction,
    answers: Mapping[str, npt.NDArray[Any]],
    both: Mapping[str, tuple[npt.NDArray[Any], npt.NDArray[Any]]],
) -> Agreement:
    labels = task.answer(wanted)["prediction"].to_numpy()
    decided = wanted
    if task.metric == "balanced_accuracy" and task.shares:
        decided = wanted / np.asarray(task.shares)
        decided = decided / decided.sum(axis=1, keepdims=True)
    highest = np.sort(decided, axis=1)[:, -2:]
    # of a share of a tenth, a probability that is off by a little is off ten times as much
    magnified = 1.0 if decided is wanted else 1.0 / max(min(task.shares), 1e-6)
    clear = highest[:, 1] - highest[:, 0] >= TIED * magnified
    same = np.asarray(answers["label"], dtype=object) == labels
    together, alone = both["probabilities"]
    return Agreement(
        len(wanted),
        _most(np.abs(answers["probabilities"] - wanted)),
        float(same[clear].mean()) if clear.any() else 1.0,
        _most(np.abs(together - alone)),
    )


def _most(differences: npt.NDArray[Any]) -> float:
    """The largest; infinite where one is no number."""
    largest = float(np.max(differences, initial=0.0))
    return largest if math.isfinite(largest) else math.inf


def _spread(bundle: Bundle, choice: Choice, rows: Rows, wanted: Prediction) -> float:
    """The target's spread: of these rows where they have it, as networks noted it, or else that of answers."""
    known = [0.0 if rows.target is None else float(np.std(rows.target))]
    noted = [getattr(bundle.member(key), "answers", None) for key in choice.members]
    known += [float(getattr(answers, "scale", 0.0)) for answers in noted]
    told = (bundle.reference or {}).get("answers", {}).get(bundle.default, {}).get("quantiles")
    return max(known) or (float(np.std(told)) if told else float(np.std(wanted))) or 1.0
