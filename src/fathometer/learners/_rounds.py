"""How large a step boosting must take when time allows only so many rounds."""

from __future__ import annotations

from fathometer.learner import Run

STEPS_NEEDED = 12.0  # learning rate times rounds by which boosting has mostly converged
RATE_MOST = 0.3
TIME_SHARE = 0.8  # of what is left, for rounds; the rest is for predicting


def affordable_rate(rate: float, seconds_per_round: float, run: Run) -> float:
    """The rate itself where there is time for all the rounds it needs, else as much larger as there are too few."""
    rounds = max(run.left(), 0.1) * TIME_SHARE / max(seconds_per_round, 1e-6)
    needed = STEPS_NEEDED / rate
    return rate if rounds >= needed else min(RATE_MOST, rate * needed / rounds)
