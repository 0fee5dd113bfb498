"""What the record says of each family: its best use by validation on every fold, judged on the test rows."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fathometer.core.files import read_json
from fathometer.data.thinning import DIVISORS_LONG, RAW, is_whole, place, thinned
from fathometer.kind import all_unstructured
from fathometer.learner import LEARNERS
from fathometer.study.budget import FAMILIES, PRETRAINED
from fathometer.study.ensemble import choose_members
from fathometer.study.ledger import Ledger, Trial, read_arrays
from fathometer.study.record import FoldResult, families_of, read_run
from fathometer.study.request import APART
from fathometer.study.trial import UNSEEN
from fathometer.task import Prediction, Task, task_from_json

COMPETITORS: Mapping[str, tuple[str, ...]] = {
    "baseline": ("baseline",),
    "classical": ("baseline", "classical"),
    "deep": ("baseline", "deep"),
    "together": ("baseline", "classical", "deep"),
    PRETRAINED: ("baseline", PRETRAINED),
}
"""Whose trials each competitor may use. The baseline is open to all: on noise it is the best choice.

A pre-trained model is a competitor where a run has one that got ready (`Outcome.results` says), and never in a mix.
"""

COMPARED = tuple(name for name in COMPETITORS if name != PRETRAINED)  # on the same folds, in every run
CURVED = ("classical", "deep", "together")  # in every run that has data learning curves
TRIALS_LEAST = 3  # of each family on a repeated fold, before it counts beside the first pass


@dataclass(frozen=True)
class Optimism:
    """How much better a learner looks on validation rows, by which it is chosen, than on test rows.

    ratio: median over its trials of the loss on test rows over that on validation rows; 1 where neither is easier.
    low: the quarter of them with the lowest have less; few rows to choose by make single trials look either way.
    folds: on which it was finished on all rows.
    """

    title: str
    family: str
    trials: int
    folds: int
    ratio: float
    low: float


@dataclass(frozen=True)
class Outcome:
    """Every competitor on every fold that both families have finished, and all trials.

    results: competitor -> its folds, the same folds for all. Empty where no fold is finished by both. The pre-trained
        is among them where it has finished every one of these folds of the first pass; of repeats it may lack some.
    not_tried: (learner, why) of those that do not suit the data, or whose package is not installed.
    anchors: competitor -> divisor -> its folds with one row in so many to learn from, with the same recipes at every
        size of a fold (so those at divisor 1 may lack some that `results` has). The folds of a divisor are the same
        for all competitors, and some of those of a smaller divisor; the pre-trained may lack some.
    not_reached: titles of learners that suit the data and of which no trial was finished.
    suited: family -> how many of its learners suit the data, where that was listed. transparent: learners whose models
        a person can read whole, but the baseline.
    groups: (rows,) place of each row's group in `run["sensitive"]["labels"]`, where there are any.
    families: that share the budget.
    optimism: learner -> what its trials on all rows look like where they are chosen, and where they are judged.
    """

    run: Mapping[str, Any]
    task: Task
    target: npt.NDArray[Any]
    clusters: npt.NDArray[np.int64]
    trials: tuple[Trial, ...]
    results: Mapping[str, tuple[FoldResult, ...]]
    not_tried: tuple[tuple[str, str], ...] = ()
    anchors: Mapping[str, Mapping[int, tuple[FoldResult, ...]]] = field(default_factory=dict)
    groups: npt.NDArray[np.int32] | None = None
    not_reached: tuple[str, ...] = ()
    suited: Mapping[str, int] = field(default_factory=dict)
    transparent: frozenset[str] = frozenset()
    families: tuple[str, ...] = FAMILIES
    optimism: Mapping[str, Optimism] = field(default_factory=dict)

    @property
    def folds(self) -> int:
        """How many folds every competitor has, but the pre-trained, which may have fewer."""
        return len(next(iter(self.results.values()), ()))

    def packed(self, name: str) -> tuple[FoldResult, ...]:
        """The folds whose members make a competitor's model: the first pass; forward in time the latest fold alone.

        The latest has seen most, and what is nearest to what comes.
        """
        first = tuple(fold for fold in self.results[name] if fold.repeat == 0)
        return first[:1] if self.run["splits"]["how"] == "forward" else first

    def tried(self, family: str) -> int:
        """How many of a family's learners had a look, of whatever size, on every fold of the first pass that counts."""
        folds = [fold.fold for fold in self.results[family] if fold.repeat == 0]
        finished: dict[str, set[str]] = {}
        for trial in self.trials:
            if trial.family == family and trial.status == "done" and _answers_whole(trial):
                finished.setdefault(trial.learner, set()).add(place(trial.fold)[0])
        return sum(set(folds) <= on for on in finished.values())

    def trial(self, key: str) -> Trial:
        """The trial of that key."""
        return next(trial for trial in self.trials if trial.key == key)


