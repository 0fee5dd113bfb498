"""What is to be learned: the target, the metric, and the smallest difference that matters.

Laws, checked by `fathometer.testing.tasks`:
- encoding the target and decoding it gives it back;
- losses are finite, not negative for a proper loss, one per row, and do not depend on the order of rows;
- the baseline's prediction has the shape of any other prediction;
- a task written to JSON and read back is equal.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pandas as pd

from fathometer.core.plugins import Plugins
from fathometer.data.metrics import METRICS, Metric

Prediction = npt.NDArray[np.float64]
"""(rows,) values for numbers, (rows, classes) probabilities for classes."""


@dataclass(frozen=True)
class Task(ABC):
    """What is to be learned.

    target: name of the column to predict.
    metric: name of the metric that decides.
    margin: the smallest difference that matters, in the metric's gap units (points, or per cent).
    """

    name: ClassVar[str]
    target: str
    metric: str
    margin: float

    @property
    def measure(self) -> Metric:
        """The metric that decides."""
        return METRICS[self.metric]

    @property
    @abstractmethod
    def outputs(self) -> int:
        """Columns of a prediction: the number of classes, or 1 for a number."""

    @property
    @abstractmethod
    def fitting_metric(self) -> str:
        """The smooth loss by which models are stopped, chosen and combined on validation rows."""

    @abstractmethod
    def encode(self, cells: pd.Series) -> npt.NDArray[Any]:
        """Target cells to class codes or numbers; every cell must be known (see `knows`)."""

    @abstractmethod
    def knows(self, cells: pd.Series) -> npt.NDArray[np.bool_]:
        """Which target cells can be learned from."""

    @abstractmethod
    def average(self, predictions: list[Prediction], weights: list[float]) -> Prediction:
        """The weighted mean of predictions, itself a prediction."""

    @abstractmethod
    def answer(self, prediction: Prediction) -> pd.DataFrame:
        """What a user sees: column `prediction`, and for classes one `probability_<label>` each."""

    @abstractmethod
    def to_json(self) -> dict[str, Any]:
        """The task as plain data."""

    @classmethod
    @abstractmethod
    def from_json(cls, value: dict[str, Any]) -> Task:
        """The task of this plain data."""

    def losses(self, target: npt.NDArray[Any], prediction: Prediction) -> npt.NDArray[np.float64]:
        """Loss of each row on the deciding metric, (rows,)."""
        return self.measure.losses(target, prediction)

    def fitting_loss(self, target: npt.NDArray[Any], prediction: Prediction) -> float:
        """Mean loss by which models are stopped, chosen and combined."""
        return float(METRICS[self.fitting_metric].losses(target, prediction).mean())


TASKS: Plugins[Task] = Plugins("task", Task, ("fathometer.tasks",), "fathometer.tasks", {})  # type: ignore[type-abstract]


def task_from_json(value: dict[str, Any]) -> Task:
    """The task of this plain data, whatever its name."""
    return TASKS.get(value["name"]).from_json(value)
