"""Runs with few repeats, simulated from the mean learning curves of LCDB 1.1, to fit and judge gap forecasts on.

A run measures both families at some size N, at N/2, N/4 and N/8; the truth is the gap of the means at factor times N. A
family's error at a size is that of the learner with the best validation error there. With k instead of 25 repeats both
the validation and the test means are noisier, so that sometimes a poor learner is chosen: the noise is added to every
learner before choosing, not to the family's curve afterwards.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fathometer.verdict.gap_inputs import STEPS, Inputs, Measured, make_inputs

Array = NDArray[np.float64]

DATA = Path(os.environ.get("FATHOMETER_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
CURVES = DATA / "learning_curves"
NETS = ("MLP", "RealMLP", "TabNet")
PRETRAINED = "TabPFNv2"
SPLITS = 25  # behind every mean of LCDB 1.1
PER_OCTAVE = 8  # training sizes per doubling
ABSENT = 900.0  # a validation error no learner has

# OpenML sets that are versions or parts of each other, by the beginning of the name; each family is in one fold.
# Every other set is a family of its own, unless the names are the same.
FAMILIES = {
    "fri_": "Friedman functions",
    **dict.fromkeys(
        ("OVA_", "BurkittLymphoma", "ovarianTumour", "variousCancers", "mouseType"), "gene expression"
    ),
    "mfeat": "handwritten digits mfeat",
    "gina": "gina",
    "segment": "segment",
    "waveform": "waveform",
    **dict.fromkeys(("adult", "ada"), "adult"),
    **dict.fromkeys(("kdd_ipums", "ipums"), "ipums"),
    **dict.fromkeys(("kc", "pc", "KnuggetChase"), "software defects"),
    "gas-drift": "gas drift",
}


@dataclass(frozen=True)
class Tables:
    """One data set: mean errors in points, (sizes, learners), and what is known of the data."""

    name: str
    rows: Array
    octaves: NDArray[np.int64]  # size in eighths of a doubling above 16 rows
    learners: tuple[str, ...]
    validation: Array
    test: Array
    validation_spread: Array
    test_spread: Array
    classes: float
    columns: float
    majority: float

    @property
    def family(self) -> str:
        """The family of near-identical data sets this one belongs to."""
        if self.name.endswith(".wc"):
            return "word counts"
        return next((family for start, family in FAMILIES.items() if self.name.startswith(start)), self.name)


@dataclass(frozen=True)
class Runs:
    """Simulated runs: the engines' inputs and the truth, one entry each."""

    inputs: Inputs
    data_set: NDArray[np.int64]
    repeats: Array
    factor: Array
    gap: Array  # the truth, points
    weight: Array

    def take(self, chosen: NDArray[np.bool_]) -> "Runs":
        """Only some of the runs."""
        inputs = Inputs(*(value[chosen] for value in vars(self.inputs).values()))
        rest = {name: value[chosen] for name, value in vars(self).items() if name != "inputs"}
        return Runs(inputs=inputs, **rest)


def read_curves() -> list[Tables]:
    """Half A of LCDB 1.1."""
    curves = pd.read_parquet(CURVES / "curves_half_A.parquet")
    about = (
        pd.read_csv(CURVES / "datasets_FULL_summary.csv").drop_duplicates("OpenML_ID").set_index("OpenML_ID")
    )
    return [_tables(part, pd.Series(about.loc[number])) for number, part in curves.groupby("dataset_id")]


def folds(sets: list[Tables], count: int, seed: int = 0) -> NDArray[np.int64]:
    """The fold of every data set: families whole, folds of about the same size."""
    random = np.random.default_rng(seed)
    families = sorted({tables.family for tables in sets})
    size = {family: sum(tables.family == family for tables in sets) for family in families}
    total, fold = np.zeros(count), {}
    for family in sorted((str(name) for name in random.permutation(families)), key=lambda name: -size[name]):
        fold[family] = int(np.argmin(total + random.random(count) * 1e-3))
        total[fold[family]] += size[family]
    return np.array([fold[tables.family] for tables in sets])


def judged_runs(sets: list[Tables], draws: int, family: str = "nets", seed: int = 99) -> Runs:
    """What an engine is judged on: the largest size of every set as the target, several draws of the noise."""
    random = np.random.default_rng(seed)
    rows = [
        line
        for number, tables in enumerate(sets)
        for repeats in (1, 3, 5, SPLITS)
        for _ in range(1 if repeats == SPLITS else draws)
        for line in _lines(tables, number, family, repeats, (0, 8, 16, 24, 32), [0], 128, random)
    ]
    return _runs(np.array(rows))


