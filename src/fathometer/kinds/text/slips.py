"""Slips of the finger: texts as a hasty typist would have written them."""

from __future__ import annotations

import re

import numpy as np

KEYBOARD = ("1234567890", "qwertyuiop", "asdfghjkl", "zxcvbnm")
SPOT = re.compile(r"[^\W_]{2,}")  # a word of one sign cannot be told after a slip


def _beside() -> dict[str, str]:
    """Each key and the keys left and right of it."""
    found: dict[str, str] = {}
    for row in KEYBOARD:
        for place, key in enumerate(row):
            found[key] = row[max(place - 1, 0) : place] + row[place + 1 : place + 2]
    return found


BESIDE = _beside()


def slipped(text: str, share: float, rng: np.random.Generator) -> str:
    """The text with a slip in about this share of its words: a sign left out, doubled, swapped, or its neighbour's."""
    words = list(SPOT.finditer(text))
    hit = np.flatnonzero(rng.random(len(words)) < share)
    parts, end = [], 0
    for place in hit.tolist():
        word = words[place]
        parts += [text[end : word.start()], _slip(word[0], rng)]
        end = word.end()
    return "".join([*parts, text[end:]])


def _slip(word: str, rng: np.random.Generator) -> str:
    place, how = int(rng.integers(len(word) - 1)), int(rng.integers(4))
    before, sign, after = word[:place], word[place], word[place + 1 :]
    if how == 0:
        return before + after
    if how == 1:
        return before + sign + sign + after
    neighbours = BESIDE.get(sign.lower(), "")
    if how == 2 and neighbours:
        near = neighbours[int(rng.integers(len(neighbours)))]
        return before + (near.upper() if sign.isupper() else near) + after
    return before + after[0] + sign + after[1:]
