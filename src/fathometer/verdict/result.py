"""The result as plain data: what result.json holds. Its fields are described in docs/result.md."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from fathometer.study.outcome import Outcome
from fathometer.verdict.axes import Attempt, Standing
from fathometer.verdict.compare import Contrast
from fathometer.verdict.decide import Verdict

RESULT_FORMAT = 1


def as_json(
    outcome: Outcome,
    table: Mapping[str, Standing],
    attempts: Sequence[Attempt],
    verdict: Verdict,
    cpu_seconds: float,
) -> dict[str, Any]:
    """Everything a reader or a program needs of the outcome; NaN and infinity become null.

    Args:
        cpu_seconds: of all ended sittings of the run, with everything around the trials.
    """
    run = outcome.run
    in_learners = sum(trial.fit_seconds + trial.predict_seconds for trial in outcome.trials)
    result = {
        "format": RESULT_FORMAT,
        "created": run["created"],
        "versions": run["versions"],
        "machine": run["machine"],
        "seed": run["seed"],
        "budget_seconds": run["budget"],
        "workers": run["workers"],
        "cost": {
            "cpu_seconds": cpu_seconds,
            "cpu_seconds_in_learners": in_learners,
            "share_in_learners": in_learners / cpu_seconds if cpu_seconds else None,
        },
        "data": run["data"],
        "task": run["task"],
        "understood": run["understood"],
        "left_out": run["left_out"],
        "findings": run["findings"],
        "splits": {key: run["splits"][key] for key in ("how", "first", "overlap", "sentence")},
        "metric": {
            "name": outcome.task.metric,
            "unit": outcome.task.measure.unit,
            "higher_is_better": outcome.task.measure.higher_is_better,
            "margin": outcome.task.margin,
            "gap_unit": outcome.task.measure.gap_unit,
        },
        "verdict": {
            "answer": verdict.answer,
            "sentence": verdict.sentence,
            "p_deep": verdict.p_deep,
            "p_tie": verdict.p_tie,
            "p_classical": verdict.p_classical,
            "use": verdict.use,
            "weak": list(verdict.weak),
            "next_step": verdict.next_step,
            "signal": dict(verdict.signal),
            "families": _contrast(verdict.families),
            "together": _contrast(verdict.together),
        },
        "table": {name: asdict(standing) for name, standing in table.items()},
        "not_tried": [{"learner": name, "why": why} for name, why in outcome.not_tried],
        "leaderboard": [asdict(attempt) for attempt in attempts],
        "folds": {
            name: [
                {
                    "fold": fold.fold,
                    "rows": len(fold.rows),
                    "loss": float(fold.losses.mean()),
                    "members": dict(fold.members),
                }
                for fold in folds
            ]
            for name, folds in outcome.results.items()
        },
    }
    cleaned: dict[str, Any] = _finite(result)
    return cleaned


def _contrast(contrast: Contrast | None) -> dict[str, Any] | None:
    return None if contrast is None else asdict(contrast)


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return value
