"""What a learner, classical or deep, must do.

A learner is a recipe: a frozen dataclass of settings that never holds data. `fit` returns a model; a model only
predicts. One file in `learners/ml/` or `learners/dl/` is one learner, and its file name is its name.

Laws, checked by `fathometer.testing.learners` for every learner on every kind of column and task it claims:
- it learns from the training rows only, and may stop and choose by the validation rows, on which it then does no better
  than on fresh ones: what is fitted on them is a number or two;
- it changes nothing it is given;
- same rows, settings and seed: same predictions; all randomness comes from `run.seed`;
- predictions are finite, one per row, do not depend on the other rows asked, and probabilities sum to one;
- missing and never-seen values are legal, in training and after; so are a constant column and a column all missing;
- a saved and loaded model predicts the same; what it saves is data (arrays, JSON, native model text), never pickle;
- after a study's preload it imports nothing further: a trial is a fork, and would pay for it every time;
- it ends near `run.seconds` of processor time with the best it has by then;
- with signal in the data it beats the baseline.
"""

from __future__ import annotations

import math
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from fathometer.core.plugins import Plugins
from fathometer.data.encoder_files import Encoder as Encoder
from fathometer.data.rows import Rows
from fathometer.task import Prediction, Task

T = TypeVar("T")


@dataclass
class Run:
    """What one fit is given besides data.

    seed: all randomness comes from it.
    seconds: processor seconds this fit may use. wall_seconds: seconds by the clock on the wall, for a busy machine.
    for_features: further processor seconds for features that are kept, and so are not charged to this fit's learning.
    excused: gives the processor seconds that were spent on such features since the fit began.
    threads: how many threads it may start.
    device: "cpu", or a torch device name.
    decided: choices that depend on the clock, by name. A fit fills it; a replay (`replaying`) starts with it filled,
        does not look at the clock, and so repeats the fit exactly.
    curve: (step, validation loss) pairs as reported: the epoch curve.
    """

    seed: int = 0
    seconds: float = 60.0
    threads: int = 1
    device: str = "cpu"
    decided: dict[str, Any] = field(default_factory=dict)
    curve: list[tuple[int, float]] = field(default_factory=list)
    wall_seconds: float = math.inf
    started: float = field(default_factory=time.process_time)
    started_wall: float = field(default_factory=time.monotonic)
    replaying: bool = False
    for_features: float = 0.0
    excused: Callable[[], float] = float

    def used(self) -> float:
        """Processor seconds used so far, without what was spent on features that later fits find ready."""
        return time.process_time() - self.started - self.excused()

    def left(self) -> float:
        """Seconds left of whichever runs out first; below zero when over."""
        waited = time.monotonic() - self.started_wall
        return min(self.seconds - self.used(), self.wall_seconds - waited)

    def left_for_features(self) -> float:
        """Seconds that may still go into features that are kept: those for them, and those left for this fit."""
        waited = time.monotonic() - self.started_wall
        further = max(self.for_features - self.excused(), 0.0)
        return min(self.seconds - self.used() + further, self.wall_seconds - waited)

    def decide(self, name: str, make: Callable[[], T]) -> T:
        """A choice that depends on the clock: made now and remembered, or taken from the fit that is replayed.

        The choice must be plain data (a number, text, or a list of them).
        """
        if name not in self.decided:
            self.decided[name] = make()
        choice: T = self.decided[name]
        return choice

    def goes_on(self, step: int, reserve: float = 0.0) -> bool:
        """Whether there is time for this step (counted from 0) and, after it, for so many seconds of other work.

        A replay stops where the first fit stopped.
        """
        if self.replaying:
            return "stopped_at" not in self.decided or step < int(self.decided["stopped_at"])
        if step > 0 and self.left() <= reserve:
            self.decided.setdefault("stopped_at", step)
            return False
        return True

    def report(self, step: int, valid_loss: float) -> None:
        """Record a point of the epoch curve."""
        self.curve.append((step, float(valid_loss)))


