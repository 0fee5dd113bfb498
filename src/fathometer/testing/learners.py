"""What every learner promises, as tests that the author of a learner can run.

`LAWS` maps a law's name to a function of a `Case`: one learner fitted on one toy. A law that is broken fails
an assertion. `toys` gives small tables with a known signal in every kind of column, and with everything in
them that real tables have: gaps, a constant column, a column that is all missing.

    from fathometer.testing.learners import LAWS, cases

    @pytest.mark.parametrize("case", cases("my_learner"), ids=str)
    @pytest.mark.parametrize("law", LAWS)
    def test_learner(case, law):
        LAWS[law](case)
"""

from __future__ import annotations

import functools
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from fathometer.data.encoders import find_encoders
from fathometer.data.metrics import METRICS
from fathometer.data.rows import Rows
from fathometer.kind import KINDS
from fathometer.learner import LEARNERS, Facts, Learner, Model, Run
from fathometer.task import TASKS, Prediction, Task

# processor seconds a fit on a toy may use; beside other work a second was once too short for a network to begin
SECONDS = 3.0
TRAINING, VALIDATION, ASKED = 200, 60, 60  # rows
FEWEST_PER_CLASS = 20  # rows of a class below which finding the signal is not demanded
GAPS = 0.05  # share of cells missing
HOMEWORK_ROWS = (800, 200, 1_500)  # training, validation and fresh ones
HOMEWORK_SECONDS = 0.4
HOMEWORK_COLUMNS = 6
HOMEWORK_SPREADS = 5.0
"""Validation loss may lie so many standard errors below that of fresh rows. A fit that stopped by its validation rows
lies up to three below; one that fitted thousands of weights on them lay 10 and 17 below."""
STRANGE: dict[str, list[Any]] = {
    "number": [1e30, -1e30],
    "category": ["never seen", "nor this"],
    "moment": ["1700-01-01", "2200-12-31"],
    "text": ["zzzz qqqq xxxx", "?!"],
}
"""Cells of each kind as training never shows them; for other kinds missing ones are taken."""


@dataclass(frozen=True)
class Toy:
    """A small table: training, validation and asked rows, and what is to be learned from them."""

    name: str
    task: Task
    train: Rows
    valid: Rows
    asked: Rows
    readings: dict[str, dict[str, Any]]

    @property
    def is_lone(self) -> bool:
        """Whether it has one kind of column only and the same task as a toy with all kinds."""
        return self.name.endswith(" alone")


@dataclass
class Case:
    """One learner fitted on one toy."""

    learner: Learner
    name: str
    toy: Toy

    def __str__(self) -> str:
        return f"{self.name}-{self.toy.name}"

    @cached_property
    def model(self) -> Model:
        """Fitted once for all laws."""
        assert len(self.before) == 3  # copied before the first fit
        return self.learner.fit(self.toy.train, self.toy.valid, self.toy.task, self.run)

    @cached_property
    def before(self) -> tuple[Rows, ...]:
        """The rows as they were before anything was fitted."""
        return tuple(_copied(rows) for rows in (self.toy.train, self.toy.valid, self.toy.asked))

    @cached_property
    def run(self) -> Run:
        """The run of that fit; its clock starts when it is first asked for."""
        return Run(seed=3, seconds=SECONDS)

    @property
    def questions(self) -> Rows:
        """The asked rows as a user gives them: without their target."""
        return replace(self.toy.asked, target=None)


class HurriedRun(Run):
    """A run whose time is over as soon as it has begun."""

    def used(self) -> float:
        return self.seconds


def toys(only: frozenset[str], solves: frozenset[str]) -> list[Toy]:
    """A toy of each task solved with columns of all kinds (or those in `only`), and one of each alone."""
    kinds = [kind for kind in KINDS.usable() if not only or kind in only]
    made = []
    if "classification" in solves:
        made += [make_toy("two classes", kinds, 2), make_toy("three classes", kinds, 3)]
        if "category" in kinds:
            made.append(make_toy("thirty classes", ["category"], 30))
    if "regression" in solves:
        made.append(make_toy("a number", kinds, 0))
    lone = 2 if "classification" in solves else 0
    return made + [make_toy(f"{kind} alone", [kind], lone) for kind in kinds]


