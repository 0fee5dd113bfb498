"""What training and answering cost: of the model to use against its rival, and why the cheaper one is taken."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from fathometer.study.budget import FAMILIES, PRETRAINED
from fathometer.verdict.evidence import Evidence
from fathometer.verdict.reasons.facts import number, opening, part, plainly, rival, standing, times
from fathometer.verdict.reasons.reason import Reason, Strength
from fathometer.verdict.wording import COSTS_APART, TITLES

# Processor seconds of one and the same work differ by up to half on a busy machine; twice is more than that.
TIMES_LEAST = 2.0
TRAINING_LEAST = 1.0  # processor seconds a fold, below which nobody minds a multiple
ONE_ROW_LEAST = 1.0  # milliseconds, likewise
THOUSAND_ROWS_LEAST = 10.0  # milliseconds, likewise
LARGE_BYTES = 100e6  # the largest file that common hosts of source code take; slow to send and to load
LARGER_TIMES = 10.0
LARGER_BYTES = 20e6  # below this no multiple matters


@dataclass(frozen=True)
class Cost:
    """One thing that costs time: of the model to use, and of its rival. least: below which it does not matter."""

    to: str
    mine: float
    theirs: float
    unit: str
    least: float

    def is_dearer(self) -> bool:
        """Whether the model to use needs much longer."""
        return self.mine >= max(TIMES_LEAST * self.theirs, self.least)

    def is_cheaper(self) -> bool:
        """Whether its rival does."""
        return self.theirs >= max(TIMES_LEAST * self.mine, self.least)

    def told(self) -> str:
        """The ratio and both times, the longer one first."""
        low, high = sorted((self.mine, self.theirs))
        ratio = f"{times(high / low)} the time" if low > 0 else "time"
        return f"{ratio} to {self.to} ({_short(high)} against {_short(low)} {self.unit})"


class CheaperToUse(Reason):
    code: ClassVar[str] = "V301"
    title: ClassVar[str] = "The model to use is the cheaper one to train or to answer with"
    strength: ClassVar[Strength] = "supports"

    def find(self, evidence: Evidence) -> str | None:
        """Where its rival needs twice the time or more for something, and it does for nothing."""
        rated = _costs(evidence)
        against = rival(evidence)
        cheaper = [cost.told() for cost in rated if cost.is_cheaper()]
        if against is None or not cheaper or any(cost.is_dearer() for cost in rated):
            return None
        return f"{opening(against)} needs {_joined(cheaper)}, compared with {TITLES[evidence.verdict.use]}."


class DearerToUse(Reason):
    code: ClassVar[str] = "V302"
    title: ClassVar[str] = "The model to use is dearer to train or to answer with"
    strength: ClassVar[Strength] = "warns"

    def find(self, evidence: Evidence) -> str | None:
        """Where it needs twice the time of its rival or more for something."""
        against = rival(evidence)
        dearer = [cost.told() for cost in _costs(evidence) if cost.is_dearer()]
        if against is None or not dearer:
            return None
        return f"{opening(evidence.verdict.use)} needs {_joined(dearer)}, compared with {TITLES[against]}."


class LargeModel(Reason):
    code: ClassVar[str] = "V303"
    title: ClassVar[str] = "The model to use is large"
    strength: ClassVar[Strength] = "warns"

    def find(self, evidence: Evidence) -> str | None:
        """From 100 MB on, or ten times its rival's size where that is more than 20 MB."""
        against = rival(evidence)
        mine, theirs = (standing(evidence, name) for name in (evidence.verdict.use, against))
        size = None if mine is None else number(mine.model_bytes)
        if size is None or evidence.verdict.use == "baseline":
            return None
        than = None if theirs is None else number(theirs.model_bytes)
        is_larger = than is not None and than > 0 and size >= max(LARGER_TIMES * than, LARGER_BYTES)
        if size < LARGE_BYTES and not is_larger:
            return None
        beside = f"; that of {TITLES[against]} takes {_megabytes(than)}" if against and than else ""
        use = evidence.verdict.use
        mine_told = (
            "The pre-trained model, encoder included," if use == PRETRAINED else f"The model of {TITLES[use]}"
        )
        return f"{mine_told} takes {_megabytes(size)} on disk{beside}."


