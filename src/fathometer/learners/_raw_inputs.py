"""All columns of some rows as networks for words and pictures take them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from fathometer.core.files import State
from fathometer.core.pictures import PictureArray, as_pictures
from fathometer.core.states import demand, several, table, text
from fathometer.data.rows import Rows
from fathometer.learners._deep import layout_from_state, layout_state
from fathometer.learners._inputs import Inputs
from fathometer.learners._raw_pictures import PictureRows, Sight
from fathometer.learners._raw_words import Vocabulary, WordRows
from fathometer.learners._tensors import Batches, Layout, Scaling, Tensors, layout_of

BINS = 16  # number columns stand beside words and pictures here, and are cut less finely than where they are alone


@dataclass(frozen=True)
class RawRows:
    """Rows as such networks take them: columns of tables as features, then texts, then pictures."""

    table: Tensors
    words: tuple[WordRows, ...]
    pictures: tuple[PictureRows, ...]

    def __len__(self) -> int:
        return len(self.table)

    @property
    def together(self) -> int:
        """How many are answered at a time."""
        parts: list[Batches] = [self.table, *self.words, *self.pictures]
        return min(part.together for part in parts)

    def take(self, index: torch.Tensor) -> RawRows:
        """The rows at these positions."""
        return RawRows(
            self.table.take(index),
            tuple(one.take(index) for one in self.words),
            tuple(one.take(index) for one in self.pictures),
        )

    def part(self, start: int, end: int) -> RawRows:
        """The rows from start to before end."""
        return RawRows(
            self.table.part(start, end),
            tuple(one.part(start, end) for one in self.words),
            tuple(one.part(start, end) for one in self.pictures),
        )

    def to(self, device: str) -> RawRows:
        """The same on another device; pictures go there a batch at a time."""
        return RawRows(
            self.table.to(device),
            tuple(one.to(device) for one in self.words),
            tuple(one.to(device) for one in self.pictures),
        )


@dataclass(frozen=True)
class RawInputs:
    """What was learned of the columns before any network: features of tables, words, sizes of pictures.

    Columns of words and pictures that show one thing only are left out.
    """

    table: Inputs
    scaling: Scaling
    layout: Layout
    words: tuple[tuple[str, Vocabulary], ...]
    pictures: tuple[tuple[str, Sight], ...]

    @classmethod
    def fit(cls, train: Rows, *, outputs: int, longest: int, side: int) -> RawInputs:
        """Learn from training rows; longest: words of a text; side: of a picture, in pixels."""
        raw = {name for name, kind in train.kinds.items() if kind in ("text", "image")}
        table = Inputs.fit(train, only=[name for name in train.kinds if name not in raw])
        features = table.features(train)
        scaling = Scaling.fit(features)
        words, pictures = [], []
        for name in train.kinds:
            if name not in raw or not _varies(train, name):
                continue
            values = train.column(name)
            if isinstance(values.array, PictureArray):
                pictures.append((name, Sight.of(values.array, side)))
            else:
                words.append((name, Vocabulary.of(values, longest)))
        layout = layout_of(scaling, scaling.apply(features), outputs, BINS)
        return cls(table, scaling, layout, tuple(words), tuple(pictures))

    def rows(self, rows: Rows) -> RawRows:
        """Rows as tensors, texts as numbers, pictures in their size."""
        for kind, columns in (("text", self.words), ("image", self.pictures)):
            told = all(rows.kinds.get(name) == kind for name, _ in columns)
            demand(told, f"a member reads a column as {kind}, and the model does not")
        return RawRows(
            self.scaling.apply(self.table.features(rows)),
            tuple(vocabulary.seen(rows.column(name)) for name, vocabulary in self.words),
            tuple(sight.seen(as_pictures(rows.column(name))) for name, sight in self.pictures),
        )

    def state(self) -> State:
        """This, as data."""
        return {
            "table": self.table.state(),
            "scaling": self.scaling.state(),
            "layout": layout_state(self.layout),
            "words": [{"column": name, **vocabulary.state()} for name, vocabulary in self.words],
            "pictures": [{"column": name, **sight.state()} for name, sight in self.pictures],
        }

    @classmethod
    def from_state(cls, state: State) -> RawInputs:
        """The inputs that gave this state.

        Raises:
            BadBundle: its parts do not fit each other.
        """
        table(state, "inputs", ("table", "scaling", "layout", "words", "pictures"))
        inputs = Inputs.from_state(state["table"])
        scaling = Scaling.from_state(state["scaling"], inputs.shape)
        words = several(state["words"], "columns of words")
        pictures = several(state["pictures"], "columns of pictures")
        names = [text(item["column"], "a column") for item in [*words, *pictures]]
        demand(len(set(names)) == len(names), "a column is read twice")
        return cls(
            inputs,
            scaling,
            layout_from_state(state["layout"], scaling),
            tuple((item["column"], Vocabulary.from_state(item)) for item in words),
            tuple((item["column"], Sight.from_state(item)) for item in pictures),
        )


def _varies(train: Rows, name: str) -> bool:
    """Whether a column shows more than one thing, a gap being one."""
    values = train.column(name)
    if isinstance(values.array, PictureArray):
        return len(np.unique(values.array.digests())) > 1
    return len({text if isinstance(text, str) else None for text in values}) > 1
