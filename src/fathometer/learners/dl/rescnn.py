"""A small residual network for pictures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from fathometer.learners._raw import PictureLearner


@dataclass(frozen=True)
class Rescnn(PictureLearner):
    """Blocks whose result is added to what came in, few and narrow: small data wants small networks [1][2].

    [1] He et al. (2016). Deep residual learning. https://arxiv.org/abs/1512.03385
    [2] Brigato & Iocchi (2020). A close look at deep learning with small data. https://arxiv.org/abs/2003.12843
    """

    title: ClassVar[str] = "residual network"
    encoder: ClassVar[str] = "residual"
    presets: ClassVar[tuple[tuple[int, Mapping[str, Any]], ...]] = (
        (2, {}),
        (7, {"filters": 24, "smoothing": 0.05}),
    )

    filters: int = 16
