"""Nearest neighbours in a space that a network learns."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import nn

from fathometer.learner import Range
from fathometer.learners._deep import DeepLearner, batch_size, most_epochs
from fathometer.learners._loop import Pace
from fathometer.learners._network import (
    ACTIVATIONS,
    Dense,
    Dropout,
    Front,
    Recalling,
    Scale,
    number_embedding,
)
from fathometer.learners._tensors import Layout, Tensors
from fathometer.task import Task

KEPT_LEARNING = 4_096  # the same when an epoch is judged
KEPT = 16_384  # training rows kept in mind at most: bounds the time of an answer and the size of the model
CHUNK = 2048
ASKED_TOGETHER = 128
SMALLEST = 1e-6  # added to shares, so that no class is impossible
BLUR = 0.01  # added to squared distances: the root of a small difference of large numbers is mostly rounding


@dataclass(frozen=True)
class Nca(DeepLearner):
    """Answer by the training rows near by, in a space learned so that near means alike [1][2].

    While learning, the rows of a batch are each other's neighbours. The model keeps the training rows as points of
    the learned space, with their answers.

    [1] Goldberger et al. (2004). Neighbourhood components analysis.
    [2] Ye, Yin, Zhan & Chao (2025). Revisiting nearest neighbor for tabular data. https://arxiv.org/abs/2407.03257
    """

    title: ClassVar[str] = "neighbours in a learned space (ModernNCA)"
    presets: ClassVar[tuple[tuple[int, Mapping[str, Any]], ...]] = ((4, {}),)

    width: int = 256
    depth: int = 2
    space_width: int = 64
    embedding: str = "piecewise"
    frequency: float = 0.3
    cuts: int = 48
    activation: str = "relu"
    dropout: float = 0.1
    rate: float = 0.03
    decay: float = 0.02
    epochs: int = 0  # at most; 0: by the number of rows
    networks: int = 1

    @classmethod
    def space(cls, task: Task) -> dict[str, Range]:
        return {
            "width": Range(among=(128, 256, 384)),
            "depth": Range(1, 3, whole=True),
            "space_width": Range(among=(32, 64, 128)),
            "embedding": Range(among=("periodic", "piecewise")),
            "frequency": Range(0.1, 1.0, logarithmic=True),
            "dropout": Range(0.0, 0.4),
            "rate": Range(0.01, 0.1, logarithmic=True),
            "decay": Range(0.001, 0.1, logarithmic=True),
        }

    @property
    def bins(self) -> int:
        return self.cuts if self.embedding == "piecewise" else 0

    @property
    def bags(self) -> int:
        return self.networks

    @property
    def label_smoothing(self) -> float:
        return 0.0

    def pace(self, rows: int, task: Task) -> Pace:
        return Pace(
            rate=self.rate,
            decay=self.decay,
            schedule="slope",
            batch=batch_size(rows, smallest=256, largest=512),
            epochs=self.epochs or most_epochs(rows),
            patience=0.3,
        )

    def network(self, layout: Layout, start: torch.Tensor) -> nn.Module:
        front = Front(layout, number_embedding(layout, self.embedding, frequency=self.frequency))
        return Neighbourhood(
            front, self.width, self.depth, self.space_width, self.activation, self.dropout, start
        )


class Neighbourhood(Recalling):
    """Front, dense layers, and the mean answer of the rows kept in mind, weighted by nearness."""

    def __init__(
        self,
        front: Front,
        width: int,
        depth: int,
        space_width: int,
        activation: str,
        dropout: float,
        start: torch.Tensor,
    ) -> None:
        super().__init__(space_width, len(start))
        self.front = front
        self.scale = Scale(front.width)
        widths = [front.width] + [width] * depth
        self.layers = nn.ModuleList(Dense(a, b) for a, b in itertools.pairwise(widths))
        self.dropout = Dropout(dropout)
        self.activation = ACTIVATIONS[activation]
        self.last = Dense(width, space_width)
        self.reach = math.sqrt(space_width) / 4  # distances of unit vectors' size become a few units

    def forward(self, inputs: Tensors) -> torch.Tensor:
        lengths = self.keys.square().sum(dim=1)
        answers = [
            self._recalled(places, lengths) for places in torch.split(self._places(inputs), ASKED_TOGETHER)
        ]
        return self._outputs(torch.cat(answers))

    def learn(self, inputs: Tensors, goal: torch.Tensor) -> torch.Tensor:
        places = self._places(inputs)
        lengths = places.square().sum(dim=1)
        squares = (lengths.unsqueeze(1) + lengths).addmm(places, places.t(), alpha=-2.0)
        nearness = -(squares.clamp(min=0.0) + BLUR).sqrt()  # (rows, rows)
        nearness = nearness.masked_fill(torch.eye(len(places), dtype=torch.bool, device=places.device), -1e9)
        return self._outputs(nearness.softmax(dim=1) @ self._values(goal))

    def memorise(self, inputs: Tensors, goal: torch.Tensor, *, trained: bool) -> None:
        kept, limit = inputs, KEPT if trained else KEPT_LEARNING
        if len(inputs) > limit:
            index = torch.linspace(0, len(inputs) - 1, limit, device=goal.device).long()
            kept, goal = inputs.take(index), goal.index_select(0, index)
        with torch.no_grad():
            chunks = [self._places(kept.part(at, at + CHUNK)) for at in range(0, len(kept), CHUNK)]
        self.keys, self.values = torch.cat(chunks), self._values(goal)

    def _places(self, inputs: Tensors) -> torch.Tensor:
        hidden = self.scale(self.front(inputs))  # (rows, front width)
        for layer in self.layers:
            hidden = self.dropout(self.activation(layer(hidden)))  # (rows, width)
        places: torch.Tensor = self.last(hidden)
        return places / self.reach  # (rows, space width)

    def _values(self, goal: torch.Tensor) -> torch.Tensor:
        outputs = self.values.shape[1]
        if outputs == 1:
            return goal.unsqueeze(1)
        return nn.functional.one_hot(goal, outputs).float()

    def _recalled(self, places: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        """(rows, outputs) mean answers of the rows in mind; the same sums as in `learn`, in place."""
        squares = torch.addmm(lengths, places, self.keys.t(), alpha=-2.0)  # (rows, kept)
        squares += places.square().sum(dim=1, keepdim=True)
        nearness = squares.clamp_(min=0.0).add_(BLUR).sqrt_().neg_()
        return nearness.softmax(dim=1) @ self.values

    def _outputs(self, answers: torch.Tensor) -> torch.Tensor:
        """(rows, outputs) shares or numbers to (1, rows, outputs)."""
        if answers.shape[1] > 1:
            answers = torch.log(answers + SMALLEST)
        return answers.unsqueeze(0)
