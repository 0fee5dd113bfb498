"""Text: messages, reviews, descriptions; what is said matters, and hardly any two cells are equal."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pandas as pd
import scipy.sparse

from fathometer.core.files import State
from fathometer.kind import Features, Featurizer, Kind, Reading
from fathometer.kinds import _cells

WORD = re.compile(
    r"[\u3040-\u30ff\u3400-\u9fff]|[^\W_]+(?:'[^\W_]+)?"
)  # scripts without blanks: each sign a word
MOST_TERMS = 20_000
MOST_TOPICS = 64
MOST_WORDS = 400  # of one text: a review's verdict lies within, and time stays bounded
PAIRS_UP_TO = 400_000  # words in all; above it pairs of words cost more time than they bring
COUNTS = ("length", "words", "word length", "digits", "capitals", "punctuation", "exclamations")


class Text(Kind):
    """Cells that are sentences; values are text, missing stays missing."""

    name: ClassVar[str] = "text"

    def guess(self, cells: pd.Series) -> float:
        """High for cells of several words, mostly different, whose words come again in other cells."""
        if not _cells.is_text(cells) or isinstance(cells.dtype, pd.CategoricalDtype):
            return 0.0
        present = _cells.sample(cells, 2000)
        codes, texts = _cells.distinct_text(present)
        if len(texts) < 20:
            return 0.0
        words = [WORD.findall(text.lower())[:MOST_WORDS] for text in texts]
        in_mean = sum(map(len, words)) / len(texts)
        different = len(texts) / len(codes)
        shown = Counter(word for found in words for word in set(found))
        total = sum(shown.values())
        shared = sum(count for word, count in shown.items() if count > 1 and not word.isdigit()) / max(
            total, 1
        )
        # names and codes have one to three words each; their words hardly ever come again
        wordy = 1 / (1 + math.exp(-2.0 * (in_mean - 3.0)))
        varied = min(1.0, different / 0.3) if in_mean < 8 else min(1.0, different / 0.05)
        return round(0.85 * wordy * varied * min(1.0, shared / 0.4), 4)

    def learn_reading(self, cells: pd.Series) -> Reading:
        """Text is read as it stands."""
        return {}

    def read(self, cells: pd.Series, reading: Reading) -> pd.Series:
        """Python text without blanks around it, None where missing; dtype object."""
        codes, texts = _cells.distinct_text(cells)
        values = np.array([text or None for text in texts] + [None], dtype=object)[codes]
        return pd.Series(values, index=cells.index, name=cells.name, dtype=object)

    def summary(self, values: pd.Series) -> dict[str, Any]:
        """How long the texts are, in characters and words."""
        texts = [text for text in values if isinstance(text, str)]
        words = [len(WORD.findall(text)) for text in texts]
        return {
            "rows": len(values),
            "missing": len(values) - len(texts),
            "distinct": len(set(texts)),
            "mean_length": float(np.mean([len(text) for text in texts])) if texts else None,
            "mean_words": float(np.mean(words)) if words else None,
        }

    def fit_features(self, values: pd.Series) -> TextFeaturizer:
        texts = [text if isinstance(text, str) else "" for text in values]
        total = sum(min(len(WORD.findall(text)), MOST_WORDS) for text in texts)
        longest = 2 if total <= PAIRS_UP_TO else 1
        terms, weights = _vocabulary(texts, longest)
        name = _cells.column_name(values)
        if not terms:
            return TextFeaturizer(name, (), np.zeros(0), np.zeros((0, 0), dtype=np.float32), longest)
        matrix = _weighted(texts, {term: place for place, term in enumerate(terms)}, weights, longest)
        return TextFeaturizer(name, terms, weights, _topics(matrix), longest)

    def load_features(self, state: State) -> TextFeaturizer:
        return TextFeaturizer(
            state["name"], tuple(state["terms"]), state["weights"], state["topics"], state["longest"]
        )

    def toy(self, signal: npt.NDArray[np.float64], rng: np.random.Generator) -> pd.Series:
        good, bad = (
            ["great", "lovely", "works", "happy", "fast"],
            ["awful", "broken", "slow", "refund", "angry"],
        )
        filler = [
            "the",
            "a",
            "item",
            "box",
            "it",
            "was",
            "we",
            "got",
            "order",
            "store",
            "day",
            "week",
            "again",
        ]
        texts = []
        for strength in np.clip(signal, 0, 1):
            told = [str(rng.choice(good if rng.random() < strength else bad)) for _ in range(6)]
            texts.append(" ".join([*told, *(str(word) for word in rng.choice(filler, 6))]))
        return pd.Series(texts, dtype=object, name="review")


@dataclass(frozen=True, eq=False)
class TextFeaturizer(Featurizer):
    """Counts of what is in a text, and its topics: TF-IDF reduced by latent semantic analysis [1].

    terms: words and pairs of words, most shown first. weights: (terms,) inverse document frequency.
    topics: (terms, topics) float32, the right singular vectors. longest: words in a term.

    [1] Deerwester et al. (1990). Indexing by latent semantic analysis. JASIS 41(6).
    """

    name: str
    terms: tuple[str, ...]
    weights: npt.NDArray[np.float64]
    topics: npt.NDArray[np.float32]
    longest: int
    places: dict[str, int] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "places", {term: place for place, term in enumerate(self.terms)})

    def transform(self, values: pd.Series) -> Features:
        absent = np.array([not isinstance(text, str) for text in values], dtype=bool)
        texts = [text if isinstance(text, str) else "" for text in values]
        counts = np.array([_count(text) for text in texts], dtype=np.float32).reshape(len(texts), len(COUNTS))
        counts[absent] = np.nan
        topics = np.zeros((len(texts), self.topics.shape[1]), dtype=np.float32)
        if self.topics.shape[1]:
            topics = np.asarray(_weighted(texts, self.places, self.weights, self.longest) @ self.topics)
        names = [f"{self.name}: {part}" for part in COUNTS]
        names += [f"{self.name}: topic {number + 1}" for number in range(self.topics.shape[1])]
        return Features(
            np.concatenate([counts, topics.astype(np.float32)], axis=1),
            np.zeros((len(texts), 0), dtype=np.int32),
            tuple(names),
            (),
            (),
        )

    def state(self) -> State:
        return {
            "name": self.name,
            "terms": list(self.terms),
            "weights": self.weights,
            "topics": self.topics,
            "longest": self.longest,
        }


def _count(text: str) -> list[float]:
    """The engineered counts of one text, in the order of `COUNTS`; lengths in logarithms, the rest shares."""
    words = WORD.findall(text)
    length = max(len(text), 1)
    return [
        math.log1p(len(text)),
        math.log1p(len(words)),
        sum(map(len, words)) / max(len(words), 1),
        sum(sign.isdigit() for sign in text) / length,
        sum(sign.isupper() for sign in text) / length,
        sum(not sign.isalnum() and not sign.isspace() for sign in text) / length,
        math.log1p(text.count("!")),
    ]


def _terms(text: str, longest: int) -> Iterator[str]:
    words = WORD.findall(text.lower())[:MOST_WORDS]
    yield from words
    if longest > 1:
        yield from (f"{left} {right}" for left, right in pairwise(words))


def _vocabulary(texts: list[str], longest: int) -> tuple[tuple[str, ...], npt.NDArray[np.float64]]:
    """Terms shown in at least two texts and not in nearly all, with their inverse document frequency."""
    shown: Counter[str] = Counter()
    for text in texts:
        shown.update(set(_terms(text, longest)))
    rows = len(texts)
    kept = [(term, count) for term, count in shown.items() if count >= 2 and count <= max(0.95 * rows, 2)]
    kept.sort(key=lambda pair: (-pair[1], pair[0]))
    kept = kept[:MOST_TERMS]
    weights = np.log((1 + rows) / (1 + np.array([count for _, count in kept], dtype=np.float64))) + 1
    return tuple(term for term, _ in kept), weights


def _weighted(
    texts: list[str], places: dict[str, int], weights: npt.NDArray[np.float64], longest: int
) -> scipy.sparse.csr_matrix:
    """(texts, terms) float32: (1 + log count) * weight, each row of length one (or zero)."""
    starts, columns = [0], list[int]()
    amounts: list[float] = []
    for text in texts:
        counts = Counter(place for term in _terms(text, longest) if (place := places.get(term)) is not None)
        found = sorted(counts)
        row = [(1 + math.log(counts[place])) * weights[place] for place in found]
        norm = math.sqrt(sum(amount * amount for amount in row)) or 1.0
        columns.extend(found)
        amounts.extend(amount / norm for amount in row)
        starts.append(len(columns))
    return scipy.sparse.csr_matrix(
        (
            np.array(amounts, dtype=np.float32),
            np.array(columns, dtype=np.int32),
            np.array(starts, dtype=np.int64),
        ),
        shape=(len(texts), len(places)),
    )


def _topics(matrix: scipy.sparse.csr_matrix) -> npt.NDArray[np.float32]:
    """(terms, topics) right singular vectors by random projection and power iterations [1]; always the same.

    [1] Halko, Martinsson & Tropp (2011). https://doi.org/10.1137/090771806
    """
    rows, terms = matrix.shape
    count = min(MOST_TOPICS, rows - 1, terms - 1)
    if count < 1:
        return np.zeros((terms, 0), dtype=np.float32)
    width = min(count + 10, rows, terms)
    start = np.random.default_rng(0).normal(size=(terms, width)).astype(np.float32)
    basis = np.linalg.qr(matrix @ start)[0]
    for _ in range(4):
        basis = np.linalg.qr(matrix @ np.linalg.qr(matrix.T @ basis)[0])[0]
    _, _, right = np.linalg.svd((matrix.T @ basis).T, full_matrices=False)
    found = right[:count]
    # a singular vector's sign is arbitrary: make its largest entry positive
    signs = np.sign(found[np.arange(count), np.abs(found).argmax(axis=1)])
    topics: npt.NDArray[np.float32] = np.ascontiguousarray((found * signs[:, None]).T, dtype=np.float32)
    return topics