def relative_runs(sets: list[Tables], draws: int) -> Runs:
    """Runs of 3 repeats as users of relative gaps would have them: all rescaled to a level of 20."""
    table = curve_lines(sets, draws)
    _rescale(table, np.full(len(table), 20.0), np.full(len(table), True))
    return _runs(table)


def path_runs(
    sets: list[Tables], draws: int, repeats: int = 5, seed: int = 98
) -> tuple[Runs, NDArray[np.int64]]:
    """Runs on a sixteenth of the largest size, each asked for factors 1, 2, 4, 8 and 16; and each run's number."""
    random = np.random.default_rng(seed)
    back = (0, 8, 16, 24, 32)
    rows, numbers = [], []
    for draw in range(draws):
        for number, tables in enumerate(sets):
            lines = list(_lines(tables, number, "nets", repeats, back, list(back), 64, random))
            largest = max((line[5] * line[2] for line in lines), default=0.0)
            same = [line for line in lines if abs(np.log2(largest / line[5]) - 4.0) < 0.1]
            if len(same) == len(back):
                rows += sorted(same, key=lambda line: line[2])
                numbers += [draw * len(sets) + number] * len(back)
    return _runs(np.array(rows)), np.array(numbers)


def curve_lines(sets: list[Tables], draws: int) -> Array:
    """What `judged_runs` holds for 3 repeats, as numbers; see `_lines`."""
    random = np.random.default_rng(97)
    every = [(number, tables) for _ in range(draws) for number, tables in enumerate(sets)]
    factors = (0, 8, 16, 24, 32)
    return np.array(
        [x for number, t in every for x in _lines(t, number, "nets", 3, factors, [0], 128, random)]
    )


def fitting_runs(sets: list[Tables], draws: int, seed: int = 1) -> Runs:
    """What an engine is fitted on: every third size as a target, all levels of noise, random choices of learners."""
    random = np.random.default_rng(seed)
    rows = [
        [*line[:-1], weight]
        for _ in range(draws)
        for number, tables in enumerate(sets)
        for family, weight in (("nets", 1.0), ("pretrained", 0.35), ("some", 1.0))
        for repeats in (
            (1, 2, 3, 5, 10, 25) if family == "nets" else random.choice([1, 2, 3, 4, 5, 8, 10, 25], 3, False)
        )
        for line in _lines(
            tables, number, family, int(repeats), _factors(random), _targets(random), 64, random
        )
    ]
    table = np.array(rows)
    _forget_old_sizes(table, random)
    _rescale(table, 20.0 * np.exp(0.3 * random.standard_normal(len(table))), random.random(len(table)) < 0.15)
    return _runs(table)


def _tables(part: pd.DataFrame, about: pd.Series) -> Tables:
    learners = tuple(str(name) for name in part["learner"].unique())
    rows = np.sort(part["n_train"].unique())

    def wide(column: str) -> Array:
        table = part.pivot(index="n_train", columns="learner", values=column)
        return table.reindex(index=rows, columns=list(learners)).to_numpy(dtype=np.float64) * 100.0

    validation, test = wide("err_val"), wide("err_test")
    absent = ~(np.isfinite(validation) & np.isfinite(test))
    return Tables(
        name=str(about["Name"]),
        rows=rows.astype(np.float64),
        octaves=np.round(PER_OCTAVE * np.log2(rows / 16)).astype(np.int64),
        learners=learners,
        validation=np.where(absent, ABSENT, validation),
        test=test,
        validation_spread=np.nan_to_num(wide("se_val")),
        test_spread=np.nan_to_num(wide("se_test")),
        classes=float(about["#Classes"]),
        columns=float(about["#Features"]),
        majority=float(about["MaxClassRatio"]),
    )


def _members(tables: Tables, family: str, random: np.random.Generator) -> tuple[list[int], list[int]]:
    """Columns of the classical and the deep learners; of "some", a random part of both."""
    deep = [column for column, name in enumerate(tables.learners) if name in NETS]
    pretrained = [column for column, name in enumerate(tables.learners) if name == PRETRAINED]
    classical = [column for column in range(len(tables.learners)) if column not in deep + pretrained]
    if family == "nets":
        return classical, deep
    if family == "pretrained":
        return classical, sorted(deep + pretrained)
    some_classical = [column for column in classical if random.random() < 0.6] or classical
    some_deep = (
        deep if random.random() < 0.5 else [column for column in deep if random.random() < 0.7] or deep
    )
    return some_classical, sorted(some_deep + (pretrained if random.random() < 0.2 else []))


