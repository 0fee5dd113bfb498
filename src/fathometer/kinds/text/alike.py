"""Texts that say nearly the same: quoted, passed on, a few words changed.

Candidates are found by their smallest hashes [1], told apart in bands so that only texts that share a band are
compared, and every candidate is then checked exactly.

[1] Broder (1997). On the resemblance and containment of documents. https://doi.org/10.1109/SEQUEN.1997.666900
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
import pandas as pd
import scipy.sparse

from fathometer.kinds.text.words import folded, plain_text, words_of

FEWEST_WORDS = 8  # different ones; shorter texts are alike only where they are equal but for case and blanks
LEAST_SHARED = 0.75  # Jaccard index of the sets of words: one word of ten replaced leaves .82
LEAST_ORDERED = (
    0.5  # and of the pairs of words side by side: the same words in another order say something else
)
BANDS, BAND_HASHES = 12, 3
MOST_COMPARED = 20_000  # candidates checked at a time, so that memory stays bounded

Pairs = npt.NDArray[np.int64]
Hashes = npt.NDArray[np.uint64]


def alike_texts(values: pd.Series) -> Pairs:
    """(pairs, 2) positions, the lower first, in rising order; equal values are represented by their first one."""
    texts: dict[str, int] = {}
    for place, text in enumerate(values):
        if isinstance(text, str):
            texts.setdefault(text, place)
    written: dict[str, int] = {}
    found: list[tuple[int, int]] = []
    words: list[list[str]] = []
    places: list[int] = []
    for text, place in sorted(texts.items()):  # so that the order of rows does not matter
        seen = plain_text(text)
        first = written.setdefault(" ".join(folded(seen).split()) or text, place)
        if first != place:
            found.append((first, place))
            continue
        taken = words_of(seen)
        if len(set(taken)) >= FEWEST_WORDS:
            words.append(taken)
            places.append(place)
    where = np.array(places, dtype=np.int64)
    close = where[_close(words)].reshape(-1, 2)
    pairs = np.concatenate([np.array(found, dtype=np.int64).reshape(-1, 2), close])
    return np.unique(np.sort(pairs, axis=1), axis=0).reshape(-1, 2)


def _close(words: list[list[str]]) -> Pairs:
    """(pairs, 2) places in the list of texts that are alike."""
    if len(words) < 2:
        return np.zeros((0, 2), dtype=np.int64)
    rows = np.repeat(np.arange(len(words)), [len(taken) for taken in words])
    codes, different = pd.factorize(np.array([word for taken in words for word in taken], dtype=object))
    codes = codes.astype(np.int64)
    candidates = _candidates(codes, rows, len(different))
    # only texts that may be alike are looked at from here on
    asked, places = np.unique(candidates, return_inverse=True)
    places = places.reshape(candidates.shape)
    numbers = np.full(len(words), -1, dtype=np.int64)
    numbers[asked] = np.arange(len(asked))
    within = numbers[rows] >= 0
    rows, codes = numbers[rows[within]], codes[within]
    kept = _shared(_sets(rows, codes, len(asked)), places) >= LEAST_SHARED
    beside = rows[1:] == rows[:-1]
    doubles = codes[:-1][beside] * np.int64(len(different)) + codes[1:][beside]
    candidates, places = candidates[kept], places[kept]
    return candidates[_shared(_sets(rows[1:][beside], doubles, len(asked)), places) >= LEAST_ORDERED]


def _candidates(codes: npt.NDArray[np.int64], rows: npt.NDArray[np.intp], words: int) -> Pairs:
    """Pairs of texts whose smallest hashes agree in a band: each with its neighbour and the first of its bucket."""
    starts = np.flatnonzero(np.diff(rows, prepend=-1))
    numbers = _mixed(np.arange(words, dtype=np.uint64))
    pairs = []
    for band in range(BANDS):
        key = np.zeros(len(starts), dtype=np.uint64)
        for number in range(BAND_HASHES):
            hashes = _mixed(numbers ^ _salt(band * BAND_HASHES + number))
            smallest = np.minimum.reduceat(hashes[codes], starts)
            key = _mixed(key ^ smallest)
        order = np.argsort(key, kind="stable")
        ordered = key[order]
        begins = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
        firsts = np.repeat(begins, np.diff(begins, append=len(order)))
        others = np.flatnonzero(firsts != np.arange(len(order)))
        pairs += [np.stack([order[others - 1], order[others]], axis=1)]
        pairs += [np.stack([order[firsts[others]], order[others]], axis=1)]
    return np.unique(np.sort(np.concatenate(pairs), axis=1), axis=0).astype(np.int64)


def _sets(rows: npt.NDArray[np.int64], things: npt.NDArray[np.int64], texts: int) -> scipy.sparse.csr_matrix:
    """(texts, different things) one where a text has a thing."""
    codes, different = pd.factorize(things)
    ones = np.ones(len(codes), dtype=np.int32)
    sets = scipy.sparse.csr_matrix((ones, (rows, codes)), shape=(texts, max(len(different), 1)))
    sets.data[:] = 1
    return sets


def _shared(sets: scipy.sparse.csr_matrix, pairs: Pairs) -> npt.NDArray[np.float64]:
    """(pairs,) Jaccard index: things in both, as a share of things in either."""
    sizes = np.diff(sets.indptr)
    both = [
        np.asarray(sets[some[:, 0]].multiply(sets[some[:, 1]]).sum(axis=1)).ravel() for some in _parts(pairs)
    ]
    common = np.concatenate([*both, np.zeros(0)])
    either: npt.NDArray[np.float64] = np.maximum(sizes[pairs[:, 0]] + sizes[pairs[:, 1]] - common, 1.0)
    return np.asarray(common / either)


def _parts(pairs: Pairs) -> Iterable[Pairs]:
    return (pairs[start : start + MOST_COMPARED] for start in range(0, len(pairs), MOST_COMPARED))


def _salt(number: int) -> np.uint64:
    return np.uint64((number + 1) * 0x9E3779B97F4A7C15 % 2**64)


def _mixed(numbers: Hashes) -> Hashes:
    """Numbers thrown about evenly (the end of SplitMix64: https://doi.org/10.1145/2714064.2660195)."""
    mixed = (numbers ^ (numbers >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))
