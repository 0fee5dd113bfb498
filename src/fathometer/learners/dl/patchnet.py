"""A network on fixed patches of the training pictures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from fathometer.learner import Facts
from fathometer.learners._raw import PictureLearner

MOST_ROWS = 10_000  # beyond it learned filters are better, and the fixed ones take longest


@dataclass(frozen=True)
class Patchnet(PictureLearner):
    """Fixed filters, patches of the training pictures made uncorrelated, and a little that is learned on top [1].

    [1] Coates, Ng & Lee (2011). An analysis of single-layer networks. https://proceedings.mlr.press/v15/coates11a.html
    """

    title: ClassVar[str] = "network on fixed patches"
    encoder: ClassVar[str] = "whitened"
    presets: ClassVar[tuple[tuple[int, Mapping[str, Any]], ...]] = (
        (3, {}),
        (9, {"filters": 32, "erase": 0.1}),
    )

    filters: int = 16

    @classmethod
    def unsuited(cls, facts: Facts) -> str | None:
        why = super().unsuited(facts)
        if why is None and facts.rows > MOST_ROWS:
            why = f"fixed filters help where pictures are few, and there are {facts.rows:,} (limit {MOST_ROWS:,})"
        return why
