"""Categories: names of a few or many things, flags, codes. The kind any column can have."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pandas as pd

from fathometer.core.files import State
from fathometer.core.memo import once
from fathometer.core.states import demand, several, table, text, texts, whole
from fathometer.kind import Features, Featurizer, Kind, Reading
from fathometer.kinds import _cells

MOST_CODES = 1000  # more levels than this are too rare to learn one by one
COUNTED_FROM = 30  # above so many levels, how common a level is says something about it
FEW_LEVELS = 8
FALLBACK = 0.5  # what any text gets: another kind must be more likely than not to take the column
WHOLE_DECIMAL = re.compile(r"(-?[0-9]+)\.0+")


class Category(Kind):
    """Cells that name something; values are a pandas categorical of text."""

    name: ClassVar[str] = "category"

    def guess(self, cells: pd.Series) -> float:
        """Middling for any text, high for truth values and flags, low for numbers with a fraction."""
        dtype = cells.dtype
        if pd.api.types.is_bool_dtype(dtype) or isinstance(dtype, pd.CategoricalDtype):
            return 0.99
        if pd.api.types.is_numeric_dtype(dtype):
            present = _cells.sample(cells)
            return 0.95 if len(present) > 2 and present.nunique() <= 2 and _all_whole(present) else 0.2
        if pd.api.types.is_datetime64_any_dtype(dtype) or pd.api.types.is_timedelta64_dtype(dtype):
            return 0.1
        return FALLBACK

    def learn_reading(self, cells: pd.Series) -> Reading:
        """Which words are missing here, and whether 3 and 3.0 are the same level (all numbers are whole)."""
        _, texts = _cells.distinct_text(cells)
        missing = {text for text in texts if text in _cells.MACHINE_WORDS}
        rest = [text for text in texts if text and text.lower() not in _cells.MISSING_WORDS]
        all_numbers = bool(rest) and bool(
            pd.to_numeric(pd.Series(rest, dtype=object), errors="coerce").notna().all()
        )
        if all_numbers:
            missing |= {text for text in texts if text.lower() in _cells.MISSING_WORDS}
        return {
            "missing": sorted(missing),
            # whatever this column held: a missing cell is enough for pandas to write 1 as 1.0 the next time
            "whole": all_numbers,
        }

    def read(self, cells: pd.Series, reading: Reading) -> pd.Series:
        """A pandas categorical of text, its levels in alphabetical order."""
        codes, texts = _cells.distinct_text(cells)
        if reading["whole"]:
            texts = [
                WHOLE_DECIMAL.sub(r"\1", text) if WHOLE_DECIMAL.fullmatch(text) else text for text in texts
            ]
        nothing = {"", *reading["missing"]}
        levels = sorted({text for text in texts if text not in nothing})
        place = {level: position for position, level in enumerate(levels)}
        places = np.array([place.get(text, -1) for text in texts] + [-1], dtype=np.intp)[codes]
        dtype = _few_levels(tuple(levels)) if len(levels) <= FEW_LEVELS else _dtype_of(levels)
        values = pd.Categorical.from_codes(places, dtype=dtype, validate=False)
        return pd.Series(values, cells.index, name=cells.name)

    def describe(self, reading: Reading) -> str:
        words = ", ".join(map(repr, reading["missing"]))
        return f"{words} counts as missing" if words else ""

    def summary(self, values: pd.Series) -> dict[str, Any]:
        """How many levels there are, and the commonest with their counts."""
        counts = _counts(values)
        return {
            "rows": len(values),
            "missing": int(values.isna().sum()),
            "distinct": len(counts),
            "commonest": [[level, count] for level, count in list(counts.items())[:20]],
        }

    def fit_features(self, values: pd.Series) -> CategoryFeaturizer:
        counts = _counts(values)
        # a level seen once cannot be learned from when there are very many
        kept = [level for level, count in counts.items() if len(counts) <= MOST_CODES or count >= 2]
        shown = counts if len(counts) > COUNTED_FROM else None
        return CategoryFeaturizer(_cells.column_name(values), tuple(kept[:MOST_CODES]), shown)

    def load_features(self, state: State) -> CategoryFeaturizer:
        table(state, "a category's features", ("name", "levels", "counts"))
        counts = state["counts"]
        if counts is not None:
            pairs = [several(pair, "a level's count", 2) for pair in several(counts, "counts")]
            counts = {text(level, "a level"): whole(rows, "a level's count") for level, rows in pairs}
        levels = texts(state["levels"], "levels")
        demand(len(set(levels)) == len(levels), "a level stands twice")
        return CategoryFeaturizer(text(state["name"], "name"), levels, counts)

    def toy(self, signal: npt.NDArray[np.float64], rng: np.random.Generator) -> pd.Series:
        names = np.array(["low", "lower middle", "middle", "upper middle", "high"], dtype=object)
        places = np.clip((signal + rng.normal(0, 0.05, len(signal))) * 5, 0, 4).astype(int)
        return pd.Series(names[places], dtype=object, name="grade")


@dataclass(frozen=True)
class CategoryFeaturizer(Featurizer):
    """One code per level, by falling frequency; 0 for missing, rare and never seen.

    counts: training rows of each level, or None; with them comes a number, log(1 + rows of this level).
    """

    name: str
    levels: tuple[str, ...]
    counts: dict[str, int] | None = field(hash=False)

    def transform(self, values: pd.Series) -> Features:
        levels, places = _levels_and_places(values)
        code_of = self._code_of
        codes = np.array([code_of.get(level, 0) for level in levels] + [0], dtype=np.int32)[places]
        numbers, names = np.zeros((len(values), 0), dtype=np.float32), ()
        if self.counts is not None:
            rows = np.array([self.counts.get(level, 0) for level in levels] + [np.nan], dtype=np.float64)
            return Features(
                np.log1p(rows)[places].astype(np.float32)[:, None],
                codes[:, None],
                (f"{self.name}: how common",),
                (self.name,),
                (len(self.levels) + 1,),
            )
        return Features(numbers, codes[:, None], names, (self.name,), (len(self.levels) + 1,))

    @cached_property
    def _code_of(self) -> dict[str, int]:
        return {level: code for code, level in enumerate(self.levels, start=1)}

    def state(self) -> State:
        # counts as pairs: a level may be any text, and a state's keys must not be mistaken for marks
        counts = None if self.counts is None else [[level, count] for level, count in self.counts.items()]
        return {"name": self.name, "levels": list(self.levels), "counts": counts}


def _dtype_of(levels: Sequence[str]) -> pd.CategoricalDtype:
    return pd.CategoricalDtype(pd.Index(levels, dtype=object))


@lru_cache(maxsize=4096)
def _few_levels(levels: tuple[str, ...]) -> pd.CategoricalDtype:
    """Making a type takes longer than anything else in reading one row; those of few levels come again and again."""
    return _dtype_of(levels)


def _counts(values: pd.Series) -> dict[str, int]:
    """Rows of each level, by falling count, then alphabet."""
    levels, places = _levels_and_places(values)
    counts = np.bincount(places[places >= 0], minlength=len(levels))
    pairs = sorted(zip(levels, counts.tolist(), strict=True), key=lambda pair: (-pair[1], pair[0]))
    return {level: int(count) for level, count in pairs if count}


def _levels_and_places(values: pd.Series) -> tuple[list[str], npt.NDArray[np.intp]]:
    """Distinct levels and each row's place among them, -1 where missing."""
    return once((values,), lambda: _told_apart(values))


def _told_apart(values: pd.Series) -> tuple[list[str], npt.NDArray[np.intp]]:
    array = values.array
    if isinstance(array, pd.Categorical):
        return [str(level) for level in array.categories], array.codes.astype(np.intp)
    codes, texts = _cells.distinct_text(values)
    return texts, codes


def _all_whole(cells: pd.Series) -> bool:
    numbers = pd.to_numeric(cells, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    return bool((numbers == np.round(numbers)).all())
