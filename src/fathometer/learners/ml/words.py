"""A weighted sum of the words, pairs of words and runs of letters that a text shows."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from fathometer.data.rows import Rows
from fathometer.learner import Facts, Learner, Range, Run
from fathometer.learners._linear import solve
from fathometer.learners._sparse import (
    SparseInputs,
    SparseModel,
    affordable_rounds,
    climbed,
    unsuited_without_text,
)
from fathometer.learners._terms import Terms
from fathometer.task import Task

TOLERANCE = 3e-4  # values of terms are small, and so are gradients; stopped early, the strengths could not be compared


@dataclass(frozen=True)
class Words(Learner):
    """Logistic or ridge regression over TF-IDF weights of runs of words and letters [1]; other columns stand beside.

    The penalty's strength is chosen on the validation rows.

    words: longest run of words. letters: longest run of characters within a word; below 2: none.
    strengths: inverse penalties, rising.

    [1] Cavnar & Trenkle (1994). N-gram-based text categorization; Salton & Buckley (1988). Term-weighting approaches in
        automatic text retrieval. https://doi.org/10.1016/0306-4573(88)90021-0
    """

    family = "classical"
    title = "words with a linear model"
    quick = True
    needs = ("scipy",)
    presets: ClassVar[Any] = ((0, {}), (4, {"letters": 5}))
    words: int = 2
    letters: int = 0
    strengths: tuple[float, ...] = (0.06, 0.25, 1.0, 4.0, 16.0, 64.0, 256.0, 1024.0)

    @classmethod
    def space(cls, task: Task) -> dict[str, Range]:
        return {"words": Range(among=(1, 2, 3)), "letters": Range(among=(0, 3, 4, 5, 6))}

    @classmethod
    def unsuited(cls, facts: Facts) -> str | None:
        return unsuited_without_text(facts)

    def fit(self, train: Rows, valid: Rows, task: Task, run: Run) -> SparseModel:
        wanted = [Terms(words=self.words)] if self.words else []
        if self.letters >= 2:
            wanted.append(Terms(letters=(2, self.letters)))
        inputs, rows = SparseInputs.fit(train, task, run.seed, wanted)
        checked = inputs.transform(valid)
        rounds = affordable_rounds(rows, task.outputs, run)

        def solved(strength: float) -> SparseModel:
            parts = solve(rows, train.answers, task, strength, tolerance=TOLERANCE, rounds=rounds)
            # seven digits are plenty, and there may be a hundred thousand weights a class
            return SparseModel(inputs, parts | {"weights": parts["weights"].astype(np.float32)})

        return climbed(
            self.strengths,
            solved,
            lambda model: task.fitting_loss(valid.answers, model.answer(checked)),
            run,
        )

    @classmethod
    def load(cls, folder: Path) -> SparseModel:
        return SparseModel.read(folder)
