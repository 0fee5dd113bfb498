"""May the answers be trusted: probabilities, harder rows, rows learned by heart, groups of people."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar

from fathometer.study.budget import FAMILIES
from fathometer.verdict.evidence import Evidence
from fathometer.verdict.reasons.facts import (
    Estimate,
    estimate,
    items,
    margin_of,
    number,
    part,
    plain,
    quoted,
    rival,
    standing,
    unit_of,
)
from fathometer.verdict.reasons.reason import Reason, Strength
from fathometer.verdict.wording import TITLES, amount

# Below three points of error in a probability few decisions change; and a perfectly calibrated model's error, measured
# on few rows, is above 0 too (see `_noise`).
OFF_LEAST = 0.03
LARGE_GAP_MARGINS = 10.0
TIMES_THE_OTHER = 2.0
GROUPS_LEAST = 0.05  # share of rows: five in a hundred answered otherwise
ERRORS_LEAST = 0.1  # of the model's own error: too high for some and too low for others by that much
UNEQUAL: Mapping[str, str] = {
    "selection_rate": "how often they get the favourable answer",
    "tpr": "how often it is given where it is true",
    "fpr": "how often it is given where it is not true",
    "mean_error": "how much too high their answers are on average",
}
HARDER: Mapping[str, str] = {
    "missing_10": "With 10 % of the cells missing",
    "missing_30": "With 30 % of the cells missing",
    "noise_10": "With a little noise",
    "noise_30": "With more noise",
    "shifted": "On the fifth of the rows least like those learned from",
}


class ProbabilitiesAreOff(Reason):
    code: ClassVar[str] = "V501"
    title: ClassVar[str] = "The probabilities of the model to use are further off"
    strength: ClassVar[Strength] = "warns"

    def find(self, evidence: Evidence) -> str | None:
        """Where their error is larger than its rival's by three points, and by more than so few rows make."""
        use, against = evidence.verdict.use, rival(evidence)
        mine, theirs = evidence.calibration.get(use), evidence.calibration.get(against or "")
        if mine is None or theirs is None or against is None:
            return None
        one, two = number(mine.ece), number(theirs.ece)
        rows = [number(each.rows) for each in mine.bins]
        tested = sum(count for count in rows if count is not None)
        if one is None or two is None or tested <= 0:
            return None
        if one - two < max(OFF_LEAST, _noise(tested, len(mine.bins))):
            return None
        after = number(mine.ece_after)
        mended = (
            f" One temperature would bring that to {_points(after)}."
            if after is not None and after < one
            else ""
        )
        return (
            f"The probabilities of {TITLES[use]} are off by {_points(one)} on average, those of {TITLES[against]} by "
            f"{_points(two)}.{mended}"
        )


class BreaksSooner(Reason):
    code: ClassVar[str] = "V502"
    title: ClassVar[str] = "The model to use loses more when rows get harder"
    strength: ClassVar[Strength] = "warns"

    def find(self, evidence: Evidence) -> str | None:
        """Where it surely loses more than its rival, by more than the margin; the widest difference is told."""
        use, against = evidence.verdict.use, rival(evidence)
        if against is None:
            return None
        mine, theirs = _losses(evidence, use), _losses(evidence, against)
        apart = {
            code: mine[code].value - theirs[code].value
            for code in HARDER
            if code in mine and code in theirs and mine[code].low > max(theirs[code].high, 0.0)
        }
        code = max(apart, key=lambda one: apart[one], default=None)
        if code is None or apart[code] <= margin_of(evidence):
            return None
        told, beside = (one[code].told(unit_of(evidence)) for one in (mine, theirs))
        return f"{_harder(evidence, use, code)} {TITLES[use]} loses {told}, {TITLES[against]} {beside}."


def _harder(evidence: Evidence, name: str, code: str) -> str:
    """What was done to the rows; what noise is depends on the columns, so that is told as it was measured."""
    found = next((one for one in items(evidence, name, "robustness") if one.get("code") == code), {})
    what = plain(found.get("what") or "")
    return f"With {what}" if code.startswith("noise") and what else HARDER[code]


