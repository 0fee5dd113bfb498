"""How a network's outputs become a loss to learn by, and a prediction."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from fathometer.core.files import State
from fathometer.core.states import MOST_CLASSES, demand, number, several, table, text, truth
from fathometer.task import Prediction, Task

BEYOND = 0.05  # predicted numbers stay within the range seen in training and this share of it on both sides


class Answers(ABC):
    """What the outputs (members, rows, outputs) of a network mean; members of an ensemble answer apart."""

    warms: ClassVar[bool]  # whether outputs may be divided by a heat, so that probabilities are right

    @abstractmethod
    def goal(self, target: npt.NDArray[Any]) -> torch.Tensor:
        """(rows,) what the outputs should come to."""

    @abstractmethod
    def start(self) -> torch.Tensor:
        """(outputs,) outputs that give the best constant prediction."""

    @abstractmethod
    def loss(self, outputs: torch.Tensor, goal: torch.Tensor) -> torch.Tensor:
        """The mean loss over rows and members."""

    @abstractmethod
    def prediction(self, outputs: torch.Tensor) -> Prediction:
        """The mean of the members' predictions."""

    @abstractmethod
    def state(self) -> State:
        """This, as data; `answers_from_state` takes it back."""


@dataclass(frozen=True)
class Classes(Answers):
    """Outputs are logits. shares: of each class in training. smoothing: of the labels learned from."""

    warms: ClassVar[bool] = True
    shares: tuple[float, ...]
    smoothing: float

    def goal(self, target: npt.NDArray[Any]) -> torch.Tensor:
        return torch.from_numpy(np.asarray(target, dtype=np.int64))

    def start(self) -> torch.Tensor:
        return torch.log(torch.tensor(self.shares))

    def loss(self, outputs: torch.Tensor, goal: torch.Tensor) -> torch.Tensor:
        members, rows, classes = outputs.shape
        flat = outputs.reshape(members * rows, classes)
        return nn.functional.cross_entropy(flat, goal.repeat(members), label_smoothing=self.smoothing)

    def prediction(self, outputs: torch.Tensor) -> Prediction:
        shares: Prediction = outputs.double().softmax(dim=2).mean(dim=0).cpu().numpy()
        shares /= shares.sum(axis=1, keepdims=True)
        return shares

    def state(self) -> State:
        return {"of": "classes", "shares": list(self.shares), "smoothing": self.smoothing}


@dataclass(frozen=True)
class Numbers(Answers):
    """Outputs are numbers, centred and divided by scale; low, high: between which predictions stay."""

    warms: ClassVar[bool] = False
    centre: float
    scale: float
    low: float
    high: float
    absolute: bool  # learn by the absolute error rather than the squared one

    def goal(self, target: npt.NDArray[Any]) -> torch.Tensor:
        scaled = (np.asarray(target, dtype=np.float64) - self.centre) / self.scale
        return torch.from_numpy(scaled.astype(np.float32))

    def start(self) -> torch.Tensor:
        return torch.zeros(1)

    def loss(self, outputs: torch.Tensor, goal: torch.Tensor) -> torch.Tensor:
        errors = outputs.squeeze(2) - goal
        return errors.abs().mean() if self.absolute else errors.square().mean()

    def prediction(self, outputs: torch.Tensor) -> Prediction:
        values: Prediction = outputs.double().squeeze(2).mean(dim=0).cpu().numpy() * self.scale + self.centre
        kept: Prediction = np.clip(values, self.low, self.high)
        return kept

    def state(self) -> State:
        return {
            "of": "numbers",
            "centre": self.centre,
            "scale": self.scale,
            "low": self.low,
            "high": self.high,
            "absolute": self.absolute,
        }


def answers_for(task: Task, target: npt.NDArray[Any], smoothing: float) -> Answers:
    """What outputs mean for this task and training target."""
    if task.name == "classification":
        counts = np.bincount(target, minlength=task.outputs) + 1.0
        return Classes(tuple(float(share) for share in counts / counts.sum()), smoothing)
    values = np.asarray(target, dtype=np.float64)
    low, high = float(values.min()), float(values.max())
    absolute = task.fitting_metric == "mae"
    margin = BEYOND * (high - low)
    return Numbers(
        centre=float(np.median(values) if absolute else values.mean()),
        scale=float(values.std()) or 1.0,
        low=low - margin,
        high=high + margin,
        absolute=absolute,
    )


def answers_from_state(state: State) -> Answers:
    """The answers that gave this state.

    Raises:
        BadBundle: it is none.
    """
    demand(isinstance(state, dict), "answers are described wrongly")
    if text(state.get("of"), "what answers are of", ("classes", "numbers")) == "classes":
        table(state, "answers", ("of", "shares", "smoothing"))
        shares = several(state["shares"], "shares")
        demand(2 <= len(shares) <= MOST_CLASSES, "there should be two classes or more")
        return Classes(
            tuple(number(share, "a share", 1e-30, 1.0) for share in shares),
            number(state["smoothing"], "smoothing", 0.0, 1.0),
        )
    table(state, "answers", ("of", "centre", "scale", "low", "high", "absolute"))
    low, high = number(state["low"], "low"), number(state["high"], "high")
    demand(low <= high, "low lies above high")
    return Numbers(
        centre=number(state["centre"], "centre"),
        scale=number(state["scale"], "scale", 0.0),
        low=low,
        high=high,
        absolute=truth(state["absolute"], "absolute"),
    )
