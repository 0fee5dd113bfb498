"""Learn what small patches of the pictures look like, and weigh where each kind of patch is found."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from fathometer.core.files import State
from fathometer.core.pictures import PictureArray, Pixels, as_pictures
from fathometer.core.states import array, several, table, text, wholes
from fathometer.data.rows import Rows
from fathometer.kind import Features
from fathometer.kinds.image import reduced
from fathometer.learner import Facts, Learner, Run
from fathometer.learners._inputs import Inputs, join
from fathometer.learners._linear import best_strength, checked_weights, solve, weighed
from fathometer.learners._matrix import Floats, scaled_matrix
from fathometer.learners._sklearn import CHUNK_ROWS, MatrixModel
from fathometer.task import Prediction, Task

MOST_PIXELS = 1 << 14  # of a picture, along a side
SIDE = 32  # larger pictures are reduced to this
PATCH = 6  # pixels a side
LEARNED_FROM = 40_000  # patches
FAINT = 10.0  # added to a patch's variance, in grey levels squared: noise is not blown up
WHITENING = 0.1  # added to the variance along each axis
ACTIVATIONS = 1 << 22  # distances held at a time
NEAREST = 0.1  # from a word, in whitened units
LEAST_SPREAD = 0.01  # of a word's sums: one that is hardly ever found differs by rounding
WORDS = (32, 64, 128, 256, 512)
SHARE = 0.5  # of the time, for describing pictures; the rest is for weighing
COST = 1e-10  # processor seconds per patch, word and (its numbers + 40), measured on one core


class PatchModel(MatrixModel):
    """Dictionaries of patches, and weights of how much each patch is found where."""

    @cached_property
    def dictionaries(self) -> list[Dictionary]:
        """One for each column of pictures, made once."""
        return [Dictionary.from_state(state) for state in self.parts["dictionaries"]]

    def answer(self, matrix: Floats) -> Prediction:
        return weighed(matrix, self.parts)

    @classmethod
    def shape_of(cls, inputs: Inputs, parts: State) -> tuple[int, tuple[int, ...]]:
        numbers, sizes = inputs.shape
        found = [Dictionary.from_state(state) for state in several(parts["dictionaries"], "dictionaries")]
        return numbers + sum(len(one.centre) for one in found), sizes

    @classmethod
    def checked(cls, parts: State, columns: int) -> State:
        return checked_weights(parts, columns, ("dictionaries",))

    def predict(self, rows: Rows) -> Prediction:
        matrix = self.matrix.transform(_features(self.inputs, self.dictionaries, rows))
        chunks = [self.answer(matrix[at : at + CHUNK_ROWS]) for at in range(0, len(matrix), CHUNK_ROWS)]
        return np.concatenate(chunks) if chunks else self.answer(matrix)


@dataclass(frozen=True)
class Patches(Learner):
    """Single-layer features by k-means [1]: whitened patches, soft membership in each cluster, summed over quarters.

    strengths: inverse penalties of the linear model tried on the validation rows.

    [1] Coates, Lee & Ng (2011). An analysis of single-layer networks in unsupervised feature learning. AISTATS.
        https://proceedings.mlr.press/v15/coates11a.html
    """

    family = "classical"
    title = "patch features (k-means)"
    presets: ClassVar[Any] = ((4, {}),)
    words: int = 512  # clusters of patches, at most; fewer where there is no time for them
    strengths: tuple[float, ...] = (0.01, 0.05, 0.25)

    @classmethod
    def unsuited(cls, facts: Facts) -> str | None:
        if "image" not in facts.kinds:
            return "it learns from patches of pictures, and there is no column of pictures"
        return None

    def fit(self, train: Rows, valid: Rows, task: Task, run: Run) -> PatchModel:
        pictures = [name for name, kind in train.kinds.items() if kind == "image"]
        inputs = Inputs.fit(train, only=[name for name in train.kinds if name not in pictures])
        words = run.decide("words", lambda: self._affordable(train, len(valid), pictures, run))
        rng = np.random.default_rng(run.seed)
        found = [Dictionary.learned(name, as_pictures(train.column(name)), words, rng) for name in pictures]
        dictionaries = [one for one in found if one is not None]
        features = _features(inputs, dictionaries, train)
        matrix, rows = scaled_matrix(features, train.answers, task, run.seed)
        checked = matrix.transform(_features(inputs, dictionaries, valid))
        kept = {"dictionaries": [one.state() for one in dictionaries]}
        return best_strength(
            self.strengths,
            lambda strength: PatchModel(inputs, matrix, solve(rows, train.answers, task, strength) | kept),
            lambda model: task.fitting_loss(valid.answers, model.answer(checked)),
            run,
        )

    @classmethod
    def load(cls, folder: Path) -> PatchModel:
        return PatchModel.read(folder)

    def _affordable(self, train: Rows, asked: int, pictures: list[str], run: Run) -> int:
        """The most words for which all pictures can be described in a share of the time that is left."""
        per_word = 0.0
        for name in pictures:
            height, width, channels = as_pictures(train.column(name)).shape_of_one
            down, across = _spots(min(height, SIDE)), _spots(min(width, SIDE))
            per_word += (len(train) + asked) * down * across * (PATCH**2 * channels + 40) * COST
        fitting = [count for count in WORDS if count <= self.words and count * per_word <= SHARE * run.left()]
        return max(fitting, default=WORDS[0])


@dataclass(frozen=True)
class Dictionary:
    """What patches of one column's pictures look like.

    shape: (height, width, channels) of the pictures. middle: (numbers,) mean patch; whitener: (numbers, numbers).
    words: (words, numbers) whitened. centre, spread: (4 words,) of what is summed, over training pictures.
    """

    column: str
    shape: tuple[int, int, int]
    middle: Floats
    whitener: Floats
    words: Floats
    centre: Floats
    spread: Floats

    @classmethod
    def learned(
        cls, column: str, pictures: PictureArray, count: int, rng: np.random.Generator
    ) -> Dictionary | None:
        """From training pictures; None where they are all one, or none."""
        shown = np.flatnonzero(~pictures.isna())
        if len(np.unique(pictures.digests()[shown])) < 2:
            return None
        patches = _sampled(pictures, shown, rng)
        middle = patches.mean(axis=0)
        variances, axes = np.linalg.eigh(np.cov((patches - middle).T.astype(np.float64)))
        scales = 1.0 / np.sqrt(np.maximum(variances, 0.0) + WHITENING)
        whitener = ((axes * scales) @ axes.T).astype(np.float32)
        white = np.unique((patches - middle) @ whitener, axis=0)
        words = _clusters(white, min(count, len(white)), rng)
        plain = np.zeros(0, dtype=np.float32)
        draft = cls(column, pictures.shape_of_one, middle, whitener, words, plain, plain)
        sums = draft.sums(pictures, shown[rng.permutation(len(shown))[:2000]])
        spread = np.maximum(sums.std(axis=0), np.float32(LEAST_SPREAD))
        return cls(column, draft.shape, middle, whitener, words, sums.mean(axis=0), spread)

    def features(self, rows: Rows) -> Features:
        """(rows, 4 words) how much of each word is found in each quarter, standardised; NaN where missing."""
        pictures = as_pictures(rows.column(self.column))
        size = len(self.centre)
        numbers = np.full((len(rows), size), np.nan, dtype=np.float32)
        shown = np.flatnonzero(~pictures.isna())
        if len(shown) and pictures.shape_of_one == self.shape:
            numbers[shown] = (self.sums(pictures, shown) - self.centre) / self.spread
        quarters = size // max(len(self.words), 1)
        names = [
            f"{self.column}: patch {word + 1} in part {quarter + 1}"
            for quarter in range(quarters)
            for word in range(len(self.words))
        ]
        codes = np.zeros((len(rows), 0), dtype=np.int32)
        return Features(numbers, codes, tuple(names), (), (), ((0, size),))

    def sums(self, pictures: PictureArray, rows: npt.NDArray[np.intp]) -> Floats:
        """(rows, parts * words) sums over each quarter of how much nearer than usual each word is [1]."""
        height, width, channels = pictures.shape_of_one
        down, across = _spots(min(height, SIDE)), _spots(min(width, SIDE))
        step = max(1, ACTIVATIONS // (down * across * (len(self.words) + PATCH**2 * channels)))
        parts = []
        for start in range(0, len(rows), step):
            patches = _patches(_small(pictures.shown(rows[start : start + step])))
            white = (_normal(patches.reshape(-1, patches.shape[-1])) - self.middle) @ self.whitener
            near = nearness(np.asarray(white, dtype=np.float32), self.words).reshape(
                -1, down, across, len(self.words)
            )
            near = np.add.reduceat(near, sorted({0, down // 2}), axis=1)
            near = np.add.reduceat(near, sorted({0, across // 2}), axis=2)
            parts.append(near.reshape(len(near), -1) / np.float32(down * across))
        return np.concatenate(parts)

    def state(self) -> State:
        """What was learned, as data."""
        return {
            "column": self.column,
            "shape": list(self.shape),
            "middle": self.middle,
            "whitener": self.whitener,
            "words": self.words,
            "centre": self.centre,
            "spread": self.spread,
        }

    @classmethod
    def from_state(cls, state: State) -> Dictionary:
        """The dictionary that gave this state."""
        arrays = ("middle", "whitener", "words", "centre", "spread")
        table(state, "a dictionary", ("column", "shape", *arrays))
        height, width, channels = wholes(state["shape"], "shape", 1, MOST_PIXELS, count=3)
        size = min(PATCH, height) * min(PATCH, width) * channels
        words = array(state["words"], "words", None, size)
        parts = (1 + (_spots(min(height, SIDE)) > 1)) * (1 + (_spots(min(width, SIDE)) > 1))
        return cls(
            text(state["column"], "column"),
            (height, width, channels),
            array(state["middle"], "middle", size),
            array(state["whitener"], "whitener", size, size),
            words,
            array(state["centre"], "centre", parts * len(words)),
            array(state["spread"], "spread", parts * len(words), low=1e-30),
        )


def _features(inputs: Inputs, dictionaries: list[Dictionary], rows: Rows) -> Features:
    return join([inputs.features(rows), *(one.features(rows) for one in dictionaries)], len(rows))


def _spots(side: int) -> int:
    """At how many places a patch can lie along a side."""
    return max(side - PATCH, 0) + 1


def _small(pixels: Pixels) -> Floats:
    return reduced(pixels, (min(pixels.shape[1], SIDE), min(pixels.shape[2], SIDE)))


def _patches(pixels: Floats) -> Floats:
    """(pictures, down, across, numbers): the patch at every place."""
    size = min(PATCH, pixels.shape[1]), min(PATCH, pixels.shape[2])
    windows = np.lib.stride_tricks.sliding_window_view(pixels, size, axis=(1, 2))
    return windows.reshape(*windows.shape[:3], -1)


def _normal(patches: Floats) -> Floats:
    """Patches (patches, numbers) of one brightness and contrast."""
    centred = patches - patches.mean(axis=1, keepdims=True)
    return np.asarray(centred / np.sqrt(centred.var(axis=1, keepdims=True) + np.float32(FAINT)))


def _sampled(pictures: PictureArray, shown: npt.NDArray[np.intp], rng: np.random.Generator) -> Floats:
    """(patches, numbers) of many pictures, the same number from each, normalised."""
    asked = np.sort(rng.permutation(shown)[: LEARNED_FROM // 4])
    each = -(-LEARNED_FROM // len(asked))
    parts = []
    for start in range(0, len(asked), 256):
        patches = _patches(_small(pictures.shown(asked[start : start + 256])))
        patches = patches.reshape(len(patches), -1, patches.shape[-1])
        places = rng.integers(0, patches.shape[1], size=(len(patches), min(each, patches.shape[1])))
        parts.append(np.take_along_axis(patches, places[:, :, None], axis=1).reshape(-1, patches.shape[-1]))
    return _normal(np.concatenate(parts))


def _clusters(patches: Floats, count: int, rng: np.random.Generator) -> Floats:
    """(count, numbers) centres."""
    # imported by fits alone: it takes most of a second, and an answer needs none of it
    from sklearn.cluster import MiniBatchKMeans
    from sklearn.exceptions import ConvergenceWarning

    machine = MiniBatchKMeans(
        count, batch_size=2048, max_iter=20, n_init=1, init="random", random_state=int(rng.integers(2**31))
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return np.asarray(machine.fit(patches).cluster_centers_, dtype=np.float32)


def nearness(patches: Floats, words: Floats) -> Floats:
    """(patches, words) how much nearer than all words in the mean each is; 0 where it is further."""
    square = (patches**2).sum(axis=1, keepdims=True) + (words**2).sum(axis=1) - 2 * patches @ words.T
    # the root of a rounding error is no small thing, so a patch that is the word itself is a little away from it
    distance = np.sqrt(np.maximum(square, 0.0, out=square) + np.float32(NEAREST**2))
    return np.asarray(np.maximum(distance.mean(axis=1, keepdims=True) - distance, 0.0), dtype=np.float32)
