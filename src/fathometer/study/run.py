"""The loop: plan, give to the engine, enter into the ledger."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import psutil
from safetensors.numpy import save_file

from fathometer.core.files import read_json, write_json
from fathometer.data.rows import Rows
from fathometer.data.splits import Splits
from fathometer.data.storage import write_rows
from fathometer.data.thinning import is_whole, place
from fathometer.engine import Engine, Job, Outcome
from fathometer.errors import BadRun
from fathometer.kind import KINDS
from fathometer.learner import Encoder, Facts
from fathometer.study.budget import FAMILIES, OPENING, OPENING_RAW, PRETRAINED, Budget
from fathometer.study.ledger import RUN_FORMAT, Ledger, Lock, Trial, read_arrays
from fathometer.study.picks import Pick, chosen_rows
from fathometer.study.plan import Candidate, Course, Lane, Unit, baseline_units, fairest
from fathometer.study.pretraining import FOLD as UNLABELLED
from fathometer.study.pretraining import SHARE as PRETRAINING_SHARE
from fathometer.study.pretraining import STAGE, name_encoder, order_of, run_pretraining
from fathometer.study.probe import ProbeOrder, run_probe
from fathometer.study.record import FoldResult, families_of, read_run
from fathometer.study.trial import Order, list_candidates, run_trial
from fathometer.task import task_from_json

PRELOADED = ("fathometer.study.trial", "fathometer.study.preload")
"""What the engine loads once, before the first trial."""

ALL_ROWS = "all"  # the name of the fold that holds no row back
ROOM_FOR_PICTURES = 240_000  # characters of all thumbnails of a run's examples
MEMORY_SHARE = 0.8  # of the machine's memory may be used by all trials together


@dataclass(frozen=True)
class FamilyProgress:
    """How far one family is. best_loss: on validation rows, mean over folds; not comparable across families."""

    trials: int
    failed: int
    spent_seconds: float
    share_seconds: float
    best_title: str
    best_loss: float | None


@dataclass(frozen=True)
class Progress:
    """How far a run is: true figures, no promises."""

    elapsed: float
    budget: float
    families: Mapping[str, FamilyProgress]
    running: tuple[str, ...]
    last: Trial | None


Watcher = Callable[[Progress], None]


def begin(
    folder: Path,
    rows: Rows,
    splits: Splits,
    facts: Mapping[str, Any],
    clusters: npt.NDArray[np.int64],
    groups: npt.NDArray[np.int32] | None = None,
) -> None:
    """Make the run folder: typed rows, folds, and what was asked and understood (`facts`, plain data).

    Args:
        groups: (rows,) place of each row's group in `facts["sensitive"]["labels"]`, where answers are compared by it.

    Raises:
        BadRun: the folder already holds a run.
    """
    if (folder / "run.json").exists():
        raise BadRun(
            f"{folder} already holds a run. Resume it with --resume {folder}, or name another folder."
        )
    (folder / "trials").mkdir(parents=True, exist_ok=True)
    write_rows(folder, rows)
    arrays = {"target": np.ascontiguousarray(rows.answers), "clusters": np.ascontiguousarray(clusters)}
    for fold in splits.folds:
        for part in ("train", "valid", "test"):
            arrays[f"{fold.name}.{part}"] = getattr(fold, part).astype(np.int32)
    arrays[f"{ALL_ROWS}.train"], arrays[f"{ALL_ROWS}.valid"] = (
        part.astype(np.int32) for part in splits.everything
    )
    arrays[f"{ALL_ROWS}.test"] = arrays[f"{ALL_ROWS}.valid"]
    for fold in splits.thinner:  # their test rows are those of the whole fold
        for part in ("train", "valid"):
            arrays[f"{fold.name}.{part}"] = getattr(fold, part).astype(np.int32)
    if groups is not None:
        arrays["groups"] = np.ascontiguousarray(groups, dtype=np.int32)
    save_file(arrays, folder / "folds.safetensors")
    told = {
        "how": splits.how,
        "first": splits.first,
        "overlap": splits.overlap,
        "sentence": splits.sentence,
        "folds": [[fold.name, fold.repeat] for fold in splits.folds],
        "sizes": _sizes(splits),
    }
    write_json(folder / "run.json", {"format": RUN_FORMAT, **facts, "splits": told})


def _sizes(splits: Splits) -> dict[str, list[int]]:
    """The divisors of every fold's thinner ones."""
    sizes: dict[str, list[int]] = {}
    for fold in splits.thinner:
        base, divisor = place(fold.name)
        sizes.setdefault(base, []).append(divisor)
    return sizes


