"""Boosted trees that order rows to read categories without peeking: CatBoost."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from fathometer.core.files import read_state, write_state
from fathometer.core.states import classes, sound_state, table
from fathometer.core.trust import demand_trust
from fathometer.data.rows import Rows
from fathometer.errors import MissingExtra
from fathometer.learner import Facts, Learner, Model, Range, Run
from fathometer.learners._catboost_trees import cells, taken_out
from fathometer.learners._inputs import Inputs
from fathometer.learners._oblivious import ObliviousTrees
from fathometer.learners._rounds import Rounds, affordable_rate, turns
from fathometer.learners._sklearn import softmax, two_columns
from fathometer.task import Prediction, Task

MODEL_FILE = "trees.cbm"  # in which earlier versions left what CatBoost itself had written
LARGE = 20_000  # rows times classes, from which a few rounds are timed first
PROBE_ROUNDS = (1, 5)


@dataclass(frozen=True)
class CatboostModel(Model):
    """The trees as arrays, and how columns go in. classes: 0 for a number."""

    inputs: Inputs
    trees: ObliviousTrees
    classes: int

    def predict(self, rows: Rows) -> Prediction:
        sums = self.trees.sums(self.inputs.features(rows))
        if self.classes == 0:
            return sums[:, 0]
        # two classes have one sum, the logit of the second
        return softmax(two_columns(sums))

    def save(self, folder: Path) -> None:
        state = {"inputs": self.inputs.state(), "classes": self.classes, "trees": self.trees.state()}
        write_state(folder, "model", state)


@dataclass(frozen=True)
class Catboost(Learner):
    """CatBoost with ordered target statistics for categories [1].

    [1] Prokhorenkova et al. (2018). CatBoost: unbiased boosting with categorical features.
        https://arxiv.org/abs/1706.09516
    """

    family = "classical"
    title = "boosted trees (CatBoost)"
    trains_with = ("catboost",)
    presets: ClassVar[Any] = (
        (2, {}),
        (16, {"depth": 8, "rate": 0.05, "penalty": 1.0}),
        (17, {"depth": 4, "rate": 0.08, "one_hot": 2}),
    )
    depth: int = 6
    rate: float = 0.06
    penalty: float = 3.0
    # categories of up to so many levels are cut level by level: on adult 705 rounds in 4 s and log-loss .278, against
    # 220 rounds in 8 s and .283 with target statistics for all of them
    one_hot: int = 64
    rounds: int = 2_000
    patience: int = 50

    @classmethod
    def presets_for(cls, facts: Facts) -> tuple[tuple[int, Mapping[str, Any]], ...]:
        return turns(cls.presets, facts)

    @classmethod
    def space(cls, task: Task) -> dict[str, Range]:
        return {
            "depth": Range(4, 9, whole=True),
            "rate": Range(0.02, 0.15, logarithmic=True),
            "penalty": Range(0.5, 20, logarithmic=True),
            "one_hot": Range(among=(2, 16, 64, 255)),
        }

    @classmethod
    def unsuited(cls, facts: Facts) -> str | None:
        if facts.outputs > 10 and facts.rows > 10_000:
            return f"{facts.outputs} classes over {facts.rows:,} rows take it too long"
        if "image" in facts.kinds:
            return (
                "a round over the thousands of features of pictures takes it seconds, and gigabytes of memory"
            )
        return None

    def fit(self, train: Rows, valid: Rows, task: Task, run: Run) -> CatboostModel:
        catboost = _package()
        inputs = Inputs.fit(train)
        features, checked = inputs.features(train), inputs.features(valid)
        coded = list(range(features.numbers.shape[1], features.numbers.shape[1] + features.codes.shape[1]))
        seen = task.outputs if task.outputs > 1 else 0
        known = np.isin(valid.answers, np.unique(train.answers)) if seen else np.ones(len(valid), dtype=bool)
        settings = self._parameters(task, run)
        pool = catboost.Pool(cells(features.numbers, features.codes), train.answers, cat_features=coded)
        if len(train) * task.outputs > LARGE:
            settings["learning_rate"] = run.decide("rate", lambda: self._rate(pool, settings, run))
        trees = catboost.CatBoost(settings)
        clock = _Clock(run, self.patience)
        trees.fit(
            pool,
            eval_set=catboost.Pool(
                cells(checked.numbers, checked.codes).loc[known], valid.answers[known], cat_features=coded
            ),
            callbacks=[clock],
        )
        trees.shrink(clock.best + 1)
        return CatboostModel(inputs, taken_out(trees, *inputs.shape), seen)

    def _rate(self, pool: Any, settings: dict[str, Any], run: Run) -> float:
        """The learning rate, raised where the time allows too few rounds for small steps."""
        spent = []
        for rounds in PROBE_ROUNDS:
            started = run.used()
            _package().CatBoost(settings | {"iterations": rounds}).fit(pool)
            spent.append(run.used() - started)
        # preparing the pool takes longer than a round, and takes it both times
        per_round = (spent[1] - spent[0]) / (PROBE_ROUNDS[1] - PROBE_ROUNDS[0])
        return affordable_rate(self.rate, per_round, run)

    def _parameters(self, task: Task, run: Run) -> dict[str, Any]:
        if task.outputs == 1:
            aim: dict[str, Any] = {"loss_function": "MAE" if task.metric == "mae" else "RMSE"}
        elif task.outputs == 2:
            aim = {"loss_function": "Logloss"}
        else:
            aim = {"loss_function": "MultiClass", "classes_count": task.outputs}
        return aim | {
            "iterations": self.rounds,
            "learning_rate": self.rate,
            "depth": self.depth,
            "l2_leaf_reg": self.penalty,
            "thread_count": run.threads,
            "random_seed": run.seed,
            "use_best_model": False,
            "allow_writing_files": False,
            "logging_level": "Silent",
            "one_hot_max_size": self.one_hot,
            "max_ctr_complexity": 1,
        }

    @classmethod
    def load(cls, folder: Path) -> CatboostModel:
        state = table(read_state(folder, "model"), "model.json", ("inputs", "classes"), ("trees",))
        inputs, count = Inputs.from_state(state["inputs"]), classes(state["classes"])
        numbers, sizes = inputs.shape
        width = count if count > 2 else 1
        if "trees" in state:
            with sound_state():
                trees = ObliviousTrees.from_state(state["trees"], numbers, sizes, width)
            return CatboostModel(inputs, trees, count)
        demand_trust(folder / MODEL_FILE)
        found = _package().CatBoost()
        found.load_model(str(folder / MODEL_FILE), format="cbm")
        trees = taken_out(found, numbers, sizes)
        return CatboostModel(inputs, ObliviousTrees.from_state(trees.state(), numbers, sizes, width), count)


def _package() -> Any:
    """CatBoost's Python package: for fits and for models of its own form, as answers need none of it.

    Raises:
        MissingExtra: it is not installed.
    """
    try:
        return importlib.import_module("catboost")
    except ModuleNotFoundError as error:
        raise MissingExtra("CatBoost", "catboost", 'pip install "fathometer[boost]"') from error


class _Clock:
    """After each round: stop when time is up, or when nothing has improved for long."""

    def __init__(self, run: Run, patience: int) -> None:
        self.run = run
        self.patience = patience
        self.best = 0
        self.lowest = np.inf
        self.rounds = Rounds(run)

    def after_iteration(self, info: Any) -> bool:
        losses = next(iter(info.metrics["validation"].values()))
        loss, step = float(losses[-1]), len(losses) - 1
        if step % 10 == 0:
            self.run.report(step, loss)
        if loss < self.lowest:
            self.lowest, self.best = loss, step
        return step - self.best < self.patience and self.rounds.go_on(step + 1)