def _family_curve(
    tables: Tables, members: list[int], repeats: int, random: np.random.Generator
) -> tuple[Array, Array]:
    """The family's error and its standard error at every size (NaN where no member was run), after so many repeats."""
    extra = np.sqrt(max(SPLITS / repeats - 1.0, 0.0))  # the means carry the noise of 25 repeats already
    validation = tables.validation[:, members]
    noisy = validation + extra * tables.validation_spread[:, members] * random.standard_normal(
        validation.shape
    )
    every, best = np.arange(len(noisy)), noisy.argmin(axis=1)
    spread = tables.test_spread[:, members][every, best]
    error = tables.test[:, members][every, best] + extra * spread * random.standard_normal(len(noisy))
    error = np.where(validation[every, best] >= ABSENT, np.nan, error)
    return error, np.maximum(spread, 0.1) * np.sqrt(SPLITS / repeats)


def _lines(
    tables: Tables,
    number: int,
    family: str,
    repeats: int,
    factors: tuple[int, ...],
    targets: list[int] | range,
    fewest: int,
    random: np.random.Generator,
) -> Iterator[list[float]]:
    """Runs on one data set: factors in eighths of a doubling, targets counted from the largest size down.

    A line is: set, repeats, factor, gap and classical error there, then four times (N, N/2, N/4, N/8) the rows, the
    classical error, its standard error, the deep error, its standard error; last a weight.
    """
    classical, deep = _members(tables, family, random)
    classical_truth = _family_curve(tables, classical, SPLITS, random)[0]
    truth = classical_truth - _family_curve(tables, deep, SPLITS, random)[0]
    sides = [
        *_family_curve(tables, classical, repeats, random),
        *_family_curve(tables, deep, repeats, random),
    ]
    measured = np.stack([tables.rows, *sides])  # rows, classical error and spread, deep error and spread
    place = {int(octave): index for index, octave in enumerate(tables.octaves)}
    known = np.all(np.isfinite(measured), axis=0)
    largest = int(np.flatnonzero(np.isfinite(truth))[-1])
    for target in (
        largest - back for back in targets if back <= largest and np.isfinite(truth[largest - back])
    ):
        for factor in factors:
            at = [
                place.get(int(tables.octaves[target]) - factor - PER_OCTAVE * step, -1)
                for step in range(STEPS)
            ]
            if at[0] < 0 or tables.rows[at[0]] < fewest or not known[at[0]]:
                continue
            sizes = np.where([index >= 0 and known[index] for index in at], measured[:, at], np.nan)
            about = (number, repeats, 2 ** (factor / PER_OCTAVE), truth[target], classical_truth[target])
            yield [*about, *sizes.ravel(), 1.0]


def _factors(random: np.random.Generator) -> tuple[int, ...]:
    """The factors asked for, and often others between them, so that the forecast is smooth in the factor."""
    if random.random() < 0.6:
        return (0, 8, 16, 24, 32)
    return tuple(int(factor) for factor in random.choice(33, 5, replace=False))


def _targets(random: np.random.Generator) -> range:
    return range(int(random.integers(3)) if random.random() < 0.7 else 0, 200, 3)


def _forget_old_sizes(table: Array, random: np.random.Generator) -> None:
    """Leave some runs with one, two or three sizes: users have such."""
    kept = random.choice([1, 2, 3, 4], len(table), p=[0.03, 0.06, 0.08, 0.83])
    for step in range(1, STEPS):
        for first in range(5, 25, STEPS):
            table[kept <= step, first + step] = np.nan


def _rescale(table: Array, level: Array, chosen: NDArray[np.bool_]) -> None:
    """Multiply the errors of some lines so that the better family's at the largest size is this level."""
    now = np.minimum(table[:, 5 + STEPS], table[:, 5 + 3 * STEPS]).clip(1.0)
    factor = np.where(chosen, level / now, 1.0)[:, None]
    table[:, 3:5] *= factor
    table[:, 5 + STEPS : -1] *= factor


def _runs(table: Array) -> Runs:
    """Lines of numbers, see `_lines`, as runs."""
    pieces = [_inputs(table[first : first + 2000]) for first in range(0, len(table), 2000)]
    inputs = Inputs(
        *(np.concatenate(part) for part in zip(*(vars(piece).values() for piece in pieces), strict=True))
    )
    return Runs(inputs, table[:, 0].astype(np.int64), table[:, 1], table[:, 2], table[:, 3], table[:, -1])


def _inputs(table: Array) -> Inputs:
    rows, classical, classical_spread, deep, deep_spread = (
        table[:, 5:25].reshape(-1, 5, STEPS).transpose(1, 0, 2)
    )
    measured = Measured(
        rows=rows,
        errors=np.stack([classical, deep], axis=1),
        spreads=np.stack([classical_spread, deep_spread], axis=1),
        gap_spreads=np.hypot(classical_spread, deep_spread),
    )
    return make_inputs(measured, np.log2(table[:, 2]))
