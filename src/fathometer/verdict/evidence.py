"""Everything the answer, its reasons and the report rest on, gathered from the record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from fathometer.kind import all_unstructured
from fathometer.study.budget import PRETRAINED, TRAINING_ENDS
from fathometer.study.ledger import Ledger
from fathometer.study.outcome import Outcome, measure
from fathometer.study.run import read_measures
from fathometer.verdict.ablation import Ablation, ablation
from fathometer.verdict.axes import Standing, standings
from fathometer.verdict.calibration import Calibration, calibrations
from fathometer.verdict.catching_up import catch_up, more_rows_of
from fathometer.verdict.compare import Contrast, contrast
from fathometer.verdict.decide import Verdict, decide
from fathometer.verdict.effort import Effort, effort
from fathometer.verdict.fairness import Fairness, fairness
from fathometer.verdict.minutes import Minutes, foresee_minutes, measured_at
from fathometer.verdict.mistakes import Mistakes, mistakes
from fathometer.verdict.odds import Odds, odds
from fathometer.verdict.outlook import (
    LearningCurve,
    Outlook,
    facts_of,
    foresee,
)
from fathometer.verdict.prices import Prices, prices
from fathometer.verdict.simplicity import Simplicity, simplicity

SHARES = (0.25, 0.5)  # of the budget, under which the verdict is drawn too
NEARLY_ALL = 0.8  # of the time for training: then the budget counts as used


@dataclass(frozen=True)
class Earlier:
    """What the verdict was when only this share of the budget had been used."""

    share: float
    seconds: float
    answer: str
    sentence: str
    p_deep: float
    p_tie: float
    p_classical: float
    folds: int


@dataclass(frozen=True)
class Evidence:
    """All that was measured. Every part but the first three may be empty: not measured, or not to be had.

    measures: competitor -> what was measured on its fitted models (study/probe.py), plain data.
    earlier: the verdict under a quarter, a half and all of the budget. minutes: what more time would change.
    """

    outcome: Outcome
    table: Mapping[str, Standing]
    verdict: Verdict
    curves: Mapping[str, LearningCurve] = field(default_factory=dict)
    outlook: Outlook | None = None
    calibration: Mapping[str, Calibration] = field(default_factory=dict)
    mistakes: Mistakes | None = None
    fairness: Fairness | None = None
    effort: Effort | None = None
    simplicity: Simplicity | None = None
    prices: Prices | None = None
    ablation: Ablation | None = None
    earlier: Sequence[Earlier] = ()
    odds: Odds | None = None
    measures: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    minutes: Minutes | None = None


def answer(outcome: Outcome) -> Evidence:
    """The answer alone, which is enough to leave a model."""
    table = standings(outcome)
    return Evidence(outcome, table, decide(outcome, table))


def gather(folder: Path, outcome: Outcome) -> Evidence:
    """Everything that a run's record holds, judged; trains nothing, and gives the same every time."""
    if outcome.folds == 0:
        return replace(answer(outcome), odds=_odds(outcome))
    table = standings(outcome)
    families = contrast(outcome, "classical", "deep")
    curves, outlook = foresee(outcome, families)
    parts = _parts(folder, outcome)
    predictions = Ledger(folder).predictions
    verdict, curves = _looking_ahead(outcome, decide(outcome, table, outlook, curves), curves)
    return Evidence(
        outcome=outcome,
        table=table,
        verdict=verdict,
        curves=curves,
        outlook=outlook,
        calibration=calibrations(outcome),
        mistakes=mistakes(outcome),
        fairness=_fairness(outcome),
        effort=effort(outcome),
        simplicity=simplicity(outcome, outcome.transparent, predictions),
        prices=prices(outcome, table),
        ablation=ablation(outcome, predictions),
        earlier=tuple(_judged(outcome, share, part) for share, part in parts.items()),
        odds=_odds(outcome),
        measures=read_measures(folder),
        minutes=_minutes(outcome, families, parts),
    )


def _looking_ahead(
    outcome: Outcome, verdict: Verdict, curves: dict[str, LearningCurve]
) -> tuple[Verdict, dict[str, LearningCurve]]:
    """What more rows would do to the lead of the pre-trained model, in the verdict; its curve beside the others."""
    view = verdict.pretrained
    if view is None:
        return verdict, curves
    curve, found = catch_up(outcome, view.against)
    own = more_rows_of(found, view.against)
    said = " ".join(filter(None, (verdict.more_rows, own)))
    verdict = replace(verdict, more_rows=said, pretrained=replace(view, outlook=found, more_rows=own))
    return verdict, curves if curve is None else {**curves, PRETRAINED: curve}


def _parts(folder: Path, outcome: Outcome) -> dict[float, Outcome]:
    """What was finished by a quarter and by a half of the budget, and all, by the share that was used of it."""
    budget = float(outcome.run["budget"])
    used = min(1.0, max((trial.at for trial in outcome.trials), default=0.0) / (TRAINING_ENDS * budget))
    # a run that was stopped, or had nothing left to try, says nothing of time it did not use
    earlier = {
        share: _with_budget(measure(folder, until=share * budget), share) for share in SHARES if share < used
    }
    return {**earlier, (1.0 if used > NEARLY_ALL else used): outcome}


def _with_budget(part: Outcome, share: float) -> Outcome:
    """As if no more had been allowed: a budget of which only a part was used would look like a run with time left."""
    return replace(part, run={**part.run, "budget": share * float(part.run["budget"])})


def _judged(outcome: Outcome, share: float, part: Outcome) -> Earlier:
    verdict = decide(part, standings(part))
    return Earlier(
        share=share,
        seconds=share * float(outcome.run["budget"]),
        answer=verdict.answer,
        sentence=verdict.sentence,
        p_deep=verdict.p_deep,
        p_tie=verdict.p_tie,
        p_classical=verdict.p_classical,
        folds=part.folds,
    )


def _minutes(outcome: Outcome, families: Contrast, parts: Mapping[float, Outcome]) -> Minutes | None:
    """The outlook over time, with what was measured when parts of the time were used."""
    found = foresee_minutes(outcome, families)
    if found is None:
        return None
    budget = float(outcome.run["budget"])
    return replace(
        found, measured=measured_at(outcome, {share * budget: part for share, part in parts.items()})
    )


def _odds(outcome: Outcome) -> Odds | None:
    """None where all columns are words or pictures: what is known of tables says nothing of them."""
    if all_unstructured(column["kind"] for column in outcome.run["schema"]["columns"]):
        return None
    columns = int(outcome.run["data"].get("columns", 1))
    return odds(facts_of(outcome.task, outcome.target, columns), outcome.task.name)


def _fairness(outcome: Outcome) -> Fairness | None:
    told = outcome.run.get("sensitive")
    if told is None or outcome.groups is None:
        return None
    groups = [told["labels"][code] for code in outcome.groups]
    label, labels = told.get("favourable"), outcome.task.to_json().get("labels", [])
    favourable = list(labels).index(label) if label in labels else None
    return fairness(outcome, str(told["column"]), groups, favourable)
