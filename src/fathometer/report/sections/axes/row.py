"""One row of the table of differences, and when one of the two families is called better."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from fathometer.report.document import Words
from fathometer.report.record import FAMILIES, Estimate


@dataclass(frozen=True)
class Row:
    """One line of the table. better: the competitor that is better by more than noise, and the word for it."""

    what: str
    cells: Mapping[str, Words]
    meaning: str
    better: str = ""
    word: str = "better"


def less(values: dict[str, float], times: float) -> str:
    """The family that needs less, by more than measuring once can be off."""
    one, other = (values.get(name) for name in FAMILIES)
    if one is None or other is None:
        return ""
    if one * times < other:
        return "classical"
    return "deep" if other * times < one else ""


def apart(found: dict[str, Estimate], *, more_is_better: bool) -> str:
    """The better family, where the two intervals do not touch."""
    if not all(name in found and found[name].has_interval for name in FAMILIES):
        return ""
    for one, other in (FAMILIES, FAMILIES[::-1]):
        low, high = found[one].low, found[other].high
        if low is not None and high is not None and low > high:
            return one if more_is_better else other
    return ""
