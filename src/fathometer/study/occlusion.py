"""What an answer rests on, the same way for every model: take a part away and see how the answer changes.

Of a text a word (or a few) is left out, of a picture a patch is covered with the picture's mean colour [1]. Parts that
say the same stand in for each other, so that none of them may seem to matter.

[1] Zeiler & Fergus (2014). Visualizing and understanding convolutional networks. arXiv:1311.2901
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from fathometer.core.pictures import Picture, PictureArray, as_pictures, digest_of
from fathometer.data.rows import Rows

Floats = npt.NDArray[np.float64]

MOST_PIECES = 40  # of a text
MOST_PATCHES = 7  # across a picture, and down
EXCERPT = 300  # characters
LEAST_CHANCE = 1e-5  # below it, and as near to 1, a probability says no more
LEAST_ODDS = 0.02  # change of the logarithm of the odds, below which nothing rests on any part
MOST_CHARACTERS = 20_000  # of a text that is taken apart; the rest goes with the last piece

# scripts without blanks: each sign stands for itself
WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]\s*|[^\s\u3040-\u30ff\u3400-\u9fff]+\s*")


@dataclass(frozen=True)
class Weights:
    """How much each part speaks for the answer: scaled to [-1, 1], and what comes of it.

    scaled: above 0 where without the part the answer would be less likely (a number: smaller). Of probabilities the
    odds are compared, in the logarithm: 99.9 % against 99 % is as much as 91 % against 50 %.
    largest: change of the probability, or of the number, without that part which changes it most.
    """

    scaled: Floats
    largest: float


def weigh_chances(whole: float, without: Floats) -> Weights:
    """From the probability of an answer and its probabilities without each part."""
    return _weights(_log_odds(np.array([whole])) - _log_odds(without), whole - without, LEAST_ODDS)


def weigh_numbers(whole: float, without: Floats, least: float) -> Weights:
    """From an answer and the answers without each part; all zero where none changes it by more than `least`."""
    return _weights(whole - without, whole - without, least)


def _weights(changes: Floats, told: Floats, least: float) -> Weights:
    most = float(np.abs(changes).max(initial=0.0))
    if most <= least:
        return Weights(np.zeros_like(changes), 0.0)
    return Weights(np.round(changes / most, 2) + 0.0, float(np.abs(told).max()))


def _log_odds(chances: Floats) -> Floats:
    kept = np.clip(chances, LEAST_CHANCE, 1 - LEAST_CHANCE)
    return np.log(kept / (1 - kept))


def pieces_of(text: str) -> list[str]:
    """The text in at most forty pieces: words with the blanks after them, of a long text several together.

    >>> pieces_of("to be or not")
    ['to ', 'be ', 'or ', 'not']
    """
    words = WORD.findall(text[:MOST_CHARACTERS])
    many = -(-len(words) // MOST_PIECES) or 1
    if words:
        words[-1] += text[MOST_CHARACTERS:]
    return ["".join(words[start : start + many]) for start in range(0, len(words), many)]


def without_pieces(rows: Rows, column: str, pieces: list[str]) -> Rows:
    """One row (the only one given), and then again and again without one piece of its text."""
    kept = ["".join(pieces[:place] + pieces[place + 1 :]).strip() or None for place in range(len(pieces))]
    texts = np.empty(len(kept) + 1, dtype=object)
    texts[:] = [rows.column(column).iloc[0], *kept]
    return _again(rows, column, pd.Series(texts, dtype=object))


def excerpt(pieces: list[str], weights: Floats, most: int = EXCERPT) -> tuple[int, int]:
    """The run of pieces (from, to) of at most so many characters that matters most; the first of equal ones."""
    sizes = [min(len(piece), most) for piece in pieces]
    best, found = -1.0, (0, min(1, len(pieces)))
    for start in range(len(pieces)):
        end, room = start, most
        while end < len(pieces) and sizes[end] <= room:
            room -= sizes[end]
            end += 1
        mass = float(np.abs(weights[start:end]).sum())
        if mass > best + 1e-9:
            best, found = mass, (start, end)
        if end == len(pieces):
            break
    return found


def grid_of(picture: PictureArray) -> tuple[int, int]:
    """Patches down and across a picture."""
    height, width, _ = picture.shape_of_one
    return min(MOST_PATCHES, height), min(MOST_PATCHES, width)


def without_patches(rows: Rows, column: str) -> Rows:
    """One row (the only one given), and then again and again with one patch of its picture covered, line by line."""
    picture = as_pictures(rows.column(column))
    down, across = grid_of(picture)
    height, width, _ = picture.shape_of_one
    pixels = picture.shown(slice(0, 1))[0]
    colour = np.rint(pixels.reshape(-1, pixels.shape[2]).mean(axis=0)).astype(np.uint8)
    shown = np.repeat(pixels[None], 1 + down * across, axis=0)  # (1 + patches, height, width, channels)
    tops, lefts = np.linspace(0, height, down + 1).astype(int), np.linspace(0, width, across + 1).astype(int)
    for place in range(down * across):
        i, j = divmod(place, across)
        shown[1 + place, tops[i] : tops[i + 1], lefts[j] : lefts[j + 1]] = colour
    digests = np.array([digest_of(one) for one in shown], dtype=np.uint64)
    return _again(rows, column, pd.Series(PictureArray(shown, digests, np.arange(len(shown)))))


def shown_picture(rows: Rows, column: str) -> Picture | None:
    """The picture of the only row given; None where it is missing."""
    found = as_pictures(rows.column(column))[0]
    return found if isinstance(found, Picture) else None


def _again(rows: Rows, column: str, values: pd.Series) -> Rows:
    frame = rows.frame.iloc[np.zeros(len(values), dtype=np.intp)].reset_index(drop=True)
    frame[column] = values.set_axis(frame.index)
    return Rows(frame, rows.kinds)
