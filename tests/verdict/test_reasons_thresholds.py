"""The thresholds are where the pages say: just above them a reason is said, just below it is not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from evidences import (
    a_study,
    calibration,
    crossover,
    evidence,
    fairness,
    importance,
    latency,
    odds,
    outlook,
    said,
    standings_with,
    surrogate,
    train_gap,
    verdict,
)

from fathometer.verdict.evidence import Evidence
from fathometer.verdict.fairness import Comparison, Fairness

DEEP, CLASSICAL = verdict("deep"), verdict("classical")


def with_rows(rows: int, rare: int) -> Evidence:
    base = evidence()
    return replace(base, outcome=replace(base.outcome, target=(np.arange(rows) < rare).astype(np.int64)))


def training(deep: float, classical: float) -> Evidence:
    """Deep learning is used; its fits take so many processor seconds."""
    base = evidence(verdict=DEEP, measures={"classical": latency(0.1, 1.0), "deep": latency(0.1, 1.0)})
    seconds = {"deep": deep, "classical": classical}
    trials = [replace(t, cpu_seconds=seconds.get(t.family, 0.0)) for t in base.outcome.trials]
    return replace(base, outcome=replace(base.outcome, trials=tuple(trials)))


def answering(one: float, thousand: float) -> Evidence:
    """Deep learning is used, and ten times as slow as classical ML."""
    probes = {"deep": latency(one, thousand), "classical": latency(one / 10, thousand / 10)}
    return evidence(verdict=DEEP, measures=probes)


def sized(deep: float, classical: float) -> Evidence:
    of = standings_with(deep={"model_bytes": int(deep)}, classical={"model_bytes": int(classical)})
    return evidence(verdict=DEEP, table=of)


def answered(common: float, fidelity: float) -> Evidence:
    """Deep learning gives one answer to this share of the rows; a tree agrees with it on that share."""
    base = evidence(verdict=DEEP, measures={"deep": surrogate(fidelity)})
    folds = []
    for fold in base.outcome.results["deep"]:
        first = np.arange(len(fold.rows)) < common * len(fold.rows)
        folds.append(replace(fold, prediction=np.where(first[:, None], [0.9, 0.1], [0.1, 0.9])))
    results = {**base.outcome.results, "deep": tuple(folds)}
    return replace(base, outcome=replace(base.outcome, results=results))


def off(ece: float) -> Evidence:
    """With 100,000 rows in a bin, so that few rows are no excuse."""
    many = {name: calibration(value) for name, value in (("deep", ece), ("classical", 0.01))}
    many = {n: replace(c, bins=tuple(replace(b, rows=100_000) for b in c.bins)) for n, c in many.items()}
    return evidence(verdict=DEEP, calibration=many)


def by_heart(deep: float, classical: float) -> Evidence:
    return evidence(verdict=DEEP, measures={"deep": train_gap(deep), "classical": train_gap(classical)})


def rate(value: float) -> Evidence:
    return evidence(verdict=DEEP, fairness=fairness(deep=value))


def mean_error(share: float) -> Evidence:
    """Groups differ by this share of deep learning's RMSE."""
    base = evidence(numbers=True, verdict=DEEP)
    found = base.table["deep"].score
    assert found is not None
    value = share * found.score
    compared = Comparison((), {"mean_error": (value, value / 2, 2 * value)})
    return replace(base, fairness=Fairness("sex", None, {"deep": compared}, (), ""))


CASES: list[tuple[str, Callable[..., Evidence], tuple[float, ...], tuple[float, ...]]] = [
    (
        "V201",
        lambda p: evidence(verdict=CLASSICAL, outlook=outlook(crossover=crossover(p))),
        (0.19,),
        (0.21,),
    ),
    (
        "V202",
        lambda p: evidence(verdict=CLASSICAL, outlook=outlook(crossover=crossover(p))),
        (0.51,),
        (0.49,),
    ),
    ("V207", with_rows, (999, 400), (1_001, 400)),
    ("V207", with_rows, (3_000, 49), (3_000, 50)),
    ("V208", lambda p: evidence(verdict=CLASSICAL, outlook=outlook({16: p})), (0.61,), (0.59,)),
    ("V210", lambda p: evidence(outlook=outlook(dict.fromkeys((2, 4, 8), 0.8), {16: p})), (0.61,), (0.39,)),
    ("V302", training, (8.1, 4.0), (7.9, 4.0)),
    ("V302", training, (1.1, 0.1), (0.9, 0.1)),
    ("V302", answering, (1.1, 1.0), (0.9, 1.0)),
    ("V302", answering, (0.1, 11.0), (0.1, 9.0)),
    ("V303", sized, (101e6, 50e6), (99e6, 50e6)),
    ("V303", sized, (51e6, 5e6), (49e6, 5e6)),
    ("V303", sized, (21e6, 1e6), (19e6, 1e6)),
    ("V402", lambda first: importance_of(first, 5.0), (20.5,), (19.5,)),
    ("V402", lambda first: importance_of(first, 0.1), (2.6,), (2.4,)),
    ("V404", answered, (0.85, 0.96), (0.9, 0.96)),
    ("V404", answered, (0.5, 0.93), (0.5, 0.91)),
    ("V501", off, (0.041,), (0.039,)),
    ("V503", by_heart, (5.1, 1.0), (4.9, 1.0)),
    ("V503", by_heart, (8.1, 4.0), (7.9, 4.0)),
    ("V504", rate, (0.051,), (0.049,)),
    ("V504", mean_error, (0.11,), (0.09,)),
    ("V604", lambda p: evidence(verdict=DEEP, odds=odds(p, 0.5, 0.5 - p)), (0.149,), (0.151,)),
    ("V606", lambda apart: evidence(outlook=outlook(disagreement=apart)), (0.26,), (0.24,)),
    (
        "V603",
        lambda cut: evidence(table=standings_with(deep={"trials": 100, "cut_short": cut})),
        (50,),
        (49,),
    ),
    ("V603", lambda lost: evidence(table=standings_with(deep={"trials": 100, "failed": lost})), (20,), (19,)),
]


def importance_of(first: float, rest: float) -> Evidence:
    """Intervals of width 2 about them, two other columns that share `rest`."""
    return evidence(verdict=DEEP, measures={"deep": importance(a=first, b=rest / 2, c=rest / 2)})


@pytest.mark.parametrize(
    ("code", "make", "above", "below"), CASES, ids=[f"{code}-{above}" for code, _, above, _ in CASES]
)
def test_a_reason_is_said_above_its_threshold_alone(
    code: str, make: Callable[..., Evidence], above: tuple[float, ...], below: tuple[float, ...]
) -> None:
    assert said(code, make(*above)) is not None
    assert said(code, make(*below)) is None


def test_few_rows_in_a_bin_excuse_a_calibration_error() -> None:
    # 300 rows in each of 10 bins: perfect probabilities near one half show sqrt(0.5 / (pi 300)) = 2.3 points
    for ece, is_said in ((0.01 + 0.0470, True), (0.01 + 0.0450, False)):
        both = {"deep": calibration(ece), "classical": calibration(0.01)}
        assert (said("V501", evidence(verdict=DEEP, calibration=both)) is not None) == is_said


def test_the_study_of_these_tests_says_nothing_by_itself() -> None:
    assert a_study().not_tried == ()
    assert {code for code in ("V207", "V603", "V605", "V607") if said(code, evidence())} == set()
