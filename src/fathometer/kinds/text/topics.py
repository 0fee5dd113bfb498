"""Topics of texts, and counts of what is in them: the features of text."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pandas as pd
import scipy.sparse

from fathometer.core.files import State
from fathometer.kind import Features, Featurizer
from fathometer.kinds import _cells
from fathometer.kinds.text.signs import present, signs_of, texts_of
from fathometer.kinds.text.words import word_lists

MOST_TERMS = 10_000
MOST_TOPICS = 128
MOST_WORDS = 1_000  # of one text: nearly every review as a whole, whose verdict often comes last
PAIRS_UP_TO = 400_000  # words in all; above it pairs of words cost more time than they bring
COUNTS = ("length", "words", "word length", "digits", "capitals", "punctuation", "exclamations")


def fit_topics(values: pd.Series) -> TextFeaturizer:
    """The featurizer of these texts."""
    tokens = Tokens.of(word_lists(texts_of(values)))
    longest = 2 if len(tokens.codes) <= PAIRS_UP_TO else 1
    terms, weights = _vocabulary(tokens, longest)
    name = _cells.column_name(values)
    if not terms:
        return TextFeaturizer(name, (), np.zeros(0), np.zeros((0, 0), dtype=np.float16))
    return TextFeaturizer(name, terms, weights, _topics(_weighted(tokens, Vocabulary(terms), weights)))


@dataclass(frozen=True)
class Tokens:
    """The words of some texts.

    words: the different ones. codes: (tokens,) place of each token's word. rows: (tokens,) its text. texts: how many.
    """

    words: tuple[str, ...]
    codes: npt.NDArray[np.int64]
    rows: npt.NDArray[np.int64]
    texts: int

    @classmethod
    def of(cls, found: list[list[str]]) -> Tokens:
        """The first words of each text's words."""
        rows = np.repeat(np.arange(len(found)), [min(len(words), MOST_WORDS) for words in found])
        codes, words = pd.factorize(
            np.array([word for words in found for word in words[:MOST_WORDS]], dtype=object)
        )
        return cls(tuple(map(str, words)), codes.astype(np.int64), rows.astype(np.int64), len(found))

    def pairs(
        self, words: npt.NDArray[np.int64], count: int
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """(keys, rows) of words side by side in a text, where both have a number in `words` (below `count`)."""
        numbers = words[self.codes]
        beside = (self.rows[1:] == self.rows[:-1]) & (numbers[1:] >= 0) & (numbers[:-1] >= 0)
        return numbers[:-1][beside] * count + numbers[1:][beside], self.rows[1:][beside]


class Vocabulary:
    """Terms (words, and pairs of words with a blank between) and their places."""

    def __init__(self, terms: tuple[str, ...]) -> None:
        self.size = len(terms)
        self.singles = {term: place for place, term in enumerate(terms) if " " not in term}
        pairs = [(place, *term.split(" ")) for place, term in enumerate(terms) if " " in term]
        self.numbers = {
            word: number for number, word in enumerate({word for pair in pairs for word in pair[1:]})
        }
        keys = [self.numbers[left] * len(self.numbers) + self.numbers[right] for _, left, right in pairs]
        order = np.argsort(np.array(keys, dtype=np.int64))
        self.keys = np.array(keys, dtype=np.int64)[order]
        self.places = np.array([pair[0] for pair in pairs], dtype=np.int64)[order]

    def find(self, tokens: Tokens) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """(places, rows) of every known term shown."""
        singles = np.array([self.singles.get(word, -1) for word in tokens.words] + [-1], dtype=np.int64)[
            tokens.codes
        ]
        places, rows = singles[singles >= 0], tokens.rows[singles >= 0]
        if not len(self.keys):
            return places, rows
        numbers = np.array([self.numbers.get(word, -1) for word in tokens.words] + [-1], dtype=np.int64)
        keys, key_rows = tokens.pairs(numbers, len(self.numbers))
        spots = np.minimum(np.searchsorted(self.keys, keys), len(self.keys) - 1)
        known = self.keys[spots] == keys
        return np.concatenate([places, self.places[spots[known]]]), np.concatenate([rows, key_rows[known]])


@dataclass(frozen=True, eq=False)
class TextFeaturizer(Featurizer):
    """Counts of what is in a text, and its topics: TF-IDF reduced by latent semantic analysis [1].

    terms: words and pairs of words, most shown first. weights: (terms,) inverse document frequency.
    topics: (terms, topics) float16, the right singular vectors.

    [1] Deerwester et al. (1990). Indexing by latent semantic analysis. JASIS 41(6).
    """

    name: str
    terms: tuple[str, ...]
    weights: npt.NDArray[np.float64]
    topics: npt.NDArray[np.float16]
    vocabulary: Vocabulary = field(init=False, repr=False)
    directions: npt.NDArray[np.float32] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "vocabulary", Vocabulary(self.terms))
        object.__setattr__(self, "directions", self.topics.astype(np.float32))

    def transform(self, values: pd.Series) -> Features:
        texts = texts_of(values)
        words = word_lists(texts)
        counts = _counts(texts, words, present(values))
        topics = np.zeros((len(texts), self.topics.shape[1]), dtype=np.float32)
        if self.topics.shape[1]:
            matrix = _weighted(Tokens.of(words), self.vocabulary, self.weights)
            topics = np.asarray(matrix @ self.directions)
        names = [f"{self.name}: {part}" for part in COUNTS]
        names += [f"{self.name}: topic {number + 1}" for number in range(self.topics.shape[1])]
        return Features(
            np.concatenate([counts, topics], axis=1),
            np.zeros((len(texts), 0), dtype=np.int32),
            tuple(names),
            (),
            (),
            common=((len(COUNTS), len(names)),) if self.topics.shape[1] else (),
        )

    def state(self) -> State:
        return {"name": self.name, "terms": list(self.terms), "weights": self.weights, "topics": self.topics}


