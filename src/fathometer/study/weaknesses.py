"""Where a model errs, by what a person can see in words and pictures: short texts, dark pictures."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fathometer.study.bench import NORMAL_HALF, Bench, finite, scale_of, standard_error
from fathometer.study.facts import fact_columns, facts_of

PARTS = 3  # low, middle and high values of a fact
LEAST_ROWS = 10  # of each, below which nothing is said
MOST_ROWS = 5_000


def errors_by_fact(bench: Bench) -> list[dict[str, Any]]:
    """For every fact a third of the test rows with low, middle and high values: the score, and how much worse.

    `gap` is in gap units against the rows of the other thirds, above 0: worse, with its 95 % interval. Equal values
    stay together; empty where no column has facts.
    """
    names = fact_columns(bench.rows)
    if not names:
        return []
    test, answers, clusters = bench.ask_test(MOST_ROWS)
    losses = bench.losses(test, answers)
    facts = {column: facts_of(test, column) for column in dict.fromkeys(c for c, _ in names.values())}
    found: list[dict[str, Any]] = []
    for column, fact in names.values():
        values = facts[column][fact]
        present = values[np.isfinite(values)]
        if not len(present):
            continue
        edges = np.unique(np.quantile(present, np.linspace(0, 1, PARTS + 1)[1:-1]))
        member = np.where(np.isfinite(values), np.searchsorted(edges, values, "left"), -1)
        for part in np.unique(member[member >= 0]):
            inside = member == part
            if inside.sum() < LEAST_ROWS or (~inside).sum() < LEAST_ROWS:
                continue
            here = values[inside]
            ends = {"from": float(here.min()), "to": float(here.max()), "rows": int(inside.sum())}
            gap = _against_the_others(bench, losses, inside, clusters)
            found.append({"column": column, "fact": fact, **ends, **gap})
    return found


def _against_the_others(bench: Bench, losses: Any, inside: Any, clusters: Any) -> dict[str, Any]:
    sides = [losses[inside], losses[~inside]]
    means = [float(side.mean()) for side in sides]
    scale = scale_of(bench, *means)
    gap = scale * (means[0] - means[1])
    errors = [
        standard_error(side, clusters[rows]) for side, rows in zip(sides, (inside, ~inside), strict=True)
    ]
    half = scale * NORMAL_HALF * math.hypot(*errors)
    score = finite(bench.task.measure.score(means[0]))
    return {"score": score, "gap": finite(gap), "low": finite(gap - half), "high": finite(gap + half)}