def make_toy(name: str, kinds: list[str], classes: int) -> Toy:
    """Per kind a column with signal, a constant one and one all missing; classes 0: predict a number."""
    rng = np.random.default_rng(7)
    count = TRAINING + VALIDATION + ASKED
    signal = rng.random(count)
    columns: dict[str, pd.Series] = {}
    found: dict[str, str] = {}
    readings: dict[str, dict[str, Any]] = {}
    for kind in kinds:
        cells = {
            kind: _with_gaps(KINDS.get(kind)().toy(signal, rng), rng),
            f"constant {kind}": pd.Series([KINDS.get(kind)().toy(signal[:1], rng)[0]] * count, dtype=object),
            f"nothing of {kind}": pd.Series([None] * count, dtype=object),
        }
        for column, values in cells.items():
            readings[column] = KINDS.get(kind)().learn_reading(values)
            columns[column] = KINDS.get(kind)().read(values, readings[column])
            found[column] = kind
    task, target = _task_of(classes, signal)
    rows = Rows(pd.DataFrame(columns), found, target)
    first, second = TRAINING, TRAINING + VALIDATION
    parts = [rows.take(np.arange(*span)) for span in ((0, first), (first, second), (second, count))]
    return Toy(name, task, parts[0], parts[1], parts[2], readings)


@functools.lru_cache(maxsize=8)
def make_homework(kind: str, *, told: bool) -> Toy:
    """Twenty classes over a thousand rows, by columns of one kind; not told: labels are noise, of ten classes."""
    rng = np.random.default_rng(11)
    count, classes = sum(HOMEWORK_ROWS), 20 if told else 10
    codes = rng.permutation(np.arange(count) % classes)
    places = rng.random((classes, HOMEWORK_COLUMNS))
    frame: dict[str, pd.Series] = {}
    readings: dict[str, dict[str, Any]] = {}
    for column in range(HOMEWORK_COLUMNS):
        spread = places[codes, column] + 0.15 * rng.normal(size=count) if told else rng.random(count)
        cells = KINDS.get(kind)().toy(np.clip(spread, 0.0, 1.0), rng)
        name = f"{kind} {column}"
        readings[name] = KINDS.get(kind)().learn_reading(cells)
        frame[name] = KINDS.get(kind)().read(cells, readings[name])
    rows = Rows(pd.DataFrame(frame), dict.fromkeys(frame, kind), codes)
    first, second = HOMEWORK_ROWS[0], sum(HOMEWORK_ROWS[:2])
    parts = [rows.take(np.arange(*span)) for span in ((0, first), (first, second), (second, count))]
    task, _ = _task_of(classes, rng.random(2))
    return Toy("twenty classes" if told else "noise", task, parts[0], parts[1], parts[2], readings)


def trial_imports(names: tuple[str, ...]) -> dict[str, list[str]]:
    """The modules of other packages that each learner's trial imports, in this process as it stands."""
    found = {}
    for name in names:
        before = set(sys.modules)
        learner = LEARNERS.get(name)
        kinds = [kind for kind in KINDS.usable() if not learner.only or kind in learner.only]
        toy = make_toy("two classes", kinds, 2 if "classification" in learner.solves else 0)
        model = learner().fit(toy.train, toy.valid, toy.task, Run(seed=3, seconds=0.1))
        model.predict(replace(toy.asked, target=None))
        with tempfile.TemporaryDirectory() as folder:
            model.save(Path(folder))
        own = {*sys.stdlib_module_names, __name__.partition(".")[0]}
        found[name] = sorted(m for m in set(sys.modules) - before if m.partition(".")[0] not in own)
    return found


def cases(name: str) -> list[Case]:
    """The default recipe of the learner of this name on every toy it claims.

    A pre-trained one claims those with a column that an installed encoder reads.
    """
    learner = LEARNERS.get(name)
    claimed = toys(learner.only, learner.solves)
    if learner.family == "pretrained":
        claimed = [toy for toy in claimed if learner.unsuited(_facts(toy)) is None]
    return [Case(learner(), name, toy) for toy in claimed]


def one_sound_prediction_per_row(case: Case) -> None:
    """Predictions are finite and one per row; probabilities are not negative and sum to one."""
    prediction = case.model.predict(case.questions)
    _assert_sound(prediction, len(case.questions), case.toy.task)


def rows_are_answered_apart(case: Case) -> None:
    """A prediction does not depend on the other rows asked, nor on their order."""
    whole = case.model.predict(case.questions)
    backwards = np.arange(len(case.questions))[::-1].copy()
    _assert_close(case.model.predict(case.questions.take(backwards)), whole[backwards], case)
    for row in (0, len(case.questions) - 1):
        _assert_close(case.model.predict(case.questions.take(np.array([row]))), whole[row : row + 1], case)


def nothing_given_is_changed(case: Case) -> None:
    """Neither fitting nor predicting changes the rows."""
    case.model.predict(case.questions)
    given = (case.toy.train, case.toy.valid, case.toy.asked)
    for rows, before in zip(given, case.before, strict=True):
        pd.testing.assert_frame_equal(rows.frame, before.frame)
        np.testing.assert_array_equal(rows.answers, before.answers)


