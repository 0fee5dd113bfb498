"""Convolutions over the words of a text."""

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
class Textcnn(RawLearner):
    """Runs of two to four words that are looked for anywhere in the text [1].

    width: of a word's vector. looks: runs looked for, of each length.

    [1] Kim (2014). Convolutional neural networks for sentence classification. https://arxiv.org/abs/1408.5882
    """

    title: ClassVar[str] = "convolutional network over words"
    reads: ClassVar[str] = "text"
    passes: ClassVar[tuple[int, int, int]] = (10, 5, 40)
    presets: ClassVar[tuple[tuple[int, Mapping[str, Any]], ...]] = (
        (2, {}),
        (6, {"width": 128, "looks": 96, "rate": 0.001}),
    )

    width: int = 96
    looks: int = 64
    dropout: float = 0.4
    forgetting: float = 0.2

    @classmethod
    def space(cls, task: Task) -> dict[str, Range]:
        return {
            "width": Range(among=(64, 96, 128)),
            "looks": Range(among=(32, 64, 96)),
            "rate": Range(0.001, 0.01, logarithmic=True),
            "dropout": Range(0.1, 0.6),
            "forgetting": Range(0.0, 0.4),
        }

    def word_recipe(self, vocabulary: Vocabulary) -> WordRecipe:
        return WordRecipe(
            "convolution", vocabulary.size, self.width, filters=self.looks, longest=vocabulary.longest
        )