def work(folder: Path, engine: Engine, watcher: Watcher | None, started: float) -> tuple[str, float]:
    """Run trials until the budget or the plan is used up, or someone interrupts; resumes what is there.

    Args:
        started: `time.monotonic()` at which this sitting began, reading of the data included.

    Returns:
        Why it ended ("budget", "plan" or "interrupted"), and the run's seconds before this sitting.
    """
    run = read_run(folder)
    ledger = Ledger(folder)
    ledger.mend()
    desk = _Desk(folder, run, ledger, engine, started, watcher)
    try:
        # closed even when interrupted, or trials would go on while the verdict is drawn
        with closing(engine.map(desk.jobs())) as outcomes:
            for outcome in outcomes:
                desk.enter(outcome)
        why = "budget" if desk.clock() >= 0.8 * desk.budget.training_ends else "plan"
    except KeyboardInterrupt:
        why = "interrupted"
    ledger.mend()
    return why, desk.before


def refit(folder: Path, engine: Engine, model: Trial, seconds: float) -> Trial | None:
    """Fit a finished trial's recipe again on all rows, but a tenth to stop by; None when it does not end in time.

    Its score is not measured, for no rows are left: the recipe's scores on the folds speak for it.
    """
    ledger = Ledger(folder)
    done = [trial for trial in ledger.trials() if trial.stage == "refit" and trial.recipe == model.recipe]
    if done:
        return done[-1]
    candidate = Candidate(model.learner, model.family, model.title, model.turn, model.settings, {})
    unit = Unit(candidate, ALL_ROWS, "refit", model.seed, seconds)
    scratch = ledger.scratch()
    order = Order(
        str(folder),
        model.learner,
        dict(model.settings),
        ALL_ROWS,
        model.seed,
        seconds,
        seconds,
        str(scratch),
        {},
    )
    memory = int(MEMORY_SHARE * psutil.virtual_memory().total)
    job = Job(unit.key, run_trial, {"order": order}, 1.3 * seconds + 3.0, 1.3 * seconds + 3.0, memory)
    for outcome in engine.map(iter([job])):
        trial = _entry(unit, outcome, ledger.elapsed())
        ledger.commit(trial, scratch if trial.status == "done" else None)
        if trial.status == "done":
            return trial
        _clear(scratch, folder, trial, outcome)
    return None


def probe(
    folder: Path,
    engine: Engine,
    found: Mapping[str, tuple[tuple[FoldResult, ...], tuple[FoldResult, ...]]],
    seconds: float,
) -> None:
    """Measure every competitor's fitted models (study/probe.py) and leave what was found in `measures.json`.

    Args:
        found: competitor -> its folds, of which the first two are measured, and those that make its model, whose
            answers are timed. seconds: for each competitor.
    """
    learners = {trial.key: trial.learner for trial in Ledger(folder).trials()}
    picks = _picks(folder, {name: folds[0] for name, (folds, _) in found.items()})
    jobs = []
    for name, (folds, packing) in found.items():
        told = [
            {"fold": fold.fold, "members": [[key, learners[key], weight] for key, weight in fold.members]}
            for fold in folds[:2]
        ]
        packed = [
            [key, learners[key], weight / len(packing)] for fold in packing for key, weight in fold.members
        ]
        shown = [pick.to_json() for pick in picks.get(name, ())]
        room = ROOM_FOR_PICTURES // max(1, len(picks))
        order = ProbeOrder(str(folder), name, told, seconds, packed, shown, room)
        memory = int(MEMORY_SHARE * psutil.virtual_memory().total / engine.workers)
        jobs.append(Job(name, run_probe, {"order": order}, 2 * seconds + 5.0, 2 * seconds + 5.0, memory))
    measures: dict[str, Any] = {}
    with closing(engine.map(iter(jobs))) as outcomes:
        for outcome in outcomes:
            name = outcome.job.key
            measures[name] = outcome.value or {"skipped": {"all": outcome.reason or outcome.status}}
    write_json(folder / "measures.json", measures)


