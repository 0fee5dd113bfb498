"""Predict a number."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pandas as pd

from fathometer.task import Prediction, Task


@dataclass(frozen=True)
class Regression(Task):
    """Predict a number. Target cells are numbers already, read by the schema."""

    name: ClassVar[str] = "regression"

    @property
    def outputs(self) -> int:
        return 1

    @property
    def fitting_metric(self) -> str:
        return self.metric

    def knows(self, cells: pd.Series) -> npt.NDArray[np.bool_]:
        numbers = pd.to_numeric(cells, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
        return np.asarray(np.isfinite(numbers))

    def encode(self, cells: pd.Series) -> npt.NDArray[Any]:
        return pd.to_numeric(cells).to_numpy(dtype=np.float64)

    def average(self, predictions: list[Prediction], weights: list[float]) -> Prediction:
        mean: Prediction = np.average(np.stack(predictions), axis=0, weights=weights)
        return mean

    def answer(self, prediction: Prediction) -> pd.DataFrame:
        return pd.DataFrame({"prediction": prediction})

    def to_json(self) -> dict[str, Any]:
        return {"name": self.name, "target": self.target, "metric": self.metric, "margin": self.margin}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Regression:
        return cls(value["target"], value["metric"], value["margin"])
