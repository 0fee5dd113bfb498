"""Why the answer is the one it is: of these, exactly one is said."""

from __future__ import annotations

from typing import ClassVar

from fathometer.data.sentences import counted
from fathometer.verdict.decide import LEANING, SIGNAL, WINNER
from fathometer.verdict.evidence import Evidence
from fathometer.verdict.reasons.facts import (
    estimate,
    gap_of,
    margin_told,
    number,
    opening,
    percent,
    plainly,
    signed,
    unit_of,
)
from fathometer.verdict.reasons.reason import Reason, Strength
from fathometer.verdict.wording import TITLES, chance


class ClassicalIsBetter(Reason):
    code: ClassVar[str] = "V101"
    title: ClassVar[str] = "Classical ML is better by more than the margin"
    strength: ClassVar[Strength] = "decides"

    def find(self, evidence: Evidence) -> str | None:
        """Where the answer is "classical"."""
        return _better(evidence, "classical") if evidence.verdict.answer == "classical" else None


class DeepIsBetter(Reason):
    code: ClassVar[str] = "V102"
    title: ClassVar[str] = "Deep learning is better by more than the margin"
    strength: ClassVar[Strength] = "decides"

    def find(self, evidence: Evidence) -> str | None:
        """Where the answer is "deep"."""
        return _better(evidence, "deep") if evidence.verdict.answer == "deep" else None


class WithinTheMargin(Reason):
    code: ClassVar[str] = "V103"
    title: ClassVar[str] = "The difference is within the margin"
    strength: ClassVar[Strength] = "decides"

    def find(self, evidence: Evidence) -> str | None:
        """Where the answer is "tie"."""
        if evidence.verdict.answer != "tie":
            return None
        p = _chance(evidence, "tie")
        return f"The difference is smaller than the margin of {margin_told(evidence)}{p}.{_ahead(evidence)}"


class TogetherIsBetter(Reason):
    code: ClassVar[str] = "V104"
    title: ClassVar[str] = "Both together beat each alone by more than the margin"
    strength: ClassVar[Strength] = "decides"

    def find(self, evidence: Evidence) -> str | None:
        """Where the answer is "together"."""
        if evidence.verdict.answer != "together":
            return None
        contrast = evidence.verdict.together
        if contrast is None:
            return "Both together are better than each family alone."
        gap = estimate(contrast.gap, contrast.low, contrast.high)
        by = f", by {gap.told(contrast.unit)}" if gap else ""
        p = number(contrast.belief.above)
        sure = f": P {chance(p)}" if p is not None else ""
        return (
            f"Both together beat {TITLES[contrast.first]} alone, the better family{by}. That this is more than the "
            f"margin of {margin_told(evidence)} is likely{sure}."
        )


class NothingBeatsTheBaseline(Reason):
    code: ClassVar[str] = "V105"
    title: ClassVar[str] = "Nothing beats the baseline"
    strength: ClassVar[Strength] = "decides"

    def find(self, evidence: Evidence) -> str | None:
        """Where the answer is "no_signal"."""
        if evidence.verdict.answer != "no_signal":
            return None
        best = _best_signal(evidence)
        sure = "" if best is None else f": P(it beats it at all) is {chance(best).removeprefix('= ')} at best"
        return f"No model is clearly better than the baseline, which ignores the inputs{sure}."


class NoneIsLikelyEnough(Reason):
    code: ClassVar[str] = "V106"
    title: ClassVar[str] = "The evidence decides nothing"
    strength: ClassVar[Strength] = "decides"

    def find(self, evidence: Evidence) -> str | None:
        """Where the answer is "cannot_tell"."""
        if evidence.verdict.answer != "cannot_tell":
            return None
        if evidence.verdict.families is None:
            return "Nothing can be compared yet: no fold was finished by both families."
        best = _best_signal(evidence)
        if best is not None and best < SIGNAL:
            return f"It is not sure that anything beats the baseline, which ignores the inputs: P {chance(best)}."
        if gap_of(evidence) is None:
            return "How far the measured difference may be off cannot be said: too few folds or groups were tested."
        named = {"deep": "deep learning better", "classical": "classical ML better", "tie": "within it"}
        chances = ", ".join(
            f"P({words}) {chance(p)}"
            for name, words in named.items()
            if (p := number(_probability(evidence, name))) is not None
        )
        return (
            f"{_ahead(evidence).strip()} Against a margin of {margin_told(evidence)} that leaves the question open: "
            f"{chances}. To lean to an answer takes {percent(LEANING)}."
        )


