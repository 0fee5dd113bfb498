"""The pre-trained model beside the two families: what it brings, for how long, and what comes with it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from fathometer.data.sentences import counted, opened, short
from fathometer.study.budget import PRETRAINED
from fathometer.verdict.catching_up import CatchUp
from fathometer.verdict.crossover import Crossover
from fathometer.verdict.decide import LEANING, WINNER
from fathometer.verdict.evidence import Evidence
from fathometer.verdict.forecast import LEADING, LIKELY
from fathometer.verdict.reasons.facts import (
    about_rows,
    estimate,
    margin_told,
    number,
    plain,
    unit_of,
)
from fathometer.verdict.reasons.reason import Reason, Strength
from fathometer.verdict.wording import TITLES, chance

MOST = 16  # times the rows: beyond that nothing is forecast


class IsCaughtUp(Reason):
    code: ClassVar[str] = "V701"
    title: ClassVar[str] = "The pre-trained model is ahead on these rows, and caught up with more"
    strength: ClassVar[Strength] = "warns"

    def find(self, evidence: Evidence) -> str | None:
        """Where it leads by more than the margin, and is likelier than not to be caught up."""
        view, found = evidence.verdict.pretrained, _ahead(evidence)
        if view is None or found is None:
            return None
        crossover = found.crossover
        by = None if crossover is None else number(crossover.p_by.get(MOST))
        median = None if crossover is None else number(crossover.median_rows)
        if crossover is None or by is None or by < LIKELY or median is None:
            return None
        return (
            f"{opened(TITLES[view.against])} is behind the pre-trained model now and likely to catch up, near "
            f"{about_rows(median)} to learn from{_interval(crossover)}: P {chance(by)} within {MOST} times the rows. "
            "With more labels the pre-trained model is worth less."
        )


class StaysAheadOfBoth(Reason):
    code: ClassVar[str] = "V702"
    title: ClassVar[str] = "More rows are unlikely to catch up with the pre-trained model"
    strength: ClassVar[Strength] = "supports"

    def find(self, evidence: Evidence) -> str | None:
        """Where it leads by more than the margin, and being caught up is unlikely."""
        view, found = evidence.verdict.pretrained, _ahead(evidence)
        never = None
        if found is not None and found.crossover is not None:
            never = number(found.crossover.p_never)
        if view is None or never is None or never < WINNER:
            return None
        return (
            f"{opened(TITLES[view.against])} is unlikely to catch up with the pre-trained model within {MOST} times "
            f"the rows: P {chance(1 - never)}."
        )


class BringsNothing(Reason):
    code: ClassVar[str] = "V703"
    title: ClassVar[str] = "A pre-trained model brings nothing here"
    strength: ClassVar[Strength] = "supports"

    def find(self, evidence: Evidence) -> str | None:
        """Where it is surely not better by more than the margin than the better of the two."""
        view = evidence.verdict.pretrained
        better = None if view is None else number(view.p_better)
        if view is None or better is None or 1 - better < WINNER:
            return None
        lead = estimate(view.contrast.gap, view.contrast.low, view.contrast.high)
        against = TITLES[view.against]
        measured = "" if lead is None else f" As measured, it leads by {lead.told(unit_of(evidence))}."
        if lead is not None and lead.value < 0:
            measured = f" As measured, it is behind by {lead.flipped().told(unit_of(evidence))}."
        return (
            f"The pre-trained model is not better than {against} by more than {margin_told(evidence)}: P(better) "
            f"{chance(better)}.{measured}"
        )


class ComesWithALicence(Reason):
    code: ClassVar[str] = "V704"
    title: ClassVar[str] = "The pre-trained model comes with a licence, and with what it was trained on"
    strength: ClassVar[Strength] = "warns"

    def find(self, evidence: Evidence) -> str | None:
        """Where it is the model to use, or likely to be the better one."""
        if not _matters(evidence):
            return None
        told = [_described(encoder) for encoder in _encoders(evidence)]
        return (" ".join(told) + " Make sure that you may use it so.") if told else None


class TrainedElsewhere(Reason):
    code: ClassVar[str] = "V705"
    title: ClassVar[str] = "The training of the encoder is not counted"
    strength: ClassVar[Strength] = "warns"

    def find(self, evidence: Evidence) -> str | None:
        """Where it is the model to use, or likely to be the better one."""
        encoders = _encoders(evidence)
        if not _matters(evidence) or not encoders:
            return None
        sizes = [number(encoder.get("size_bytes")) for encoder in encoders]
        size = sum(one for one in sizes if one is not None and one > 0)
        takes = f" It takes {_megabytes(size)} on disk, which are part of the model's size." if size else ""
        return (
            "The pre-trained model's time and price are of what was done here. What its encoder cost to train, "
            f"elsewhere and before, is not among them.{takes}"
        )


class DidNotGetReady(Reason):
    code: ClassVar[str] = "V706"
    title: ClassVar[str] = "The pre-trained model did not get ready"
    strength: ClassVar[Strength] = "warns"

    def find(self, evidence: Evidence) -> str | None:
        """Where the run has one that did not finish every fold that the two families did."""
        outcome = evidence.outcome
        if PRETRAINED not in outcome.families or PRETRAINED in outcome.results or not outcome.folds:
            return None
        mine = [trial for trial in outcome.trials if trial.family == PRETRAINED]
        failed = [trial for trial in mine if trial.status != "done"]
        reason = next((trial.reason for trial in failed if trial.reason), "")
        because = f" (the first: {short(reason)})" if reason else ""
        ended = f" Of {counted(len(mine), 'trial')} {len(failed):,} failed{because}." if mine else ""
        return (
            "The pre-trained model did not finish every fold of the first pass in its share of the time, so it is not "
            f"compared.{ended} Resume the run with a larger --budget, or take a smaller encoder."
        )


def _ahead(evidence: Evidence) -> CatchUp | None:
    """The outlook of its lead, where it leads by more than the margin and curves and engines allow to look ahead."""
    view = evidence.verdict.pretrained
    if view is None or view.outlook is None or view.outlook.obstacle:
        return None
    better, crossover = number(view.p_better), view.outlook.crossover
    leads = better is not None and better >= LEADING and crossover is not None
    return view.outlook if leads and crossover is not None and crossover.leader == PRETRAINED else None


def _interval(crossover: Crossover) -> str:
    low, high = number(crossover.low_rows), number(crossover.high_rows)
    if low is None:
        return ""
    last = about_rows(high) if high is not None else f"more than {MOST} times the rows"
    return f" (80 % interval {about_rows(low).removesuffix(' rows')} to {last})"


def _matters(evidence: Evidence) -> bool:
    view = evidence.verdict.pretrained
    better = None if view is None else number(view.p_better)
    return evidence.verdict.use == PRETRAINED or (better is not None and better >= LEANING)


def _encoders(evidence: Evidence) -> list[Mapping[str, Any]]:
    """Those that came from elsewhere; one that was trained in the run itself has no secrets."""
    view = evidence.verdict.pretrained
    known = () if view is None else view.encoders
    return [one for one in known if isinstance(one, Mapping) and not one.get("trained_here")]


def _described(encoder: Mapping[str, Any]) -> str:
    """One encoder: what it is, under which licence, and what it learned from, as far as that is known."""
    name, licence, learned = (plain(encoder.get(key) or "") for key in ("name", "licence", "learned_from"))
    has = f"has the licence {licence}" if licence else "does not say its licence"
    from_ = f"it was trained on {learned}" if learned else "what it was trained on is not known"
    told = f"The encoder {short(name)} {has}; {from_}".rstrip(".")
    return f"{told}."


def _megabytes(size: float) -> str:
    return f"{size / 1e6:,.0f} MB" if size >= 1e6 else "under 1 MB"
