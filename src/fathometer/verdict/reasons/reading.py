"""Can the model be read, and what does it look at?"""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from fathometer.kind import all_unstructured
from fathometer.study.budget import FAMILIES
from fathometer.verdict.answers import answers_given
from fathometer.verdict.evidence import Evidence
from fathometer.verdict.reasons.facts import (
    Estimate,
    estimate,
    items,
    margin_of,
    margin_told,
    number,
    other,
    part,
    percent,
    plain,
    quoted,
    times,
    unit_of,
)
from fathometer.verdict.reasons.reason import Reason, Strength
from fathometer.verdict.wording import TITLES, amount

COLUMNS_LEAST = 3  # of two columns one is always the first by far
LEANS = 0.8  # share of all importance: four times that of all other columns together
LEANS_MARGINS = 5.0  # a column must matter this many margins, or its share is one of next to nothing
NEARLY_ALL = (
    0.9  # of the answers, or of their variance; below that a tree tells a simpler story than the model's
)
# Where one answer is given to 95 % of the rows, a tree that always gives it agrees on 95 %. Half of the other rows, at
# least, must be answered alike too.
BEYOND_COMMONEST = 0.5


class ReadableIsEnough(Reason):
    code: ClassVar[str] = "V401"
    title: ClassVar[str] = "A model that a person can read is within the margin of the best"
    strength: ClassVar[Strength] = "supports"

    def find(self, evidence: Evidence) -> str | None:
        """Where the whole interval of its price is below the margin."""
        price = _price(evidence)
        if price is None or evidence.simplicity is None or price.high > margin_of(evidence):
            return None
        if evidence.verdict.answer == "no_signal":
            return None
        return (
            f"{_title(evidence)} loses {price.told(unit_of(evidence))} against the best model: within the margin of "
            f"{margin_told(evidence)}."
        )


class LeansOnOneColumn(Reason):
    code: ClassVar[str] = "V402"
    title: ClassVar[str] = "The model leans on one column: is it known before the answer is needed?"
    strength: ClassVar[Strength] = "warns"

    def find(self, evidence: Evidence) -> str | None:
        """Where one column is more important than four times all others together."""
        for name in dict.fromkeys((evidence.verdict.use, *FAMILIES)):
            gaps = {
                str(item.get("column")): found
                for item in items(evidence, name, "importance")
                if (found := estimate(item.get("gap"), item.get("low"), item.get("high"))) is not None
            }
            if len(gaps) < COLUMNS_LEAST:
                continue
            column = max(gaps, key=lambda one: gaps[one].value)
            if column in (part(evidence, name, "examples").get("columns") or ()):
                continue  # that a text or a picture says most is what it is there for
            first = gaps[column]
            rest = sum(max(gap.value, 0.0) for key, gap in gaps.items() if key != column)
            total = first.value + rest
            if first.low <= 0 or first.value < max(LEANS * total, LEANS_MARGINS * margin_of(evidence)):
                continue
            unit = unit_of(evidence)
            return (
                f"Shuffling {quoted(column)} costs {TITLES[name]} {first.told(unit)}, shuffling the other columns "
                f"measured, one after the other, {amount(rest, unit)} in sum. Make sure that this column is known "
                "before the answer is needed, and is no copy of it."
            )
        return None


class EngineeredFeaturesCarry(Reason):
    code: ClassVar[str] = "V403"
    title: ClassVar[str] = "Engineered features carry one family"
    strength: ClassVar[Strength] = "supports"

    def find(self, evidence: Evidence) -> str | None:
        """Where they bring one family more than the margin, and surely more than the other."""
        families = {} if evidence.ablation is None else evidence.ablation.families
        gains = {
            name: estimate(families[name].gain, families[name].low, families[name].high)
            for name in FAMILIES
            if families.get(name) is not None
        }
        for name in FAMILIES:
            mine, theirs = gains.get(name), gains.get(other(name))
            if mine is None or theirs is None:
                continue
            if mine.value > margin_of(evidence) and mine.low > max(theirs.high, 0.0):
                unit = unit_of(evidence)
                return (
                    f"Engineered features bring {TITLES[name]} {mine.told(unit)} over plain numbers, "
                    f"{TITLES[other(name)]} {theirs.told(unit)}."
                )
        return None