class Model(ABC):
    """A fitted learner: it only predicts."""

    @abstractmethod
    def predict(self, rows: Rows) -> Prediction:
        """(rows,) values, or (rows, classes) probabilities that sum to one."""

    @abstractmethod
    def save(self, folder: Path) -> None:
        """Write arrays, native model text and JSON into the folder; nothing that runs on loading."""


@dataclass(frozen=True)
class Range:
    """The values one setting may take: numbers from low to high (evenly, or in the logarithm), or a list."""

    low: float = 0.0
    high: float = 0.0
    logarithmic: bool = False
    whole: bool = False
    among: tuple[Any, ...] = ()


@dataclass(frozen=True)
class Facts:
    """What is known of a fit before it: enough to say whether a learner suits, and to choose sizes.

    kinds: those that occur, each once. structured: how many columns are neither words nor pictures nor the like.
    seconds: of processor time that its family has for one fold, everything in all.
    encoders: the pre-trained ones that may be used.
    """

    rows: int
    columns: int
    task: str
    outputs: int
    kinds: tuple[str, ...] = ()
    structured: int = 1
    seconds: float = math.inf
    encoders: tuple[Encoder, ...] = ()


class Learner(ABC):
    """A recipe. Subclasses are frozen dataclasses whose fields are the settings."""

    family: ClassVar[str]  # "classical", "deep", "pretrained" or "baseline"
    title: ClassVar[str]  # for people: "boosted trees (LightGBM)"
    transparent: ClassVar[bool] = False  # a person can read the whole model
    quick: ClassVar[bool] = (
        False  # a fit on few rows takes next to nothing: it comes first where little is known
    )
    growth: ClassVar[float] = 1.0  # power of the rows with which the time of a fit grows, about
    only: ClassVar[frozenset[str]] = frozenset()  # kinds of column it is limited to; empty: every kind
    solves: ClassVar[frozenset[str]] = frozenset({"classification", "regression"})
    needs: ClassVar[tuple[str, ...]] = ()
    """Distributions that loading a model and answering take beside numpy, pandas, pyarrow and safetensors, and beside
    what the kinds of its columns take (bundle/requirements.py)."""
    trains_with: ClassVar[tuple[str, ...]] = ()
    """Packages of extras that a fit imports: without them models are loaded and answer, and nothing is fitted."""
    presets: ClassVar[tuple[tuple[int, Mapping[str, Any]], ...]] = ()
    """Strong fixed settings, tried in order of their number before any search: (turn, settings)."""

    @classmethod
    def space(cls, task: Task) -> dict[str, Range]:
        """The settings worth searching; empty: none."""
        return {}

    @classmethod
    def presets_for(cls, facts: Facts) -> tuple[tuple[int, Mapping[str, Any]], ...]:
        """The presets for such data; the same for all data unless a learner says otherwise."""
        return cls.presets

    @classmethod
    def unsuited(cls, facts: Facts) -> str | None:
        """Why this learner should not be tried on such data (too slow, too large, ...), or None."""
        return None

    @abstractmethod
    def fit(self, train: Rows, valid: Rows, task: Task, run: Run) -> Model:
        """Learn from the training rows; stop and keep the best by the validation rows."""

    @classmethod
    @abstractmethod
    def load(cls, folder: Path) -> Model:
        """The model that was saved there."""

    def settings(self) -> dict[str, Any]:
        """The recipe as plain data."""
        return {item.name: getattr(self, item.name) for item in fields(self)}  # type: ignore[arg-type]


LEARNERS: Plugins[Learner] = Plugins(
    "learner",
    Learner,  # type: ignore[type-abstract]
    ("fathometer.learners.ml", "fathometer.learners.dl", "fathometer.learners.pretrained"),
    "fathometer.learners",
    {"catboost": "boost"},
)
