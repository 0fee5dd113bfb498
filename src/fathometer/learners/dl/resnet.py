"""A residual network for tables."""

from __future__ import annotations

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
class ResNet(EvenLearner):
    """Blocks that each add a correction to what the blocks before them found [1].

    [1] Gorishniy, Rubachev, Khrulkov & Babenko (2021). Revisiting deep learning models for tabular data.
    https://arxiv.org/abs/2106.11959
    """

    title: ClassVar[str] = "residual network"
    patience: ClassVar[float] = 0.3
    presets: ClassVar[tuple[tuple[int, Mapping[str, Any]], ...]] = (
        (3, {}),
        (8, {"embedding": "none", "depth": 2, "width": 192, "dropout": 0.3}),
    )

    width: int = 128
    depth: int = 3
    embedding: str = "piecewise"
    frequency: float = 0.1
    cuts: int = 48
    activation: str = "relu"
    dropout: float = 0.15
    rate: float = 0.03
    decay: float = 0.02
    smoothing: float = 0.0
    schedule: str = "slope"
    epochs: int = 0  # at most; 0: by the number of rows
    networks: int = 1

    @classmethod
    def space(cls, task: Task) -> dict[str, Range]:
        return {
            "width": Range(among=(96, 128, 192, 256)),
            "depth": Range(1, 5, whole=True),
            "embedding": Range(among=("piecewise", "periodic", "none")),
            "cuts": Range(among=(8, 16, 32)),
            "dropout": Range(0.0, 0.5),
            "rate": Range(0.01, 0.1, logarithmic=True),
            "decay": Range(0.001, 0.1, logarithmic=True),
        }

    def network(self, layout: Layout, start: torch.Tensor) -> nn.Module:
        front = Front(layout, number_embedding(layout, self.embedding, frequency=self.frequency))
        return Residual(front, self.width, self.depth, self.activation, self.dropout, start)


class Block(nn.Module):
    """Normalise, widen, activate, narrow; added to what came in. (rows, width) -> (rows, width)."""

    def __init__(self, width: int, activation: str, dropout: float) -> None:
        super().__init__()
        self.normalise = nn.LayerNorm(width)
        self.widen = Dense(width, 2 * width)
        self.narrow = Dense(2 * width, width)
        self.dropout = Dropout(dropout)
        self.activation = ACTIVATIONS[activation]

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        hidden = self.dropout(self.activation(self.widen(self.normalise(inputs))))  # (rows, 2 * width)
        correction: torch.Tensor = self.narrow(hidden)
        return inputs + correction


class Residual(nn.Module):
    """Front, one learned factor per column, blocks, outputs."""

    def __init__(
        self, front: Front, width: int, depth: int, activation: str, dropout: float, start: torch.Tensor
    ) -> None:
        super().__init__()
        self.front = front
        self.scale = Scale(front.width)
        self.first = Dense(front.width, width)
        self.blocks = nn.ModuleList(Block(width, activation, dropout) for _ in range(depth))
        self.normalise = nn.LayerNorm(width)
        self.activation = ACTIVATIONS[activation]
        self.last = Dense(width, len(start), zero=True)
        self.last.bias.data.copy_(start)

    def forward(self, inputs: Tensors) -> torch.Tensor:
        hidden = self.first(self.scale(self.front(inputs)))  # (rows, width)
        for block in self.blocks:
            hidden = block(hidden)
        answer: torch.Tensor = self.last(self.activation(self.normalise(hidden)))
        return answer.unsqueeze(0)  # (1, rows, outputs)
