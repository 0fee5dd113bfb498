"""What the peer scripts share: their arguments, the clock, the scores and the result file.

The peers live in virtual environments of their own, so this module needs only numpy, pandas and
scikit-learn, which both of them bring along.
"""

import argparse
import json
import os
import resource
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.metrics import (
    accuracy_score,
    log_loss,
    mean_absolute_error,
    r2_score,
    roc_auc_score,
    root_mean_squared_error,
)

FloatArray = npt.NDArray[np.float64]
ProcessKey = tuple[int, int]

PROBABILITY_FLOOR: Final = 1e-15
SAMPLE_INTERVAL_SECONDS: Final = 1.0
LONGEST_ERROR_CHARACTERS: Final = 2_000


@dataclass(frozen=True)
class PeerArguments:
    """One run's order: the files, what to predict, how it is judged and the budget in seconds."""

    train_path: Path
    test_path: Path
    target: str
    task: str
    metric: str
    budget_seconds: float
    out_path: Path


@dataclass(frozen=True)
class PeerRun:
    """What a fitted peer hands back: predictions of the test rows, in their order."""

    predicted: npt.NDArray[Any]
    probabilities: FloatArray | None
    """One column per label of `labels`; None for regression."""
    labels: tuple[Any, ...]
    predict_seconds: float
    details: dict[str, Any]
    """What is worth knowing about the fit, such as the model chosen."""


@dataclass
class PeerTables:
    """The training features and target, and the test features."""

    train: pd.DataFrame
    test_features: pd.DataFrame
    test_target: pd.Series


def parse_arguments(description: str) -> PeerArguments:
    """Read the seven positional arguments that every peer script takes."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("train_path", type=Path)
    parser.add_argument("test_path", type=Path)
    parser.add_argument("target")
    parser.add_argument("task", choices=("classification", "regression"))
    parser.add_argument("metric", choices=("accuracy", "log_loss", "rmse"))
    parser.add_argument("budget_seconds", type=float)
    parser.add_argument("out_path", type=Path)
    return PeerArguments(**vars(parser.parse_args()))


def read_tables(arguments: PeerArguments) -> PeerTables:
    """Read both files as pandas reads them by default, with columns that are dates parsed as dates."""
    train = pd.read_csv(arguments.train_path)
    test = pd.read_csv(arguments.test_path)
    for column in train.columns.drop(arguments.target):
        if _is_date_text(train[column]) and _is_date_text(test[column]):
            train[column] = pd.to_datetime(train[column])
            test[column] = pd.to_datetime(test[column])
    return PeerTables(train, test.drop(columns=arguments.target), test[arguments.target])


def _is_date_text(column: pd.Series) -> bool:
    """Whether every cell is text in the form of an ISO date, with or without a time."""
    if pd.api.types.is_numeric_dtype(column):
        return False
    return bool(column.astype(str).str.fullmatch(r"\d{4}-\d\d-\d\d([ T]\d\d:\d\d(:\d\d)?)?").all())


def _process_table() -> dict[ProcessKey, tuple[int, int]]:
    """Map (process id, start tick) to (parent id, own user + system ticks) for all processes alive."""
    table: dict[ProcessKey, tuple[int, int]] = {}
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            text = (folder / "stat").read_text(encoding="ascii", errors="replace")
        except OSError:
            continue  # the process ended between listing and reading
        # The command name is in brackets and may hold blanks; the fields after it may not.
        fields = text[text.rindex(")") + 2 :].split()
        table[int(folder.name), int(fields[19])] = (int(fields[1]), int(fields[11]) + int(fields[12]))
    return table


def _machine_seconds() -> tuple[float, float]:
    """Seconds since boot, summed over cores, that the machine worked and that its host kept from it."""
    with Path("/proc/stat").open(encoding="ascii") as lines:
        user, nice, system, _, _, interrupt, soft_interrupt, stolen = map(int, next(lines).split()[1:9])
    ticks = os.sysconf("SC_CLK_TCK")
    return (user + nice + system + interrupt + soft_interrupt) / ticks, stolen / ticks


class CpuMeter:
    """Count the processor seconds of this process and its descendants between enter and exit.

    The kernel's own account of children leaves out those whose parent died first, as Ray's workers
    do; a thread therefore looks at the process tree once a second. Either count can only be too
    low, so the higher one holds. Two numbers tell whether others disturbed the run: the seconds of
    processes seen outside the tree (too low as well), and all that the machine did beyond
    `cpu_seconds` (too high, as it holds descendants too short-lived to be seen).
    """

    def __init__(self) -> None:
        """Prepare a meter; nothing is counted before `with`."""
        self.wall_seconds = 0.0
        self.cpu_seconds = 0.0
        self.foreign_cpu_seconds = 0.0
        self.other_cpu_seconds = 0.0
        self.stolen_cpu_seconds = 0.0
        self._ticks_before: dict[ProcessKey, int] = {}
        self._ticks_last: dict[ProcessKey, int] = {}
        self._family: set[ProcessKey] = set()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        """Start the clock and the watching thread."""
        self._sample()
        self._ticks_before = dict(self._ticks_last)
        self._rusage_before = _rusage_seconds()
        self._machine_before = _machine_seconds()
        self._thread.start()
        self._wall_before = time.perf_counter()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop the clock and add the count up."""
        self.wall_seconds = time.perf_counter() - self._wall_before
        self._stop.set()
        self._thread.join()
        self._sample()
        used = {key: last - self._ticks_before.get(key, 0) for key, last in self._ticks_last.items()}
        ticks_a_second = os.sysconf("SC_CLK_TCK")
        sampled = sum(ticks for key, ticks in used.items() if key in self._family) / ticks_a_second
        self.cpu_seconds = max(sampled, _rusage_seconds() - self._rusage_before)
        foreign = sum(ticks for key, ticks in used.items() if key not in self._family)
        self.foreign_cpu_seconds = foreign / ticks_a_second
        busy, stolen = _machine_seconds()
        self.other_cpu_seconds = max(0.0, busy - self._machine_before[0] - self.cpu_seconds)
        self.stolen_cpu_seconds = stolen - self._machine_before[1]

    def _watch(self) -> None:
        """Sample the process tree until the meter stops."""
        while not self._stop.wait(SAMPLE_INTERVAL_SECONDS):
            self._sample()

    def _sample(self) -> None:
        """Remember every process's ticks so far and who descends from this one; once in, always in."""
        table = _process_table()
        family = {os.getpid()} | {pid for pid, start in self._family if (pid, start) in table}
        before = 0
        while len(family) != before:  # parents may come after their children in the listing
            before = len(family)
            family |= {pid for (pid, _), (parent, _) in table.items() if parent in family}
        self._family |= {key for key in table if key[0] in family}
        self._ticks_last |= {key: ticks for key, (_, ticks) in table.items()}