def measure(folder: Path, until: float = math.inf) -> Outcome:
    """Read a run's record and form every competitor from it; trains nothing, and gives the same every time.

    Args:
        until: second of the run after which nothing is looked at: what was known by then.
    """
    run = read_run(folder)
    task = task_from_json(run["task"])
    ledger = Ledger(folder)
    trials = tuple(trial for trial in ledger.trials() if trial.stage != "refit" and trial.at <= until)
    arrays = read_arrays(folder / "folds.safetensors")
    desk = _Desk(task, ledger, arrays, [trial for trial in trials if trial.status == "done"])
    listed = _listed(folder)
    families = families_of(run, listed["candidates"] or ({"family": trial.family} for trial in trials))
    folds = _comparable_folds(run, trials)
    ready = _folds_of_third(run, trials, folds) if PRETRAINED in families else []
    results: dict[str, list[FoldResult]] = {name: [] for name in COMPETITORS if ready or name in COMPARED}
    anchors: dict[str, dict[int, list[FoldResult]]] = {name: {} for name in CURVED}
    looks: list[tuple[Trial, float]] = []
    for fold, repeat in folds:
        for name in results:
            if name in COMPARED or fold in ready:
                results[name].append(desk.result(fold, repeat, desk.of_any_size(fold, COMPETITORS[name])))
        for name, divisor, found in _anchors(desk, fold, repeat, has_third=fold in ready):
            anchors.setdefault(name, {}).setdefault(divisor, []).append(found)
        for trial in desk.by_fold.get(fold, ()):
            looks.append((trial, desk.test_loss(trial)))
        desk.forget()
    return Outcome(
        run=run,
        task=task,
        target=arrays["target"],
        clusters=arrays.get("clusters", np.arange(len(arrays["target"]))),
        trials=trials,
        results={name: tuple(folds) for name, folds in results.items()},
        not_tried=_not_tried(run, listed["left_out"]),
        not_reached=_not_reached(listed["candidates"], trials),
        transparent=_transparent(run, listed["candidates"]),
        suited={
            family: len({c["learner"] for c in listed["candidates"] if c["family"] == family})
            for family in FAMILIES
        },
        anchors={name: {d: tuple(folds) for d, folds in of.items()} for name, of in anchors.items()},
        groups=arrays.get("groups"),
        families=families,
        optimism=_optimism(looks),
    )


class _Desk:
    """Forms competitors from stored predictions, each read once."""

    def __init__(
        self, task: Task, ledger: Ledger, arrays: Mapping[str, npt.NDArray[Any]], done: list[Trial]
    ) -> None:
        self.task, self.ledger, self.arrays = task, ledger, arrays
        self.by_fold: dict[str, list[Trial]] = {}
        self.by_base: dict[str, list[Trial]] = {}
        for trial in done:
            self.by_fold.setdefault(trial.fold, []).append(trial)
            if _answers_whole(trial):
                self.by_base.setdefault(place(trial.fold)[0], []).append(trial)
        self._stored: dict[str, dict[str, Prediction]] = {}

    def of(self, fold: str, families: tuple[str, ...]) -> list[Trial]:
        """The finished trials of these families on a fold."""
        return [trial for trial in self.by_fold.get(fold, []) if trial.family in families]

    def of_any_size(self, fold: str, families: tuple[str, ...]) -> list[Trial]:
        """Those on a fold or fewer of its rows that have answered all of its validation rows."""
        return [trial for trial in self.by_base.get(fold, []) if trial.family in families]

    def result(self, fold: str, repeat: int, trials: list[Trial]) -> FoldResult:
        """The best mix of these trials by the fold's validation rows, on its test rows."""
        base, _ = place(fold)
        target = self.arrays["target"]
        valid, test = target[self.arrays[f"{fold}.valid"]], self.arrays[f"{base}.test"].astype(np.intp)
        stored = [self._predictions(trial, fold) for trial in trials]
        weights = choose_members([one["valid"] for one in stored], valid, self.task)
        mixed = {
            part: self.task.average([stored[i][part] for i in weights], list(weights.values()))
            for part in ("valid", "test")
        }
        return FoldResult(
            fold=fold,
            repeat=repeat,
            rows=test,
            prediction=mixed["test"],
            losses=self.task.losses(target[test], mixed["test"]),
            valid_loss=self.task.fitting_loss(valid, mixed["valid"]),
            members=tuple((trials[i].key, weight) for i, weight in weights.items()),
            learned=len(self.arrays[f"{fold}.train"]) + len(valid),
        )

    def test_loss(self, trial: Trial) -> float:
        """The loss that recipes are chosen by, on the test rows of a trial's own fold."""
        test = self.arrays[f"{trial.fold}.test"]
        return self.task.fitting_loss(
            self.arrays["target"][test], self._predictions(trial, trial.fold)["test"]
        )

    def forget(self) -> None:
        """Let go of the predictions of a fold that is done with."""
        self._stored.clear()

    def _predictions(self, trial: Trial, fold: str) -> dict[str, Prediction]:
        """What a trial answered to the validation and test rows of a fold: its own, or the one it is part of."""
        key = f"{trial.key} {fold}"
        if key not in self._stored:
            stored = self.ledger.predictions(trial)
            if trial.fold != fold:
                own = self.arrays[f"{trial.fold}.valid"]
                stored["valid"] = _joined(self.arrays[f"{fold}.valid"], own, stored["valid"], stored[UNSEEN])
            self._stored[key] = {part: stored[part] for part in ("valid", "test")}
        return self._stored[key]


