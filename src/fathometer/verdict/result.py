"""The result as plain data: what result.json holds. Its fields are described in docs/result.md."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from fathometer.study.ledger import Trial
from fathometer.verdict.axes import Attempt, known_encoders
from fathometer.verdict.decide import Verdict
from fathometer.verdict.evidence import Evidence
from fathometer.verdict.reasons import find_reasons
from fathometer.verdict.wording import busy, judged, understood

RESULT_FORMAT = 1


def as_json(
    evidence: Evidence, attempts: Sequence[Attempt], cpu_seconds: float, ended: str = ""
) -> dict[str, Any]:
    """Everything a reader or a program needs of what was measured; NaN and infinity become null.

    Args:
        cpu_seconds: of all ended sittings of the run, with everything around the trials. ended: why it last ended;
            empty when it is still at work, or was killed.
    """
    outcome, verdict, table = evidence.outcome, evidence.verdict, evidence.table
    run = outcome.run
    in_learners = sum(
        trial.fit_seconds + trial.predict_seconds - trial.borrowed_seconds for trial in outcome.trials
    )
    result = {
        "format": RESULT_FORMAT,
        "created": run["created"],
        "versions": run["versions"],
        "machine": run["machine"],
        "seed": run["seed"],
        "budget_seconds": run["budget"],
        "workers": run["workers"],
        "ended": ended or None,
        "busy": busy(outcome, table, ended),
        "is_replay": bool(run.get("replay")),
        "not_reached": list(outcome.not_reached),
        "cost": {
            "cpu_seconds": cpu_seconds,
            "cpu_seconds_in_learners": in_learners,
            "share_in_learners": in_learners / cpu_seconds if cpu_seconds else None,
        },
        "data": run["data"],
        "task": run["task"],
        "understood": understood(outcome),
        "left_out": run["left_out"],
        "findings": run["findings"],
        "splits": {
            **{key: run["splits"][key] for key in ("how", "first", "overlap")},
            "scored": outcome.folds,
            "sentence": judged(outcome),
        },
        "metric": {
            "name": outcome.task.metric,
            "unit": outcome.task.measure.unit,
            "higher_is_better": outcome.task.measure.higher_is_better,
            "margin": outcome.task.margin,
            "gap_unit": outcome.task.measure.gap_unit,
        },
        "verdict": _verdict(verdict),
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
    encoders = {"encoders": known_encoders(run)} if run.get("encoders") else {}
    cleaned: dict[str, Any] = _finite(result | encoders | _measured(evidence))
    return cleaned


def _verdict(verdict: Verdict) -> dict[str, Any]:
    """The verdict; `pretrained` only where the run has such a model."""
    told = {**asdict(verdict), "weak": list(verdict.weak), "signal": dict(verdict.signal)}
    if verdict.pretrained is None:
        del told["pretrained"]
    return told


def _measured(evidence: Evidence) -> dict[str, Any]:
    """The parts of the table beside the scores, each null or empty where it was not measured."""
    return {
        "curves": _curves(evidence),
        "outlook": _plain(evidence.outlook),
        "measures": dict(evidence.measures),
        "calibration": {name: asdict(one) for name, one in evidence.calibration.items()},
        "mistakes": _plain(evidence.mistakes),
        "fairness": _fairness(evidence),
        "effort": _plain(evidence.effort),
        "simplicity": _plain(evidence.simplicity),
        "prices": _plain(evidence.prices),
        "ablation": _plain(evidence.ablation),
        "budgets": [asdict(one) for one in evidence.earlier],
        "minutes": _minutes(evidence),
        "optimism": {name: asdict(one) for name, one in evidence.outcome.optimism.items()},
        "odds": _plain(evidence.odds),
        "reasons": [asdict(reason) for reason in find_reasons(evidence)],
        "trials": [_trial(trial) for trial in evidence.outcome.trials],
    }


def _fairness(evidence: Evidence) -> dict[str, Any] | None:
    """The comparison of groups, and which answer was named as the favourable one."""
    if evidence.fairness is None:
        return None
    told = evidence.outcome.run.get("sensitive") or {}
    return {**asdict(evidence.fairness), "favourable": told.get("favourable")}


def _curves(evidence: Evidence) -> dict[str, Any] | None:
    if not evidence.curves:
        return None
    rows = evidence.curves["classical"].points[-1].rows
    return {
        "competitors": {name: asdict(curve) for name, curve in evidence.curves.items()},
        "rows": rows,
        "sentence": (
            "On nested halves of each fold's rows to learn from and choose by, the same for both families, judged on "
            "the same test rows at every size; the fold's best recipes are fitted again at each."
        ),
    }


def _minutes(evidence: Evidence) -> dict[str, Any] | None:
    """The outlook over time; of how far each family came, what is to be told."""
    found = evidence.minutes
    if found is None:
        return None
    told = ("cut_off", "learners", "not_reached", "is_over")
    plain = asdict(found)
    families = {
        name: {key: reach[key] for key in told} | {"promised": found.promised[name]}
        for name, reach in plain["families"].items()
    }
    return {key: value for key, value in plain.items() if key != "promised"} | {"families": families}


def _trial(trial: Trial) -> dict[str, Any]:
    names = ("family", "title", "fold", "stage", "status", "reason", "cpu_seconds", "valid_loss", "settings")
    return {name: getattr(trial, name) for name in names}


def _plain(record: Any) -> dict[str, Any] | None:
    return None if record is None else asdict(record)


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return value
