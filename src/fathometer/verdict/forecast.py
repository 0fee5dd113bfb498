"""What more rows would change, in words."""

from __future__ import annotations

import math
from collections.abc import Mapping

from fathometer.data.sentences import opened
from fathometer.study.outcome import Outcome
from fathometer.verdict.crossover import Crossover
from fathometer.verdict.outlook import FACTOR_MOST, Ahead, Gain, LearningCurve, Outlook
from fathometer.verdict.wording import TITLES, amount, chance, exactly

LIKELY = 0.5  # probability from which an overtaking is given a number of rows
LEADING = 0.5  # probability of leading by more than the margin, from which it is asked who would overtake
# What is given .13 comes true in .23 of drawn studies (benchmarks/results/outlook_coverage.md).
UNLIKELY = 0.1  # below which it is said that there will hardly be one
EARLIER = 0.8  # of the rows: an overtaking whose interval reaches further may as well be noise
ENGINES_APART = 0.25  # in probability: engines that differ by more do not know
OTHER = {"classical": "deep", "deep": "classical"}


def more_rows(
    answer: str, outcome: Outcome, outlook: Outlook | None, curves: Mapping[str, LearningCurve]
) -> str:
    """The outlook as two or three sentences; empty where no curve was measured."""
    if not curves:
        planned = bool(outcome.run["splits"].get("sizes"))
        return "What more rows would bring was not measured within this budget." if planned else ""
    if answer == "no_signal":
        return "With nothing to be learned from these columns, no forecast is made for more rows of them."
    told = [_rising(outcome, curves)]
    rough = [name for name in ("classical", "deep") if curves[name].behaviour in ("rising", "rough")]
    if outlook is None:
        told.append("More is not said: too few sizes were measured on enough folds.")
    elif rough or outlook.disagreement > ENGINES_APART:
        why = (
            f"the curve of {' and of '.join(TITLES[name] for name in rough)} is not smooth"
            if rough
            else "the ways of forecasting disagree"
        )
        told.append(f"Cannot extrapolate the difference: {why}.")
    elif (crossover := outlook.crossover) is not None and _leads(crossover.leader, outlook):
        told += [_ahead(outcome, outlook, (OTHER[crossover.leader],)), _overtaking(crossover, outlook)]
    else:  # of two that are level nobody can overtake
        told.append(_ahead(outcome, outlook, ("classical", "deep")))
    return " ".join(sentence for sentence in told if sentence)


def _rising(outcome: Outcome, curves: Mapping[str, LearningCurve]) -> str:
    """Whether rows still help, and whether they matter more than the choice."""
    unit = outcome.task.measure.gap_unit
    last, following = (
        {name: getattr(curves[name], which) for name in ("classical", "deep")}
        for which in ("gain_last_doubling", "gain_next_doubling")
    )
    if None in following.values():
        brought = _gains(last, unit)
        return f"The last doubling of the rows brought {brought} (95 % intervals)." if brought else ""
    expected = f"twice the rows would bring {_gains(following, unit)} (80 % intervals)"
    states = {curves[name].still for name in ("classical", "deep")}
    if states == {"rising"}:
        return f"Both still learn from more rows: {expected}."
    if states == {"plateau"}:
        return f"More rows of this kind bring little: {expected}."
    return f"As far as can be told, {expected}."


def _gains(gains: Mapping[str, Gain | None], unit: str) -> str:
    return ", ".join(
        f"{TITLES[name]} {'+' if gain.gain >= 0 else '-'}{amount(gain.gain, unit)} "
        f"[{_signed(gain.low)}, {_signed(gain.high)}]"
        for name, gain in gains.items()
        if gain is not None
    )


def _leads(name: str, outlook: Outlook) -> bool:
    """Whether it is likelier than not ahead by more than the margin at the rows in hand."""
    now = outlook.at(1.0)
    return now is not None and _better(now, name) >= LEADING


def _ahead(outcome: Outcome, outlook: Outlook, names: tuple[str, ...]) -> str:
    """The chances of these families to be better by more than the margin, now and with more rows."""
    margin = exactly(outcome.task.margin, outcome.task.measure.gap_unit)
    places = [(1.0, "at your rows"), (4.0, "at 4 times"), (FACTOR_MOST, f"at {FACTOR_MOST:g} times")]
    told = [(ahead, words) for factor, words in places if (ahead := outlook.at(factor)) is not None]
    return " ".join(
        f"P({TITLES[name]} better by more than {margin}): "
        + ", ".join(f"{_chance(_better(ahead, name))} {words}" for ahead, words in told)
        + "."
        for name in names
    )


def _overtaking(crossover: Crossover, outlook: Outlook) -> str:
    leader, behind = opened(TITLES[crossover.leader]), TITLES[OTHER[crossover.leader]]
    by = crossover.p_by.get(int(FACTOR_MOST), 0.0)
    if by >= LIKELY and crossover.median_rows is not None:
        interval = interval_told(crossover, FACTOR_MOST * outlook.rows)
        near = f"{rows_told(crossover.median_rows)} rows to learn from ({interval})"
        told = f"{opened(behind)} would overtake near {near}."
    elif by < UNLIKELY:
        told = (
            f"{opened(behind)} would hardly overtake within {FACTOR_MOST:g} times the rows (P {chance(by)})."
        )
    else:
        told = (
            f"Whether {behind} would overtake within {FACTOR_MOST:g} times the rows is open (P {chance(by)})."
        )
    past = crossover.overtook
    if past is None or past.high >= EARLIER * outlook.rows:
        return told
    return f"{told} {leader} overtook near {rows_told(past.rows)} rows [{rows_told(past.low)}, {rows_told(past.high)}]."


def interval_told(crossover: Crossover, rows_most: float) -> str:
    """Between which rows the crossover lies; `rows_most`: nothing is said beyond."""
    beyond = f"beyond {rows_told(rows_most)}"
    low, high = (
        rows_told(end) if end is not None else beyond for end in (crossover.low_rows, crossover.high_rows)
    )
    return f"80 % interval {low} to {high}"


def _better(ahead: Ahead, name: str) -> float:
    return ahead.p_deep if name == "deep" else ahead.p_classical


def _chance(p: float) -> str:
    return chance(p).removeprefix("= ")


def rows_told(value: float) -> str:
    """Two leading digits: more a forecast is not worth."""
    if value < 10 or not math.isfinite(value):
        return f"{value:.0f}"
    return f"{float(f'{value:.2g}'):,.0f}"


def _signed(value: float) -> str:
    return f"{'-' if value < 0 else ''}{amount(value, '').strip()}"
