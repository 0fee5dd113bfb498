"""Mixed features -> one matrix, for learners that want nothing but numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fathometer.core.files import State
from fathometer.core.states import array, demand, truth, wholes
from fathometer.kind import Features
from fathometer.task import Task

Floats = npt.NDArray[np.float32]

LEVELS_SHOWN = 40  # a code column with more levels gets only its commonest ones as columns of their own
MOST_LEVELS, MOST_ENCODED = 100, 16  # that any version gave a code column as columns of their own
LEVELS_PLAIN = 12  # and one with more than this also gets a target encoding
CLASSES_ENCODED = 8  # with more classes a target encoding would add too many columns
PRIOR_ROWS = 10.0  # weight of the overall mean in a target encoding, in rows
CLIP = 4.0  # scaled values are bent smoothly towards plus and minus this
RUN = 64  # columns with one unit that count like as many others; more of them count as their square root


@dataclass(frozen=True)
class Matrix:
    """How features become a matrix; learned from training rows.

    centre, spread, fill: (a,) per number. flagged: numbers that get a column "is missing".
    levels: per code column, how many of its codes get a column of their own (1 for the commonest, 2 ...).
    tables: code column -> (size, k) target encoding. ordinal: whether codes are also kept as plain numbers.
    runs: of numbers with one unit (start, stop), which are not bent: their distances are what they were made for.
    """

    centre: Floats
    spread: Floats
    fill: Floats
    bends: bool
    flagged: tuple[int, ...]
    levels: tuple[int, ...]
    ordinal: bool
    tables: dict[int, Floats]
    runs: tuple[tuple[int, int], ...] = ()

    def transform(self, features: Features) -> Floats:
        """(rows, columns) without missing values."""
        encoded = {column: table[features.codes[:, column]] for column, table in self.tables.items()}
        return self._assemble(features, encoded)

    def _assemble(self, features: Features, encoded: dict[int, Floats]) -> Floats:
        numbers = features.numbers
        missing = np.isnan(numbers)
        scaled = (np.where(missing, self.fill, numbers) - self.centre) / self.spread
        if self.bends:
            # smooth clipping: straight near 0, never beyond CLIP (Holzmueller et al. 2024, arXiv:2407.04491)
            scaled = np.clip(scaled, -1e6, 1e6)  # their squares must stay finite in single precision
            lone = outside(self.runs, scaled.shape[1])
            bent = scaled if lone.all() else scaled[:, lone]
            bent = bent / np.sqrt(1.0 + (bent / CLIP) ** 2)
            if lone.all():
                scaled = bent
            else:
                scaled[:, lone] = bent
        parts: list[Floats] = [scaled.astype(np.float32), missing[:, self.flagged].astype(np.float32)]
        for column, levels in enumerate(self.levels):
            if levels:
                wanted = np.arange(1, levels + 1, dtype=np.int32)
                parts.append((features.codes[:, [column]] == wanted).astype(np.float32))
        if self.ordinal:
            parts.append(features.codes.astype(np.float32))
        parts += [encoded[column] for column in sorted(encoded)]
        return np.ascontiguousarray(np.concatenate(parts, axis=1))

    def names(self, features: Features) -> list[str]:
        """What each column of the matrix is, for explanations."""
        names = list(features.number_names)
        names += [f"{features.number_names[i]} is missing" for i in self.flagged]
        for column, levels in enumerate(self.levels):
            names += [f"{features.code_names[column]} level {i + 1}" for i in range(levels)]
        if self.ordinal:
            names += list(features.code_names)
        for column in sorted(self.tables):
            width = self.tables[column].shape[1]
            names += [f"{features.code_names[column]} encoded {i}" for i in range(width)]
        return names

    def state(self) -> State:
        """What was learned, as data."""
        return {
            "centre": self.centre,
            "spread": self.spread,
            "fill": self.fill,
            "bends": self.bends,
            "flagged": list(self.flagged),
            "levels": list(self.levels),
            "ordinal": self.ordinal,
            "tables": {str(column): table for column, table in self.tables.items()},
            "runs": [list(run) for run in self.runs],
        }

    @property
    def width(self) -> int:
        """How many columns it has."""
        encoded = sum(int(table.shape[1]) for table in self.tables.values())
        ordinal = len(self.levels) if self.ordinal else 0
        return len(self.centre) + len(self.flagged) + sum(self.levels) + ordinal + encoded

    @classmethod
    def from_state(cls, state: State, shape: tuple[int, tuple[int, ...]]) -> Matrix:
        """The matrix that gave this state.

        Args:
            shape: how many numbers the features have, and the sizes of their codes.

        Raises:
            BadBundle: it is not for such features.
        """
        columns, sizes = shape
        centre, spread, fill = (array(state[name], name, columns) for name in ("centre", "spread", "fill"))
        demand((spread > 0).all(), "spread should lie above 0")
        levels = wholes(state["levels"], "levels", 0, MOST_LEVELS, count=len(sizes))
        demand(
            all(count < max(size, 1) for count, size in zip(levels, sizes, strict=True)),
            "levels are too many",
        )
        flagged = wholes(state["flagged"], "flagged", 0, columns - 1)
        demand(list(flagged) == sorted(set(flagged)), "flagged should rise")
        runs = [wholes(run, "a run", 0, columns, count=2) for run in state.get("runs", ())]
        return cls(
            centre,
            spread,
            fill,
            truth(state["bends"], "bends"),
            flagged,
            levels,
            truth(state["ordinal"], "ordinal"),
            {int(key): _checked_table(int(key), one, sizes) for key, one in state["tables"].items()},
            tuple((start, stop) for start, stop in runs),
        )


def _checked_table(column: int, encoding: Any, sizes: tuple[int, ...]) -> Floats:
    demand(0 <= column < len(sizes), f"there is no code column {column}")
    found = array(encoding, "a target encoding", sizes[column], None)
    demand(found.shape[1] <= MOST_ENCODED, "a target encoding is too wide")
    return found


def scaled_matrix(
    features: Features, target: npt.NDArray[Any], task: Task, seed: int, bends: bool = True
) -> tuple[Matrix, Floats]:
    """For linear models, kernels and neighbours: scaled numbers, codes as columns of their own.

    Numbers that share a unit (`Features.common`) keep their proportions: each is centred, and all get one scale.

    Returns the fitted matrix and the training rows in it (whose target encodings are cross-fitted).
    """
    centre, spread = _centre_and_spread(features.numbers, features.common)
    levels = tuple(min(size - 1, LEVELS_SHOWN) for size in features.sizes)
    return _fit(features, target, task, seed, (centre, spread, centre), bends, levels, ordinal=False)


def tree_matrix(features: Features, target: npt.NDArray[Any], task: Task, seed: int) -> tuple[Matrix, Floats]:
    """For forests: numbers as they are, missing far below the rest, codes as plain numbers and encoded."""
    columns = features.numbers.shape[1]
    with np.errstate(invalid="ignore"):
        lowest = np.array([_lowest(features.numbers[:, i]) for i in range(columns)], dtype=np.float32)
    plain = np.zeros(columns, dtype=np.float32), np.ones(columns, dtype=np.float32), lowest
    levels = tuple(size - 1 if size - 1 <= 4 else 0 for size in features.sizes)
    return _fit(features, target, task, seed, plain, False, levels, ordinal=True)


def _fit(
    features: Features,
    target: npt.NDArray[Any],
    task: Task,
    seed: int,
    scales: tuple[Floats, Floats, Floats],
    bends: bool,
    levels: tuple[int, ...],
    ordinal: bool,
) -> tuple[Matrix, Floats]:
    missing = np.isnan(features.numbers).mean(axis=0) if len(target) else np.zeros(0)
    # what is one value's histogram is missing as a whole: one flag for a run is enough
    within = {column for start, stop in features.common for column in range(start + 1, stop)}
    gappy = np.flatnonzero((missing > 0.002) & (missing < 1.0)).tolist()
    flagged = tuple(column for column in gappy if column not in within)
    tables: dict[int, Floats] = {}
    encoded: dict[int, Floats] = {}
    if task.outputs <= CLASSES_ENCODED:
        truths = _truths(target, task)
        for column, size in enumerate(features.sizes):
            if size - 1 > LEVELS_PLAIN:
                codes = features.codes[:, column]
                tables[column] = _table(codes, truths, size)
                encoded[column] = _cross_fitted(codes, truths, size, seed)
    matrix = Matrix(*scales, bends, flagged, levels, ordinal, tables, () if ordinal else features.common)
    return matrix, matrix._assemble(features, encoded)


def _centre_and_spread(numbers: Floats, runs: tuple[tuple[int, int], ...] = ()) -> tuple[Floats, Floats]:
    centre = np.zeros(numbers.shape[1], dtype=np.float32)
    spread = np.ones(numbers.shape[1], dtype=np.float32)
    for start, stop in runs:
        centre[start:stop], spread[start:stop] = _of_run(numbers[:, start:stop])
    for i in np.flatnonzero(outside(runs, numbers.shape[1])):
        known = numbers[:, i][~np.isnan(numbers[:, i])].astype(np.float64)
        if len(known) == 0:
            continue
        low, middle, high = np.quantile(known, (0.25, 0.5, 0.75))
        # the quartile range of a normal column is 1.35 standard deviations; where half the column is one value
        # the range is 0, and the standard deviation serves
        wide = (high - low) / 1.35 if high > low else known.std()
        centre[i] = middle
        spread[i] = wide if wide > 0 and np.isfinite(wide) else 1.0
    return centre, spread


def _of_run(numbers: Floats) -> tuple[npt.NDArray[np.float64], float]:
    """Each column's mean, and one spread for all: the root of their mean variance, larger where they are many.

    A thousand edges beside five numbers of a table would otherwise be all that a distance sees.
    """
    count = numbers.shape[1]
    means, variances = np.zeros(count), np.zeros(count)
    for column in range(count):  # one at a time: they are many, and doubles of all would be twice the data
        known = numbers[:, column][~np.isnan(numbers[:, column])].astype(np.float64)
        if len(known):
            means[column], variances[column] = known.mean(), known.var()
    wide = float(np.sqrt(variances.mean())) * max(count / RUN, 1.0) ** 0.25 if count else 0.0
    # what is constant but for rounding must not be blown up
    least = 1e-5 * float(np.sqrt((means**2).mean())) + 1e-12 if count else 0.0
    return means, wide if wide > least and np.isfinite(wide) else 1.0


def outside(runs: tuple[tuple[int, int], ...], columns: int) -> npt.NDArray[np.bool_]:
    """(columns,) which lie in no run."""
    lone = np.ones(columns, dtype=bool)
    for start, stop in runs:
        lone[start:stop] = False
    return lone


def _lowest(column: Floats) -> float:
    known = column[~np.isnan(column)]
    if len(known) == 0:
        return 0.0
    low, high = float(known.min()), float(known.max())
    return low - max(1.0, high - low)


def _truths(target: npt.NDArray[Any], task: Task) -> npt.NDArray[np.float64]:
    """(rows, k): the number itself, or whether each class but the first is the true one."""
    if task.outputs == 1:
        return target.astype(np.float64)[:, None]
    truths: npt.NDArray[np.float64] = (target[:, None] == np.arange(1, task.outputs)).astype(np.float64)
    return truths


def _table(codes: npt.NDArray[np.int32], truths: npt.NDArray[np.float64], size: int) -> Floats:
    """Smoothed mean of the target for every code (Micci-Barreca 2001, https://doi.org/10.1145/507533.507538)."""
    counts = np.bincount(codes, minlength=size).astype(np.float64)
    overall = truths.mean(axis=0)
    sums = np.stack([np.bincount(codes, weights=column, minlength=size) for column in truths.T], axis=1)
    table: Floats = ((sums + PRIOR_ROWS * overall) / (counts[:, None] + PRIOR_ROWS)).astype(np.float32)
    return table


def _cross_fitted(
    codes: npt.NDArray[np.int32], truths: npt.NDArray[np.float64], size: int, seed: int
) -> Floats:
    """Encodings of training rows, each from the other four fifths, so that no row sees its own answer."""
    fold = np.random.default_rng(seed).permutation(len(codes)) % 5
    encoded = np.zeros(truths.shape, dtype=np.float32)
    for part in range(5):
        mine = fold == part
        if mine.any() and not mine.all():
            encoded[mine] = _table(codes[~mine], truths[~mine], size)[codes[mine]]
    return encoded