def same_seed_same_answers(case: Case) -> None:
    """The same rows, settings, seed and decisions give the same predictions, and nothing else is random."""
    if case.toy.is_lone:
        return  # a second fit costs as much as all other laws together, and the mixed toys have every kind
    first = case.model.predict(case.questions)
    run = Run(seed=case.run.seed, seconds=SECONDS, decided=dict(case.run.decided), replaying=True)
    again = case.learner.fit(case.toy.train, case.toy.valid, case.toy.task, run)
    np.testing.assert_array_equal(again.predict(case.questions), first)
    assert run.curve == case.run.curve


def strange_and_missing_cells_are_answered(case: Case) -> None:
    """A row whose cells are all missing, or such as training never showed, has a sound answer."""
    for strange in (False, True):
        columns = {
            name: _unusual(kind, case.toy.readings[name], case.questions.column(name), strange)
            for name, kind in case.questions.kinds.items()
        }
        rows = replace(case.questions, frame=pd.DataFrame(columns))
        _assert_sound(case.model.predict(rows), len(rows), case.toy.task)


def saved_and_loaded_agree(case: Case) -> None:
    """A saved and loaded model predicts the same, and nothing in its folder is a pickle."""
    with tempfile.TemporaryDirectory() as folder:
        case.model.save(Path(folder))
        for path in Path(folder).rglob("*"):
            assert path.is_dir() or not _is_pickle(path), f"{path.name} is a pickle"
        loaded = type(case.learner).load(Path(folder))
        _assert_close(loaded.predict(case.questions), case.model.predict(case.questions), case)


def when_time_is_over_it_ends_with_what_it_has(case: Case) -> None:
    """A fit whose time is over still gives a model, the same one when replayed."""
    if case.toy.is_lone:
        return
    run = HurriedRun(seed=3, seconds=SECONDS)
    model = case.learner.fit(case.toy.train, case.toy.valid, case.toy.task, run)
    prediction = model.predict(case.questions)
    _assert_sound(prediction, len(case.questions), case.toy.task)
    replay = Run(seed=3, seconds=SECONDS, decided=dict(run.decided), replaying=True)
    again = case.learner.fit(case.toy.train, case.toy.valid, case.toy.task, replay)
    np.testing.assert_array_equal(again.predict(case.questions), prediction)


def signal_is_found(case: Case) -> None:
    """It beats the best constant prediction, by a tenth of the loss where every kind of column has signal."""
    too_few_rows = case.toy.task.outputs * FEWEST_PER_CLASS > len(case.toy.train)
    if case.learner.family == "baseline" or too_few_rows:
        return
    task, asked = case.toy.task, case.toy.asked
    loss = task.fitting_loss(asked.answers, case.model.predict(case.questions))
    constant = task.fitting_loss(asked.answers, _constant(case.toy))
    share = 0.99 if case.toy.is_lone else 0.9
    assert loss < share * constant, f"loss {loss:.4f} against {constant:.4f} of a constant"


def validation_rows_tell_what_fresh_ones_do(case: Case) -> None:
    """The loss on validation rows is that on fresh rows within noise, also where labels are noise or classes many.

    By its validation rows a recipe is ranked, weighted and searched: nothing but a number or two may be fitted on them.
    """
    # once a learner, where it can be fitted within seconds
    if case.toy.name != "two classes" or case.learner.family == "pretrained":
        return
    for told in (False, True):
        toy = make_homework(_one_kind(case.learner), told=told)
        model = case.learner.fit(toy.train, toy.valid, toy.task, Run(seed=3, seconds=HOMEWORK_SECONDS))
        own, fresh = (
            METRICS["log_loss"].losses(rows.answers, model.predict(replace(rows, target=None)))
            for rows in (toy.valid, toy.asked)
        )
        error = np.sqrt(own.var() / len(own) + fresh.var() / len(fresh))
        below = float(fresh.mean() - own.mean()) / max(float(error), 1e-9)
        assert below < HOMEWORK_SPREADS, (
            f"{toy.name}: loss {own.mean():.4f} on validation rows and {fresh.mean():.4f} on fresh ones, "
            f"{below:.1f} standard errors apart"
        )


def a_trial_imports_nothing(case: Case) -> None:
    """After the preload of a study, fitting, predicting and saving import no further module of another package.

    A trial is a fork of a process that has preloaded; what it imports, every trial would import again.
    """
    if case.toy.name != "two classes":
        return
    further = _imported_by_trials(tuple(sorted({*LEARNERS.usable(), case.name})))[case.name]
    assert not further, f"{len(further)} modules are imported by a trial, such as {', '.join(further[:3])}"


