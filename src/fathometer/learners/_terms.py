"""Which terms a text shows: runs of words and runs of letters, each known by 64 bits.

A term's number is made of its characters alone, so a fitted vocabulary is one sorted array of numbers, nothing has to
be spelled out to look a term up, and two different terms meet in one number once in about 10^8 vocabularies.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain

import numpy as np
import numpy.typing as npt
import pandas as pd
import scipy.sparse

from fathometer.kinds.text import MOST_SIGNS, folded, plain_text, words_of

MOST_LEARNED = (
    40_000_000  # characters in all of which terms are learned; they are remembered while they are counted
)
CHUNK_TEXTS = 512  # texts looked at together, so that memory stays bounded

Keys = npt.NDArray[np.uint64]
Places = npt.NDArray[np.int64]

FACTOR = np.uint64(0xD6E8FEB86659FD93)  # any odd number with bits all over


@dataclass(frozen=True)
class Terms:
    """What is taken for a term.

    words: runs of up to so many words. letters: runs of so few to so many characters within a word and the blanks
    around it, as scikit-learn's "char_wb"; (0, 0): none. signs: of a text's characters so many are looked at for these.
    """

    words: int = 0
    letters: tuple[int, int] = (0, 0)
    signs: int = MOST_SIGNS

    def shown(self, texts: list[str]) -> tuple[Places, Keys]:
        """(rows, keys) of every term shown, as often as it is shown."""
        plain = [plain_text(text) for text in texts]
        parts = []
        if self.words:
            parts.append(_word_runs([words_of(text) for text in plain], self.words))
        if self.letters[1]:
            parts.append(_letter_runs([folded(text[: self.signs]) for text in plain], *self.letters))
        return np.concatenate([rows for rows, _ in parts]), np.concatenate([keys for _, keys in parts])


@dataclass(frozen=True, eq=False)
class Vocabulary:
    """The terms that were learned from training texts.

    keys: (terms,) sorted. shown: (terms,) in how many of the texts each was. texts: how many were learned from.
    """

    terms: Terms
    keys: Keys
    shown: npt.NDArray[np.int64]
    texts: int

    @classmethod
    def fit(cls, texts: list[str], terms: Terms, fewest: int, most: int) -> Vocabulary:
        """The `most` commonest terms shown in at least `fewest` texts; of very many texts some are learned from."""
        step = max(1, -(-sum(map(len, texts)) // MOST_LEARNED))
        texts = texts[::step]
        shown = np.concatenate([np.zeros(0, dtype=np.uint64), *_once(texts, terms)])
        keys, counts = np.unique(shown, return_counts=True)
        often = counts >= fewest
        keys, counts = keys[often], counts[often]
        if len(keys) > most:
            kept = np.sort(np.argsort(-counts, kind="stable")[:most])
            keys, counts = keys[kept], counts[kept]
        return cls(terms, keys, counts.astype(np.int64), len(texts))

    def counts(self, texts: list[str]) -> scipy.sparse.csr_matrix:
        """(texts, terms) float32: how often each text shows each term."""
        parts = [self._counted(*self.terms.shown(some), len(some)) for some in _chunks(texts)]
        if not parts:
            return scipy.sparse.csr_matrix((0, len(self.keys)), dtype=np.float32)
        return scipy.sparse.vstack(parts, format="csr")

    def _counted(self, rows: Places, keys: Keys, texts: int) -> scipy.sparse.csr_matrix:
        size = max(len(self.keys), 1)
        spots = np.minimum(np.searchsorted(self.keys, keys), size - 1)
        known = self.keys[spots] == keys if len(self.keys) else np.zeros(len(keys), dtype=bool)
        cells, counts = np.unique(rows[known] * size + spots[known], return_counts=True)
        starts = np.concatenate([[0], np.cumsum(np.bincount(cells // size, minlength=texts))])
        return scipy.sparse.csr_matrix(
            (counts.astype(np.float32), cells % size, starts), shape=(texts, len(self.keys))
        )


def _once(texts: list[str], terms: Terms) -> Iterator[Keys]:
    """The terms of some texts at a time, each once a text."""
    for some in _chunks(texts):
        rows, keys = terms.shown(some)
        codes, different = pd.factorize(keys)
        cells = pd.unique(rows * np.int64(max(len(different), 1)) + codes)
        yield different[cells % max(len(different), 1)]


def _chunks(texts: list[str]) -> Iterator[list[str]]:
    return (texts[start : start + CHUNK_TEXTS] for start in range(0, len(texts), CHUNK_TEXTS))


def _word_runs(words: list[list[str]], longest: int) -> tuple[Places, Keys]:
    rows = np.repeat(np.arange(len(words)), [len(found) for found in words])
    codes, different = pd.factorize(np.array(list(chain.from_iterable(words)), dtype=object))
    single = _spelled([str(word) for word in different])[codes]
    all_rows, all_keys, keys = [rows], [single], single
    for length in range(2, longest + 1):
        within = rows[length - 1 :] == rows[: len(rows) - length + 1]
        # runs that end in another text stay in `keys`, so that places agree, but are not given out
        keys = _mixed(keys[: len(keys) - 1] * FACTOR + single[length - 1 :])
        all_rows.append(rows[length - 1 :][within])
        all_keys.append(keys[within])
    return np.concatenate(all_rows), np.concatenate(all_keys)


def _letter_runs(texts: list[str], shortest: int, longest: int) -> tuple[Places, Keys]:
    spaced = [f" {' '.join(text.split())} " for text in texts]
    lengths = np.array([len(text) for text in spaced], dtype=np.int64)
    signs = _codes("".join(spaced))
    rows = np.repeat(np.arange(len(texts)), lengths)
    blanks = np.concatenate([[0], np.cumsum(signs == ord(" "))])
    numbers = _mixed(signs + np.uint64(1))
    all_rows, all_keys, keys = [], [], numbers
    for length in range(2, longest + 1):
        keys = keys[: max(len(keys) - 1, 0)] * FACTOR + numbers[length - 1 :]
        if length < shortest:
            continue
        start = np.arange(len(keys))
        within = blanks[start + length - 1] == blanks[start + 1]  # no blank but at the ends
        if length == 2:
            within &= blanks[start + 2] - blanks[start] < 2
        all_rows.append(rows[: len(keys)][within])
        all_keys.append(_mixed(keys[within] + np.uint64(length)))
    return np.concatenate(all_rows), np.concatenate(all_keys)


def _spelled(words: list[str]) -> Keys:
    """(words,) a number for each, made of its characters in their order."""
    if not words:
        return np.zeros(0, dtype=np.uint64)
    lengths = np.array([len(word) for word in words], dtype=np.int64)
    starts = np.cumsum(lengths) - lengths
    places = np.arange(int(lengths.sum())) - np.repeat(starts, lengths)
    powers = np.cumprod(np.concatenate([[np.uint64(1)], np.full(int(lengths.max()), FACTOR)]))
    signs = _mixed(_codes("".join(words)) + np.uint64(1))
    return _mixed(np.add.reduceat(signs * powers[places], starts) + lengths.astype(np.uint64))


def _codes(text: str) -> Keys:
    return np.frombuffer(text.encode("utf-32-le", "replace"), dtype=np.uint32).astype(np.uint64)


def _mixed(numbers: Keys) -> Keys:
    """Numbers thrown about evenly (the end of SplitMix64: https://doi.org/10.1145/2714064.2660195)."""
    mixed = (numbers ^ (numbers >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))
