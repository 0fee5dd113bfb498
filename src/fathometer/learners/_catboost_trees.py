"""What CatBoost has grown, taken out of its library as arrays."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from fathometer.errors import BadBundle
from fathometer.learners._oblivious import DEEPEST, ObliviousTrees

NUMBER = "FloatFeature"
ABOVE = "AsTrue"  # missing numbers count as larger than all


def taken_out(model: Any, numbers: int, sizes: tuple[int, ...]) -> ObliviousTrees:
    """The trees of a `catboost.CatBoost` for so many numbers, then codes of these sizes.

    Raises:
        BadBundle: it asks about several columns at once, or about others; no fit of ours does.
    """
    described = _described(model, numbers, sizes)
    floats = described["features_info"].get("float_features") or ()
    flat = {int(one["feature_index"]): int(one["flat_feature_index"]) for one in floats}
    above = {flat[int(one["feature_index"])] for one in floats if one.get("nan_value_treatment") == ABOVE}
    trees = described["oblivious_trees"]
    scale, bias = described["scale_and_bias"]
    asked = _Questions(_bits(model, numbers, sizes), above)
    places = [
        asked.about_number(flat[int(split["float_feature_index"])], split["border"])
        if split["split_type"] == NUMBER
        else asked.about_code(place, level)
        for place, tree in enumerate(trees)
        for level, split in enumerate(tree["splits"] or ())
    ]
    codes = list(asked.of_codes)
    width = len(bias)
    return ObliviousTrees(
        column=np.array([column for column, _ in asked.of_numbers], dtype=np.int32),
        border=np.array([border for _, border in asked.of_numbers], dtype=np.float32),
        missing=np.array([column in above for column, _ in asked.of_numbers], dtype=bool),
        coded=np.array([column for column, _ in codes], dtype=np.int32),
        sizes=np.array([sizes[column] for column, _ in codes], dtype=np.int64),
        truths=np.concatenate([np.zeros(0, bool), *(np.frombuffer(told, dtype=bool) for _, told in codes)]),
        depths=np.array([len(tree["splits"] or ()) for tree in trees], dtype=np.int64),
        # those about codes come after those about numbers, of which there are now all
        asked=np.array(
            [place if place >= 0 else len(asked.of_numbers) + ~place for place in places], dtype=np.int32
        ),
        values=scale
        * np.concatenate([np.reshape(tree["leaf_values"], (-1, width)) for tree in trees]).astype(float),
        bias=np.array(bias, dtype=np.float64),
    )


@dataclass
class _Questions:
    """The different questions so far, each with its place; those about codes count down from -1.

    bits: per code column (codes, trees, levels) what the library answers.
    """

    bits: list[npt.NDArray[np.bool_]]
    above: set[int]
    of_numbers: dict[tuple[int, np.float32], int] = field(default_factory=dict)
    of_codes: dict[tuple[int, bytes], int] = field(default_factory=dict)

    def about_number(self, column: int, border: float) -> int:
        """The place of the question whether a number lies above this."""
        return self.of_numbers.setdefault((column, np.float32(border)), len(self.of_numbers))

    def about_code(self, tree: int, level: int) -> int:
        """The place of the question of a tree's level, which is about one column of codes."""
        told = [bits[:, tree, level] for bits in self.bits]
        asking = [column for column, truths in enumerate(told) if truths.any() != truths.all()]
        if len(asking) > 1:
            raise BadBundle(
                "A model asks about several categories at once, which none of ours does. Make it again."
            )
        # where it answers alike for every code, any column will do
        column = asking[0] if asking else 0
        return ~self.of_codes.setdefault((column, told[column].tobytes()), len(self.of_codes))


def _bits(model: Any, numbers: int, sizes: tuple[int, ...]) -> list[npt.NDArray[np.bool_]]:
    found = []
    for column, size in enumerate(sizes):
        codes = np.zeros((size, len(sizes)), dtype=np.int32)
        codes[:, column] = np.arange(size)
        asked = cells(np.zeros((size, numbers), np.float32), codes)
        leaves = np.asarray(model.calc_leaf_indexes(asked), dtype=np.int64)  # (codes, trees)
        found.append((leaves[:, :, None] >> np.arange(DEEPEST) & 1).astype(bool))
    return found


def _described(model: Any, numbers: int, sizes: tuple[int, ...]) -> Mapping[str, Any]:
    """The model as the library describes it."""
    import catboost  # only where there is a model of its own

    rows = max(sizes, default=1)
    codes = np.minimum(np.arange(rows)[:, None], np.array(sizes, dtype=np.int32) - 1).astype(np.int32)
    table = cells(np.zeros((rows, numbers), np.float32), codes.reshape(rows, len(sizes)))
    pool = catboost.Pool(table, cat_features=list(range(numbers, numbers + len(sizes))))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.json"
        model.save_model(str(path), format="json", pool=pool)
        described: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return described


def cells(numbers: npt.NDArray[np.float32], codes: npt.NDArray[np.int32]) -> pd.DataFrame:
    """Numbers as they are, codes as whole numbers that CatBoost reads as categories."""
    first = numbers.shape[1]
    left = pd.DataFrame(numbers, columns=range(first))
    return pd.concat([left, pd.DataFrame(codes, columns=range(first, first + codes.shape[1]))], axis=1)
