"""Loss per row and summaries; direction and units.

Every metric here is a mean over rows of a loss, so that two models can be compared row by row. A *score* is what
people read (accuracy in per cent, RMSE in the target's unit); a *gap* is a difference of mean losses in the units
of the margin: points for shares, per cent of the loss's level for the rest.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

Losses = npt.NDArray[np.float64]
SMALLEST_LEVEL = 1e-300  # a target in small units has a small loss, and yet a level
SMALLEST = 1e-15  # probabilities are kept this far from 0 in logarithms


class Metric(ABC):
    """A way to say how wrong predictions are."""

    name: ClassVar[str]
    title: ClassVar[str]
    unit: ClassVar[str]  # of the score, as written after the number
    gap_unit: ClassVar[str]  # of a gap and of the margin
    higher_is_better: ClassVar[bool]  # of the score
    margin: ClassVar[float]  # default margin, in gap units
    for_classes: ClassVar[bool]

    @abstractmethod
    def losses(self, target: npt.NDArray[Any], prediction: npt.NDArray[np.float64]) -> Losses:
        """Loss of each row, (rows,); their mean orders models."""

    @abstractmethod
    def score(self, mean_loss: float) -> float:
        """The score people read, of a mean loss."""

    @abstractmethod
    def gap_scale(self, level: float) -> float:
        """Factor from a difference of mean losses to a gap, at this level of loss."""


class _Share(Metric):
    """Metrics whose loss is a share of rows (or of pairs): gaps in points."""

    unit = "%"
    gap_unit = "points"
    higher_is_better = True
    margin = 0.5
    for_classes = True

    def score(self, mean_loss: float) -> float:
        return 100.0 * (1.0 - mean_loss)

    def gap_scale(self, level: float) -> float:
        return 100.0


class _Level(Metric):
    """Metrics whose loss has no natural top: gaps in per cent of the level."""

    unit = ""
    gap_unit = "%"
    higher_is_better = False
    margin = 1.0
    for_classes = False

    def score(self, mean_loss: float) -> float:
        return mean_loss

    def gap_scale(self, level: float) -> float:
        return 100.0 / max(level, SMALLEST_LEVEL)


class Accuracy(_Share):
    name = "accuracy"
    title = "accuracy"

    def losses(self, target: npt.NDArray[Any], prediction: npt.NDArray[np.float64]) -> Losses:
        losses: Losses = (prediction.argmax(axis=1) != target).astype(np.float64)
        return losses


class BalancedAccuracy(_Share):
    """Mean over classes of the share rightly answered; a class counts as much as another, however rare.

    The task sets rare classes' probabilities right before it asks (`Classification.losses`).
    """

    name = "balanced_accuracy"
    title = "balanced accuracy"

    def losses(self, target: npt.NDArray[Any], prediction: npt.NDArray[np.float64]) -> Losses:
        counts = np.bincount(target, minlength=prediction.shape[1]).astype(np.float64)
        wrong = prediction.argmax(axis=1) != target
        losses: Losses = wrong * (len(target) / ((counts > 0).sum() * counts[target]))
        return losses


class LogLoss(_Level):
    name = "log_loss"
    title = "log-loss"
    for_classes = True

    def losses(self, target: npt.NDArray[Any], prediction: npt.NDArray[np.float64]) -> Losses:
        chosen = prediction[np.arange(len(target)), target]
        losses: Losses = -np.log(np.clip(chosen, SMALLEST, 1.0))
        return losses


class Auc(_Share):
    """Area under the ROC curve; for more than two classes the mean of each class against the rest.

    Each row's loss is 1 - AUC plus its influence on that: for a positive row the share of negatives ranked above it,
    less 1 - AUC, divided by the share of positives; likewise for a negative row (DeLong, DeLong & Clarke-Pearson 1988,
    https://doi.org/10.2307/2531595). So their mean is 1 - AUC, and their variance divided by the rows is DeLong's
    variance of the AUC. Single rows may be below 0.
    """

    name = "auc"
    title = "AUC"

    def losses(self, target: npt.NDArray[Any], prediction: npt.NDArray[np.float64]) -> Losses:
        classes = prediction.shape[1]
        wanted = [1] if classes == 2 else [c for c in range(classes) if 0 < (target == c).sum() < len(target)]
        if not wanted:
            return np.full(len(target), 0.5)
        parts = [_auc_components(target == c, prediction[:, c]) for c in wanted]
        losses: Losses = np.mean(parts, axis=0)
        return losses


class Rmse(_Level):
    """Root mean squared error; a row's loss is its squared error."""

    name = "rmse"
    title = "RMSE"

    def losses(self, target: npt.NDArray[Any], prediction: npt.NDArray[np.float64]) -> Losses:
        losses: Losses = (prediction - target) ** 2
        return losses

    def score(self, mean_loss: float) -> float:
        return float(np.sqrt(mean_loss))

    def gap_scale(self, level: float) -> float:
        # d sqrt(m) / sqrt(m) = dm / (2 m): a gap in squared error as per cent of the RMSE
        return 50.0 / max(level, SMALLEST_LEVEL)


class Mae(_Level):
    name = "mae"
    title = "mean absolute error"

    def losses(self, target: npt.NDArray[Any], prediction: npt.NDArray[np.float64]) -> Losses:
        losses: Losses = np.abs(prediction - target)
        return losses


def _auc_components(positive: npt.NDArray[np.bool_], scores: npt.NDArray[np.float64]) -> Losses:
    count = len(scores)
    ups, downs = np.sort(scores[positive]), np.sort(scores[~positive])
    if len(ups) == 0 or len(downs) == 0:
        return np.full(count, 0.5)
    below = (np.searchsorted(ups, scores, "left") + np.searchsorted(ups, scores, "right")) / (2 * len(ups))
    above = 1 - (np.searchsorted(downs, scores, "left") + np.searchsorted(downs, scores, "right")) / (
        2 * len(downs)
    )
    missed = float(above[positive].mean())
    pull = np.where(positive, (above - missed) / len(ups), (below - missed) / len(downs))
    losses: Losses = missed + count * pull
    return losses


METRICS: dict[str, Metric] = {
    metric.name: metric for metric in (Accuracy(), BalancedAccuracy(), LogLoss(), Auc(), Rmse(), Mae())
}
