"""Propose settings within a learner's space."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np


def propose(space: Mapping[str, Mapping[str, Any]], rng: np.random.Generator) -> dict[str, Any]:
    """One random point of the space, as settings."""
    return {name: _draw(spec, rng) for name, spec in sorted(space.items())}


def _draw(spec: Mapping[str, Any], rng: np.random.Generator) -> Any:
    if spec["among"]:
        return spec["among"][int(rng.integers(len(spec["among"])))]
    low, high = float(spec["low"]), float(spec["high"])
    if spec["logarithmic"]:
        value = math.exp(rng.uniform(math.log(low), math.log(high)))
    else:
        value = float(rng.uniform(low, high))
    # four digits are enough, and make the record readable
    return round(value) if spec["whole"] else float(f"{value:.4g}")
