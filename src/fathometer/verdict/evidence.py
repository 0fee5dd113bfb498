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
from fathometer.verdict.compare import contrast
from fathometer.verdict.decide import Verdict, decide
from fathometer.verdict.effort import Effort, effort
from fathometer.verdict.fairness import Fairness, fairness
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
    earlier: the verdict under a quarter, a half and all of the budget.
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


def answer(outcome: Outcome) -> Evidence:
    """The answer alone, which is enough to leave a model."""
    table = standings(outcome)
    return Evidence(outcome, table, decide(outcome, table))


def gather(folder: Path, outcome: Outcome) -> Evidence:
    """Everything that a run's record holds, judged; trains nothing, and gives the same every time."""
    if outcome.folds == 0:
        return replace(answer(outcome), odds=_odds(outcome))
    table = standings(outcome)
    curves, outlook = foresee(outcome, contrast(outcome, "classical", "deep"))
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
        earlier=_earlier(folder, outcome),
        odds=_odds(outcome),
        measures=read_measures(folder),
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


def _earlier(folder: Path, outcome: Outcome) -> tuple[Earlier, ...]:
    """The verdict on what was finished by a quarter and by a half of the budget, and on all that was used of it."""
    budget = float(outcome.run["budget"])
    used = min(1.0, max((trial.at for trial in outcome.trials), default=0.0) / (TRAINING_ENDS * budget))
    # a run that was stopped, or had nothing left to try, says nothing of time it did not use
    shares = [share for share in SHARES if share < used] + [1.0 if used > NEARLY_ALL else used]
    found = []
    for share in shares:
        known = outcome if share == shares[-1] else measure(folder, until=share * budget)
        verdict = decide(known, standings(known))
        found.append(
            Earlier(
                share=share,
                seconds=share * budget,
                answer=verdict.answer,
                sentence=verdict.sentence,
                p_deep=verdict.p_deep,
                p_tie=verdict.p_tie,
                p_classical=verdict.p_classical,
                folds=known.folds,
            )
        )
    return tuple(found)


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
