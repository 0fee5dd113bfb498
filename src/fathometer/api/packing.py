"""From a judged run to the model it leaves: first the model, then all that goes with it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from fathometer.api.records import Study
from fathometer.bundle import Member, pack
from fathometer.bundle.card import model_card
from fathometer.bundle.reference import answers_sketch, make_reference
from fathometer.bundle.rehearsal import make_golden
from fathometer.bundle.requirements import requirements
from fathometer.core.files import size_bytes
from fathometer.data.schema import Schema
from fathometer.engine import Engine, Job
from fathometer.study.budget import REFIT_SHARE
from fathometer.study.ledger import Ledger, Trial
from fathometer.study.outcome import Outcome
from fathometer.study.run import MEMORY_SHARE, refit
from fathometer.study.trial import load_fold, load_rows
from fathometer.task import Task

GOLDEN_SHARE = 0.1  # of the budget may go into answering the golden rows
GOLDEN_LEAST = 20.0  # seconds for that, however short the budget
TOLD = (
    "created",
    "versions",
    "machine",
    "seed",
    "budget_seconds",
    "workers",
    "not_reached",
    "data",
    "task",
    "understood",
    "left_out",
    "findings",
    "splits",
    "metric",
    "verdict",
    "table",
    "not_tried",
    "encoders",
    "curves",
    "outlook",
    "measures",
    "calibration",
    "mistakes",
    "fairness",
    "simplicity",
    "prices",
    "reasons",
)
"""What of a result goes with the model: what was measured of it; not every trial, and no row of the data."""


@dataclass(frozen=True)
class Contents:
    """What a model consists of, and what goes with it.

    about: facts for people. reference: sketches of columns and answers; None: not known. verdict: what was measured.
    created: when it was made, in ISO 8601; None: now.
    """

    schema: Schema
    task: Task
    members: Sequence[Member]
    mixes: Mapping[str, Sequence[Mapping[str, float]]]
    default: str
    about: Mapping[str, Any]
    reference: Mapping[str, Any] | None = None
    verdict: Mapping[str, Any] | None = None
    created: str | None = None


@dataclass(frozen=True)
class Chosen:
    """Which of a run's fitted models make its model. mixes: competitor -> one mix of trials' keys per fold."""

    trials: Sequence[Trial]
    mixes: Mapping[str, Sequence[Mapping[str, float]]]
    default: str


def choose(study: Study, engine: Engine) -> Chosen:
    """What the run was asked to leave: the bag of all folds' models, or one model trained again on all rows."""
    return _small(study, engine) if study.outcome.run.get("model") == "small" else best_of(study)


def leave_model(study: Study, chosen: Chosen) -> None:
    """Leave the model alone, at once: what is measured on it later may never come."""
    write_model(study.folder / "model", contents_of(study, chosen))


def finish_model(study: Study, chosen: Chosen, engine: Engine | None) -> None:
    """Leave the model with all that goes with it, in place of the one that was left at once.

    Args:
        study: with everything that was measured. engine: has the model answer its golden rows; None: there is no time.
    """
    run, name = study.outcome.run, study.folder.name
    rows = load_rows(study.folder)
    reference = make_reference(rows, answers=answers_of(study.outcome, chosen.mixes))
    contents = contents_of(study, chosen, reference, told_of(study.to_json()))
    if engine is None:
        write_model(study.folder / "model", contents, why_not="the run was interrupted", name=name)
        return
    seconds = max(GOLDEN_LEAST, GOLDEN_SHARE * float(run["budget"]))
    golden, why_not = rehearse(engine, study.folder / "model", reference, seconds)
    write_model(study.folder / "model", contents, golden=golden, why_not=why_not, name=name)


def rehearse(
    engine: Engine, model: Path, reference: Mapping[str, Any] | None, seconds: float
) -> tuple[dict[str, Any] | None, str]:
    """Golden rows that a model answered in a worker; or None, and why not."""
    return in_worker(engine, make_golden, {"model": str(model), "reference": reference}, seconds)


def in_worker(
    engine: Engine, work: Callable[..., Any], arguments: dict[str, Any], seconds: float
) -> tuple[Any, str]:
    """What a piece of work gave in a process of its own; or None, and why not."""
    memory = int(MEMORY_SHARE * psutil.virtual_memory().total)
    with closing(engine.map(iter([Job("model", work, arguments, seconds, 2 * seconds, memory)]))) as outcomes:
        outcome = next(outcomes)
    if outcome.status == "done":
        return outcome.value, ""
    why = outcome.reason.removeprefix("BadBundle: ").rstrip(".") or outcome.status.replace("_", " ")
    return None, why