def settings_make_the_same_recipe(case: Case) -> None:
    """A recipe is plain data: its settings make it again, and every preset and searched setting exists."""
    kind = type(case.learner)
    assert kind(**case.learner.settings()) == case.learner
    assert hash(kind(**case.learner.settings())) == hash(case.learner)
    for _, preset in kind.presets:
        kind(**preset)
    assert set(kind.space(case.toy.task)) <= set(case.learner.settings())


LAWS: dict[str, Callable[[Case], None]] = {
    law.__name__: law
    for law in (
        one_sound_prediction_per_row,
        rows_are_answered_apart,
        nothing_given_is_changed,
        same_seed_same_answers,
        strange_and_missing_cells_are_answered,
        saved_and_loaded_agree,
        when_time_is_over_it_ends_with_what_it_has,
        signal_is_found,
        validation_rows_tell_what_fresh_ones_do,
        a_trial_imports_nothing,
        settings_make_the_same_recipe,
    )
}


@functools.lru_cache(maxsize=1)
def _imported_by_trials(names: tuple[str, ...]) -> dict[str, list[str]]:
    """`trial_imports` of a process that has only preloaded: made once, for it takes seconds."""
    lines = (
        "import json, sys, fathometer.study.preload",
        "from fathometer.testing.learners import trial_imports",
        "print(json.dumps(trial_imports(tuple(sys.argv[1:]))))",
    )
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(lines), *names], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2_000:]
    found: dict[str, list[str]] = json.loads(done.stdout.splitlines()[-1])
    return found


def _one_kind(learner: Learner) -> str:
    """Of which kind its homework's columns are: the cheapest it takes."""
    return "number" if not learner.only or "number" in learner.only else min(learner.only)


def _facts(toy: Toy) -> Facts:
    kinds = tuple(sorted(set(toy.train.kinds.values())))
    return Facts(
        rows=len(toy.train),
        columns=len(toy.train.kinds),
        task=toy.task.name,
        outputs=toy.task.outputs,
        kinds=kinds,
        encoders=find_encoders((), kinds),
    )


def _task_of(classes: int, signal: npt.NDArray[np.float64]) -> tuple[Task, npt.NDArray[Any]]:
    if classes:
        codes = np.minimum((signal * classes).astype(np.int64), classes - 1)
        labels = [f"class {code}" for code in range(classes)]
        value = {
            "name": "classification",
            "target": "answer",
            "metric": "accuracy",
            "margin": 0.5,
            "labels": labels,
        }
        return TASKS.get("classification").from_json(value), codes
    value = {"name": "regression", "target": "answer", "metric": "rmse", "margin": 1.0}
    return TASKS.get("regression").from_json(value), 1000.0 + 50.0 * signal


def _with_gaps(cells: pd.Series, rng: np.random.Generator) -> pd.Series:
    return cells.mask(rng.random(len(cells)) < GAPS, None)


def _unusual(kind: str, reading: dict[str, Any], values: pd.Series, strange: bool) -> pd.Series:
    cells = STRANGE.get(kind, [None]) if strange else [None]
    repeated = pd.Series((cells * len(values))[: len(values)], dtype=object, name=values.name)
    return KINDS.get(kind)().read(repeated, reading)


def _copied(rows: Rows) -> Rows:
    return replace(rows, frame=rows.frame.copy(deep=True), target=rows.answers.copy())


def _constant(toy: Toy) -> Prediction:
    if toy.task.outputs == 1:
        return np.full(len(toy.asked), toy.train.answers.mean())
    counts = np.bincount(toy.train.answers, minlength=toy.task.outputs) + 1.0
    return np.tile(counts / counts.sum(), (len(toy.asked), 1))


def _assert_sound(prediction: Prediction, rows: int, task: Task) -> None:
    assert prediction.shape == ((rows,) if task.outputs == 1 else (rows, task.outputs))
    assert prediction.dtype == np.float64
    assert np.isfinite(prediction).all()
    if task.outputs > 1:
        assert (prediction >= 0).all()
        np.testing.assert_allclose(prediction.sum(axis=1), 1.0, atol=1e-6)


def _assert_close(prediction: Prediction, other: Prediction, case: Case) -> None:
    """Equal but for the rounding of single precision in sums taken in another order."""
    scale = 1.0 if case.toy.task.outputs > 1 else float(np.ptp(case.toy.train.answers))
    np.testing.assert_allclose(prediction, other, rtol=0, atol=2e-5 * scale)


def _is_pickle(path: Path) -> bool:
    """Whether a file begins and ends as pickles (protocol 2 and later) do, or is an archive of one."""
    content = path.read_bytes()
    plain = (
        content[:1] == b"\x80"
        and content[1:2] in {b"\x02", b"\x03", b"\x04", b"\x05"}
        and content[-1:] == b"."
    )
    return plain or (content[:4] == b"PK\x03\x04" and b".pkl" in content)
