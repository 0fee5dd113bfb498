"""What more rows would do to the answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from fathometer.data.sentences import counted, opened
from fathometer.study.budget import FAMILIES, PRETRAINED
from fathometer.tasks.classification import Classification
from fathometer.verdict.crossover import Crossover
from fathometer.verdict.decide import LEANING, WINNER
from fathometer.verdict.evidence import Evidence
from fathometer.verdict.forecast import EARLIER, ENGINES_APART, LEADING
from fathometer.verdict.outlook import Ahead, Gain, Outlook
from fathometer.verdict.reasons.facts import (
    Estimate,
    about_rows,
    curves_of,
    estimate,
    gap_of,
    margin_told,
    named,
    number,
    opening,
    other,
    plain,
    plainly,
    quoted,
    unit_of,
)
from fathometer.verdict.reasons.reason import Reason, Strength
from fathometer.verdict.wording import TITLES, amount, chance

MOST = 16  # times the rows: beyond that nothing is forecast
OVERTAKES = 0.5  # from here on overtaking by more than the margin is likelier than not
ILL_BEHAVED = {"rising", "rough"}  # learning curves that cannot be extended
# Of public tables below 1,000 rows classical ML is better in 56 %, above 10,000 in 19 % (LCDB 1.1): who is ahead on few
# rows need not be on many.
FEW_ROWS = 1_000
RARE_ROWS = 50  # one row more or less that is answered rightly moves such a class's share by two points


class StaysAhead(Reason):
    code: ClassVar[str] = "V201"
    title: ClassVar[str] = "More rows are unlikely to change who is ahead"
    strength: ClassVar[Strength] = "supports"

    def find(self, evidence: Evidence) -> str | None:
        """Where overtaking is unlikely, and the lead is not forecast to melt into the margin."""
        crossover, name = _crossover(evidence), named(evidence)
        if crossover is None or name != crossover.leader:
            return None
        never = number(crossover.p_never)
        if never is None or never < WINNER or _melts_at(evidence) is not None:
            return None
        ahead = _far(evidence)
        lead = _lead(ahead, name)
        then = ""
        if lead is not None and lead.value > 0:
            then = f" There it is expected to be ahead by {lead.told(unit_of(evidence), 80)}."
        rows = (
            f" ({about_rows(ahead.rows)} to learn from)" if ahead is not None and number(ahead.rows) else ""
        )
        return (
            f"{opening(name)} is likely to stay ahead up to {MOST} times the rows{rows}: P({TITLES[other(name)]} "
            f"overtakes) {chance(1 - never)}.{then}"
        )


class IsOvertaken(Reason):
    code: ClassVar[str] = "V202"
    title: ClassVar[str] = "The other family is likely to overtake with more rows"
    strength: ClassVar[Strength] = "warns"

    def find(self, evidence: Evidence) -> str | None:
        """Where overtaking by more than the margin is likelier than not."""
        crossover, name = _crossover(evidence), named(evidence)
        if crossover is None or plainly(evidence.verdict.answer) in ("tie", "no_signal", PRETRAINED):
            return None
        if name is not None and name != crossover.leader:
            return None
        chances = _by(crossover.p_by_margin)
        if chances.get(MOST, 0.0) < OVERTAKES:
            return None
        now, then = (f"{chance(chances[factor])}" for factor in (min(chances), MOST))
        early = f"{now} by {min(chances)} times the rows, " if min(chances) < MOST else ""
        return (
            f"{opening(other(crossover.leader))} is behind now and likely to overtake: P(ahead by more than "
            f"{margin_told(evidence)}) {early}{then.removeprefix('= ') if early else then} by {MOST} times "
            f"the rows.{_overtaken_at(crossover)}"
        )


class CollectRowsFirst(Reason):
    code: ClassVar[str] = "V203"
    title: ClassVar[str] = "Both still gain from rows: collecting them matters more than the choice"
    strength: ClassVar[Strength] = "warns"

    def find(self, evidence: Evidence) -> str | None:
        """Where both curves rise, each by more than the two are apart."""
        gains, gap = _gains(evidence, "rising"), gap_of(evidence)
        if gains is None or gap is None or evidence.verdict.answer in ("no_signal", PRETRAINED):
            return None
        if min(gain.value for gain in gains.values()) < abs(gap.value):
            return None
        apart = amount(gap.value, unit_of(evidence))
        return (
            f"{_doubling(evidence, gains)}, each at least the {apart} between the two. Collect rows first; the choice "
            "matters less."
        )


class Plateau(Reason):
    code: ClassVar[str] = "V204"
    title: ClassVar[str] = "More rows of this kind bring little"
    strength: ClassVar[Strength] = "supports"

    def find(self, evidence: Evidence) -> str | None:
        """Where both curves are on a plateau."""
        gains = _gains(evidence, "plateau")
        if gains is None or evidence.verdict.answer in ("no_signal", PRETRAINED):
            return None
        return f"{_doubling(evidence, gains)}, less than the margin of {margin_told(evidence)} each."


class OvertookEarlier(Reason):
    code: ClassVar[str] = "V205"
    title: ClassVar[str] = "The one ahead was behind with fewer rows, and overtook"
    strength: ClassVar[Strength] = "supports"

    def find(self, evidence: Evidence) -> str | None:
        """Where a winner is named that was behind, and the crossover's whole interval lies well below all rows."""
        outlook, name = evidence.outlook, named(evidence)
        crossover = None if outlook is None else outlook.crossover
        if outlook is None or crossover is None or crossover.overtook is None or crossover.leader != name:
            return None
        overtook = crossover.overtook
        near = estimate(overtook.rows, overtook.low, overtook.high)
        now = number(outlook.rows)
        if near is None or now is None or near.high >= EARLIER * now or evidence.verdict.answer != name:
            return None
        return (
            f"With few rows {TITLES[other(name)]} was ahead; {TITLES[name]} overtook near {about_rows(near.value)} to "
            f"learn from (80 % interval {about_rows(near.low).removesuffix(' rows')} to {about_rows(near.high)})."
        )