def write_model(
    folder: Path,
    contents: Contents,
    *,
    golden: Mapping[str, Any] | None = None,
    why_not: str = "",
    name: str = "",
) -> None:
    """Write a model folder, whole or not at all.

    Args:
        golden: rows and what the model answered to them; why_not: there are none.
        name: what its card calls it; it has none unless given.
    """
    members = contents.members
    requires = requirements(
        (m.learner for m in members), contents.schema.kinds.values(), (m.folder for m in members)
    )
    told = f"{len(golden['rows'])} made-up rows" if golden else f"none: {why_not}" if why_not else ""
    about = {**contents.about, **({"golden": told} if told else {})}
    described = {
        "schema": contents.schema.to_json(),
        "task": contents.task.to_json(),
        "members": {m.key: {"learner": m.learner, "title": m.title} for m in members},
        "mixes": contents.mixes,
        "default": contents.default,
        "about": about,
        "requires": requires,
    }
    pack(
        folder,
        schema=contents.schema,
        task=contents.task,
        members=members,
        mixes=contents.mixes,
        default=contents.default,
        about=about,
        requires=requires,
        reference=contents.reference,
        verdict=contents.verdict,
        card=model_card(name, described, contents.verdict, _sizes(contents)) if name else None,
        golden=None if golden is None else lambda draft: golden,
        created=contents.created,
    )


def told_of(result: Mapping[str, Any]) -> dict[str, Any]:
    """What of a result (docs/result.md) goes with a model: no row of the data, and no place on this machine."""
    told = {name: result[name] for name in TOLD if name in result}
    told["measures"] = {
        name: {key: value for key, value in dict(measured).items() if key != "examples"}
        for name, measured in (result.get("measures") or {}).items()
    }
    if "encoders" in told:
        told["encoders"] = _placeless(told["encoders"])
    view = (told.get("verdict") or {}).get("pretrained")
    if view:
        told["verdict"] = {
            **told["verdict"],
            "pretrained": {**view, "encoders": _placeless(view["encoders"])},
        }
    return told


def about_run(study: Study, trials: Sequence[Trial]) -> dict[str, Any]:
    """Facts for people: what a run's model answers, and what it was made of. `trials`: the models that are packed."""
    run = study.outcome.run
    return {
        "verdict": study.verdict.sentence,
        "origin": run["data"]["origin"],
        "created": run["created"],
        "target": run["task"]["target"],
        "rows": _learned_rows(study.folder, trials),
        "ids": [one["name"] for one in run.get("left_out", []) if one["reason"] == "id"],
        "model": run.get("model", "best"),
        "encoders": _encoders(run, (trial.settings for trial in trials)),
    }


def answers_of(outcome: Outcome, names: Iterable[str]) -> dict[str, Any]:
    """Sketches of what these competitors answered to rows they had not learned from, every row once."""
    told = {}
    for name in names:
        folds = [fold.prediction for fold in outcome.results.get(name, ()) if fold.repeat == 0]
        if folds:
            told[name] = answers_sketch(outcome.task, np.concatenate(folds))
    return told


def best_of(study: Study) -> Chosen:
    """Every competitor's members of the first pass; the verdict's choice answers by default."""
    outcome = study.outcome
    mixes = {name: [dict(fold.members) for fold in outcome.packed(name)] for name in outcome.results}
    keys = {key for several in mixes.values() for mix in several for key in mix}
    return Chosen([outcome.trial(key) for key in sorted(keys)], mixes, study.verdict.use)


def _small(study: Study, engine: Engine) -> Chosen:
    """The recipe with most weight in the chosen competitor, trained again on all rows."""
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
    return Chosen([trial], {study.verdict.use: [{trial.key: 1.0}]}, study.verdict.use)


def contents_of(
    study: Study,
    chosen: Chosen,
    reference: Mapping[str, Any] | None = None,
    verdict: Mapping[str, Any] | None = None,
) -> Contents:
    run, ledger = study.outcome.run, Ledger(study.folder)
    return Contents(
        schema=Schema.from_json(run["schema"]),
        task=study.outcome.task,
        members=[Member(t.key, t.learner, t.title, ledger.model_folder(t)) for t in chosen.trials],
        mixes=chosen.mixes,
        default=chosen.default,
        about=about_run(study, chosen.trials),
        reference=reference,
        verdict=verdict,
    )


def _learned_rows(folder: Path, trials: Sequence[Trial]) -> int:
    """How many rows the packed models learned from or were chosen by, all together."""
    folds = [load_fold(folder, name) for name in {trial.fold for trial in trials}]
    return len(np.unique(np.concatenate([fold[part] for fold in folds for part in ("train", "valid")])))


def _sizes(contents: Contents) -> dict[str, int]:
    """Bytes of each competitor's members, without encoders."""
    one = {member.key: size_bytes(member.folder) for member in contents.members}
    return {
        name: sum(one[key] for key in {key for mix in mixes for key in mix})
        for name, mixes in contents.mixes.items()
    }


def _encoders(run: Mapping[str, Any], settings: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The pre-trained encoders that packed models began from: what they are, how large, under which licence."""
    used = {one.get("encoder") for one in settings}
    told = ("name", "digest", "licence", "learned_from", "size_bytes")
    return [{key: one[key] for key in told} for one in run.get("encoders", []) if one["digest"] in used]


def _placeless(encoders: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [{key: value for key, value in one.items() if key != "folder"} for one in encoders]