def _picks(folder: Path, found: Mapping[str, FoldResult]) -> dict[str, list[Pick]]:
    """Per family the test rows to show as examples; none where no column holds words or pictures."""
    run = read_run(folder)
    families = {name: fold for name, fold in found.items() if name in (*FAMILIES, PRETRAINED)}
    if not families or structured_columns(run) == len(run["schema"]["columns"]):
        return {}
    arrays = read_arrays(folder / "folds.safetensors")
    target, rows = arrays["target"], next(iter(families.values())).rows
    clusters = arrays.get("clusters", np.arange(len(target)))
    predictions = {name: fold.prediction for name, fold in families.items()}
    return chosen_rows(task_from_json(run["task"]), target, clusters, rows, predictions)


def read_measures(folder: Path) -> dict[str, Any]:
    """What `probe` left; empty where it was not run, or what it left is damaged."""
    try:
        return dict(read_json(folder / "measures.json"))
    except (OSError, ValueError, TypeError):
        return {}  # a crash may come before it: everything else is still there


class _Desk:
    """Gives the engine jobs and enters their outcomes."""

    def __init__(
        self,
        folder: Path,
        run: dict[str, Any],
        ledger: Ledger,
        engine: Engine,
        started: float,
        watcher: Watcher | None,
    ) -> None:
        self.folder = folder
        self.run = run
        self.ledger = ledger
        self.engine = engine
        self.watcher = watcher
        self.before = ledger.elapsed()
        self.started = started
        self.budget = Budget(float(run["budget"]), engine.workers, run.get("model") == "small")
        self.finished = ledger.trials()
        self.families: tuple[str, ...] = FAMILIES
        self.units: dict[str, tuple[Unit, Path, float]] = {}
        self.lanes: dict[str, Lane] = {}
        self.memory_bytes = int(MEMORY_SHARE * psutil.virtual_memory().total / engine.workers)

    def clock(self) -> float:
        """Wall seconds of the run, over all its sittings."""
        return self.before + time.monotonic() - self.started

    def jobs(self) -> Iterator[Job | None]:
        """The next job whenever a worker is free; None while the plan waits for an outcome."""
        if self.run.get("replay"):
            self._share_among(families_of(self.run, self.run["replay"]))
            yield from (self._job(unit) for unit in _replayed(self.run["replay"], self.finished))
            return
        if self._awaits_encoder():
            yield self._pretraining()
        candidates = yield from self._candidates()
        self._share_among(families_of(self.run, self.listed["candidates"] if self.listed else ()))
        recipes, first = self.run.get("recipes"), int(self.run["splits"]["first"])
        told = self.run["splits"]["folds"][: first if recipes else None]
        names = tuple(str(name) for name, _ in told)
        sizes = {name: tuple(divisors) for name, divisors in self.run["splits"].get("sizes", {}).items()}
        baselines = [c for c in candidates if c.family == "baseline"]
        for unit in baseline_units(baselines, list(names), int(self.run["seed"]), self.finished):
            yield self._job(unit)

        def open_lane(family: str, candidates: list[Candidate]) -> None:
            course = Course(
                family,
                tuple(c for c in candidates if c.family == family),
                names[:first],
                names[first:],
                sizes,
                recipes,
                self._is_ablated(family),
                self._keeps_features(family),
                opening=self._opening(family),
            )
            self.lanes[family] = Lane(course, self.budget, int(self.run["seed"]), self.finished, self.clock)

        for family in self.families:
            if family != PRETRAINED or not self._awaits_encoder():
                open_lane(family, candidates)
        while True:
            if PRETRAINED in self.families and PRETRAINED not in self.lanes and not self._awaits_encoder():
                open_lane(PRETRAINED, (yield from self._candidates(again=True)))
            following = fairest(self.lanes.values())
            if following is not None:
                yield self._job(following)
            elif self.units or self._awaits_encoder():
                yield None
            else:
                return

    def _awaits_encoder(self) -> bool:
        """Whether an encoder is to be trained first, and has not been."""
        return bool(self.run.get("unlabelled")) and not any(t.stage == STAGE for t in self.finished)

    def _pretraining(self) -> Job:
        """Train an encoder on the rows without answers, at the third family's cost."""
        share = replace(self.budget, families=len(FAMILIES) + 1).family_seconds
        seconds = PRETRAINING_SHARE * share
        order = order_of(self.folder, self.run["unlabelled"], seconds, int(self.run["seed"]))
        wall = max(self.budget.kill_at - self.clock(), 5.0)
        return Job(STAGE, run_pretraining, {"order": order}, wall, 1.5 * seconds + 5.0, self.memory_bytes)

    def _share_among(self, families: tuple[str, ...]) -> None:
        """The budget is these families'; a third without a learner takes nothing from the two."""
        self.families = families
        self.budget = replace(self.budget, families=len(families))

    def _opening(self, family: str) -> float:
        """The part of a fold's time in which a family's strongest preset comes first on all rows.

        Networks that read words or pictures themselves need most of it. Features of these cost so much that a look at
        few rows is no cheaper.
        """
        is_raw = structured_columns(self.run) == 0
        if family == "deep" and is_raw:
            return OPENING_RAW
        return OPENING if family != "classical" or is_raw else 0.0

    def _is_ablated(self, family: str) -> bool:
        """Whether a family has engineered features to leave out; networks read words and pictures as they are."""
        kinds = {column["kind"] for column in self.run["schema"]["columns"]}
        if family == PRETRAINED or kinds == {"number"}:
            return False
        return family == "classical" or structured_columns(self.run) > 0

    def _keeps_features(self, family: str) -> bool:
        """Whether features of words or pictures are made for a family's trials, once for all of them."""
        count = len(self.run["schema"]["columns"])
        return structured_columns(self.run) < count and (family != "deep" or structured_columns(self.run) > 0)

    def _facts(self) -> Facts:
        """What learners are told of the data before any fit."""
        task, columns = self.run["task"], self.run["schema"]["columns"]
        encoders = tuple(Encoder(**item) for item in self.run.get("encoders") or ())
        families = len(FAMILIES) + bool(encoders)
        share = replace(self.budget, families=families).family_seconds
        return Facts(
            rows=int(self.run["data"]["train_rows"]),
            columns=len(columns),
            task=task["name"],
            outputs=len(task.get("labels", [])) or 1,
            kinds=tuple(sorted({column["kind"] for column in columns})),
            structured=structured_columns(self.run),
            seconds=share / max(int(self.run["splits"]["first"]), 1),
            encoders=encoders,
        )

    def _candidates(self, *, again: bool = False) -> Generator[Job | None, None, list[Candidate]]:
        """Asks a worker what there is to try; its outcome arrives through `enter`.

        again: although it was listed before, for there are further encoders now.
        """
        path = self.folder / "learners.json"
        self.listed: dict[str, Any] | None = read_json(path) if path.exists() and not again else None
        if self.listed is None:
            only = tuple(self.run.get("learners") or ())
            arguments = {"task_json": self.run["task"], "facts": self._facts(), "only": only}
            yield Job("candidates", list_candidates, arguments, 120.0, 120.0, self.memory_bytes)
            while self.listed is None:
                yield None
        return [Candidate(**item) for item in self.listed["candidates"]]

    def _job(self, unit: Unit) -> Job:
        scratch = self.ledger.scratch()
        wall = max(self.budget.kill_at - self.clock(), 5.0)
        order = Order(
            folder=str(self.folder),
            learner=unit.candidate.learner,
            settings=dict(unit.candidate.settings),
            fold=unit.fold,
            seed=unit.seed,
            seconds=unit.seconds,
            wall_seconds=max(self.budget.training_ends - self.clock(), 1.0),
            scratch=str(scratch),
            decided=dict(unit.decided),
            replaying=unit.replaying,
            for_features=unit.for_features,
        )
        self.units[unit.key] = (unit, scratch, self.clock())
        # a learner that looks at the clock ends by itself; the rest is ended a little later
        most = 1e9 if unit.replaying else 1.3 * (unit.seconds + unit.for_features) + 3.0
        return Job(
            unit.key, run_trial, {"order": order}, 1e9 if unit.replaying else wall, most, self.memory_bytes
        )

    def enter(self, outcome: Outcome) -> None:
        """Put an outcome into the record."""
        if outcome.job.key == "candidates":
            if outcome.status != "done":
                raise RuntimeError(f"the learners could not be listed: {outcome.reason}\n{outcome.trace}")
            self.listed = outcome.value
            write_json(self.folder / "learners.json", outcome.value)
            return
        if outcome.job.key == STAGE:
            self._enter_encoder(outcome)
            return
        unit, scratch, _ = self.units.pop(outcome.job.key)
        trial = _entry(unit, outcome, self.clock())
        done = trial.status == "done"
        self.ledger.commit(trial, scratch if done else None)
        if not done:
            _clear(scratch, self.folder, trial, outcome)
        self.finished.append(trial)
        if unit.candidate.family in self.lanes:
            self.lanes[unit.candidate.family].end(unit.key)
        if self.watcher is not None:
            self.watcher(self.progress(trial))

    def _enter_encoder(self, outcome: Outcome) -> None:
        """Name the encoder that was trained; whatever came of it, it is a trial of the third family."""
        # learners were listed without it: who resumes from here must list them again
        (self.folder / "learners.json").unlink(missing_ok=True)
        if outcome.status == "done" and outcome.value is not None:
            name_encoder(self.folder, self.run, outcome.value["encoder"])
        title = "encoder trained on rows without answers"
        candidate = Candidate(STAGE, PRETRAINED, title, 0, {}, {})
        unit = Unit(candidate, UNLABELLED, STAGE, int(self.run["seed"]), 0.0)
        decided = (outcome.value or {}).get("decided", {})
        plain = replace(outcome, value={"decided": decided, "fit_seconds": outcome.cpu_seconds})
        trial = _entry(unit, plain, self.clock())
        self.ledger.commit(trial, None)
        self.finished.append(trial)

    def progress(self, last: Trial | None) -> Progress:
        """How far the run is."""
        running = tuple(f"{unit.candidate.title} on {unit.fold}" for unit, _, _ in self.units.values())
        families = {family: _family_progress(family, self.finished, self.budget) for family in self.families}
        return Progress(self.clock(), self.budget.seconds, families, running, last)