class TieGoesToTheCheaper(Reason):
    code: ClassVar[str] = "V304"
    title: ClassVar[str] = "Without a practical difference, the cheaper one is taken"
    strength: ClassVar[Strength] = "decides"

    def find(self, evidence: Evidence) -> str | None:
        """Where there is no practical difference: by processor time a row, in large batches, or else to train."""
        use = evidence.verdict.use
        if plainly(evidence.verdict.answer) != "tie" or use not in FAMILIES:
            return None
        stands = [standing(evidence, name) for name in (use, rival(evidence))]
        mine, theirs = (None if one is None else number(one.microseconds_per_row) for one in stands)
        if mine is None or theirs is None or min(mine, theirs) <= 0:
            return None
        if theirs >= COSTS_APART * mine:
            return (
                f"{opening(use)} is taken: it needs {_short(mine)} microseconds of processor time per row answered, "
                f"the other {_short(theirs)}, {times(theirs / mine)} as much."
            )
        train, other = (None if one is None else number(one.training_seconds) for one in stands)
        alike = f"Both cost about the same per answer, {_short(mine)} and {_short(theirs)} microseconds a row"
        if train and other and other >= COSTS_APART * train:
            return f"{alike}; {TITLES[use]} is taken, which trains in {_short(train)} seconds against {_short(other)}."
        return f"{alike}; {TITLES[use]} is taken."


def _costs(evidence: Evidence) -> list[Cost]:
    """What the model to use and its rival cost, as far as both are known."""
    use, against = evidence.verdict.use, rival(evidence)
    if against is None:
        return []
    pairs = [
        (
            "train its models once",
            _training(evidence, use),
            _training(evidence, against),
            "processor seconds",
            TRAINING_LEAST,
        ),
        ("answer one row", *_latencies(evidence, "one_row_ms"), "ms", ONE_ROW_LEAST),
        ("answer a thousand rows", *_thousands(evidence), "ms", THOUSAND_ROWS_LEAST),
    ]
    return [
        Cost(to, mine, theirs, unit, least)
        for to, mine, theirs, unit, least in pairs
        if mine is not None and theirs is not None and mine >= 0 and theirs >= 0
    ]


def _training(evidence: Evidence, name: str) -> float | None:
    """Processor seconds of the trials whose models a competitor uses: the mean over the folds of the first pass."""
    trials = {trial.key: trial for trial in evidence.outcome.trials}
    folds = [fold for fold in evidence.outcome.results.get(name, ()) if fold.repeat == 0]
    seconds = [
        number(sum(trials[key].cpu_seconds for key, _ in fold.members if key in trials)) for fold in folds
    ]
    known = [one for one in seconds if one is not None]
    return sum(known) / len(known) if known else None


def _latencies(evidence: Evidence, name: str) -> tuple[float | None, float | None]:
    """Median milliseconds of the model to use and of its rival."""
    first, second = (_median(evidence, one, name) for one in (evidence.verdict.use, rival(evidence)))
    return first, second


def _median(evidence: Evidence, competitor: str | None, name: str) -> float | None:
    found = part(evidence, competitor, "latency").get(name)
    return number(found[0]) if isinstance(found, list | tuple) and found else None


def _thousands(evidence: Evidence) -> tuple[float | None, float | None]:
    """As timed on the fitted models, else from the time of their trials' test rows."""
    measured = _latencies(evidence, "thousand_rows_ms")
    if None not in measured:
        return measured
    stands = [standing(evidence, name) for name in (evidence.verdict.use, rival(evidence))]
    first, second = (
        None if one is None or not one.members else number(one.microseconds_per_row) for one in stands
    )
    return first, second  # so many microseconds a row are as many milliseconds a thousand


def _joined(told: list[str]) -> str:
    return told[0] if len(told) == 1 else f"{', '.join(told[:-1])} and {told[-1]}"


def _short(value: float) -> str:
    """In two digits, and every digit before the point."""
    return (
        f"{value:,.0f}" if value >= 100 else f"{float(f'{value:.2g}'):g}" if value >= 0.01 else "under 0.01"
    )


def _megabytes(size: float) -> str:
    return f"{_short(size / 1e6)} MB" if size < 1e9 else f"{_short(size / 1e9)} GB"
