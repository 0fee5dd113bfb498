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
- a fitted featurizer written to a state and read back gives equal features;
- equal values have equal digests, and pairs said to be alike lie within the column.
"""

from __future__ import annotations

import functools
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pandas as pd

from fathometer.core.files import State
from fathometer.core.plugins import Plugins

PROBES: tuple[Any, ...] = (
    *(
        None,
        "",
        "1",
        "-1.5",
        "1,5",
        "1.234,5",
        "(3)",
        "$ 5 kg",
        "2 k",
        "50 %",
        "1e3",
        "?",
        "yes",
        "a few words",
        True,
    ),
    *("2024-01-31", "31.01.2024 12:30", "1/2/24", "12:30", "1700000000", 7, 2.5, 1e300, float("nan")),
    pd.Timestamp("2024-01-31"),
)
"""Cells such as any column may hold, to try a reading on."""

Reading = dict[str, Any]
"""How one column's cells are written (decimal sign, date order, ...): plain JSON, kept in the schema."""


@dataclass(frozen=True)
class Features:
    """One or more columns as numbers, the same for classical and deep learners.

    numbers: (rows, a) float32, NaN where missing.
    codes: (rows, b) int32; column j holds 0 .. sizes[j] - 1, 0 standing for missing or never seen in training.
    number_names, code_names: what each column is called, for explanations.
    common: runs of number columns (start, stop) that share a unit, as the parts of one histogram do. Who scales numbers
        gives such a run one scale, for there the small ones are small because they matter little.
    """

    numbers: npt.NDArray[np.float32]
    codes: npt.NDArray[np.int32]
    number_names: tuple[str, ...]
    code_names: tuple[str, ...]
    sizes: tuple[int, ...]
    common: tuple[tuple[int, int], ...] = ()


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
    unstructured: ClassVar[bool] = False
    """Words, pictures, sounds: networks read the values themselves; what is engineered of them is for classical
    learners, and takes so long that it is remembered (core/memo.py), and summaries look at some cells only."""

    @abstractmethod
    def guess(self, cells: pd.Series) -> float:
        """How likely these cells are of this kind, 0 to 1; the kind with the highest guess is taken."""

    @abstractmethod
    def learn_reading(self, cells: pd.Series) -> Reading:
        """Find out from the column as a whole how its cells are written."""

    @abstractmethod
    def read(self, cells: pd.Series, reading: Reading) -> pd.Series:
        """Cells to values, same index, name and order. What cannot be read is missing."""

    def fault_of_reading(self, reading: Mapping[str, Any]) -> str:
        """Why this is no reading of this kind, as a clause; empty where it is one. Models may come from strangers."""
        usual = self.learn_reading(pd.Series([], dtype=object))
        for key, value in usual.items():
            if type(reading.get(key)) is not type(value):
                return f"{key!r} is not of type {type(value).__name__}"
        for key, value in reading.items():
            parts = value if isinstance(value, list) else [value]
            if not all(isinstance(part, str | bool | int | float) for part in parts):
                return f"{key[:60]!r} is no plain value"
        try:
            self.read(pd.Series(PROBES, dtype=object), dict(reading))
        except Exception as error:  # whatever comes of values that no column gave
            return f"cells cannot be read with it ({type(error).__name__})"
        return ""

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

    def digests(self, values: pd.Series) -> npt.NDArray[np.uint64]:
        """(rows,) 64 bits of each value's content; equal values have equal ones."""
        hashed = pd.util.hash_pandas_object(values, index=False)
        return np.asarray(hashed.to_numpy(), dtype=np.uint64)

    def alike(self, values: pd.Series) -> npt.NDArray[np.int64]:
        """(pairs, 2) positions of values that are nearly the same (a resized copy, a quoted text), each once.

        Equal values need not be among them. Together with these pairs they must not fall into different folds.
        """
        return np.zeros((0, 2), dtype=np.int64)

    def particular(self, values: pd.Series) -> npt.NDArray[np.bool_]:
        """(rows,) which values hold so much that nobody makes them twice: of equal ones, one is a copy of the other."""
        return np.ones(len(values), dtype=bool)

    def complaint(self, cell: Any) -> str:
        """Why a cell could not be read, as a clause ("it is cut off"); empty where that goes without saying."""
        return ""

    def claimed(self, cells: pd.Series) -> int:
        """How many numbers these cells say that they unpack to, looked up without unpacking one; of a kind whose cells
        are not packed 0. A server refuses too many before any is read."""
        return 0

    def disturbed(self, values: pd.Series, size: float, rng: np.random.Generator) -> pd.Series | None:
        """The values as a careless camera or typist would have left them; None where the kind has no such thing.

        size: 0.1 hardly to be noticed, 0.3 plainly.
        """
        return None

    def facts(self, values: pd.Series) -> Mapping[str, npt.NDArray[np.float64]]:
        """Numbers that a person can see in a value (brightness, length): name -> (rows,), NaN where missing."""
        return {}

    def plain(self, values: pd.Series) -> Mapping[str, npt.NDArray[np.float64]] | None:
        """The values as plain numbers with nothing engineered (pixels): name -> (rows,); None where there are none."""
        return None

    @abstractmethod
    def toy(self, signal: npt.NDArray[np.float64], rng: np.random.Generator) -> pd.Series:
        """Cells that carry a known signal in [0, 1], for the common tests; same length as the signal."""


KINDS: Plugins[Kind] = Plugins("kind of column", Kind, ("fathometer.kinds",), "fathometer.kinds", {})  # type: ignore[type-abstract]


@functools.cache
def kind_named(name: str) -> Kind:
    """The kind of that name; looked up once, for entry points are read from disk at every look-up."""
    return KINDS.get(name)()


def unstructured_among(kinds: Iterable[str]) -> tuple[str, ...]:
    """Those of these kinds that are words, pictures or the like; each once, in the order of their names."""
    return tuple(sorted({kind for kind in kinds if kind_named(kind).unstructured}))


def all_unstructured(kinds: Iterable[str]) -> bool:
    """Whether there is nothing but words, pictures or the like; False where there is nothing at all."""
    different = set(kinds)
    return bool(different) and len(unstructured_among(different)) == len(different)