class CannotExtrapolate(Reason):
    code: ClassVar[str] = "V206"
    title: ClassVar[str] = "The learning curve cannot be extended"
    strength: ClassVar[Strength] = "warns"

    def find(self, evidence: Evidence) -> str | None:
        """Where a family's measured sizes contradict a smooth falling error."""
        ill = {n: curve for n, curve in curves_of(evidence).items() if curve.behaviour in ILL_BEHAVED}
        if not ill:
            return None
        notes = " ".join(f"{opening(name)}: {plain(curve.note)}" for name, curve in ill.items() if curve.note)
        return f"What more rows would do cannot be told from these curves. {notes}".strip()


class FewRows(Reason):
    code: ClassVar[str] = "V207"
    title: ClassVar[str] = "There are few rows, or few of one class"
    strength: ClassVar[Strength] = "warns"

    def find(self, evidence: Evidence) -> str | None:
        """Below 1,000 rows, or 50 of the rarest class."""
        outcome = evidence.outcome
        rows = len(outcome.target)
        few = [f"there are {counted(rows, 'row')}"] if rows < FEW_ROWS else []
        task = outcome.task
        if isinstance(task, Classification) and rows:
            counts = np.bincount(outcome.target.astype(np.int64), minlength=task.outputs)
            rarest = int(counts.argmin())
            if counts[rarest] < RARE_ROWS:
                few.append(
                    f"the class {quoted(task.labels[rarest])} has only {counted(int(counts[rarest]), 'row')}"
                )
        if not few:
            return None
        told = " and ".join(few)
        return f"{opened(told)}: an answer from so few may well change when rows are added."


class LeadMelts(Reason):
    code: ClassVar[str] = "V208"
    title: ClassVar[str] = "With more rows the lead is likely to shrink below the margin"
    strength: ClassVar[Strength] = "warns"

    def find(self, evidence: Evidence) -> str | None:
        """Where a family is named, and from some size on a difference within the margin is likely."""
        name, ahead = named(evidence), _melts_at(evidence)
        if name is None or ahead is None:
            return None
        return (
            f"{opening(name)} is ahead now, but from {ahead.factor:g} times the rows ({about_rows(ahead.rows)} to "
            f"learn from) the difference is likely to be within {margin_told(evidence)}: P {chance(ahead.p_tie)}."
        )


class StaysWithin(Reason):
    code: ClassVar[str] = "V209"
    title: ClassVar[str] = "More rows are unlikely to make a difference between the two"
    strength: ClassVar[Strength] = "supports"

    def find(self, evidence: Evidence) -> str | None:
        """Where there is no practical difference now, nor is one likely at any size that can be forecast."""
        if plainly(evidence.verdict.answer) != "tie":
            return None
        factors = _forecast(evidence)
        if not factors or min(ahead.p_tie for ahead in factors) < LEANING:
            return None
        last = factors[-1]
        return (
            f"The difference is likely to stay within {margin_told(evidence)} up to {last.factor:g} times the rows "
            f"({about_rows(last.rows)} to learn from): P {chance(min(ahead.p_tie for ahead in factors))} or more."
        )


