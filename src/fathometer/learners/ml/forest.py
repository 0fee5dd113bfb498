"""The mean of many deep random trees."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from fathometer.core.files import State
from fathometer.core.states import classes, table
from fathometer.data.rows import Rows
from fathometer.learner import Learner, Range, Run
from fathometer.learners._inputs import Inputs
from fathometer.learners._matrix import Floats, tree_matrix
from fathometer.learners._sklearn import MatrixModel, all_classes, checked_seen, normalised
from fathometer.learners._trees import Trees
from fathometer.task import Prediction, Task

STEP = 25  # trees grown between looks at the clock


class ForestModel(MatrixModel):
    """Trees as arrays."""

    @cached_property
    def trees(self) -> Trees:
        """The trees, made once."""
        return Trees.from_state(self.parts["trees"], self.matrix.width, len(self.parts.get("seen", (0,))))

    @classmethod
    def checked(cls, parts: State, columns: int) -> State:
        table(parts, "parts", ("trees", "classes"), ("seen",))
        count = classes(parts["classes"])
        width = len(checked_seen(parts, count)) if count else 1
        Trees.from_state(parts["trees"], columns, width)
        return parts

    def answer(self, matrix: Floats) -> Prediction:
        mean = self.trees.mean(matrix)
        if self.parts["classes"] == 0:
            return mean[:, 0]
        # a leaf without a class says "never"; a forest of finitely many trees cannot know that
        softened = mean + 0.5 / (len(self.trees.counts) * mean.shape[1])
        return all_classes(normalised(softened), self.parts["seen"], self.parts["classes"])


@dataclass(frozen=True)
class Forest(Learner):
    """Extremely randomised trees [1], or with `extra=False` a random forest [2].

    [1] Geurts, Ernst & Wehenkel (2006). Extremely randomized trees. https://doi.org/10.1007/s10994-006-6226-1
    [2] Breiman (2001). Random forests. https://doi.org/10.1023/A:1010933404324
    """

    family = "classical"
    title = "random trees (forest)"
    needs = ("scikit-learn",)
    presets: ClassVar[Any] = ((7, {}), (9, {"extra": False, "leaf_rows": 4}))
    extra: bool = True
    trees: int = 300
    leaf_rows: int = 3  # fewest training rows in a leaf
    share: float = (
        0.0  # of the columns looked at per split; 0: square root of their number (a third for numbers)
    )

    @classmethod
    def space(cls, task: Task) -> dict[str, Range]:
        return {
            "extra": Range(among=(True, False)),
            "leaf_rows": Range(1, 20, logarithmic=True, whole=True),
            "share": Range(0.1, 1.0),
        }

    def fit(self, train: Rows, valid: Rows, task: Task, run: Run) -> ForestModel:
        inputs = Inputs.fit(train)
        matrix, rows = tree_matrix(inputs.features(train), train.answers, task, run.seed)
        forest = _kind_of_forest(self.extra, task.outputs > 1)(
            n_estimators=STEP,
            warm_start=True,
            bootstrap=not self.extra,
            min_samples_leaf=self.leaf_rows,
            max_features=self.share or ("sqrt" if task.outputs > 1 else 0.4),
            n_jobs=1,
            random_state=run.seed,
        )
        count, step = 0, 0
        while count < self._wanted(len(train), task.outputs) and run.goes_on(step):
            count += STEP
            forest.set_params(n_estimators=count)
            forest.fit(rows, train.answers)
            step += 1
        parts: dict[str, Any] = {
            "trees": Trees.of([tree.tree_ for tree in forest.estimators_]).state(),
            "classes": 0,
        }
        if task.outputs > 1:
            parts |= {"classes": task.outputs, "seen": np.asarray(forest.classes_)}
        return ForestModel(inputs, matrix, parts)

    def _wanted(self, rows: int, outputs: int) -> int:
        """Fewer trees where each is huge: a tree's leaves grow with rows, and each holds all classes."""
        return int(np.clip(self.trees * 150_000 / max(rows * outputs, 1), 2 * STEP, self.trees))

    @classmethod
    def load(cls, folder: Path) -> ForestModel:
        return ForestModel.read(folder)


def _kind_of_forest(extra: bool, of_classes: bool) -> Any:
    # imported by fits alone: it takes most of a second, and few rows are answered without
    from sklearn import ensemble

    if extra:
        return ensemble.ExtraTreesClassifier if of_classes else ensemble.ExtraTreesRegressor
    return ensemble.RandomForestClassifier if of_classes else ensemble.RandomForestRegressor
