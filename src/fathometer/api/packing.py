"""From a judged run to the model folder it leaves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fathometer.api.records import Study
from fathometer.bundle import Member, pack
from fathometer.data.schema import Schema
from fathometer.engine import Engine
from fathometer.study.budget import REFIT_SHARE
from fathometer.study.ledger import Ledger, Trial
from fathometer.study.run import refit


def pack_best(study: Study) -> None:
    """Leave the model: every competitor's members of the first pass; the verdict's choice answers by default."""
    outcome = study.outcome
    mixes = {name: [dict(fold.members) for fold in outcome.packed(name)] for name in outcome.results}
    keys = {key for several in mixes.values() for mix in several for key in mix}
    _pack(study, [outcome.trial(key) for key in sorted(keys)], mixes, study.verdict.use)


def pack_small(study: Study, engine: Engine) -> None:
    """Leave one model: the recipe with most weight in the chosen competitor, trained again on all rows."""
    outcome = study.outcome
    weights: dict[str, float] = {}
    one: dict[str, Trial] = {}
    for fold in outcome.results[study.verdict.use]:
        for key, weight in fold.members:
            trial = outcome.trial(key)
            weights[trial.recipe] = weights.get(trial.recipe, 0.0) + weight
            one[trial.recipe] = max(one.get(trial.recipe, trial), trial, key=lambda trial: trial.cpu_seconds)
    chosen = one[max(weights, key=lambda recipe: weights[recipe])]
    seconds = max(REFIT_SHARE * float(outcome.run["budget"]), 5.0)
    # where the time is too short for all rows, the model of one fold is still a model
    trial = refit(study.folder, engine, chosen, seconds) or chosen
    _pack(study, [trial], {study.verdict.use: [{trial.key: 1.0}]}, study.verdict.use)


def _pack(
    study: Study, trials: Sequence[Trial], mixes: Mapping[str, Sequence[Mapping[str, float]]], default: str
) -> None:
    run, ledger = study.outcome.run, Ledger(study.folder)
    pack(
        study.folder / "model",
        schema=Schema.from_json(run["schema"]),
        task=study.outcome.task,
        members=[Member(t.key, t.learner, t.title, ledger.model_folder(t)) for t in trials],
        mixes=mixes,
        default=default,
        about={
            "verdict": study.verdict.sentence,
            "origin": run["data"]["origin"],
            "created": run["created"],
            "encoders": _encoders(run, trials),
        },
    )


def _encoders(run: Mapping[str, Any], trials: Sequence[Trial]) -> list[dict[str, Any]]:
    """The pre-trained encoders that packed models began from: what they are, how large, under which licence."""
    used = {trial.settings.get("encoder") for trial in trials}
    told = ("name", "digest", "licence", "learned_from", "size_bytes")
    return [{key: one[key] for key in told} for one in run.get("encoders", []) if one["digest"] in used]
