"""A small residual network for pictures."""

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
class Rescnn(RawLearner):
    """Blocks whose result is added to what came in, few and narrow: small data wants small networks [1][2].

    [1] He et al. (2016). Deep residual learning. https://arxiv.org/abs/1512.03385
    [2] Brigato & Iocchi (2020). A close look at deep learning with small data. https://arxiv.org/abs/2003.12843
    """

    title: ClassVar[str] = "residual network"
    reads: ClassVar[str] = "image"
    presets: ClassVar[tuple[tuple[int, Mapping[str, Any]], ...]] = (
        (2, {}),
        (7, {"filters": 24, "smoothing": 0.05}),
    )

    filters: int = 16
    depth: int = 1

    @classmethod
    def space(cls, task: Task) -> dict[str, Range]:
        return {
            "filters": Range(among=(16, 24, 32)),
            "depth": Range(1, 2, whole=True),
            "rate": Range(0.001, 0.01, logarithmic=True),
            "dropout": Range(0.0, 0.4),
            "erase": Range(0.0, 0.5),
            "smoothing": Range(0.0, 0.1),
        }

    def picture_recipe(self, sight: Sight, plan: Plan) -> PictureRecipe:
        return PictureRecipe("residual", sight, plan.filters, self.depth, plan.places)

    def most_epochs(self, rows: int) -> int:
        return int(min(max(30 * math.sqrt(10_000 / max(rows, 1)), 12), 150))
