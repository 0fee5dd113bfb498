"""What may be said of more rows than there are: nothing, who would overtake, or chances alone."""

from __future__ import annotations

from fathometer.data.sentences import opened
from fathometer.report import amounts
from fathometer.report.record import (
    FAMILIES,
    TITLES,
    Record,
    mapping,
    number,
    probabilities,
    records,
    text,
)
from fathometer.verdict.forecast import ENGINES_APART, LEADING, LIKELY, UNLIKELY

ALIKE = 0.6  # probability of no practical difference from which two are called alike
ROUGH = ("rising", "rough")  # behaviours of a curve that forbid to draw it on
OTHER = {"classical": "deep", "deep": "classical"}


def obstacle(record: Record) -> str:
    """Why the difference cannot be forecast; nothing where it can."""
    curves = mapping(record.result, "curves", "competitors")
    rough = [TITLES[name] for name in FAMILIES if text(curves, name, "behaviour") in ROUGH]
    if rough:
        return f"the curve of {' and of '.join(rough)} is not smooth"
    apart = number(record.result, "outlook", "disagreement")
    return "the two ways of forecasting disagree" if apart is not None and apart > ENGINES_APART else ""


def leader(record: Record) -> str:
    """The family ahead by more than the margin, likelier than not: of two that are level nobody can overtake."""
    found = text(record.result, "outlook", "crossover", "leader")
    now = next(
        (step for step in records(record.result, "outlook", "factors") if number(step, "factor") == 1), {}
    )
    share = number(now, f"p_{found}") if found in FAMILIES else None
    return found if share is not None and share >= LEADING and not obstacle(record) else ""


def sentence(record: Record) -> str:
    """What more rows would change; nothing where that was not measured."""
    if not mapping(record.result, "outlook"):
        return ""
    why = obstacle(record)
    if why:
        return f"What more rows would do to the difference cannot be told: {why}."
    return _overtaking(record, leader(record)) if leader(record) else _chances(record)


def _overtaking(record: Record, ahead: str) -> str:
    crossover = mapping(record.result, "outlook", "crossover")
    never, behind = number(crossover, "p_never"), TITLES[OTHER[ahead]]
    if never is None:
        return ""
    share = amounts.chance(1 - never)
    if 1 - never < UNLIKELY:
        return f"{opened(behind)} would hardly overtake within 16 times your rows, by any amount: {share}."
    if 1 - never < LIKELY:
        return f"Whether {behind} would overtake within 16 times your rows, by any amount, is open: {share}."
    rows = number(crossover, "median_rows")
    near = f" near {amounts.rows(rows)} to learn from" if rows else ""
    return f"{opened(behind)} may overtake{near}: {share} within 16 times your rows, by any amount."


def _chances(record: Record) -> str:
    """Who might pull ahead, where neither clearly leads."""
    steps = [
        (factor, found)
        for step in records(record.result, "outlook", "factors")
        if (factor := number(step, "factor")) and (found := probabilities(step))
    ]
    if not steps:
        return ""
    now = record.probabilities
    alike = "With your rows the two are practically alike. " if now and now[1] >= ALIKE else ""
    factor, (classical, tie, deep) = max(steps)
    shown = [amounts.chance(share) for share in (deep, classical, tie)]
    return (
        f"{alike}With {amounts.factor(factor)} times your rows the chances are {shown[0]} for deep learning ahead by "
        f"more than the margin, {shown[1]} for classical ML ahead, and {shown[2]} for no practical difference."
    )
