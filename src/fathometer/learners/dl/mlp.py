"""A multi-layer perceptron with everything that is known to make it strong on tables."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import nn

from fathometer.learner import Range
from fathometer.learners._deep import EvenLearner
from fathometer.learners._network import ACTIVATIONS, Dense, Dropout, Front, Scale, number_embedding
from fathometer.learners._tensors import Layout, Tensors
from fathometer.task import Task


@dataclass(frozen=True)
class Mlp(EvenLearner):
    """Dense layers behind learned embeddings of numbers and categories, in the manner of RealMLP [1].

    embedding: of numbers: "periodic", "piecewise" or "none". frequency: of the periodic one. cuts: bins of
    the piecewise one. activation: "selu", "mish", "silu", "relu", or "auto" (by the task).

    [1] Holzmueller, Grinsztajn & Steinwart (2024). Better by default. https://arxiv.org/abs/2407.04491
    """

    title: ClassVar[str] = "multi-layer perceptron"
    patience: ClassVar[float] = 0.5
    presets: ClassVar[tuple[tuple[int, Mapping[str, Any]], ...]] = (
        (1, {}),
        (5, {"networks": 4, "cuts": 16, "dropout": 0.4}),
        (6, {"embedding": "periodic", "frequency": 0.3, "dropout": 0.3}),
        (9, {"width": 384, "activation": "relu", "schedule": "slope", "dropout": 0.3}),
    )

    width: int = 256
    depth: int = 3
    embedding: str = "piecewise"
    frequency: float = 0.1
    cuts: int = 48
    activation: str = "auto"
    dropout: float = 0.15
    rate: float = 0.04
    decay: float = 0.02
    smoothing: float = 0.0
    schedule: str = "waves"
    epochs: int = 0  # at most; 0: by the number of rows
    networks: int = 1

    @classmethod
    def space(cls, task: Task) -> dict[str, Range]:
        return {
            "width": Range(among=(128, 256, 384)),
            "depth": Range(2, 4, whole=True),
            "embedding": Range(among=("periodic", "piecewise", "none")),
            "frequency": Range(0.05, 0.5, logarithmic=True),
            "cuts": Range(among=(8, 16, 32)),
            "activation": Range(among=("selu", "mish", "relu")),
            "dropout": Range(0.0, 0.5),
            "rate": Range(0.01, 0.2, logarithmic=True),
            "decay": Range(0.001, 0.1, logarithmic=True),
        }

    def network(self, layout: Layout, start: torch.Tensor) -> nn.Module:
        name = self.activation
        if name == "auto":
            name = "mish" if layout.outputs == 1 else "selu"
        front = Front(layout, number_embedding(layout, self.embedding, frequency=self.frequency))
        return Perceptron(front, self.width, self.depth, name, self.dropout, start)


class Perceptron(nn.Module):
    """Front, one learned factor per column, dense layers, outputs."""

    def __init__(
        self, front: Front, width: int, depth: int, activation: str, dropout: float, start: torch.Tensor
    ) -> None:
        super().__init__()
        self.front = front
        self.scale = Scale(front.width)
        widths = [front.width] + [width] * depth
        self.layers = nn.ModuleList(Dense(a, b) for a, b in itertools.pairwise(widths))
        self.dropout = Dropout(dropout)
        self.activation = ACTIVATIONS[activation]
        self.last = Dense(width, len(start), zero=True)
        self.last.bias.data.copy_(start)

    def forward(self, inputs: Tensors) -> torch.Tensor:
        hidden = self.scale(self.front(inputs))  # (rows, front width)
        for layer in self.layers:
            hidden = self.dropout(self.activation(layer(hidden)))  # (rows, width)
        answer: torch.Tensor = self.last(hidden)
        return answer.unsqueeze(0)  # (1, rows, outputs)
