"""What the columns and the answers looked like when a model was made, as sketches: for drift, and to make up rows.

No row is kept, and no text or picture. A column of numbers or moments is 101 quantiles (of fewer than 100 rows these
are all its values, though no longer in rows); a category its commonest levels, those of fewer than five rows pooled
into "other"; of words and pictures there are quantiles of what a person can see in them (length, brightness).
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from fathometer.core.states import demand, several, sound_state, text, whole
from fathometer.data.rows import Rows
from fathometer.data.schema import Column, Schema
from fathometer.kind import KINDS
from fathometer.task import Prediction, Task

Floats = npt.NDArray[np.float64]

QUANTILES = 101
MOST_LEVELS = 200
RARE = 5  # rows below which a level is not told by its name
LONGEST_LEVEL = 500  # characters; a longer one is pooled too
NEVER_SEEN = "never seen"
MICRO = 1e6
FARTHEST = 9.2e12  # seconds from 1970, whose millionths 64 bits hold


def make_reference(
    rows: Rows, *, most: int = 3_000, seed: int = 0, answers: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Sketches of every column: plain data, the same whatever the order of the rows.

    Args:
        most: words or pictures that are looked at in each column; of all else every row counts.
        answers: competitor -> `answers_sketch` of its answers to rows it has not learned from.
    """
    return {
        "rows": len(rows),
        "columns": [_sketch(name, kind, rows.column(name), most, seed) for name, kind in rows.kinds.items()],
        "answers": dict(answers or {}),
    }


def answers_sketch(task: Task, prediction: Prediction) -> dict[str, Any]:
    """Answers as counts of labels and quantiles of the highest probability, or as quantiles of numbers."""
    sketch: dict[str, Any] = {"rows": len(prediction), "labels": None, "quantiles": None, "confidence": None}
    if task.outputs == 1:
        return sketch | {"quantiles": _quantiles(np.asarray(prediction, dtype=np.float64))}
    counts = task.answer(prediction)["prediction"].value_counts()
    labels = sorted(
        ((str(label), int(count)) for label, count in counts.items()), key=lambda one: (-one[1], one[0])
    )
    highest = np.asarray(prediction, dtype=np.float64).max(axis=1)
    return sketch | {"labels": [list(one) for one in labels], "confidence": _quantiles(highest)}


def demand_reference(reference: Any) -> None:
    """Refuse sketches that are none: they may be a stranger's.

    Raises:
        BadBundle: they are none.
    """
    demand(isinstance(reference, dict), "reference.json is no object")
    for column in several(reference.get("columns", []), "columns in reference.json"):
        demand(isinstance(column, dict), "a column in reference.json is no object")
        _demand_sketch(text(column.get("name"), "the name of a column in reference.json"), column)
    for name, told in _object(reference.get("answers", {}), "answers in reference.json").items():
        answers = _object(told, f"the answers of {name[:60]!r} in reference.json")
        _demand_numbers(answers.get("quantiles"), f"the quantiles of the answers of {name[:60]!r}")


def _demand_sketch(name: str, sketch: Mapping[str, Any]) -> None:
    """Refuse the sketch of a column from which no cells can be drawn."""
    of = f"of the column {name[:60]!r}"
    for counted in ("rows", "missing"):
        whole(sketch.get(counted), f"the {counted} {of}")
    _demand_numbers(sketch.get("quantiles"), f"the quantiles {of}")
    counts = [0]
    for pair in () if sketch.get("levels") is None else several(sketch["levels"], f"the levels {of}"):
        level, count = several(pair, f"a level {of}", 2)
        text(level, f"a level {of}")
        counts.append(whole(count, f"the rows of a level {of}"))
    demand(len(counts) == 1 or sum(counts) > 0, f"no level {of} has rows")


def _demand_numbers(values: Any, name: str) -> None:
    if values is not None:
        demand(several(values, name), f"{name} are none")
        with sound_state():
            found = np.array(values)
            demand(found.ndim == 1 and found.dtype.kind in "iuf", f"{name} are no numbers")
            demand(np.isfinite(found).all(), f"{name} are no numbers")


def _object(value: Any, name: str) -> dict[str, Any]:
    demand(isinstance(value, dict), f"{name} should be an object")
    found: dict[str, Any] = value
    return found