def _optimism(looks: Sequence[tuple[Trial, float]]) -> dict[str, Optimism]:
    """By learner; a loss of nothing on validation rows has no ratio."""
    found: dict[str, list[tuple[Trial, float]]] = {}
    for trial, loss in looks:
        if trial.valid_loss is not None and trial.valid_loss > 0:
            found.setdefault(trial.learner, []).append((trial, loss / trial.valid_loss))
    return {
        learner: Optimism(
            title=several[0][0].title,
            family=several[0][0].family,
            trials=len(several),
            folds=len({trial.fold for trial, _ in several}),
            ratio=float(np.median([ratio for _, ratio in several])),
            low=float(np.quantile([ratio for _, ratio in several], 0.25)),
        )
        for learner, several in sorted(found.items())
    }


def _joined(
    rows: npt.NDArray[np.integer[Any]],
    own: npt.NDArray[np.integer[Any]],
    seen: Prediction,
    unseen: Prediction,
) -> Prediction:
    """Answers to all of a fold's validation rows: to a thinner fold's own, and to the others in their order."""
    joined = np.empty((len(rows), *seen.shape[1:]), dtype=seen.dtype)
    order = np.argsort(rows, kind="stable")
    joined[order[np.searchsorted(rows, own, sorter=order)]] = seen
    others = np.setdiff1d(rows, own)
    joined[order[np.searchsorted(rows, others, sorter=order)]] = unseen
    return joined


def _answers_whole(trial: Trial) -> bool:
    """Whether a trial has answered all validation rows of its fold, or of the one that it has part of."""
    return is_whole(trial.fold) or (trial.screen_loss is not None and not trial.fold.endswith(RAW))


def _anchors(
    desk: _Desk, fold: str, repeat: int, *, has_third: bool
) -> Iterator[tuple[str, int, FoldResult]]:
    """Every competitor on a fold's fewer rows: (name, divisor, result).

    The same recipes are used at all sizes, or a curve would show how long was searched at each.
    """
    sizes = _sizes(desk, fold)
    if len(sizes) < 2:
        return
    common = {
        family: set.intersection(*({t.recipe for t in desk.of(name, (family,))} for name in sizes.values()))
        for family in FAMILIES
    }
    for divisor, name in sizes.items():
        for competitor in CURVED:
            families = tuple(family for family in COMPETITORS[competitor] if family in FAMILIES)
            mine = [t for t in desk.of(name, families) if t.recipe in common[t.family]]
            yield competitor, divisor, desk.result(name, repeat, mine)
    if has_third:
        yield from _anchors_of_third(desk, sizes, repeat)


def _anchors_of_third(
    desk: _Desk, sizes: Mapping[int, str], repeat: int
) -> Iterator[tuple[str, int, FoldResult]]:
    """The pre-trained at those of the two families' sizes where it tried a recipe of all larger ones."""
    held, mine = {t.recipe for t in desk.of(sizes[1], (PRETRAINED,))}, {1: sizes[1]}
    for divisor in sorted(set(sizes) - {1}):
        tried = {t.recipe for t in desk.of(sizes[divisor], (PRETRAINED,))} & held
        if tried:
            mine[divisor], held = sizes[divisor], tried
    if len(mine) < 2:
        return
    for divisor, name in mine.items():
        trials = [t for t in desk.of(name, (PRETRAINED,)) if t.recipe in held]
        yield PRETRAINED, divisor, desk.result(name, repeat, trials)


