"""Many small trees, each mending what the ones before it got wrong: LightGBM."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from fathometer.core.files import read_state, read_text, write_state
from fathometer.core.states import classes, demand, table
from fathometer.data.rows import Rows
from fathometer.kind import Features
from fathometer.learner import Facts, Learner, Model, Range, Run
from fathometer.learners._inputs import Inputs
from fathometer.learners._lightgbm_native import NativeTrees
from fathometer.learners._lightgbm_text import BoostedTrees, read_trees
from fathometer.learners._rounds import Rounds, affordable_rate, turns
from fathometer.learners._sklearn import normalised
from fathometer.task import Prediction, Task

TREES = "trees.txt"
LARGE = 4_000  # rows times classes, from which a few rounds are timed first
PROBE_ROUNDS = 3
WIDE = 600  # columns, from which on a tree sees a part of them
PLAIN_LEVELS = 100  # a code column with more levels is cut as a number (codes run by falling frequency)


@dataclass(frozen=True)
class BoostingModel(Model):
    """LightGBM's own text, and how columns go in.

    classes: 0 for a number. is_own: the text comes from the library in this process, and not out of a file.
    """

    inputs: Inputs
    text: str
    classes: int
    is_own: bool = False

    @cached_property
    def trees(self) -> BoostedTrees:
        """The trees, read and checked once."""
        numbers, sizes = self.inputs.shape
        columns, outputs = numbers + len(sizes), max(self.classes, 1)
        return read_trees(self.text, columns=columns, coded=len(sizes), outputs=outputs)

    @cached_property
    def native(self) -> NativeTrees:
        """The same, in LightGBM's memory.

        What the library has just written need not be read and written anew, which takes several times as long as the
        answers: its predictions are the same to the last bit.
        """
        if self.is_own:
            numbers, sizes = self.inputs.shape
            outputs = self.classes if self.classes > 2 else 1
            return NativeTrees(self.text, numbers + len(sizes), outputs)
        return NativeTrees(self.trees.text(), self.trees.columns, self.trees.per_round)

    def predict(self, rows: Rows) -> Prediction:
        raw = self.native.answer(_table(self.inputs.features(rows)))
        if self.classes == 0:
            return raw[:, 0]
        if self.classes == 2:
            return np.concatenate([1.0 - raw, raw], axis=1)
        return normalised(raw)

    def save(self, folder: Path) -> None:
        write_state(folder, "model", {"inputs": self.inputs.state(), "classes": self.classes})
        (folder / TREES).write_text(self.text, encoding="utf-8")


@dataclass(frozen=True)
class Boosting(Learner):
    """LightGBM [1]. The first preset follows the defaults tuned over many tables by [2]; the second grows
    small trees, for little data or little signal; the third cuts at random; the fourth grows large trees.

    [1] Ke et al. (2017). LightGBM. https://papers.nips.cc/paper/6907
    [2] Holzmueller, Grinsztajn & Steinwart (2024). Better by default. https://arxiv.org/abs/2407.04491
    """

    family = "classical"
    title = "boosted trees (LightGBM)"
    needs = ("lightgbm",)
    presets: ClassVar[Any] = (
        (1, {}),
        (6, {"leaves": 8, "rate": 0.06, "columns": 0.5, "leaf_rows": 10, "penalty": 1.0}),
        (10, {"at_random": True, "leaves": 40, "rate": 0.05}),
        (15, {"leaves": 128, "rate": 0.03, "leaf_rows": 5, "columns": 0.9}),
    )
    leaves: int = 50
    rate: float = 0.04
    leaf_rows: int = 20
    columns: float = 0.8  # share of the columns each tree may use
    rows: float = 0.75  # share of the rows each tree is grown on
    penalty: float = 0.0
    at_random: bool = False  # one random cut a column, as in extremely randomised trees
    rounds: int = 2_000
    patience: int = 60

    @classmethod
    def presets_for(cls, facts: Facts) -> tuple[tuple[int, Mapping[str, Any]], ...]:
        return turns(cls.presets, facts)

    @classmethod
    def space(cls, task: Task) -> dict[str, Range]:
        return {
            "leaves": Range(6, 200, logarithmic=True, whole=True),
            "rate": Range(0.02, 0.12, logarithmic=True),
            "leaf_rows": Range(2, 100, logarithmic=True, whole=True),
            "columns": Range(0.3, 1.0),
            "rows": Range(0.5, 1.0),
            "penalty": Range(1e-3, 20, logarithmic=True),
            "at_random": Range(among=(False, False, True)),
        }

    def fit(self, train: Rows, valid: Rows, task: Task, run: Run) -> BoostingModel:
        lightgbm = _package()
        inputs = Inputs.fit(train)
        features = inputs.features(train)
        first = features.numbers.shape[1]
        coded = [first + i for i, size in enumerate(features.sizes) if 2 < size - 1 <= PLAIN_LEVELS]
        settings = self._parameters(task, run, len(train)) | _for_width(_width(features), self.columns)
        together = lightgbm.Dataset(
            _table(features), train.answers, categorical_feature=coded, params=settings, free_raw_data=True
        )
        checked = together.create_valid(_table(inputs.features(valid)), valid.answers)
        if len(train) * task.outputs > LARGE:
            settings["learning_rate"] = run.decide("rate", lambda: self._rate(together, settings, run))
        clock = _Clock(run, self.patience)
        booster = lightgbm.train(
            settings, together, num_boost_round=self.rounds, valid_sets=[checked], callbacks=[clock]
        )
        text = booster.model_to_string(num_iteration=clock.best + 1)
        return BoostingModel(inputs, text, task.outputs if task.outputs > 1 else 0, is_own=True)

    def _rate(self, rows: Any, settings: dict[str, Any], run: Run) -> float:
        """The learning rate, raised where the time allows too few rounds for small steps."""
        rows.construct()
        started = run.used()
        _package().train(settings, rows, num_boost_round=PROBE_ROUNDS)
        return affordable_rate(self.rate, (run.used() - started) / PROBE_ROUNDS, run)

    def _parameters(self, task: Task, run: Run, rows: int) -> dict[str, Any]:
        if task.outputs == 1:
            aim = {"objective": "l1" if task.metric == "mae" else "l2"}
        elif task.outputs == 2:
            aim = {"objective": "binary"}
        else:
            aim = {"objective": "multiclass", "num_class": str(task.outputs)}
        return aim | {
            "learning_rate": self.rate,
            "num_leaves": self.leaves,
            # with few rows twenty in a leaf would leave nothing to cut
            "min_data_in_leaf": int(min(self.leaf_rows, max(2, rows // 50))),
            "feature_fraction": self.columns,
            "bagging_fraction": self.rows,
            "bagging_freq": 1,
            "lambda_l2": self.penalty,
            "min_sum_hessian_in_leaf": 1e-5,
            "extra_trees": self.at_random,
            "cat_smooth": 20,
            "min_data_per_group": int(min(100, max(5, rows // 50))),
            "num_threads": run.threads,
            "seed": run.seed,
            "deterministic": True,
            "force_row_wise": True,
            "verbosity": -1,
            "metric": {"mae": "l1", "rmse": "l2"}.get(task.metric, "") if task.outputs == 1 else "",
        }

    @classmethod
    def load(cls, folder: Path) -> BoostingModel:
        state = table(read_state(folder, "model"), "model.json", ("inputs", "classes"))
        text = read_text(folder / TREES)
        model = BoostingModel(Inputs.from_state(state["inputs"]), text, classes(state["classes"]))
        # what the library is given is its own text anew; the first one is only kept to be saved again
        demand(len(model.trees.leaves), "there are no trees")
        return model


def _width(features: Features) -> int:
    return int(features.numbers.shape[1] + features.codes.shape[1])


def _for_width(columns: int, share: float) -> dict[str, Any]:
    """Settings for very many columns, as features of pictures are: few of them a tree, and coarser cuts.

    With all of them a round takes seconds, and a study ends after three; neighbouring bins of a histogram say nearly
    the same, so that a few hundred at a time lose little.
    """
    if columns <= WIDE:
        return {}
    return {
        "feature_fraction": share * WIDE / columns,
        "max_bin": 63,
        "force_row_wise": False,
        "force_col_wise": True,
    }


def _package() -> Any:
    """LightGBM's Python package: for fits alone, as importing it takes nearly a second, and brings scikit-learn."""
    import lightgbm

    return lightgbm


class _Clock:
    """After each round: stop when time is up, or when nothing has improved for long."""

    order = 30
    before_iteration = False

    def __init__(self, run: Run, patience: int) -> None:
        self.run = run
        self.patience = patience
        self.best = 0
        self.lowest = np.inf
        self.rounds = Rounds(run)

    def __call__(self, state: Any) -> None:
        loss = float(state.evaluation_result_list[0][2])
        if state.iteration % 10 == 0:
            self.run.report(state.iteration, loss)
        if loss < self.lowest:
            self.lowest, self.best = loss, state.iteration
        over = state.iteration - self.best >= self.patience
        if over or not self.rounds.go_on(state.iteration + 1):
            raise _package().callback.EarlyStopException(self.best, state.evaluation_result_list)


def _table(features: Features) -> npt.NDArray[np.float32]:
    """(rows, numbers + codes); code 0 (missing or never seen) becomes missing."""
    codes = features.codes.astype(np.float32)
    codes[features.codes == 0] = np.nan
    return np.concatenate([features.numbers, codes], axis=1)
