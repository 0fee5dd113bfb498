"""Predict one of two or more classes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pandas as pd

from fathometer.data.labels import label_text
from fathometer.task import Prediction, Task


@dataclass(frozen=True)
class Classification(Task):
    """Predict one of two or more classes.

    labels: in the order of a prediction's columns. shares: of the rows learned from, in the same order; empty: even.
    """

    name: ClassVar[str] = "classification"
    labels: tuple[str, ...] = ()
    shares: tuple[float, ...] = ()

    @property
    def outputs(self) -> int:
        return len(self.labels)

    @property
    def fitting_metric(self) -> str:
        # log-loss judges whole probabilities, so it needs far fewer validation rows than a count of errors
        return "log_loss"

    def knows(self, cells: pd.Series) -> npt.NDArray[np.bool_]:
        return np.asarray(label_text(cells).isin(self.labels), dtype=bool)

    def encode(self, cells: pd.Series) -> npt.NDArray[Any]:
        codes = pd.Index(self.labels).get_indexer(pd.Index(label_text(cells)))
        if (codes < 0).any():
            raise ValueError("a target cell is not one of the labels")
        return codes.astype(np.int64)

    def average(self, predictions: list[Prediction], weights: list[float]) -> Prediction:
        total = np.zeros_like(predictions[0])
        for prediction, weight in zip(predictions, weights, strict=True):
            total += weight * prediction
        mean: Prediction = total / total.sum(axis=1, keepdims=True)
        return mean

    def losses(self, target: npt.NDArray[Any], prediction: Prediction) -> npt.NDArray[np.float64]:
        return super().losses(target, self._decided(prediction))

    def _decided(self, prediction: Prediction) -> Prediction:
        """Where every class counts alike, the answer is the one whose probability exceeds its share most."""
        if self.metric != "balanced_accuracy" or not self.shares:
            return prediction
        exceeding = prediction / np.asarray(self.shares)
        scaled: Prediction = exceeding / exceeding.sum(axis=1, keepdims=True)
        return scaled

    def answer(self, prediction: Prediction) -> pd.DataFrame:
        chosen = self._decided(prediction).argmax(axis=1)
        columns: dict[str, npt.NDArray[Any]] = {
            f"probability_{label}": prediction[:, position] for position, label in enumerate(self.labels)
        }
        return pd.DataFrame({"prediction": np.asarray(self.labels, dtype=object)[chosen]} | columns)

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "target": self.target,
            "metric": self.metric,
            "margin": self.margin,
            "labels": list(self.labels),
            "shares": list(self.shares),
        }

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Classification:
        labels, shares = tuple(value["labels"]), tuple(value.get("shares", ()))
        return cls(value["target"], value["metric"], value["margin"], labels, shares)