def structured_columns(run: Mapping[str, Any]) -> int:
    """How many columns are neither words nor pictures nor the like."""
    return sum(not KINDS.get(column["kind"]).unstructured for column in run["schema"]["columns"])


def _replayed(trials: list[dict[str, Any]], finished: list[Trial]) -> Iterator[Unit]:
    done = {trial.key for trial in finished}
    for item in trials:
        if item["stage"] == STAGE:
            continue  # the encoder is there already
        candidate = Candidate(
            item["learner"], item["family"], item["title"], int(item["turn"]), item["settings"], {}
        )
        unit = Unit(candidate, item["fold"], item["stage"], int(item["seed"]), 1e9, item["decided"], True)
        if unit.key not in done:
            yield unit


def _entry(unit: Unit, outcome: Outcome, at: float) -> Trial:
    value: Mapping[str, Any] = outcome.value or {}
    return Trial(
        key=unit.key,
        family=unit.candidate.family,
        learner=unit.candidate.learner,
        title=unit.candidate.title,
        settings=dict(unit.candidate.settings),
        turn=unit.candidate.turn,
        fold=unit.fold,
        seed=unit.seed,
        stage=unit.stage,
        status=outcome.status,
        reason=outcome.reason,
        cpu_seconds=outcome.cpu_seconds,
        wall_seconds=outcome.wall_seconds,
        peak_bytes=outcome.peak_bytes,
        at=at,
        **{name: value[name] for name in value},
    )