def drawn_cells(
    reference: Mapping[str, Any] | None, schema: Schema, rows: int, seed: int = 0, *, oddities: bool = True
) -> pd.DataFrame:
    """Made-up rows: every column drawn on its own from its sketch, as cells that the schema reads.

    Words and pictures are made up altogether (`Kind.toy`). A column that has no sketch is drawn from what the schema
    says of it.

    Args:
        oddities: a missing cell in each column, and in each category a level that was never seen; else cells are
            missing as often as they were.

    Raises:
        BadBundle: what is said of a column is none of what is said of columns.
    """
    if reference is not None:
        demand_reference(reference)
    known = {column["name"]: column for column in (reference or {}).get("columns", ())}
    drawn = {}
    for place, column in enumerate(schema.columns):
        sketch = known.get(column.name) or _sketch_of_summary(column)
        with sound_state():  # a sketch may be one of another kind
            cells = _drawn(column, sketch, rows, seed)
            if oddities and rows > 2:
                cells.iloc[place % rows] = None
                if sketch.get("levels") is not None:
                    cells.iloc[(place + 1) % rows] = _never_seen(sketch["levels"])
        drawn[column.name] = cells
    return pd.DataFrame(drawn, index=pd.RangeIndex(rows))


def _sketch(name: str, kind: str, values: pd.Series, most: int, seed: int) -> dict[str, Any]:
    missing = np.asarray(values.isna(), dtype=bool)
    sketch: dict[str, Any] = {
        "name": name,
        "kind": kind,
        "rows": len(values),
        "missing": int(missing.sum()),
        "quantiles": None,
        "levels": None,
        "other": 0,
        "facts": {},
    }
    present = values[~missing]
    if isinstance(values.dtype, pd.CategoricalDtype):
        levels, other = _levels(present)
        return sketch | {"levels": levels, "other": other}
    if pd.api.types.is_datetime64_any_dtype(values.dtype):
        moments = present.to_numpy().astype("datetime64[us]").astype(np.int64)
        return sketch | {"quantiles": _quantiles(moments / MICRO)}
    if pd.api.types.is_numeric_dtype(values.dtype):
        return sketch | {"quantiles": _quantiles(present.to_numpy(dtype=np.float64))}
    return sketch | {"facts": _facts(kind, present, most, seed)}