def _rusage_seconds() -> float:
    """User and system seconds of this process and of its children that have ended."""
    own = resource.getrusage(resource.RUSAGE_SELF)
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


def classification_scores(
    truth: Sequence[Any], predicted: npt.NDArray[Any], probabilities: FloatArray, labels: Sequence[Any]
) -> dict[str, float]:
    """Accuracy, log-loss in nats and area under the curve (several classes: one against the rest, mean)."""
    clipped = np.clip(probabilities, PROBABILITY_FLOOR, 1.0)
    clipped = clipped / clipped.sum(axis=1, keepdims=True)
    order = [list(labels).index(label) for label in sorted(labels)]
    ordered = clipped[:, order]
    scores = ordered[:, 1] if len(labels) == 2 else ordered
    return {
        "accuracy": float(accuracy_score(truth, predicted)),
        "log_loss": float(log_loss(truth, ordered, labels=sorted(labels))),
        "auc": float(roc_auc_score(truth, scores, multi_class="ovr", labels=sorted(labels))),
    }


def regression_scores(truth: Sequence[float], predicted: npt.NDArray[Any]) -> dict[str, float]:
    """Root mean squared error and mean absolute error in the target's unit, and R squared."""
    return {
        "rmse": float(root_mean_squared_error(truth, predicted)),
        "mae": float(mean_absolute_error(truth, predicted)),
        "r2": float(r2_score(truth, predicted)),
    }


def _scores(run: PeerRun, truth: pd.Series) -> dict[str, float]:
    """The scores of a run: those of classes where it has probabilities, else those of numbers."""
    if run.probabilities is None:
        return regression_scores(truth.tolist(), run.predicted)
    return classification_scores(truth.tolist(), run.predicted, run.probabilities, run.labels)


def measure(
    system: str,
    version: str,
    arguments: PeerArguments,
    fit: Callable[[PeerTables], Any],
    predict: Callable[[Any, PeerTables], PeerRun],
) -> None:
    """Fit under the clock, predict, score and write the result; a failure is a result as well."""
    result: dict[str, Any] = {
        "system": system,
        "version": version,
        "table": arguments.train_path.parent.name,
        "metric": arguments.metric,
        "budget": arguments.budget_seconds,
        "wall_seconds": None,
        "cpu_seconds": None,
        "foreign_cpu_seconds": None,
        "other_cpu_seconds": None,
        "stolen_cpu_seconds": None,
        "predict_seconds": None,
        "scores": {},
        "details": {},
        "error": None,
    }
    meter = CpuMeter()
    try:
        tables = read_tables(arguments)
        with meter:
            fitted = fit(tables)
        run = predict(fitted, tables)
        result["predict_seconds"] = run.predict_seconds
        result["details"] = run.details
        result["scores"] = _scores(run, tables.test_target)
    except Exception as error:  # whatever a peer raises is its result on this table
        traceback.print_exc()
        result["error"] = f"{type(error).__name__}: {error}"[:LONGEST_ERROR_CHARACTERS]
    result["wall_seconds"] = meter.wall_seconds
    result["cpu_seconds"] = meter.cpu_seconds
    result["foreign_cpu_seconds"] = meter.foreign_cpu_seconds
    result["other_cpu_seconds"] = meter.other_cpu_seconds
    result["stolen_cpu_seconds"] = meter.stolen_cpu_seconds
    arguments.out_path.parent.mkdir(parents=True, exist_ok=True)
    arguments.out_path.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
