"""Many perceptrons in one that share nearly all of their weights."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import nn

from fathometer.learner import Range
from fathometer.learners._deep import EvenLearner
from fathometer.learners._network import ACTIVATIONS, Coarse, Dropout, Front, Part, number_embedding
from fathometer.learners._tensors import Layout, Tensors
from fathometer.task import Task


@dataclass(frozen=True)
class TabM(EvenLearner):
    """An ensemble of perceptrons that differ by a factor per input and output of each shared layer [1][2].

    Each member learns by its own loss; the prediction is the mean of the members' predictions.

    [1] Gorishniy, Kotelnikov & Babenko (2025). TabM. https://arxiv.org/abs/2410.24210
    [2] Wen, Tran & Ba (2020). BatchEnsemble. https://arxiv.org/abs/2002.06715
    """

    title: ClassVar[str] = "ensemble of perceptrons with shared weights (TabM)"
    patience: ClassVar[float] = 0.5
    presets: ClassVar[tuple[tuple[int, Mapping[str, Any]], ...]] = (
        (2, {}),
        (7, {"embedding": "periodic", "members": 4, "width": 192, "rate": 0.1, "dropout": 0.1}),
    )

    members: int = 8
    width: int = 96
    depth: int = 3
    embedding: str = "piecewise"
    cuts: int = 48
    activation: str = "relu"
    dropout: float = 0.05
    rate: float = 0.2
    decay: float = 0.02
    smoothing: float = 0.0
    schedule: str = "waves"
    epochs: int = 0  # at most; 0: by the number of rows
    networks: int = 1

    @classmethod
    def space(cls, task: Task) -> dict[str, Range]:
        return {
            "width": Range(among=(64, 96, 128, 192)),
            "depth": Range(2, 4, whole=True),
            "embedding": Range(among=("piecewise", "periodic", "none")),
            "cuts": Range(among=(8, 16, 32, 48)),
            "dropout": Range(0.0, 0.4),
            "rate": Range(0.05, 0.4, logarithmic=True),
            "decay": Range(0.001, 0.1, logarithmic=True),
        }

    def network(self, layout: Layout, start: torch.Tensor) -> nn.Module:
        front = Front(layout, number_embedding(layout, self.embedding))
        return Ensemble(front, self.members, self.width, self.depth, self.activation, self.dropout, start)


class Shared(Part):
    """A dense layer whose members multiply its inputs and outputs by factors of their own.

    (rows, inputs) or (members, rows, inputs) -> (members, rows, outputs). The members' weights are worked out
    first: cheaper than multiplying every row by the factors as soon as a batch has more rows than a layer
    inputs.
    """

    still: ClassVar[frozenset[str]] = frozenset({"bias", "before", "after"})
    coarse: Coarse

    def __init__(self, members: int, inputs: int, outputs: int, *, differ: bool) -> None:
        super().__init__()
        self.coarse = Coarse()
        root = math.sqrt(max(inputs, 1))
        signs = torch.randn(members, inputs, 1).sign()
        self.weight = nn.Parameter(torch.randn(inputs, outputs) / root)
        self.before = nn.Parameter(signs if differ else torch.ones(members, inputs, 1))
        self.after = nn.Parameter(torch.ones(members, 1, outputs))
        self.bias = nn.Parameter(torch.randn(members, 1, outputs))
        self.paces = {"weight": 1.0 / root, "before": 0.1, "after": 0.1, "bias": 0.1}

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        weights = self.before * self.weight * self.after  # (members, inputs, outputs)
        coarsely = self.coarse.on and self.training
        if inputs.dim() == 3:
            if coarsely:
                return self.coarse.product(inputs, weights) + self.bias
            return torch.baddbmm(self.bias, inputs, weights)
        members, width, outputs = weights.shape
        side_by_side = weights.transpose(0, 1).reshape(width, members * outputs)
        multiply = self.coarse.product if coarsely else torch.matmul
        answers = multiply(inputs, side_by_side).view(len(inputs), members, outputs)
        return answers.transpose(0, 1) + self.bias


class Heads(Part):
    """One output layer per member: (members, rows, inputs) -> (members, rows, outputs)."""

    still: ClassVar[frozenset[str]] = frozenset({"bias"})

    def __init__(self, members: int, inputs: int, start: torch.Tensor) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(members, inputs, len(start)))
        self.bias = nn.Parameter(start.expand(members, 1, -1).clone())
        self.paces = {"weight": 1.0 / math.sqrt(inputs), "bias": 0.1}

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return torch.baddbmm(self.bias, inputs, self.weight)


class Ensemble(nn.Module):
    """Front, shared layers, one head per member."""

    def __init__(
        self,
        front: Front,
        members: int,
        width: int,
        depth: int,
        activation: str,
        dropout: float,
        start: torch.Tensor,
    ) -> None:
        super().__init__()
        self.front = front
        widths = itertools.pairwise([front.width] + [width] * depth)
        self.layers = nn.ModuleList(
            Shared(members, a, b, differ=position == 0) for position, (a, b) in enumerate(widths)
        )
        self.dropout = Dropout(dropout)
        self.activation = ACTIVATIONS[activation]
        self.heads = Heads(members, width, start)

    def forward(self, inputs: Tensors) -> torch.Tensor:
        hidden = self.front(inputs)  # (rows, front width)
        for layer in self.layers:
            hidden = self.dropout(self.activation(layer(hidden)))  # (members, rows, width)
        answer: torch.Tensor = self.heads(hidden)
        return answer  # (members, rows, outputs)
