"""Measured differences drawn from a known law, without training: to test what the verdict makes of them.

A drawn study has what a real one leaves: per fold, the difference of the two families' losses on every test row. Rows
keep part of their difference from repeat to repeat (a hard row stays hard), the training rows of a fold move all its
rows together, and folds of one table share part of that movement (Nadeau & Bengio 2003).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fathometer.data.metrics import METRICS
from fathometer.verdict.compare import WHOLE
from fathometer.verdict.posterior import Belief, Spread, believe, spread_of

Floats = npt.NDArray[np.float64]

FOLDS = 5
SHARED = 0.2  # of the variance of the training rows' effect is common to all folds: their overlap
KEPT = 0.6  # of a row's difference stays the same in a further repeat


@dataclass(frozen=True)
class Law:
    """Where studies are drawn from.

    loss: "errors" (0/1), "squares" (heavy-tailed squared errors) or "logs" (log-losses). rows: of the table.
    level: share of errors. disagreement: share of rows the families answer differently; for the other losses, the
    part of the predictions' spread that is each family's own. wobble: how far a fold's training rows move its mean,
    in standard errors of the mean of the table's rows. repeats: passes over the rows. cluster: rows that are copies of
    each other. gap: the true gap, in the metric's gap unit; above 0 the second family is better.
    """

    loss: str = "errors"
    rows: int = 1_000
    level: float = 0.2
    disagreement: float = 0.1
    wobble: float = 0.5
    repeats: int = 1
    cluster: int = 1
    gap: float = 0.0


def random_law(rng: np.random.Generator, rows: tuple[int, int], loss: str | None = None) -> Law:
    """Some law of two equally good families with so many rows."""
    low, high = np.log(rows)
    count = int(np.exp(rng.uniform(low, high)))
    level = rng.uniform(0.05, 0.4)
    return Law(
        loss=loss or str(rng.choice(["errors", "squares", "logs"], p=[0.5, 0.3, 0.2])),
        rows=count,
        level=level,
        disagreement=float(np.exp(rng.uniform(np.log(0.01), np.log(min(0.2, level))))),
        wobble=rng.uniform(0.0, 1.0),
        repeats=int(rng.choice([1, 1, 2, 3])) if count < 20_000 else 1,
        cluster=int(rng.choice([1, 1, 1, 4])),
    )


def draw(law: Law, rng: np.random.Generator) -> tuple[Spread, float]:
    """The spread of one drawn study's gap, as `compare.contrast` makes it, and the metric's default margin."""
    metric = METRICS[{"errors": "accuracy", "squares": "rmse", "logs": "log_loss"}[law.loss]]
    clusters = np.arange(law.rows) // law.cluster
    count = int(clusters[-1]) + 1
    first = _row_losses(law, count, rng)
    folds: list[Floats] = []
    rows: list[npt.NDArray[np.intp]] = []
    levels: list[float] = []
    common = rng.normal()
    for repeat in range(law.repeats):
        again = rng.random(count) > KEPT if repeat else np.zeros(count, dtype=bool)
        fresh = _row_losses(law, count, rng)
        losses = tuple(np.where(again, new, old) for new, old in zip(fresh, first, strict=True))
        part = rng.permutation(count) % FOLDS
        scale = law.wobble * float((losses[0] - losses[1]).std()) / np.sqrt(law.rows)
        for k in range(FOLDS):
            mine = np.flatnonzero(part[clusters] == k)
            one, other = losses[0][clusters[mine]], losses[1][clusters[mine]]
            moved = scale * (np.sqrt(SHARED) * common + np.sqrt(1 - SHARED) * rng.normal())
            folds.append(one - other + moved)
            rows.append(mine)
            levels.append(float(one.mean() + other.mean()) / 2)
    level = float(np.mean(levels))
    shift = law.gap / metric.gap_scale(level)
    gaps = [metric.gap_scale(level) * (fold + shift) for fold in folds]
    return spread_of(gaps, rows, clusters, 1 / FOLDS, WHOLE), metric.margin


def winner(belief: Belief, needed: float) -> str:
    """The family whose name would be said: "first", "second" or "" for neither."""
    if belief.above >= needed:
        return "second"
    return "first" if belief.below >= needed else ""


def judged(law: Law, rng: np.random.Generator) -> Belief:
    """What the verdict would believe of one drawn study."""
    return believe(*draw(law, rng))


def _row_losses(law: Law, count: int, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Both families' loss of every cluster of rows, equally good by law."""
    if law.loss == "errors":
        # a share `disagreement` is answered rightly by exactly one of the two
        both = law.level - law.disagreement / 2
        draws = rng.random(count)
        first = draws < law.level
        second = (draws < both) | ((draws >= law.level) & (draws < law.level + law.disagreement / 2))
        return first.astype(np.float64), second.astype(np.float64)
    own = np.sqrt(law.disagreement)
    common = rng.standard_t(3, count)
    one, other = (common + own * rng.standard_t(4, count) for _ in range(2))
    if law.loss == "squares":
        return one**2, other**2
    return np.logaddexp(0, one - 2), np.logaddexp(0, other - 2)