def count_features(values: pd.Series) -> Features:
    """The counts alone: nothing is learned for them."""
    texts = texts_of(values)
    return Features(
        _counts(texts, word_lists(texts), present(values)),
        np.zeros((len(texts), 0), dtype=np.int32),
        tuple(f"{_cells.column_name(values)}: {part}" for part in COUNTS),
        (),
        (),
    )


def _counts(
    texts: list[str], words: list[list[str]], known: npt.NDArray[np.bool_]
) -> npt.NDArray[np.float32]:
    """(texts, 7) the engineered counts in the order of `COUNTS`; lengths in logarithms, the rest shares."""
    signs = signs_of(texts)
    counts = np.array([len(found) for found in words], dtype=np.int64)
    letters = np.array([sum(map(len, found)) for found in words], dtype=np.int64)
    lengths = np.array([len(text) for text in texts], dtype=np.int64)
    columns = [np.log1p(lengths), np.log1p(counts), letters / np.maximum(counts, 1)]
    columns += [signs.digits, signs.capitals, signs.punctuation, np.log1p(signs.exclamations)]
    numbers = np.stack(columns, axis=1).astype(np.float32).reshape(len(texts), len(COUNTS))
    numbers[~known] = np.nan
    return numbers


def _vocabulary(tokens: Tokens, longest: int) -> tuple[tuple[str, ...], npt.NDArray[np.float64]]:
    """Terms shown in at least two texts and not in nearly all, with their inverse document frequency."""
    shown = list(
        zip(tokens.words, _texts_showing(tokens.codes, tokens.rows, len(tokens.words)).tolist(), strict=True)
    )
    if longest > 1:
        width = len(tokens.words)
        keys, rows = tokens.pairs(np.arange(width + 1), width)
        codes, distinct = pd.factorize(keys)
        counts = _texts_showing(codes.astype(np.int64), rows, len(distinct))
        often = np.flatnonzero(counts >= 2)
        shown += [
            (f"{tokens.words[key // width]} {tokens.words[key % width]}", count)
            for key, count in zip(distinct[often].tolist(), counts[often].tolist(), strict=True)
        ]
    kept = [(term, count) for term, count in shown if 2 <= count <= max(0.95 * tokens.texts, 2)]
    kept.sort(key=lambda pair: (-pair[1], pair[0]))
    kept = kept[:MOST_TERMS]
    weights = np.log((1 + tokens.texts) / (1 + np.array([count for _, count in kept], dtype=np.float64))) + 1
    return tuple(term for term, _ in kept), weights


def _texts_showing(
    codes: npt.NDArray[np.int64], rows: npt.NDArray[np.int64], count: int
) -> npt.NDArray[np.int64]:
    """(count,) in how many texts each code is shown."""
    once = pd.unique(rows * max(count, 1) + codes)
    return np.bincount(once % max(count, 1), minlength=count).astype(np.int64)


def _weighted(
    tokens: Tokens, vocabulary: Vocabulary, weights: npt.NDArray[np.float64]
) -> scipy.sparse.csr_matrix:
    """(texts, terms) float32: (1 + log count) * weight, each row of length one (or zero)."""
    places, rows = vocabulary.find(tokens)
    cells, counts = np.unique(rows * vocabulary.size + places, return_counts=True)
    rows, places = cells // vocabulary.size, cells % vocabulary.size
    amounts = (1 + np.log(counts)) * weights[places]
    norms = np.sqrt(np.bincount(rows, weights=amounts**2, minlength=tokens.texts))
    starts = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=tokens.texts))])
    return scipy.sparse.csr_matrix(
        ((amounts / norms[rows]).astype(np.float32), places, starts), shape=(tokens.texts, vocabulary.size)
    )


def _topics(matrix: scipy.sparse.csr_matrix) -> npt.NDArray[np.float16]:
    """(terms, topics) right singular vectors by random projection and power iterations [1]; always the same.

    [1] Halko, Martinsson & Tropp (2011). https://doi.org/10.1137/090771806
    """
    rows, terms = matrix.shape
    count = min(MOST_TOPICS, rows - 1, terms - 1)
    if count < 1:
        return np.zeros((terms, 0), dtype=np.float16)
    width = min(count + 10, rows, terms)
    start = np.random.default_rng(0).normal(size=(terms, width)).astype(np.float32)
    basis = np.linalg.qr(matrix @ start)[0]
    for _ in range(4):
        basis = np.linalg.qr(matrix @ np.linalg.qr(matrix.T @ basis)[0])[0]
    _, _, right = np.linalg.svd((matrix.T @ basis).T, full_matrices=False)
    found = right[:count]
    # a singular vector's sign is arbitrary: make its largest entry positive
    signs = np.sign(found[np.arange(count), np.abs(found).argmax(axis=1)])
    # half precision: three digits are plenty for a direction, and every model of an ensemble keeps its own
    topics: npt.NDArray[np.float16] = np.ascontiguousarray((found * signs[:, None]).T, dtype=np.float16)
    return topics
