"""A small transformer over the words of a text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from fathometer.learner import Range
from fathometer.learners._raw import RawLearner
from fathometer.learners._raw_word_encoders import WordRecipe
from fathometer.learners._raw_words import Vocabulary
from fathometer.task import Task


@dataclass(frozen=True)
class Attention(RawLearner):
    """Words that look at each other, learned from nothing but the training texts [1].

    width: of a word's features. depth: layers.

    [1] Vaswani et al. (2017). Attention is all you need. https://arxiv.org/abs/1706.03762
    """

    title: ClassVar[str] = "small transformer over words"
    reads: ClassVar[str] = "text"
    passes: ClassVar[tuple[int, int, int]] = (10, 5, 40)
    presets: ClassVar[tuple[tuple[int, Mapping[str, Any]], ...]] = ((4, {}),)

    width: int = 96
    depth: int = 1
    rate: float = 0.002
    dropout: float = 0.3
    forgetting: float = 0.2

    @classmethod
    def space(cls, task: Task) -> dict[str, Range]:
        return {
            "width": Range(among=(64, 96, 128)),
            "depth": Range(1, 2, whole=True),
            "rate": Range(0.0005, 0.005, logarithmic=True),
            "dropout": Range(0.0, 0.5),
            "forgetting": Range(0.0, 0.4),
        }

    def word_recipe(self, vocabulary: Vocabulary) -> WordRecipe:
        return WordRecipe(
            "attention", vocabulary.size, self.width, depth=self.depth, longest=vocabulary.longest
        )
