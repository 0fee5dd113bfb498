"""One network for a table's columns, texts and pictures together: an encoder each, joined, and a dense head."""

from __future__ import annotations

import torch
from torch import nn

from fathometer.learners._network import Coarse, Dense, Dropout, Front, Part, Scale, number_embedding
from fathometer.learners._raw_inputs import RawRows
from fathometer.learners._raw_picture_encoders import PictureReader
from fathometer.learners._raw_word_encoders import WordReader
from fathometer.learners._tensors import Layout, Tensors

TABLE_WIDTH = 128
TABLE_RATE = 0.03  # at which the parts for tables learn best


class TableReader(nn.Module):
    """The columns that are neither words nor pictures, in one dense layer: (rows, width)."""

    def __init__(self, layout: Layout) -> None:
        super().__init__()
        self.front = Front(layout, number_embedding(layout, "piecewise"))
        self.scale = Scale(self.front.width)
        self.layer = Dense(self.front.width, TABLE_WIDTH)
        self.width = TABLE_WIDTH

    def forward(self, inputs: Tensors) -> torch.Tensor:
        return torch.relu(self.layer(self.scale(self.front(inputs))))


class RawNetwork(Part):
    """Every column's features side by side, a hidden layer where there are several kinds, outputs.

    mirrors: whether, once trained, it answers for mirrored pictures too: (2, rows, outputs) instead of (1, ...).
    """

    coarse: Coarse

    def __init__(
        self,
        layout: Layout,
        words: list[WordReader],
        pictures: list[PictureReader],
        start: torch.Tensor,
        *,
        rate: float,
        hidden: int,
        dropout: float,
    ) -> None:
        super().__init__()
        self.coarse = Coarse()
        self.mirrors = False
        self.table = TableReader(layout) if layout.numbers + layout.flags + len(layout.sizes) else None
        self.words = nn.ModuleList(words)
        self.pictures = nn.ModuleList(pictures)
        widths = [int(reader.width) for reader in [self.table, *words, *pictures] if reader is not None]
        several = len(widths) > 1
        self.evens = nn.ModuleList(nn.LayerNorm(width) for width in widths) if several else None
        hidden = hidden or (TABLE_WIDTH if several else 0)
        self.hidden = Dense(sum(widths), hidden) if hidden and widths else None
        self.dropout = Dropout(dropout)
        self.last = Dense(hidden if self.hidden is not None else sum(widths), len(start), zero=True)
        self.last.bias.data.copy_(start)
        for part in (self.table, self.hidden, self.last):
            if part is not None:
                _quicken(part, TABLE_RATE / rate)

    def prepare(self, inputs: RawRows) -> None:
        """Fix or begin with what training rows tell without any answer."""
        for words, texts in zip(word_readers(self), inputs.words, strict=True):
            words.prepare(texts)
        for sight, pictures in zip(picture_readers(self), inputs.pictures, strict=True):
            sight.prepare(pictures)

    def forward(self, inputs: RawRows) -> torch.Tensor:
        answers = [self._answer(inputs, mirrored=False)]
        if self.mirrors and not self.training:
            answers.append(self._answer(inputs, mirrored=True))
        return torch.stack(answers)  # (views, rows, outputs)

    def _answer(self, inputs: RawRows, *, mirrored: bool) -> torch.Tensor:
        parts: list[torch.Tensor] = [] if self.table is None else [self.table(inputs.table)]
        device = self.last.bias.device.type
        with torch.autocast(
            device, torch.bfloat16, enabled=self.training and (self.coarse.on or device == "cuda")
        ):
            parts += [read(rows) for read, rows in zip(self.words, inputs.words, strict=True)]
            parts += [
                read(rows, mirrored=mirrored)
                for read, rows in zip(self.pictures, inputs.pictures, strict=True)
            ]
        if self.evens is not None:
            parts = [even(part) for even, part in zip(self.evens, parts, strict=True)]
        joined = torch.cat(parts, dim=1) if parts else inputs.table.numbers.new_zeros(len(inputs), 0)
        if self.hidden is not None:
            joined = torch.relu(self.hidden(joined))
        answer: torch.Tensor = self.last(self.dropout(joined))
        return answer


def picture_readers(network: nn.Module) -> list[PictureReader]:
    """The picture encoders of a network, in the order of their columns."""
    return [module for module in network.modules() if isinstance(module, PictureReader)]


def word_readers(network: nn.Module) -> list[WordReader]:
    """The word encoders of a network, in the order of their columns."""
    return [module for module in network.modules() if isinstance(module, WordReader)]


def _quicken(module: nn.Module, factor: float) -> None:
    """Let its parts learn faster than the rest by this factor."""
    for part in module.modules():
        if isinstance(part, Part):
            names = [name for name, _ in part.named_parameters(recurse=False)]
            part.paces = {name: part.paces.get(name, 1.0) * factor for name in names}