class TiePartsLater(Reason):
    code: ClassVar[str] = "V210"
    title: ClassVar[str] = "No practical difference now, but one is likely with more rows"
    strength: ClassVar[Strength] = "warns"

    def find(self, evidence: Evidence) -> str | None:
        """Where a family is likely to be better by more than the margin at some larger size."""
        if plainly(evidence.verdict.answer) != "tie":
            return None
        for ahead in _forecast(evidence):
            for name, p in (("deep", ahead.p_deep), ("classical", ahead.p_classical)):
                if p >= LEANING:
                    return (
                        f"At {ahead.factor:g} times the rows ({about_rows(ahead.rows)} to learn from) {TITLES[name]} "
                        f"is likely to be better by more than {margin_told(evidence)}: P {chance(p)}."
                    )
        return None


def _extends(evidence: Evidence) -> bool:
    """Whether nothing speaks against looking beyond the measured sizes."""
    return not any(curve.behaviour in ILL_BEHAVED for curve in curves_of(evidence).values())


def _outlook(evidence: Evidence) -> Outlook | None:
    """The forecast of the gap, where curves and engines allow one."""
    outlook = evidence.outlook
    apart = None if outlook is None else number(outlook.disagreement)
    return outlook if _extends(evidence) and (apart is None or apart <= ENGINES_APART) else None


def _crossover(evidence: Evidence) -> Crossover | None:
    """When the other would overtake; of two that are level nobody can."""
    outlook = _outlook(evidence)
    if outlook is None or outlook.crossover is None:
        return None
    leader, now = outlook.crossover.leader, outlook.at(1.0)
    leads = None if now is None else number({"deep": now.p_deep, "classical": now.p_classical}.get(leader))
    return outlook.crossover if leads is not None and leads >= LEADING else None


def _forecast(evidence: Evidence) -> list[Ahead]:
    """The forecasts beyond the present rows, nearest first, without those that are not finite."""
    outlook = _outlook(evidence)
    if outlook is None:
        return []
    known = [
        ahead
        for ahead in outlook.factors
        if None not in map(number, (ahead.factor, ahead.rows, ahead.p_deep, ahead.p_tie, ahead.p_classical))
        and 1 < ahead.factor <= MOST
    ]
    return sorted(known, key=lambda ahead: ahead.factor)


def _far(evidence: Evidence) -> Ahead | None:
    return next((ahead for ahead in _forecast(evidence) if ahead.factor == MOST), None)


def _lead(ahead: Ahead | None, name: str) -> Estimate | None:
    """The gap as this family's lead."""
    gap = None if ahead is None else estimate(ahead.gap, ahead.low, ahead.high)
    return gap if gap is None or name == "deep" else gap.flipped()


def _melts_at(evidence: Evidence) -> Ahead | None:
    """The nearest size from which on a difference within the margin is likely."""
    found = None
    for ahead in reversed(_forecast(evidence)):
        if ahead.p_tie < LEANING:
            break
        found = ahead
    return found


def _by(chances: Mapping[int, float]) -> dict[int, float]:
    """Probabilities by how many times the rows, those that are known."""
    known = {int(factor): number(p) for factor, p in chances.items()}
    return {factor: p for factor, p in known.items() if p is not None}


def _overtaken_at(crossover: Crossover) -> str:
    median = number(crossover.median_rows)
    low, high = number(crossover.low_rows), number(crossover.high_rows)
    if median is None or low is None:
        return ""
    first = about_rows(low).removesuffix(" rows")
    last = about_rows(high) if high is not None else f"more than {MOST} times the rows"
    interval = f"80 % interval {first} to {last}"
    return f" It is forecast to be ahead from about {about_rows(median)} to learn from ({interval})."


def _gains(evidence: Evidence, still: str) -> dict[str, Estimate] | None:
    """What the next doubling brings each family, where both curves are still like that."""
    curves = curves_of(evidence)
    if len(curves) < len(FAMILIES) or not _extends(evidence):
        return None
    if any(curve.still != still for curve in curves.values()):
        return None
    gains = {name: _gain(curve.gain_next_doubling) for name, curve in curves.items()}
    known = {name: gain for name, gain in gains.items() if gain is not None}
    return known if len(known) == len(FAMILIES) else None


def _gain(gain: Gain | None) -> Estimate | None:
    return None if gain is None else estimate(gain.gain, gain.low, gain.high)


def _doubling(evidence: Evidence, gains: Mapping[str, Estimate]) -> str:
    told = " and ".join(f"{TITLES[name]} {gain.told(unit_of(evidence), 80)}" for name, gain in gains.items())
    return f"Twice the rows are expected to bring {told}"