def _sizes(desk: _Desk, fold: str) -> dict[int, str]:
    """divisor -> name of the fold at that size, where both families have tried one recipe at least that they also
    tried at every larger size."""
    sizes = {1: fold}
    held = {family: {t.recipe for t in desk.of(fold, (family,))} for family in FAMILIES}
    for divisor in DIVISORS_LONG:
        name = thinned(fold, divisor)
        tried = {family: {t.recipe for t in desk.of(name, (family,))} & held[family] for family in FAMILIES}
        if all(tried.values()):
            sizes[divisor], held = name, tried
    return sizes


def _listed(folder: Path) -> Mapping[str, Any]:
    """The learners as listed at the beginning of the run; nothing where it was ended before."""
    listed = folder / "learners.json"
    found: Mapping[str, Any] = read_json(listed) if listed.exists() else {"candidates": [], "left_out": []}
    return found


def _transparent(run: Mapping[str, Any], candidates: Sequence[Mapping[str, Any]]) -> frozenset[str]:
    """Learners whose models a person can read whole; nobody reads weights of gradients or of topics of words."""
    columns = run.get("schema", {}).get("columns", [])
    if all_unstructured(column["kind"] for column in columns):
        return frozenset()
    return frozenset(c["learner"] for c in candidates if c.get("transparent") and c["family"] in FAMILIES)


def _not_tried(run: Mapping[str, Any], left_out: Sequence[Sequence[str]]) -> tuple[tuple[str, str], ...]:
    """The learners left out, and why; without an encoder nobody misses those that need one."""
    known = LEARNERS.names()
    return tuple(
        (str(name), str(why))
        for name, why in left_out
        if run.get("encoders") or name not in known or APART not in LEARNERS.place(name)
    )


def _not_reached(candidates: Sequence[Mapping[str, Any]], trials: tuple[Trial, ...]) -> tuple[str, ...]:
    done = {trial.learner for trial in trials if trial.status == "done"}
    titles = {str(c["title"]): None for c in candidates if c["learner"] not in done}
    return tuple(titles)


def _comparable_folds(run: Mapping[str, Any], trials: tuple[Trial, ...]) -> list[tuple[str, int]]:
    """Folds that the baseline and both families have finished.

    On a further repeat both must have done as much as a fair use of a family needs, or a hurried last fold would be
    mixed with well-searched ones.
    """
    first = {name for name, _ in run["splits"]["folds"][: run["splits"]["first"]]}
    counts = _counts(trials, first)
    usual = {family: max((counts.get((name, family), 0) for name in first), default=0) for family in FAMILIES}
    chosen = []
    for name, repeat in run["splits"]["folds"]:
        enough = all(
            counts.get((name, family), 0)
            >= (1 if name in first else max(1, min(TRIALS_LEAST, usual[family])))
            for family in FAMILIES
        )
        if enough and counts.get((name, "baseline"), 0):
            chosen.append((str(name), int(repeat)))
    return chosen


def _folds_of_third(
    run: Mapping[str, Any], trials: tuple[Trial, ...], folds: Sequence[tuple[str, int]]
) -> list[str]:
    """Those of the comparable folds that the pre-trained has finished; none where it lacks one of the first pass."""
    first = {name for name, _ in run["splits"]["folds"][: run["splits"]["first"]]}
    found = _counts(trials, first)
    counts = {fold: count for (fold, family), count in found.items() if family == PRETRAINED}
    usual = max((counts.get(name, 0) for name in first), default=0)
    enough = max(1, min(TRIALS_LEAST, usual))
    ready = [name for name, _ in folds if counts.get(name, 0) >= (1 if name in first else enough)]
    return ready if all(name in ready for name, _ in folds if name in first) else []


def _counts(trials: tuple[Trial, ...], first: set[str]) -> dict[tuple[str, str], int]:
    """(fold, family) -> finished trials; those on fewer rows count in the first pass: they may be all there is yet."""
    counts: dict[tuple[str, str], int] = {}
    for trial in trials:
        base, _ = place(trial.fold)
        if trial.status == "done" and (is_whole(trial.fold) or (base in first and _answers_whole(trial))):
            counts[base, trial.family] = counts.get((base, trial.family), 0) + 1
    return counts
