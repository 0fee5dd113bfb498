"""All columns of some rows as one set of features, the same for every learner."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fathometer.core.files import State
from fathometer.data.rows import Rows
from fathometer.kind import KINDS, Features, Featurizer


@dataclass(frozen=True)
class Inputs:
    """The fitted featurizers of every column, in order: (column name, kind name, featurizer)."""

    columns: tuple[tuple[str, str, Featurizer], ...]

    @classmethod
    def fit(cls, train: Rows) -> Inputs:
        """Learn every column's features from training rows."""
        return cls(
            tuple(
                (name, kind, KINDS.get(kind)().fit_features(train.column(name)))
                for name, kind in train.kinds.items()
            )
        )

    def features(self, rows: Rows) -> Features:
        """Numbers (rows, a) and codes (rows, b) of all columns side by side."""
        parts = [featurizer.transform(rows.column(name)) for name, _, featurizer in self.columns]
        return join(parts, len(rows))

    def state(self) -> State:
        """What was learned, as data."""
        return {
            "columns": [
                {"name": name, "kind": kind, "state": featurizer.state()}
                for name, kind, featurizer in self.columns
            ]
        }

    @classmethod
    def from_state(cls, state: State) -> Inputs:
        """The inputs that gave this state."""
        return cls(
            tuple(
                (item["name"], item["kind"], KINDS.get(item["kind"])().load_features(item["state"]))
                for item in state["columns"]
            )
        )


def join(parts: list[Features], rows: int) -> Features:
    """Features side by side; (rows, 0) where there are none."""
    numbers = [part.numbers for part in parts] or [np.zeros((rows, 0), dtype=np.float32)]
    codes = [part.codes for part in parts] or [np.zeros((rows, 0), dtype=np.int32)]
    return Features(
        numbers=np.concatenate(numbers, axis=1),
        codes=np.concatenate(codes, axis=1),
        number_names=tuple(name for part in parts for name in part.number_names),
        code_names=tuple(name for part in parts for name in part.code_names),
        sizes=tuple(size for part in parts for size in part.sizes),
    )
