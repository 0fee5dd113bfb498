"""A bag of words and pairs of words with learned vectors."""

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
class Bag(RawLearner):
    """The mean of the vectors of a text's words and pairs of words, and a linear layer (fastText [1]).

    width: of a word's vector. pairs: buckets into which pairs of words are hashed; 0: words alone.

    [1] Joulin et al. (2016). Bag of tricks for efficient text classification. https://arxiv.org/abs/1607.01759
    """

    title: ClassVar[str] = "bag of word vectors (fastText)"
    reads: ClassVar[str] = "text"
    passes: ClassVar[tuple[int, int, int]] = (12, 5, 60)
    presets: ClassVar[tuple[tuple[int, Mapping[str, Any]], ...]] = (
        (1, {}),
        (5, {"width": 128, "pairs": 0, "forgetting": 0.3, "dropout": 0.3}),
    )

    width: int = 64
    pairs: int = 1 << 15
    rate: float = 0.02
    longest: int = 512

    @classmethod
    def space(cls, task: Task) -> dict[str, Range]:
        return {
            "width": Range(among=(32, 64, 128)),
            "pairs": Range(among=(0, 1 << 13, 1 << 15)),
            "rate": Range(0.01, 0.2, logarithmic=True),
            "dropout": Range(0.0, 0.5),
            "forgetting": Range(0.0, 0.3),
        }

    def word_recipe(self, vocabulary: Vocabulary) -> WordRecipe:
        return WordRecipe("bag", vocabulary.size, self.width, pairs=self.pairs, longest=vocabulary.longest)
