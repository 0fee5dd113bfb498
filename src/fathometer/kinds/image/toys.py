"""Small pictures that carry a known signal, for the common tests."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

SIDE = 16


def toy_pictures(signal: npt.NDArray[np.float64], rng: np.random.Generator) -> list[npt.NDArray[Any]]:
    """A bar whose slope tells the signal, at any place, on grounds and in strengths that tell nothing."""
    down, right = np.mgrid[0:SIDE, 0:SIDE] - (SIDE - 1) / 2
    pictures = []
    for strength in np.clip(signal, 0.0, 1.0):
        slope = np.pi * (0.1 + 0.8 * strength) / 2
        shift = rng.uniform(-2.0, 2.0)
        away = np.abs(np.cos(slope) * right + np.sin(slope) * down - shift)
        bar = np.clip(2.0 - away, 0.0, 1.0) * rng.uniform(80, 140)
        shown = rng.uniform(30, 80) + bar + rng.normal(0.0, 8.0, size=(SIDE, SIDE))
        pictures.append(np.clip(np.rint(shown), 0, 255).astype(np.uint8))
    return pictures
