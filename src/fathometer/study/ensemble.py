"""Combine stored predictions: greedy forward selection on validation rows.

Caruana, Niculescu-Mizil, Crew & Ksikes (2004). Ensemble selection from libraries of models.
https://doi.org/10.1145/1015330.1015432
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from fathometer.task import Prediction, Task

MEMBERS_MOST = 8
STEPS = 24  # members may be taken more than once, which weights them
PATIENCE = 8  # steps that may bring nothing: a weight of a tenth is reached only beside nine others
GAIN_LEAST = 1e-4  # relative fall in loss for which one more member is worth its latency


def choose_members(predictions: list[Prediction], target: npt.NDArray[Any], task: Task) -> dict[int, float]:
    """Positions of the members and their weights (summing to one), chosen on these rows.

    Starts from the best single model and adds, with replacement, whichever gives the lowest mean loss, until that has
    brought nothing for a few steps; the best mix on the way counts, of never more than eight different members.
    """
    losses = [task.fitting_loss(target, prediction) for prediction in predictions]
    best = int(np.argmin(losses))
    counts = {best: 1}
    total, taken = predictions[best].copy(), 1
    kept, lowest, idle = dict(counts), losses[best], 0
    while taken <= STEPS and idle < PATIENCE:
        trials = [
            (task.fitting_loss(target, (total + prediction) / (taken + 1)), place)
            for place, prediction in enumerate(predictions)
            if place in counts or len(counts) < MEMBERS_MOST
        ]
        loss, place = min(trials)
        counts[place] = counts.get(place, 0) + 1
        total += predictions[place]
        taken, idle = taken + 1, idle + 1
        if loss < lowest - GAIN_LEAST * abs(lowest):
            kept, lowest, idle = dict(counts), loss, 0
    number = sum(kept.values())
    return {place: count / number for place, count in kept.items()}