class SmallTreeTells(Reason):
    code: ClassVar[str] = "V404"
    title: ClassVar[str] = "A tree that fits on a page answers nearly as the model does"
    strength: ClassVar[Strength] = "supports"

    def find(self, evidence: Evidence) -> str | None:
        """Where it surely gives nine in ten of the model's answers, and not only the commonest one."""
        use = evidence.verdict.use
        tree = part(evidence, use, "surrogate")
        leaves = number(tree.get("leaves"))
        fidelity = estimate(tree.get("fidelity"), tree.get("low"), tree.get("high"))
        if use == "baseline" or leaves is None or leaves < 2 or fidelity is None or fidelity.low < NEARLY_ALL:
            return None
        commonest = _commonest(evidence, use)
        if fidelity.low - commonest < BEYOND_COMMONEST * (1 - commonest):
            return None
        ends = f"95 % interval {percent(fidelity.low).removesuffix(' %')} to {percent(fidelity.high)}"
        if evidence.outcome.task.outputs > 1:
            does = f"gives the same answer as {TITLES[use]} on {percent(fidelity.value)} of the rows ({ends})"
        else:
            does = (
                f"explains {percent(fidelity.value)} of the variance of the answers of {TITLES[use]} ({ends})"
            )
        return f"A tree of {leaves:.0f} leaves {does}. Its rules are in the report."


class ReadingHasAPrice(Reason):
    code: ClassVar[str] = "V405"
    title: ClassVar[str] = "A model that a person can read is worse than the best"
    strength: ClassVar[Strength] = "warns"

    def find(self, evidence: Evidence) -> str | None:
        """Where the whole interval of its price is above the margin."""
        price = _price(evidence)
        if price is None or price.low <= margin_of(evidence) or evidence.verdict.answer == "no_signal":
            return None
        unit, margin = unit_of(evidence), margin_of(evidence)
        sized = f", {times(price.value / margin)} the margin" if margin > 0 else ""
        return f"{_title(evidence)} loses {price.told(unit)} against the best model{sized}: the price of reading it."


class FeaturesDoTheWork(Reason):
    code: ClassVar[str] = "V406"
    title: ClassVar[str] = "On words and pictures, engineered features do the work for classical ML"
    strength: ClassVar[Strength] = "supports"

    def find(self, evidence: Evidence) -> str | None:
        """Where they surely bring it more than the margin, and deep learning, which reads raw values, has no pair."""
        families = {} if evidence.ablation is None else evidence.ablation.families
        one = families.get("classical")
        columns = evidence.outcome.run.get("schema", {}).get("columns", ())
        if one is None or not all_unstructured(column["kind"] for column in columns):
            return None  # of a table deep learning has a pair too, which may not have been run yet
        if families.get("deep") is not None:
            return None
        gain = estimate(one.gain, one.low, one.high)
        if gain is None or gain.low <= margin_of(evidence):
            return None
        return (
            f"Engineered features bring classical ML {gain.told(unit_of(evidence))} over words and pictures as plain "
            "numbers. Deep learning is given them as they are, and learns its own features."
        )


def _price(evidence: Evidence) -> Estimate | None:
    found = evidence.simplicity
    return None if found is None else estimate(found.price, found.price_low, found.price_high)


def _title(evidence: Evidence) -> str:
    title = "" if evidence.simplicity is None else plain(evidence.simplicity.title)
    return f"The best model that can be read whole ({title})"


def _commonest(evidence: Evidence, name: str) -> float:
    """Share of the commonest answer among those given to test rows; 0 for numbers, and where nothing was tested."""
    outcome = evidence.outcome
    folds = outcome.results.get(name, ())
    if outcome.task.outputs < 2 or not folds:
        return 0.0
    told = np.concatenate([answers_given(outcome.task, fold.prediction) for fold in folds])
    _, counts = np.unique(told, return_counts=True)
    return float(counts.max() / counts.sum()) if len(told) else 0.0
