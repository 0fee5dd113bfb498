"""Answer without looking at the row: what any learner must beat."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from fathometer.core.files import read_state, write_state
from fathometer.core.states import MOST_CLASSES, array, demand, table
from fathometer.data.rows import Rows
from fathometer.learner import Learner, Model, Run
from fathometer.task import Prediction, Task


@dataclass(frozen=True)
class BaselineModel(Model):
    """The same answer for every row."""

    answer: Any  # (outputs,) class shares, or one number

    def predict(self, rows: Rows) -> Prediction:
        if self.answer.shape[0] == 1:
            return np.full(len(rows), float(self.answer[0]))
        return np.tile(self.answer, (len(rows), 1))

    def save(self, folder: Path) -> None:
        write_state(folder, "model", {"answer": self.answer})


@dataclass(frozen=True)
class Baseline(Learner):
    """The classes' shares in the training rows, or the target's mean (median for absolute errors)."""

    family = "baseline"
    title = "baseline (no input used)"
    transparent = True
    presets: ClassVar[Any] = ((0, {}),)

    def fit(self, train: Rows, valid: Rows, task: Task, run: Run) -> BaselineModel:
        if task.outputs == 1:
            middle = np.median(train.answers) if task.metric == "mae" else train.answers.mean()
            return BaselineModel(np.array([middle], dtype=np.float64))
        counts = np.bincount(train.answers, minlength=task.outputs).astype(np.float64)
        return BaselineModel(counts / counts.sum())

    @classmethod
    def load(cls, folder: Path) -> BaselineModel:
        state = table(read_state(folder, "model"), "model.json", ("answer",))
        answer = array(state["answer"], "answer", None)
        demand(1 <= len(answer) <= MOST_CLASSES, "answer is empty or too long")
        if len(answer) > 1:
            demand((answer >= 0).all() and abs(answer.sum() - 1) < 1e-6, "shares should sum to one")
        return BaselineModel(answer)
