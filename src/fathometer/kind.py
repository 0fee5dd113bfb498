"""What a kind of column must do.

A kind (number, category, moment, text, ...) says how likely it is that a column's cells are of that kind, reads cells
into values, and turns values into features that any learner, classical or deep, can use. It is one file (or one
folder) in `kinds/`, found by its name.

Laws, checked by `fathometer.testing.kinds` for every kind:
- reading never raises: a cell that cannot be read becomes missing, and `read` of what `read` returned changes nothing;
- the reading learned from a column is plain data (JSON) and reads the same cells the same way in another process;
- features are learned from the values given to `fit_features` alone; transforming never changes the values;
- a feature row depends on its own cell only (order and neighbours do not matter);
- missing and never-seen values are legal everywhere;
- a fitted featurizer written to a state and read back gives equal features.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pandas as pd

from fathometer.core.files import State
from fathometer.core.plugins import Plugins

Reading = dict[str, Any]
"""How one column's cells are written (decimal sign, date order, ...): plain JSON, kept in the schema."""


@dataclass(frozen=True)
class Features:
    """One or more columns as numbers, the same for classical and deep learners.

    numbers: (rows, a) float32, NaN where missing.
    codes: (rows, b) int32; column j holds 0 .. sizes[j] - 1, 0 standing for missing or never seen in training.
    number_names, code_names: what each column is called, for explanations.
    """

    numbers: npt.NDArray[np.float32]
    codes: npt.NDArray[np.int32]
    number_names: tuple[str, ...]
    code_names: tuple[str, ...]
    sizes: tuple[int, ...]


class Featurizer(ABC):
    """A column's fitted features."""

    @abstractmethod
    def transform(self, values: pd.Series) -> Features:
        """Features of these values (as `Kind.read` gives them)."""

    @abstractmethod
    def state(self) -> State:
        """What was learned, as data; `Kind.load_features` takes it back."""


class Kind(ABC):
    """A kind of column.

    A column's *cells* are what the source held: a pandas Series of text (csv), or of numbers, truth values,
    timestamps (parquet, DataFrame), with NaN/None/NaT for missing. Its *values* are what `read` makes of them.
    """

    name: ClassVar[str]

    @abstractmethod
    def guess(self, cells: pd.Series) -> float:
        """How likely these cells are of this kind, 0 to 1; the kind with the highest guess is taken."""

    @abstractmethod
    def learn_reading(self, cells: pd.Series) -> Reading:
        """Find out from the column as a whole how its cells are written."""

    @abstractmethod
    def read(self, cells: pd.Series, reading: Reading) -> pd.Series:
        """Cells to values, same index, name and order. What cannot be read is missing."""

    def describe(self, reading: Reading) -> str:
        """How the cells are written, as a clause for people; empty when it is the usual way."""
        return ""

    @abstractmethod
    def summary(self, values: pd.Series) -> dict[str, Any]:
        """Facts for people and later checks, as JSON: ranges, commonest values, ..."""

    @abstractmethod
    def fit_features(self, values: pd.Series) -> Featurizer:
        """Learn features from training values."""

    @abstractmethod
    def load_features(self, state: State) -> Featurizer:
        """The featurizer that gave this state."""

    @abstractmethod
    def toy(self, signal: npt.NDArray[np.float64], rng: np.random.Generator) -> pd.Series:
        """Cells that carry a known signal in [0, 1], for the common tests; same length as the signal."""


KINDS: Plugins[Kind] = Plugins("kind of column", Kind, ("fathometer.kinds",), "fathometer.kinds", {})  # type: ignore[type-abstract]
