"""A network on fixed patches of the training pictures."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from fathometer.learner import Facts, Range
from fathometer.learners._raw import Plan, RawLearner
from fathometer.learners._raw_picture_encoders import PictureRecipe
from fathometer.learners._raw_pictures import Sight
from fathometer.task import Task

MOST_ROWS = 10_000  # beyond it learned filters are better, and the fixed ones take longest


@dataclass(frozen=True)
class Patchnet(RawLearner):
    """Fixed filters, patches of the training pictures made uncorrelated, and a little that is learned on top [1].

    [1] Coates, Ng & Lee (2011). An analysis of single-layer networks. https://proceedings.mlr.press/v15/coates11a.html
    """

    title: ClassVar[str] = "network on fixed patches"
    reads: ClassVar[str] = "image"
    presets: ClassVar[tuple[tuple[int, Mapping[str, Any]], ...]] = (
        (3, {}),
        (9, {"filters": 32, "erase": 0.1}),
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

    @classmethod
    def unsuited(cls, facts: Facts) -> str | None:
        why = super().unsuited(facts)
        if why is None and facts.rows > MOST_ROWS:
            why = f"fixed filters help where pictures are few, and there are {facts.rows:,} (limit {MOST_ROWS:,})"
        return why

    def picture_recipe(self, sight: Sight, plan: Plan) -> PictureRecipe:
        return PictureRecipe("whitened", sight, plan.filters, self.depth, plan.places)

    def most_epochs(self, rows: int) -> int:
        return int(min(max(30 * math.sqrt(10_000 / max(rows, 1)), 12), 150))