class OnlyLeaning(Reason):
    code: ClassVar[str] = "V107"
    title: ClassVar[str] = "Likely, but not sure enough for a plain answer"
    strength: ClassVar[Strength] = "decides"

    def find(self, evidence: Evidence) -> str | None:
        """Where the answer is one of the "leaning" ones."""
        answer = evidence.verdict.answer
        if not answer.startswith("leaning_"):
            return None
        name, margin = plainly(answer), margin_told(evidence)
        what = (
            f"The difference is within {margin}"
            if name == "tie"
            else f"{opening(name)} is better by more than {margin}"
        )
        p = number(_probability(evidence, name))
        lacks = (
            f"a plain answer takes {percent(WINNER)}"
            if p is None or p < WINNER
            else f"that would do for a plain answer, but {_reservation(evidence)}"
        )
        return f"{what}{_chance(evidence, name)}; {lacks}.{_ahead(evidence)}"


class PretrainedIsBetter(Reason):
    code: ClassVar[str] = "V108"
    title: ClassVar[str] = "A pre-trained model is better by more than the margin"
    strength: ClassVar[Strength] = "decides"

    def find(self, evidence: Evidence) -> str | None:
        """Where the answer is "pretrained"."""
        if evidence.verdict.answer != "pretrained":
            return None
        view = evidence.verdict.pretrained
        if view is None:
            return "The pre-trained model is better than both families."
        gap = estimate(view.contrast.gap, view.contrast.low, view.contrast.high)
        by = f" by {gap.told(unit_of(evidence))}" if gap else ""
        p = number(view.p_better)
        sure = f": P {chance(p)}" if p is not None else ""
        return (
            f"The pre-trained model is better than {TITLES[view.against]}{by}. That this is more than the margin of "
            f"{margin_told(evidence)} is likely{sure}."
        )


def _better(evidence: Evidence, name: str) -> str:
    gap = gap_of(evidence)
    rows = number(evidence.outcome.run.get("data", {}).get("rows"))
    where = f" at your {counted(int(rows), 'row')}" if rows else ""
    if gap is None:
        by = ""
    else:
        by = f" by {(gap if name == 'deep' else gap.flipped()).told(unit_of(evidence))}"
    than = f"That this is more than the margin of {margin_told(evidence)} is likely"
    return f"{opening(name)} is better{by}{where}. {than}{_chance(evidence, name)}."


def _ahead(evidence: Evidence) -> str:
    """What was measured, as a sentence to add."""
    gap = gap_of(evidence)
    if gap is None:
        return ""
    name = "deep" if gap.value > 0 else "classical"
    oriented = gap if gap.value > 0 else gap.flipped()
    if gap.value == 0:
        ends = f"{signed(gap.low)} to {signed(gap.high)} {unit_of(evidence)}"
        return f" As measured, neither is ahead (95 % interval {ends})."
    return f" As measured, {TITLES[name]} is ahead by {oriented.told(unit_of(evidence))}."


def _probability(evidence: Evidence, name: str) -> float:
    verdict = evidence.verdict
    return {"deep": verdict.p_deep, "tie": verdict.p_tie, "classical": verdict.p_classical}[name]


def _chance(evidence: Evidence, name: str) -> str:
    """Such as ": P = 97 %"."""
    p = number(_probability(evidence, name))
    return "" if p is None else f": P {chance(p)}"


def _best_signal(evidence: Evidence) -> float | None:
    known = [p for p in map(number, evidence.verdict.signal.values()) if p is not None]
    return max(known, default=None)


def _reservation(evidence: Evidence) -> str:
    return evidence.verdict.weak[0] if evidence.verdict.weak else "the evidence is too thin"