class KnowsByHeart(Reason):
    code: ClassVar[str] = "V503"
    title: ClassVar[str] = "The model to use is much better on rows that it learned from"
    strength: ClassVar[Strength] = "warns"

    def find(self, evidence: Evidence) -> str | None:
        """From ten margins on, where it is twice as much as its rival's."""
        use, against = evidence.verdict.use, rival(evidence)
        if against is None:
            return None
        mine, theirs = (number(part(evidence, name, "train_gap").get("gap")) for name in (use, against))
        if mine is None or mine < LARGE_GAP_MARGINS * margin_of(evidence) or mine <= 0:
            return None
        if theirs is None or mine < TIMES_THE_OTHER * theirs:
            return None
        unit = unit_of(evidence)
        than = f"by {amount(theirs, unit)}" if theirs > 0 else "not at all"
        return (
            f"On rows that it learned from {TITLES[use]} is better by {amount(mine, unit)} than on new ones, "
            f"{TITLES[against]} {than}. Believe the score on new rows, and watch it when the data change."
        )


class GroupsDiffer(Reason):
    code: ClassVar[str] = "V504"
    title: ClassVar[str] = "Groups of people get different answers"
    strength: ClassVar[Strength] = "warns"

    def find(self, evidence: Evidence) -> str | None:
        """Where a rate surely differs between groups, by five points or more, or the mean error by a tenth of the RMSE.

        The widest difference is told.
        """
        fairness, use = evidence.fairness, evidence.verdict.use
        if fairness is None or use == "baseline":
            return None
        least = _differences_least(evidence)
        mine = _differences(evidence, use)
        sure = {what: one for what, one in mine.items() if one.low > 0 and one.value >= least[what]}
        if not sure:
            return None
        what = max(sure, key=lambda one: sure[one].value)
        beside = [
            f"{TITLES[name]} {_apart(what, one)}"
            for name in FAMILIES
            if name != use and (one := _differences(evidence, name).get(what)) is not None
        ]
        others = f" For comparison: {', '.join(beside)}." if beside else ""
        favourable = "" if fairness.positive is None else f" (favourable: {quoted(fairness.positive)})"
        return (
            f"By {quoted(fairness.column)}, groups differ in {UNEQUAL[what]}{favourable}: {TITLES[use]} by "
            f"{_apart(what, sure[what])}.{others}"
        )


def _noise(tested: float, bins: int) -> float:
    """Twice the error measured of perfect probabilities near one half, sqrt(2 p (1 - p) / (pi rows in a bin))."""
    return 2 * math.sqrt(0.5 * max(bins, 1) / (math.pi * tested))


def _points(share: float) -> str:
    return f"{float(f'{100 * share:.2g}'):g} points" if share >= 0.0001 else "under 0.01 points"


def _losses(evidence: Evidence, name: str) -> dict[str, Estimate]:
    """What a competitor loses, by the code of what was done to the rows."""
    return {
        str(item.get("code")): found
        for item in items(evidence, name, "robustness")
        if (found := estimate(item.get("loss_of_score"), item.get("low"), item.get("high"))) is not None
    }


def _differences(evidence: Evidence, name: str) -> dict[str, Estimate]:
    """How far groups are apart, by rate."""
    comparison = None if evidence.fairness is None else evidence.fairness.competitors.get(name)
    if comparison is None:
        return {}
    return {
        what: found
        for what, three in comparison.differences.items()
        if what in UNEQUAL and three is not None and (found := estimate(*three)) is not None
    }


def _differences_least(evidence: Evidence) -> dict[str, float]:
    """By what groups must differ to be worth a word; mean errors where the score is in the target's unit, or never."""
    found = standing(evidence, evidence.verdict.use)
    score = None if found is None or found.score is None else number(found.score.score)
    is_error = score is not None and evidence.outcome.task.measure.name in ("rmse", "mae")
    return dict.fromkeys(UNEQUAL, GROUPS_LEAST) | {
        "mean_error": ERRORS_LEAST * score if is_error and score is not None else math.inf
    }


def _apart(what: str, difference: Estimate) -> str:
    if what == "mean_error":
        return difference.told("")
    return Estimate(*(100 * end for end in (difference.value, difference.low, difference.high))).told(
        "points"
    )
