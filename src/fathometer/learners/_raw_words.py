"""Texts as networks read them: numbers of words, of equal length within a batch."""

from __future__ import annotations

import html
import re
import zlib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch

from fathometer.core.files import State
from fathometer.core.states import array, demand, texts, whole

WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]|[^\W_]+(?:'[^\W_]+)?|[!?]")
MARKUP = re.compile(r"<[^<>]{1,200}>")
LOOSE_CODE = re.compile(r"(?<![&\w])#(\d{2,4});")  # feeds lose the & of "&#39;"
MOST_WORDS = 30_000
BUCKETS = 64  # numbers shared by the words that are not in the vocabulary
FIRST = 1 + BUCKETS  # number of the commonest word; 0 fills up the end of short texts
TOGETHER = 256  # texts answered at a time
USUAL = 256  # words of a long text
MOST_READ = 4_096  # words of a text


@dataclass(frozen=True)
class WordRows:
    """The texts of some rows.

    numbers: (rows, longest) int32 of each word, then zeros. lengths: (rows,) int64; 0: no words, -1: missing.
    """

    numbers: torch.Tensor
    lengths: torch.Tensor

    def __len__(self) -> int:
        return int(self.lengths.shape[0])

    @property
    def together(self) -> int:
        """How many are answered at a time; few where they are long, for words may look at each other."""
        length = max(self.numbers.shape[1], USUAL)
        return max(1, TOGETHER * USUAL**2 // length**2)

    def take(self, index: torch.Tensor) -> WordRows:
        """The rows at these positions, as long as the longest of them."""
        return _trimmed(self.numbers.index_select(0, index), self.lengths.index_select(0, index))

    def part(self, start: int, end: int) -> WordRows:
        """The rows from start to before end, as long as the longest of them."""
        return _trimmed(self.numbers[start:end], self.lengths[start:end])

    def to(self, device: str) -> WordRows:
        """The same on another device."""
        return WordRows(self.numbers.to(device), self.lengths.to(device))


@dataclass(frozen=True, eq=False)
class Vocabulary:
    """The words of training texts, commonest first, and how telling each is.

    weights: (words,) inverse document frequency. longest: words of a text that are read.
    """

    words: tuple[str, ...]
    weights: npt.NDArray[np.float32]
    longest: int

    @classmethod
    def of(cls, texts: pd.Series, longest: int) -> Vocabulary:
        """Learn the commonest words of training texts."""
        shown: Counter[str] = Counter()
        for words in _words(texts, longest):
            shown.update(set(words or ()))
        kept = sorted(shown.items(), key=lambda pair: (-pair[1], pair[0]))[:MOST_WORDS]
        counts = np.array([count for _, count in kept], dtype=np.float64)
        weights = np.log((1 + len(texts)) / (1 + counts)) + 1
        return cls(tuple(word for word, _ in kept), weights.astype(np.float32), longest)

    @property
    def size(self) -> int:
        """Numbers that occur, 0 included."""
        return FIRST + len(self.words)

    def number_weights(self) -> npt.NDArray[np.float32]:
        """(size,) of each number; 0 for the filling and for words that are not known."""
        return np.concatenate([np.zeros(FIRST), self.weights]).astype(np.float32)

    def seen(self, texts: pd.Series) -> WordRows:
        """Texts as numbers."""
        places = {word: FIRST + place for place, word in enumerate(self.words)}
        found = [
            None if words is None else [places.get(word) or _bucket(word) for word in words]
            for words in _words(texts, self.longest)
        ]
        lengths = np.array([-1 if words is None else len(words) for words in found], dtype=np.int64)
        numbers = np.zeros((len(found), max(1, int(lengths.max(initial=1)))), dtype=np.int32)
        for row, words in enumerate(found):
            if words:
                numbers[row, : len(words)] = words
        return WordRows(torch.from_numpy(numbers), torch.from_numpy(lengths))

    def state(self) -> State:
        """This, as data."""
        return {"words": list(self.words), "weights": self.weights, "longest": self.longest}

    @classmethod
    def from_state(cls, state: State) -> Vocabulary:
        """The vocabulary that gave this state.

        Raises:
            BadBundle: it is none.
        """
        words = texts(state["words"], "words")
        weights = array(state["weights"], "weights", len(words), low=0.0)
        demand(weights.dtype == np.float32, "weights are of another type")
        return cls(words, weights, whole(state["longest"], "longest", 1, MOST_READ))


def _words(texts: pd.Series, longest: int) -> Iterable[list[str] | None]:
    """The first words of each text in lower case, without markup; None where missing."""
    for text in texts:
        if not isinstance(text, str):
            yield None
            continue
        if "<" in text:
            text = MARKUP.sub(" ", text)
        if "&" in text or "#" in text:
            text = html.unescape(LOOSE_CODE.sub(r"&#\1;", text))
        yield WORD.findall(text.lower())[:longest]


def _bucket(word: str) -> int:
    return 1 + zlib.crc32(word.encode("utf-8", "surrogatepass")) % BUCKETS


def _trimmed(numbers: torch.Tensor, lengths: torch.Tensor) -> WordRows:
    longest = max(1, int(lengths.max())) if len(lengths) else 1
    return WordRows(numbers[:, :longest], lengths)
