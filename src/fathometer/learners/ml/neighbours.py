"""Answer as the nearest training rows did."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from fathometer.core.files import State
from fathometer.core.states import array, classes, demand, table, whole
from fathometer.data.rows import Rows
from fathometer.learner import Facts, Learner, Run
from fathometer.learners._inputs import Inputs
from fathometer.learners._matrix import Floats, scaled_matrix
from fathometer.learners._sklearn import MatrixModel, normalised
from fathometer.task import Prediction, Task

MOST_ASKED = 1_000  # neighbours; no recipe asks for as many


class NeighboursModel(MatrixModel):
    """The training rows and their targets."""

    def answer(self, matrix: Floats) -> Prediction:
        return vote(*nearest(self.parts["rows"], matrix, self.parts["count"]), self.parts)

    @classmethod
    def checked(cls, parts: State, columns: int) -> State:
        table(parts, "parts", ("rows", "target", "classes", "count"))
        rows = array(parts["rows"], "rows", None, columns)
        demand(len(rows), "there are no rows")
        whole(parts["count"], "count", 1, min(len(rows), MOST_ASKED))
        count = classes(parts["classes"])
        if count:
            array(parts["target"], "target", len(rows), kinds="iu", low=0, high=count - 1)
        else:
            array(parts["target"], "target", len(rows))
        return parts


@dataclass(frozen=True)
class Neighbours(Learner):
    """k nearest neighbours by distance between scaled features [1], nearer ones counting more.

    [1] Cover & Hart (1967). Nearest neighbor pattern classification. https://doi.org/10.1109/TIT.1967.1053964
    """

    family = "classical"
    title = "nearest neighbours"
    quick = True
    needs = ("scikit-learn",)
    presets: ClassVar[Any] = ((5, {}),)
    counts: tuple[int, ...] = (5, 12, 30, 80)  # neighbours asked; the best on the validation rows is kept

    @classmethod
    def unsuited(cls, facts: Facts) -> str | None:
        if facts.rows > 30_000:
            return f"comparing every row with {facts.rows:,} others takes too long (limit 30,000)"
        return None

    def fit(self, train: Rows, valid: Rows, task: Task, run: Run) -> NeighboursModel:
        inputs = Inputs.fit(train)
        matrix, rows = scaled_matrix(inputs.features(train), train.answers, task, run.seed)
        checked = matrix.transform(inputs.features(valid))
        counts = [min(count, len(train)) for count in self.counts]
        distances, index = nearest(rows, checked, max(counts))
        parts = {"rows": rows, "target": train.answers, "classes": task.outputs if task.outputs > 1 else 0}
        losses = []
        for step, count in enumerate(counts):
            guess = vote(distances[:, :count], index[:, :count], parts)
            losses.append(task.fitting_loss(valid.answers, guess))
            run.report(step, losses[-1])
        best = counts[int(np.argmin(losses))]
        return NeighboursModel(inputs, matrix, {**parts, "count": best})

    @classmethod
    def load(cls, folder: Path) -> NeighboursModel:
        return NeighboursModel.read(folder)


def nearest(rows: Floats, asked: Floats, count: int) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Distances and positions of the `count` nearest rows, each (asked, count), nearest first."""
    # imported when it is first needed: it takes most of a second, and a model may be opened and not asked
    from sklearn.neighbors import NearestNeighbors

    search = NearestNeighbors(n_neighbors=min(count, len(rows)), algorithm="brute", n_jobs=1).fit(rows)
    distances, index = search.kneighbors(asked)
    return distances, index


def vote(distances: npt.NDArray[Any], index: npt.NDArray[Any], parts: dict[str, Any]) -> Prediction:
    """What the neighbours say, weighted by 1 / distance; class shares are drawn a little towards even."""
    scale = np.maximum(np.median(distances, axis=1, keepdims=True), 1e-9)
    weights = 1.0 / (distances / scale + 0.1)
    answers = parts["target"][index]
    if parts["classes"] == 0:
        mean: Prediction = (weights * answers).sum(axis=1) / weights.sum(axis=1)
        return mean
    votes = np.stack([(weights * (answers == c)).sum(axis=1) for c in range(parts["classes"])], axis=1)
    total = votes.sum(axis=1, keepdims=True)
    # one imaginary neighbour, shared evenly: an empty class must not get probability 0
    return normalised(votes + total / distances.shape[1] / parts["classes"])
