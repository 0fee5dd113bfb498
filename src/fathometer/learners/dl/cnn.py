"""A compact convolutional network for pictures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from fathometer.learners._raw import PictureLearner


@dataclass(frozen=True)
class Cnn(PictureLearner):
    """Convolutions with pooling in between, learned from pictures that are shifted, zoomed and wiped in part [1].

    depth: convolutions between two poolings.

    [1] LeCun et al. (1998). Gradient-based learning applied to document recognition. https://doi.org/10.1109/5.726791
    """

    title: ClassVar[str] = "convolutional network"
    encoder: ClassVar[str] = "compact"
    widths: ClassVar[tuple[int, ...]] = (24, 32, 48)
    presets: ClassVar[tuple[tuple[int, Mapping[str, Any]], ...]] = (
        (1, {}),
        (5, {"flip": "yes", "smoothing": 0.05}),
        (8, {"filters": 48, "depth": 2, "rate": 0.002, "dropout": 0.3}),
    )
