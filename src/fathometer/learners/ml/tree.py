"""One small tree of questions that fits on a page."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from fathometer.core.files import State
from fathometer.core.states import array, classes, table
from fathometer.data.rows import Rows
from fathometer.learner import Learner, Run
from fathometer.learners._inputs import Inputs
from fathometer.learners._matrix import Floats, tree_matrix
from fathometer.learners._sklearn import MatrixModel, all_classes, checked_seen, normalised
from fathometer.learners._trees import Trees
from fathometer.task import Prediction, Task


class TreeModel(MatrixModel):
    """One tree as arrays; a leaf's class shares are drawn a little towards the overall ones."""

    @cached_property
    def trees(self) -> Trees:
        """The one tree."""
        return Trees.from_state(self.parts["trees"], self.matrix.width, len(self.parts.get("seen", (0,))))

    @classmethod
    def checked(cls, parts: State, columns: int) -> State:
        table(parts, "parts", ("trees", "classes"), ("seen", "shares"))
        count = classes(parts["classes"])
        width = len(checked_seen(parts, count)) if count else 1
        if count:
            array(parts["shares"], "shares", width, low=0.0, high=1.0)
        Trees.from_state(parts["trees"], columns, width)
        return parts

    def answer(self, matrix: Floats) -> Prediction:
        mean = self.trees.mean(matrix)
        if self.parts["classes"] == 0:
            return mean[:, 0]
        shares = normalised(0.98 * mean + 0.02 * self.parts["shares"])
        return all_classes(shares, self.parts["seen"], self.parts["classes"])


@dataclass(frozen=True)
class Tree(Learner):
    """A decision tree [1] whose number of leaves is chosen on the validation rows.

    [1] Breiman, Friedman, Olshen & Stone (1984). Classification and regression trees. ISBN 978-0412048418
    """

    family = "classical"
    title = "decision tree"
    quick = True
    transparent = True
    presets: ClassVar[Any] = ((14, {}),)
    leaves: tuple[int, ...] = (4, 8, 16, 32)

    def fit(self, train: Rows, valid: Rows, task: Task, run: Run) -> TreeModel:
        # imported by fits alone: it takes most of a second, and an answer needs none of it
        from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

        inputs = Inputs.fit(train)
        matrix, rows = tree_matrix(inputs.features(train), train.answers, task, run.seed)
        checked = matrix.transform(inputs.features(valid))
        kind = DecisionTreeClassifier if task.outputs > 1 else DecisionTreeRegressor
        best: tuple[float, TreeModel] | None = None
        for step, leaves in enumerate(self.leaves):
            if not run.goes_on(step):
                break
            tree = kind(max_leaf_nodes=leaves, min_samples_leaf=5, random_state=run.seed).fit(
                rows, train.answers
            )
            parts: dict[str, Any] = {"trees": Trees.of([tree.tree_]).state(), "classes": 0}
            if task.outputs > 1:
                shares = np.bincount(train.answers, minlength=task.outputs)[tree.classes_] / len(train)
                parts |= {"classes": task.outputs, "seen": np.asarray(tree.classes_), "shares": shares}
            model = TreeModel(inputs, matrix, parts)
            loss = task.fitting_loss(valid.answers, model.answer(checked))
            run.report(step, loss)
            if best is None or loss < best[0]:
                best = (loss, model)
        if best is None:
            raise ValueError("no number of leaves was given")
        return best[1]

    @classmethod
    def load(cls, folder: Path) -> TreeModel:
        return TreeModel.read(folder)
