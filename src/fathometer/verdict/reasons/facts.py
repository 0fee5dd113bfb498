"""What reasons ask of the evidence, and how they write its numbers; what was not measured is None."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fathometer.data.sentences import opened, short
from fathometer.study.budget import FAMILIES, PRETRAINED
from fathometer.verdict.axes import Standing
from fathometer.verdict.evidence import Evidence
from fathometer.verdict.outlook import LearningCurve
from fathometer.verdict.wording import TITLES, amount, exactly

NAME_MOST = 60  # letters of a column or group that are shown
NOTE_MOST = 240  # of a note


@dataclass(frozen=True)
class Estimate:
    """A finite value and the ends of its interval."""

    value: float
    low: float
    high: float

    def told(self, unit: str, level: int = 95) -> str:
        """Such as "0.9 points (95 % interval 0.3 to 1.6)"."""
        value = amount(self.value, unit).strip()
        minus = "-" if self.value < 0 and not value.startswith("under") else ""
        return f"{minus}{value} ({level} % interval {signed(self.low)} to {signed(self.high)})"

    def flipped(self) -> Estimate:
        """With the other sign."""
        return Estimate(-self.value, -self.high, -self.low)


def estimate(value: object, low: object, high: object) -> Estimate | None:
    """These three, if all are finite numbers."""
    numbers = [number(one) for one in (value, low, high)]
    if any(one is None for one in numbers):
        return None
    return Estimate(*(one for one in numbers if one is not None))


def number(value: object) -> float | None:
    """A finite number, else None."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) else None


def unit_of(evidence: Evidence) -> str:
    """The unit of gaps: points, or %."""
    return evidence.outcome.task.measure.gap_unit


def margin_of(evidence: Evidence) -> float:
    """The smallest difference that matters, in gap units."""
    return evidence.outcome.task.margin


def margin_told(evidence: Evidence) -> str:
    """The margin with its unit."""
    return exactly(margin_of(evidence), unit_of(evidence))


def gap_of(evidence: Evidence) -> Estimate | None:
    """Classical loss less deep loss in gap units; above 0 deep learning is better."""
    families = evidence.verdict.families
    return None if families is None else estimate(families.gap, families.low, families.high)


def plainly(answer: str) -> str:
    """The answer without how sure it is: "leaning_deep" is "deep"."""
    return answer.removeprefix("leaning_")


def named(evidence: Evidence) -> str | None:
    """The family that the answer names, surely or leaning."""
    name = plainly(evidence.verdict.answer)
    return name if name in FAMILIES else None


def other(family: str) -> str:
    """The other family."""
    return "deep" if family == "classical" else "classical"


def rival(evidence: Evidence) -> str | None:
    """Whom the model to use is compared with: the other family, or the better one; None for the baseline."""
    use, view = evidence.verdict.use, evidence.verdict.pretrained
    if use == PRETRAINED:
        return None if view is None else view.against
    if use in FAMILIES:
        return other(use)
    together = evidence.verdict.together
    return together.first if use == "together" and together is not None else None


def curves_of(evidence: Evidence) -> dict[str, LearningCurve]:
    """Both families' learning curves, those there are."""
    return {name: evidence.curves[name] for name in FAMILIES if evidence.curves.get(name) is not None}


def standing(evidence: Evidence, name: str | None) -> Standing | None:
    """A competitor's column of the table."""
    return evidence.table.get(name) if name is not None else None


def part(evidence: Evidence, competitor: str | None, name: str) -> Mapping[str, Any]:
    """One part of what was measured on a competitor's models; empty where it was not."""
    measured = evidence.measures.get(competitor or "")
    found = measured.get(name) if isinstance(measured, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def items(evidence: Evidence, competitor: str | None, name: str) -> list[Mapping[str, Any]]:
    """Likewise a list of records."""
    measured = evidence.measures.get(competitor or "")
    found = measured.get(name) if isinstance(measured, Mapping) else None
    return [item for item in found if isinstance(item, Mapping)] if isinstance(found, list | tuple) else []


def opening(name: str) -> str:
    """A competitor's title as a sentence begins."""
    title = TITLES[name]
    return opened(title)


def quoted(name: object) -> str:
    """A name from the data: quoted, on one line, cut, with nothing that a terminal would obey."""
    return short(str(name), NAME_MOST)


def plain(words: object) -> str:
    """A note or a title from elsewhere: on one line, cut, with nothing that a terminal would obey."""
    line = " ".join("".join(letter if letter.isprintable() else " " for letter in str(words)).split())
    return line if len(line) <= NOTE_MOST else f"{line[: NOTE_MOST - 3]}..."


def signed(value: float) -> str:
    """The end of an interval."""
    text = amount(value, "").strip()
    if text.startswith("under"):
        return "0"
    return f"-{text}" if value < 0 else text


def times(ratio: float) -> str:
    """Such as "12 times"."""
    return f"{ratio:,.0f} times" if ratio >= 10 else f"{float(f'{ratio:.2g}'):g} times"


def about_rows(rows: float) -> str:
    """So many rows, in two digits: more a forecast is not worth."""
    return f"{float(f'{max(rows, 0.0):.2g}'):,.0f} rows"


def percent(share: float) -> str:
    """A share that was counted: "94 %"."""
    return f"{100 * share:.0f} %"
