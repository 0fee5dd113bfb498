"""Words weighted by how much oftener a class shows them than the others do, then a linear model."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import scipy.sparse

from fathometer.core.files import State
from fathometer.data.rows import Rows
from fathometer.learner import Facts, Learner, Range, Run
from fathometer.learners._sklearn import all_classes
from fathometer.learners._sparse import (
    SparseInputs,
    SparseModel,
    affordable_rounds,
    climbed,
    unsuited_without_text,
)
from fathometer.learners._terms import Terms
from fathometer.task import Prediction, Task

MOST_CLASSES = 40  # each has its own weights over all terms, and a fit of its own


class NbSvmModel(SparseModel):
    """One row of weights for each class against the others; for two classes one row in all."""

    def answer(self, rows: scipy.sparse.csr_matrix) -> Prediction:
        scores = rows @ self.parts["weights"].T + self.parts["offsets"]
        chances = 1.0 / (1.0 + np.exp(-np.clip(scores.astype(np.float64), -30, 30)))
        if chances.shape[1] == 1:
            chances = np.concatenate([1.0 - chances, chances], axis=1)
        shares = chances / chances.sum(axis=1, keepdims=True)
        return all_classes(shares, self.parts["seen"], self.parts["classes"])


@dataclass(frozen=True)
class NbSvm(Learner):
    """Naive Bayes log-count ratios as features of a logistic regression, one class against the others [1].

    A term's TF-IDF weight is multiplied with r = log((p / |p|) / (q / |q|)), where p and q count, plus `smoothing`, in
    how many texts of the class and of the others the term is shown. On the validation rows the strength is chosen.

    blend: 1 leaves the fitted weights w as they are; below, they become blend * w + (1 - blend) * mean |w|, which draws
    the model towards naive Bayes.

    [1] Wang & Manning (2012). Baselines and bigrams: simple, good sentiment and topic classification.
        https://aclanthology.org/P12-2018
    """

    family = "classical"
    title = "naive Bayes weighted words (NB-SVM)"
    quick = True
    needs = ("scipy",)
    solves = frozenset({"classification"})
    presets: ClassVar[Any] = ((2, {}),)
    words: int = 2  # longest run of words
    smoothing: float = 1.0
    blend: float = 1.0
    strengths: tuple[float, ...] = (0.06, 0.25, 1.0, 4.0, 16.0, 64.0, 256.0)  # inverse penalties, rising

    @classmethod
    def space(cls, task: Task) -> dict[str, Range]:
        return {
            "words": Range(among=(1, 2, 3)),
            "smoothing": Range(0.1, 3.0, logarithmic=True),
            "blend": Range(0.5, 1.0),
        }

    @classmethod
    def unsuited(cls, facts: Facts) -> str | None:
        if facts.outputs > MOST_CLASSES:
            return f"it fits each class by itself, and there are {facts.outputs} (limit {MOST_CLASSES})"
        return unsuited_without_text(facts)

    def fit(self, train: Rows, valid: Rows, task: Task, run: Run) -> NbSvmModel:
        inputs, rows = SparseInputs.fit(train, task, run.seed, [Terms(words=self.words)])
        seen = np.unique(train.answers)
        marked = [seen[1]] if len(seen) == 2 else list(seen)
        sides = [train.answers == label for label in marked]
        ratios = [self._ratios(rows, side, inputs.terms()) for side in sides]
        checked = inputs.transform(valid)
        rounds = affordable_rounds(rows, task.outputs, run)
        fixed = {"seen": seen, "classes": task.outputs}
        return climbed(
            self.strengths,
            lambda strength: NbSvmModel(inputs, fixed | self._solved(rows, sides, ratios, strength, rounds)),
            lambda model: task.fitting_loss(valid.answers, model.answer(checked)),
            run,
        )

    def _ratios(
        self, rows: scipy.sparse.csr_matrix, side: npt.NDArray[np.bool_], terms: int
    ) -> npt.NDArray[np.float32]:
        """(columns,) the log-count ratio of each term; 1 for the columns that are no terms."""
        ratios = np.ones(rows.shape[1], dtype=np.float32)
        ratios[:terms] = log_count_ratios(rows[:, :terms], side, self.smoothing)
        return ratios

    def _solved(
        self,
        rows: scipy.sparse.csr_matrix,
        sides: list[npt.NDArray[np.bool_]],
        ratios: list[npt.NDArray[np.float32]],
        strength: float,
        rounds: int,
    ) -> State:
        solved = [
            self._weights(rows, side, ratio, strength, rounds)
            for side, ratio in zip(sides, ratios, strict=True)
        ]
        return {
            "weights": np.stack([weights for weights, _ in solved]).astype(np.float32),
            "offsets": np.array([offset for _, offset in solved], dtype=np.float32),
        }

    def _weights(
        self,
        rows: scipy.sparse.csr_matrix,
        side: npt.NDArray[np.bool_],
        ratios: npt.NDArray[np.float32],
        strength: float,
        rounds: int,
    ) -> tuple[npt.NDArray[np.float64], float]:
        """Weights of the columns and an offset; the ratios are part of the weights, so that rows stay as they are."""
        # imported by fits alone: it takes most of a second, and an answer needs none of it
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.linear_model import LogisticRegression

        if side.all() or not side.any():
            return np.zeros(rows.shape[1]), 0.0
        scaled = rows.copy()
        scaled.data = scaled.data * ratios[scaled.indices]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # stopping early is a penalty too
            logistic = LogisticRegression(C=strength, max_iter=rounds).fit(scaled, side)
        weights = logistic.coef_[0].astype(np.float64)
        if self.blend < 1.0:
            weights = self.blend * weights + (1.0 - self.blend) * np.abs(weights).mean()
        return weights * ratios, float(logistic.intercept_[0])

    @classmethod
    def load(cls, folder: Path) -> NbSvmModel:
        return NbSvmModel.read(folder)


def log_count_ratios(
    rows: scipy.sparse.csr_matrix, side: npt.NDArray[np.bool_], smoothing: float
) -> npt.NDArray[np.float64]:
    """(terms,) log((p / |p|) / (q / |q|)) of what rows (texts, terms) on this side and on the other show."""
    shown = rows.copy()
    shown.data = np.ones(len(shown.data))
    mine = smoothing + np.asarray(shown[side].sum(axis=0), dtype=np.float64).ravel()
    others = smoothing + np.asarray(shown[~side].sum(axis=0), dtype=np.float64).ravel()
    return np.asarray(np.log(mine / mine.sum()) - np.log(others / others.sum()))
