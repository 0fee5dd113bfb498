"""Rows as one matrix: what an encoder makes of the columns that it reads, and the features of all others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt
import pandas as pd

from fathometer.core.files import State
from fathometer.core.states import array, demand, table, texts
from fathometer.data.encoder_files import TEXT
from fathometer.data.encoders import installed
from fathometer.data.rows import Rows
from fathometer.learner import Facts, Run
from fathometer.learners._encoders import Encoding, Plan, Source, plan, source_at
from fathometer.learners._inputs import Inputs
from fathometer.learners._matrix import Floats, Matrix, scaled_matrix
from fathometer.task import Task


@dataclass(frozen=True)
class Encoded:
    """How rows become a matrix; learned from training rows.

    encoding: None where no column is read by an encoder. columns: those that are. centres: (columns, width) means, and
    scales: (columns,) by which all numbers of a column are divided together, as they share one unit. inputs, matrix:
    of the engineered features.
    """

    encoding: Encoding | None
    columns: tuple[str, ...]
    centres: Floats
    scales: Floats
    inputs: Inputs
    matrix: Matrix

    @classmethod
    def fit(
        cls,
        train: Rows,
        encoding: Encoding | None,
        columns: tuple[str, ...],
        engineered: bool,
        task: Task,
        seed: int,
    ) -> tuple[Self, Floats]:
        """Learn it, and give the training rows in it.

        Args:
            engineered: whether columns that the encoder reads also give their engineered features.
        """
        inputs = Inputs.fit(
            train, None if engineered else [name for name in train.kinds if name not in columns]
        )
        matrix, plain = scaled_matrix(inputs.features(train), train.answers, task, seed)
        parts, centres, scales = [plain], [], []
        for name in columns:
            numbers = _embedded(train, name, encoding)
            there = train.column(name).notna().to_numpy()
            known = numbers[there]
            centre = known.mean(axis=0) if len(known) else np.zeros(numbers.shape[1], dtype=np.float32)
            spread = float(np.sqrt(np.square(known - centre).mean())) if len(known) else 1.0
            scale = spread if spread > 1e-6 and np.isfinite(spread) else 1.0
            centres.append(centre)
            scales.append(scale)
            parts.append(_scaled(numbers, there, centre, scale))
        fitted = cls(
            encoding,
            columns,
            np.array(centres, dtype=np.float32),
            np.array(scales, dtype=np.float32),
            inputs,
            matrix,
        )
        return fitted, np.concatenate(parts, axis=1)

    def rows(self, rows: Rows, embed: Callable[[pd.Series], Floats] | None = None) -> Floats:
        """(rows, columns of the matrix).

        Args:
            embed: reads a column's values instead of the encoder that it was learned with.
        """
        parts = [self.plain(rows)]
        for position, name in enumerate(self.columns):
            numbers = _embedded(rows, name, self.encoding) if embed is None else embed(rows.column(name))
            there = rows.column(name).notna().to_numpy()
            parts.append(_scaled(numbers, there, self.centres[position], float(self.scales[position])))
        return np.concatenate(parts, axis=1)

    def plain(self, rows: Rows) -> Floats:
        """(rows, columns of the matrix that no encoder makes); they come first."""
        return self.matrix.transform(self.inputs.features(rows))

    def state(self) -> State:
        """What was learned, as data."""
        return {
            "encoding": None if self.encoding is None else self.encoding.state(),
            "columns": list(self.columns),
            "centres": self.centres,
            "scales": self.scales,
            "inputs": self.inputs.state(),
            "matrix": self.matrix.state(),
        }

    @classmethod
    def from_state(cls, state: State, model: Path) -> Self:
        """What gave this state, of a model that was saved in this folder.

        Raises:
            BadBundle: its parts do not fit each other.
        """
        table(state, "encoded", ("encoding", "columns", "centres", "scales", "inputs", "matrix"))
        encoding, columns = state["encoding"], texts(state["columns"], "columns")
        centres, scales = state["centres"], array(state["scales"], "scales", len(columns), low=1e-30)
        if columns:
            array(centres, "centres", len(columns), None)
        inputs = Inputs.from_state(state["inputs"])
        return cls(
            None if encoding is None else Encoding.from_state(encoding, model),
            columns,
            centres,
            scales,
            inputs,
            Matrix.from_state(state["matrix"], inputs.shape),
        )

    @property
    def width(self) -> int:
        """Columns of the matrix."""
        read = len(self.columns) * (self.centres.shape[1] + 1) if self.columns else 0
        return self.matrix.width + read


def chosen_source(encoder: str, folder: str, form: str) -> Source | None:
    """The encoder of a recipe; the installed one of texts where none is named; None where that is missing too."""
    if encoder:
        return source_at(folder, encoder, form)
    found = next(iter(installed()), None)
    return None if found is None else Source(found.digest, found.folder, found.form, TEXT)


def read_by(source: Source | None, rows: Rows) -> tuple[str, ...]:
    """The columns that an encoder reads."""
    return () if source is None else tuple(name for name, kind in rows.kinds.items() if kind == source.kind)


def planned(
    source: Source | None, columns: tuple[str, ...], train: Rows, valid: Rows, run: Run
) -> Plan | None:
    """How these columns are read within the run's time; None where there are none."""
    if source is None or not columns:
        return None
    return plan(source, [rows.column(name) for name in columns for rows in (train, valid)], run)


def thinned(rows: Rows, share: float, task: Task, seed: int) -> Rows:
    """A share of the rows, drawn at random; one row of every class is among them."""
    if share >= 1.0:
        return rows
    order = np.random.default_rng(seed).permutation(len(rows)).astype(np.intp)
    kept: npt.NDArray[np.intp] = order[: max(1, round(share * len(rows)))]
    if task.outputs > 1:
        _, first = np.unique(rows.answers[order], return_index=True)
        kept = np.union1d(kept, order[first])
    return rows.take(np.sort(kept))


def presets_of(
    facts: Facts, *recipes: tuple[int, dict[str, object]]
) -> tuple[tuple[int, dict[str, object]], ...]:
    """These recipes for every encoder that reads a column."""
    return tuple(
        (turn + position, {"encoder": one.digest, "folder": one.folder, "form": one.form, **settings})
        for position, one in enumerate(one for one in facts.encoders if one.kind in facts.kinds)
        for turn, settings in recipes
    )


def _embedded(rows: Rows, name: str, encoding: Encoding | None) -> Floats:
    if encoding is None:
        raise ValueError(f"there is no encoder to read {name!r}")
    return encoding.embed(rows.column(name))


def _scaled(numbers: Floats, there: npt.NDArray[np.bool_], centre: Floats, scale: float) -> Floats:
    """Centred and divided; a missing value is as the mean one, and a column of its own says that it is missing."""
    demand(numbers.shape[1] == len(centre), "an encoder gives other numbers than the model was made with")
    scaled = np.where(there[:, None], (numbers - centre) / scale, 0.0).astype(np.float32)
    return np.concatenate([scaled, ~there[:, None]], axis=1, dtype=np.float32)