def _quantiles(numbers: Floats) -> list[float] | None:
    """101 of the numbers, in order; None where there are none. Each is one that occurs, so whole ones stay whole."""
    present = np.sort(numbers[np.isfinite(numbers)])
    if not len(present):
        return None
    places = -(-np.arange(QUANTILES) * len(present) // (QUANTILES - 1)) - 1
    return [float(number) for number in present[np.maximum(places, 0)]]


def _levels(values: pd.Series) -> tuple[list[list[Any]], int]:
    """The commonest levels with their counts, by falling count and then alphabet; and how many rows have others."""
    counts = np.bincount(values.cat.codes.to_numpy(), minlength=len(values.cat.categories)).tolist()
    pairs = [
        (str(level), int(count)) for level, count in zip(values.cat.categories, counts, strict=True) if count
    ]
    told = sorted(
        ((level, count) for level, count in pairs if count >= RARE and len(level) <= LONGEST_LEVEL),
        key=lambda pair: (-pair[1], pair[0]),
    )[:MOST_LEVELS]
    return [list(pair) for pair in told], len(values) - sum(count for _, count in told)


def _facts(kind: str, values: pd.Series, most: int, seed: int) -> dict[str, list[float]]:
    found = KINDS.get(kind)()
    facts = found.facts(_some(values, found.digests(values), most, seed)) if len(values) else {}
    told = {name: _quantiles(np.asarray(numbers, dtype=np.float64)) for name, numbers in facts.items()}
    return {name: quantiles for name, quantiles in told.items() if quantiles is not None}


def _some(values: pd.Series, digests: npt.NDArray[np.uint64], most: int, seed: int) -> pd.Series:
    """At most so many values, chosen by what they hold: the same ones in whatever order they come."""
    if len(values) <= most:
        return values
    # the second copy of a value is drawn apart from the first, or a common one would be in with all its copies or none
    copies = pd.Series(digests).groupby(digests).cumcount().to_numpy().astype(np.uint64)
    drawn = pd.util.hash_array(digests ^ pd.util.hash_array(copies + np.uint64(seed)), categorize=False)
    return values.iloc[np.argsort(drawn, kind="stable")[:most]]


def _drawn(column: Column, sketch: Mapping[str, Any], rows: int, seed: int) -> pd.Series:
    """Cells of one column, missing as often as they were."""
    # each column by a generator of its own, so that others beside it do not change it
    name = zlib.crc32(column.name.encode("utf-8", "surrogatepass"))
    rng = np.random.default_rng([seed, name])
    quantiles, levels = sketch.get("quantiles"), sketch.get("levels")
    if sketch["missing"] == sketch["rows"] or (quantiles is None and column.kind in ("number", "moment")):
        cells = pd.Series([None] * rows, dtype=object)
    elif quantiles is not None and column.kind == "moment":
        known = np.clip(np.asarray(quantiles, dtype=np.float64), -FARTHEST, FARTHEST)
        moments = known[rng.integers(0, len(quantiles), rows)] * MICRO
        cells = pd.Series(np.rint(moments).astype(np.int64).astype("datetime64[us]"))
    elif quantiles is not None:
        cells = pd.Series(_between(np.asarray(quantiles, dtype=np.float64), rng.random(rows)))
    elif levels is not None:
        cells = _of_levels(levels, rows, rng)
    else:
        cells = KINDS.get(column.kind)().toy(rng.random(rows), rng).reset_index(drop=True)
    cells.loc[rng.random(rows) * max(sketch["rows"], 1) < sketch["missing"]] = None
    return cells.rename(column.name)


def _between(quantiles: Floats, shares: Floats) -> Floats:
    """Numbers at these shares; between two quantiles, but whole where all of them are."""
    places = shares * (len(quantiles) - 1)
    below = np.floor(places).astype(np.intp)
    if (quantiles == np.round(quantiles)).all():
        return quantiles[np.rint(places).astype(np.intp)]
    above, weight = np.minimum(below + 1, len(quantiles) - 1), places - below
    return np.asarray(quantiles[below] * (1 - weight) + quantiles[above] * weight)


def _of_levels(levels: Sequence[Sequence[Any]], rows: int, rng: np.random.Generator) -> pd.Series:
    if not levels:  # all were rare
        return pd.Series([NEVER_SEEN] * rows, dtype=object)
    counts = np.array([count for _, count in levels], dtype=np.float64)
    names = np.array([level for level, _ in levels], dtype=object)
    return pd.Series(names[rng.choice(len(names), size=rows, p=counts / counts.sum())], dtype=object)


def _never_seen(levels: Sequence[Sequence[Any]]) -> str:
    known, level = {name for name, _ in levels}, NEVER_SEEN
    while level in known:
        level += "_"
    return level


def _sketch_of_summary(column: Column) -> dict[str, Any]:
    """A coarse sketch from what the schema says of a column; for models that were made without sketches."""
    with sound_state():
        sketch = _summed_up(column)
    _demand_sketch(column.name, sketch)
    return sketch


def _summed_up(column: Column) -> dict[str, Any]:
    summary = column.summary
    sketch: dict[str, Any] = {
        "rows": int(summary.get("rows", 0)),
        "missing": int(summary.get("missing", 0)),
        "quantiles": None,
        "levels": None,
    }
    shares = np.linspace(0, 1, QUANTILES)
    if column.kind == "number" and summary.get("low") is not None:
        deciles = [number for number in summary.get("deciles", ()) if number is not None]
        ends = [float(summary["low"]), *map(float, deciles), float(summary["high"])]
        known = np.sort([number for number in ends if math.isfinite(number)])
        return sketch | {"quantiles": _between(known, shares).tolist()}
    if column.kind == "moment" and summary.get("low") is not None:
        ends_us = np.array([summary["low"], summary["high"]], dtype="datetime64[us]").astype(np.int64)
        return sketch | {"quantiles": np.round(np.interp(shares, [0, 1], ends_us / MICRO)).tolist()}
    if column.kind == "category":
        return sketch | {"levels": list(summary.get("commonest", ()))}
    return sketch