def _clear(scratch: Path, folder: Path, trial: Trial, outcome: Outcome) -> None:
    """A failure leaves its traceback in the log and nothing else."""
    for path in sorted(scratch.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    scratch.rmdir()
    with (folder / "run.log").open("a", encoding="utf-8") as log:
        log.write(f"{trial.key}: {trial.status}: {outcome.reason}\n{outcome.trace}\n")


def _family_progress(family: str, finished: list[Trial], budget: Budget) -> FamilyProgress:
    mine = [trial for trial in finished if trial.family == family]
    losses: dict[str, list[float]] = {}
    titles: dict[str, str] = {}
    for trial in mine:
        if trial.valid_loss is not None and is_whole(trial.fold):
            losses.setdefault(trial.recipe, []).append(trial.valid_loss)
            titles[trial.recipe] = trial.title
    most = max((len(values) for values in losses.values()), default=0)
    # recipes are compared over the same number of folds, or an easy fold would win
    full = {recipe: float(np.mean(values)) for recipe, values in losses.items() if len(values) == most}
    best = min(full, key=lambda recipe: full[recipe], default=None)
    return FamilyProgress(
        trials=len(mine),
        failed=sum(trial.status != "done" for trial in mine),
        spent_seconds=sum(trial.cpu_seconds for trial in mine),
        share_seconds=budget.family_seconds,
        best_title=titles[best] if best else "",
        best_loss=full[best] if best else None,
    )


__all__ = [
    "PRELOADED",
    "FamilyProgress",
    "Lock",
    "Progress",
    "Watcher",
    "begin",
    "probe",
    "read_measures",
    "refit",
    "work",
]
