"""What engineered features bring: the same recipe on the columns as plain numbers, on the same rows."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fathometer.data.thinning import RAW, place
from fathometer.study.budget import FAMILIES
from fathometer.study.ledger import Trial
from fathometer.study.outcome import Outcome
from fathometer.study.run import structured_columns
from fathometer.task import Prediction
from fathometer.verdict.posterior import spread_of


@dataclass(frozen=True)
class Engineered:
    """One family's best recipe with and without engineered features.

    engineered, raw: scores. gain: of the engineered features, in gap units, with its 95 % interval; above 0 they help.
    """

    title: str
    engineered: float
    raw: float
    gain: float
    low: float
    high: float


@dataclass(frozen=True)
class Ablation:
    """divisor: one row in so many was learned from."""

    divisor: int
    folds: int
    families: Mapping[str, Engineered]
    sentence: str


def ablation(outcome: Outcome, predictions: Callable[[Trial], Mapping[str, Prediction]]) -> Ablation | None:
    """Every family's pairs of trials, where they were run; None where none were.

    Args:
        predictions: gives the stored predictions of a finished trial, "test" among them.
    """
    done = {(t.fold, t.recipe): t for t in outcome.trials if t.status == "done"}
    tests = {fold.fold: fold.rows for fold in outcome.results["baseline"]}
    families: dict[str, Engineered] = {}
    divisors, counts = set(), []
    for family in FAMILIES:
        pairs = [
            (done[fold.removesuffix(RAW), recipe], trial)
            for (fold, recipe), trial in done.items()
            if fold.endswith(RAW) and trial.family == family and (fold.removesuffix(RAW), recipe) in done
        ]
        pairs = [pair for pair in pairs if place(pair[1].fold)[0] in tests]
        if not pairs:
            continue
        divisors |= {place(trial.fold)[1] for _, trial in pairs}
        counts.append(len(pairs))
        families[family] = _engineered(outcome, pairs, tests, predictions)
    if not families:
        return None
    return Ablation(max(divisors), min(counts), families, _sentence(outcome, families))


def _sentence(outcome: Outcome, families: Collection[str]) -> str:
    """What raw and engineered mean for these columns, and whose engineered features were left out."""
    kinds = {column["kind"] for column in outcome.run.get("schema", {}).get("columns", [])}
    if kinds and "deep" not in families and not structured_columns(outcome.run):
        return (
            "Raw: a picture as its pixels, a text as its place in the alphabet. Engineered: what classical learners "
            "get here of words and pictures. Deep learning reads these as they are, so there is nothing to leave out, "
            "and this speaks of classical ML alone."
        )
    pictures = " A picture is raw as its pixels." if "image" in kinds else ""
    return (
        "Raw: every column as one plain number (dates as seconds, categories and texts as their place in the "
        "alphabet). Engineered: as every learner gets them here, dates in parts, categories and texts encoded."
        f"{pictures}"
    )


def _engineered(
    outcome: Outcome,
    pairs: list[tuple[Trial, Trial]],
    tests: Mapping[str, npt.NDArray[np.intp]],
    predictions: Callable[[Trial], Mapping[str, Prediction]],
) -> Engineered:
    task, measure = outcome.task, outcome.task.measure
    rows = [tests[place(raw.fold)[0]] for _, raw in pairs]
    losses = [
        [
            task.losses(outcome.target[of], predictions(trial)["test"])
            for of, trial in zip(rows, side, strict=True)
        ]
        for side in zip(*pairs, strict=True)
    ]
    means = [float(np.mean([one.mean() for one in side])) for side in losses]
    scale = measure.gap_scale(sum(means) / 2)
    gains = [scale * (raw - engineered) for engineered, raw in zip(*losses, strict=True)]
    spread = spread_of(gains, rows, outcome.clusters, float(outcome.run["splits"]["overlap"]))
    low, high = spread.interval()
    titles = [trial.title for trial, _ in pairs]
    return Engineered(
        title=max(set(titles), key=lambda title: (titles.count(title), title)),
        engineered=measure.score(means[0]),
        raw=measure.score(means[1]),
        gain=spread.mean,
        low=low,
        high=high,
    )
