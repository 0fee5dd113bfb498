"""When the better of the two families would catch up with the pre-trained model, or when it did.

A model that was trained before starts ahead, and one that is trained on these rows alone catches up: the other way
round than deep learning and classical ML. So the forecast of the gap (`outlook`) is asked with the pre-trained in the
place of the family that starts ahead, and the better of the two in that of the one that starts behind.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from fathometer.data.sentences import opened
from fathometer.study.budget import PRETRAINED
from fathometer.study.outcome import Outcome
from fathometer.study.record import FoldResult
from fathometer.verdict.compare import contrast
from fathometer.verdict.crossover import Crossover
from fathometer.verdict.forecast import (
    EARLIER,
    ENGINES_APART,
    LEADING,
    LIKELY,
    UNLIKELY,
    interval_told,
    rows_told,
)
from fathometer.verdict.outlook import FACTOR_MOST, Ahead, LearningCurve, Outlook, foresee
from fathometer.verdict.wording import TITLES, chance

ROUGH = ("rising", "rough")
LEARNED_ELSEWHERE = (
    "The forecast was learned on models that were trained from scratch; a pre-trained one may differ."
)


@dataclass(frozen=True)
class Lead:
    """The lead of the pre-trained at `factor` times the rows, in gap units with its 80 % interval, below 0 where it is
    behind; and the probabilities that it is better, alike or worse by the margin."""

    factor: float
    rows: int
    p_better: float
    p_same: float
    p_worse: float
    gap: float
    low: float
    high: float


@dataclass(frozen=True)
class CatchUp:
    """The lead with more rows.

    rows: to learn from at present. crossover: as between the two families; its `leader` is "pretrained" or the other.
    obstacle: why nothing is said of more rows, or nothing.
    """

    rows: int
    factors: tuple[Lead, ...]
    crossover: Crossover | None
    disagreement: float
    obstacle: str
    note: str


def catch_up(outcome: Outcome, against: str) -> tuple[LearningCurve | None, CatchUp | None]:
    """The data learning curve of the pre-trained, and the outlook of its lead; None where too few sizes were measured.

    Args:
        against: the competitor that it is compared with.
    """
    if PRETRAINED not in outcome.anchors:
        return None, None
    pair = _as_pair(outcome, against)
    curves, outlook = foresee(pair, contrast(pair, "classical", "deep"))
    if not curves:
        return None, None
    names = {"classical": PRETRAINED, "deep": against}
    rough = [TITLES[name] for slot, name in names.items() if curves[slot].behaviour in ROUGH]
    return curves["classical"], None if outlook is None else _catch_up(outlook, names, rough)


def more_rows_of(found: CatchUp | None, against: str) -> str:
    """The outlook as a sentence; empty where there is none."""
    if found is None:
        return ""
    other, pretrained = TITLES[against], TITLES[PRETRAINED]
    if found.obstacle:
        return f"When {other} would catch up with {pretrained} cannot be told: {found.obstacle}."
    now = next((lead for lead in found.factors if lead.factor == 1.0), None)
    crossover = found.crossover
    if now is None or crossover is None:
        return ""
    if now.p_better >= LEADING and crossover.leader == PRETRAINED:
        return _ahead(found, crossover, other)
    past = crossover.overtook
    if crossover.leader == against and past is not None and past.high < EARLIER * found.rows:
        near = f"{rows_told(past.rows)} rows to learn from [{rows_told(past.low)}, {rows_told(past.high)}]"
        return f"With fewer rows {pretrained} was ahead; {other} caught up near {near}."
    return ""


def _ahead(found: CatchUp, crossover: Crossover, other: str) -> str:
    by, pretrained = crossover.p_by.get(int(FACTOR_MOST), 0.0), TITLES[PRETRAINED]
    if by >= LIKELY and crossover.median_rows is not None:
        interval = interval_told(crossover, FACTOR_MOST * found.rows)
        near = f"{rows_told(crossover.median_rows)} rows to learn from ({interval})"
        return f"{opened(other)} would catch up with {pretrained} near {near}."
    within = f"within {FACTOR_MOST:g} times the rows"
    if by < UNLIKELY:
        return f"{opened(other)} would hardly catch up with {pretrained} {within} (P {chance(by)})."
    return f"Whether {other} would catch up with {pretrained} {within} is open (P {chance(by)})."


def _catch_up(outlook: Outlook, names: Mapping[str, str], rough: list[str]) -> CatchUp:
    crossover = outlook.crossover
    obstacle = ""
    if rough:
        obstacle = f"the curve of {' and of '.join(rough)} is not smooth"
    elif outlook.disagreement > ENGINES_APART:
        obstacle = "the ways of forecasting disagree"
    return CatchUp(
        rows=outlook.rows,
        factors=tuple(map(_lead, outlook.factors)),
        crossover=None if crossover is None else replace(crossover, leader=names[crossover.leader]),
        disagreement=outlook.disagreement,
        obstacle=obstacle,
        note=f"{outlook.note} {LEARNED_ELSEWHERE}".strip(),
    )


def _lead(ahead: Ahead) -> Lead:
    """The pre-trained stands in the place of classical ML, whose lead is a gap below 0."""
    chances = ahead.p_classical, ahead.p_tie, ahead.p_deep
    return Lead(ahead.factor, ahead.rows, *chances, -ahead.gap, -ahead.high, -ahead.low)


def _as_pair(outcome: Outcome, against: str) -> Outcome:
    """The pre-trained in the place of classical ML and the other in that of deep learning, on their common folds."""
    mine = outcome.results[PRETRAINED]
    other = _of_folds(outcome.results[against], mine)
    results = {
        "baseline": _of_folds(outcome.results["baseline"], mine),
        "classical": mine,
        "deep": other,
        "together": other,
    }
    small = outcome.anchors[PRETRAINED]
    others = {
        divisor: _of_folds(outcome.anchors[against].get(divisor, ()), folds)
        for divisor, folds in small.items()
    }
    return replace(outcome, results=results, anchors={"classical": small, "deep": others, "together": others})


def _of_folds(folds: tuple[FoldResult, ...], wanted: tuple[FoldResult, ...]) -> tuple[FoldResult, ...]:
    names = {fold.fold for fold in wanted}
    return tuple(fold for fold in folds if fold.fold in names)
