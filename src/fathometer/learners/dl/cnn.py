"""A compact convolutional network for pictures."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from fathometer.learner import Range
from fathometer.learners._raw import Plan, RawLearner
from fathometer.learners._raw_picture_encoders import PictureRecipe
from fathometer.learners._raw_pictures import Sight
from fathometer.task import Task


@dataclass(frozen=True)
class Cnn(RawLearner):
    """Convolutions with pooling in between, learned from pictures that are shifted, zoomed and wiped in part [1].

    depth: convolutions between two poolings.

    [1] LeCun et al. (1998). Gradient-based learning applied to document recognition. https://doi.org/10.1109/5.726791
    """

    title: ClassVar[str] = "convolutional network"
    reads: ClassVar[str] = "image"
    presets: ClassVar[tuple[tuple[int, Mapping[str, Any]], ...]] = (
        (1, {}),
        (5, {"flip": "yes", "smoothing": 0.05}),
        (8, {"filters": 48, "depth": 2, "rate": 0.002, "dropout": 0.3}),
    )

    depth: int = 1

    @classmethod
    def space(cls, task: Task) -> dict[str, Range]:
        return {
            "filters": Range(among=(24, 32, 48)),
            "depth": Range(1, 2, whole=True),
            "rate": Range(0.001, 0.01, logarithmic=True),
            "dropout": Range(0.0, 0.4),
            "erase": Range(0.0, 0.5),
            "smoothing": Range(0.0, 0.1),
        }

    def picture_recipe(self, sight: Sight, plan: Plan) -> PictureRecipe:
        return PictureRecipe("compact", sight, plan.filters, self.depth, plan.places)

    def most_epochs(self, rows: int) -> int:
        return int(min(max(30 * math.sqrt(10_000 / max(rows, 1)), 12), 150))
