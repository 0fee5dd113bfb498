"""How the comparison went: what came of less time, what was missed, and how thin the evidence is."""

from __future__ import annotations

from typing import ClassVar

from fathometer.data.sentences import counted, listed, opened, short
from fathometer.verdict.evidence import Earlier, Evidence
from fathometer.verdict.forecast import ENGINES_APART
from fathometer.verdict.minutes import LOOKED_AT
from fathometer.verdict.more_time import TIMES, reserved
from fathometer.verdict.reasons.facts import number, opening, percent, plain, plainly, quoted, standing
from fathometer.verdict.reasons.reason import Reason, Strength
from fathometer.verdict.wording import TITLES, chance, duration

ANSWERS = {
    "classical": "classical ML",
    "deep": "deep learning",
    "together": "both together",
    "tie": "no practical difference",
    "no_signal": "no signal",
    "pretrained": "the pre-trained model",
}
SHARES = {0.25: "a quarter", 0.5: "half"}
CUT_LEAST = 0.5  # of a family's trials: from here on most of its models are not what they could be
FAILED_LEAST = 0.2  # of a family's trials: one is bad luck, one in five is a reason to look
UNLIKELY = 0.15  # odds before training, below which an answer is one to look at twice
NOT_TRIED_MOST = 3  # that are told with their reason
NOTED_MOST = 5
OPTIMISTIC = 1.3  # times the loss on validation rows: a learner with more on test rows is told of
SURELY = 1.15  # and three quarters of its trials at least so much
FOLDS_TOLD = 3  # folds from which that is more than a hard one
EVEN = 0.5  # from here on another answer is likelier than this one
# Why a measure may be left out for want of time or by a failure; other notes say that it does not apply to these data.
MISSED = ("out of time", "failed")


class AnswerChanged(Reason):
    code: ClassVar[str] = "V601"
    title: ClassVar[str] = "The answer changed while the budget was used"
    strength: ClassVar[Strength] = "warns"

    def find(self, evidence: Evidence) -> str | None:
        """Where an answer of a quarter or half of the budget names something else."""
        now = plainly(evidence.verdict.answer)
        earlier = _earlier(evidence)
        if now not in ANSWERS or all(plainly(one.answer) == now for one in earlier):
            return None
        said = [f"with {_part(one)} {ANSWERS[plainly(one.answer)]}" for one in earlier]
        told = ", ".join([*said, f"with all of it {ANSWERS[now]}"])
        return f"The answer turned with the budget: {told}. A longer run may turn it again."


class TooThin(Reason):
    code: ClassVar[str] = "V602"
    title: ClassVar[str] = "The evidence is too thin to name a winner"
    strength: ClassVar[Strength] = "warns"

    def find(self, evidence: Evidence) -> str | None:
        """Where the verdict lists why."""
        weak = [one for one in evidence.verdict.weak if one]
        return f"No winner may be named: {'; '.join(weak)}." if weak else None


class CutShort(Reason):
    code: ClassVar[str] = "V603"
    title: ClassVar[str] = "A family was stopped by the clock, or failed, more than a little"
    strength: ClassVar[Strength] = "warns"

    def find(self, evidence: Evidence) -> str | None:
        """From half of a family's trials stopped, or a fifth failed."""
        told = [said for name in evidence.outcome.families if (said := _troubles(evidence, name))]
        return " ".join(told) if told else None


class OddsSaidOtherwise(Reason):
    code: ClassVar[str] = "V604"
    title: ClassVar[str] = "The odds before training said otherwise"
    strength: ClassVar[Strength] = "warns"

    def find(self, evidence: Evidence) -> str | None:
        """Where they gave the answer 15 % or less."""
        odds, now = evidence.odds, plainly(evidence.verdict.answer)
        if odds is None or now not in ("classical", "deep", "tie"):
            return None
        chances = {"classical": odds.p_classical, "deep": odds.p_deep, "tie": odds.p_tie}
        p = number(chances[now])
        if p is None or p > UNLIKELY:
            return None
        source = plain(odds.source or "")
        return (
            f"Before training the odds of this answer ({ANSWERS[now]}) were only {_odds(p)}. {source}".strip()
        )


class NotTried(Reason):
    code: ClassVar[str] = "V605"
    title: ClassVar[str] = "Some learners were not tried"
    strength: ClassVar[Strength] = "warns"

    def find(self, evidence: Evidence) -> str | None:
        """Where any does not suit the data, or its package is not installed."""
        missing = evidence.outcome.not_tried
        if not missing:
            return None
        told = [f"{quoted(name)} ({plain(why).rstrip('.')})" for name, why in missing]
        count = counted(len(told), "learner")
        return f"{count} {'was' if len(told) == 1 else 'were'} not tried: {listed(told, NOT_TRIED_MOST)}."


class EnginesDisagree(Reason):
    code: ClassVar[str] = "V606"
    title: ClassVar[str] = "The two ways to forecast disagree"
    strength: ClassVar[Strength] = "warns"

    def find(self, evidence: Evidence) -> str | None:
        """Where they are more than a quarter apart in some probability; other reasons then make no forecast."""
        apart = None if evidence.outlook is None else number(evidence.outlook.disagreement)
        if apart is None or apart <= ENGINES_APART:
            return None
        return (
            f"What is said of more rows comes from two ways to forecast, and they differ by up to {100 * apart:.0f} "
            "points in a probability. Do not decide by it; measure on more rows."
        )


class NotMeasured(Reason):
    code: ClassVar[str] = "V607"
    title: ClassVar[str] = "Some measures were left out"
    strength: ClassVar[Strength] = "warns"

    def find(self, evidence: Evidence) -> str | None:
        """Where time ran out, or measuring failed."""
        told = []
        for name, title in TITLES.items():
            measured = evidence.measures.get(name) or {}
            skipped = measured.get("skipped") or {}
            missed = [what for what, why in skipped.items() if str(why).startswith(MISSED)]
            if missed:
                told.append(
                    f"of {title}: {listed([plain(what).replace('_', ' ') for what in missed], NOTED_MOST)}"
                )
        if not told:
            return None
        return f"For want of time, or because measuring failed, these are missing or in part only: {'; '.join(told)}."


class AnswerHeld(Reason):
    code: ClassVar[str] = "V608"
    title: ClassVar[str] = "Less of the budget gave the same answer"
    strength: ClassVar[Strength] = "supports"

    def find(self, evidence: Evidence) -> str | None:
        """Where the answers of half of the budget, and of a quarter where there is one, are the same."""
        now, earlier = evidence.verdict.answer, _earlier(evidence)
        if now not in ANSWERS or not earlier or any(one.answer != now for one in earlier):
            return None
        parts = " and with ".join(_part(one) for one in earlier)
        return f"The answer was {ANSWERS[now]} already with {parts}."


class CutOffStillGaining(Reason):
    code: ClassVar[str] = "V609"
    title: ClassVar[str] = "More time would probably change the answer"
    strength: ClassVar[Strength] = "warns"

    def find(self, evidence: Evidence) -> str | None:
        """Where the loser was cut off while it was catching up, or half the odds are against the answer."""
        found, verdict = evidence.minutes, evidence.verdict
        then = None if found is None else found.at(LOOKED_AT)
        if found is None or then is None or plainly(verdict.answer) not in ("classical", "deep", "tie"):
            return None
        if verdict.catching_up in found.families:
            return opened(f"{reserved(verdict.catching_up, plainly(verdict.answer), found)}.")
        p = number(found.p_turned)
        gaining = [name for name, reach in found.families.items() if reach.learners]
        if p is None or p < EVEN or not gaining or plainly(verdict.answer) == "tie":
            return None
        ended = " and ".join(TITLES[name] for name in gaining)
        return (
            f"{opened(ended)} {'were' if len(gaining) > 1 else 'was'} ended by the clock while still gaining; with "
            f"{TIMES} the chance that the other family is better by more than the margin is {_odds(p)}."
        )


class LooksBetterWhereChosen(Reason):
    code: ClassVar[str] = "V610"
    title: ClassVar[str] = "A learner looked better where it was chosen than where it was judged"
    strength: ClassVar[Strength] = "warns"

    def find(self, evidence: Evidence) -> str | None:
        """Where the loss on test rows is far above that on validation rows, on folds enough to tell."""
        told = [
            f"{plain(one.title)} {ratio:.2g} times (median of {counted(one.trials, 'trial')})"
            for one in evidence.outcome.optimism.values()
            if one.folds >= FOLDS_TOLD
            and (ratio := number(one.ratio)) is not None
            and ratio >= OPTIMISTIC
            and one.low >= SURELY
        ]
        if not told:
            return None
        return (
            f"The loss on test rows is above that on validation rows: {listed(told, NOTED_MOST)}. By validation rows "
            "learners are ranked and mixed, so these may have had more weight than they deserve; the scores are of "
            "test rows and are not touched."
        )


def _earlier(evidence: Evidence) -> list[Earlier]:
    """The answers of less than what was used of the budget that name something."""
    return [
        one
        for one in evidence.earlier[:-1]
        if (share := number(one.share)) is not None and 0 < share < 1 and plainly(one.answer) in ANSWERS
    ]


def _part(earlier: Earlier) -> str:
    """Such as "half of the budget (30 seconds)"."""
    share = SHARES.get(earlier.share, percent(earlier.share))
    seconds = number(earlier.seconds)
    return f"{share} of the budget" + (f" ({_seconds(seconds)})" if seconds is not None else "")


def _seconds(seconds: float) -> str:
    return counted(round(seconds), "second") if seconds < 90 else duration(seconds)


def _troubles(evidence: Evidence, name: str) -> str:
    found = standing(evidence, name)
    counts = None if found is None else [number(one) for one in (found.trials, found.cut_short, found.failed)]
    if counts is None or None in counts:
        return ""
    trials, cut, failed = (int(count or 0) for count in counts)
    told = []
    if trials > 0 and cut >= CUT_LEAST * trials:
        told.append(f"{cut:,} {'was' if cut == 1 else 'were'} stopped by the clock before they were done")
    if trials > 0 and failed >= FAILED_LEAST * trials:
        ended = [t for t in evidence.outcome.trials if t.family == name and t.status != "done"]
        reason = next((trial.reason for trial in ended if trial.reason), "")
        told.append(f"{failed:,} failed" + (f" (the first: {short(reason)})" if reason else ""))
    if not told:
        return ""
    return f"{opening(name)}: of {counted(trials, 'trial')} {' and '.join(told)}."


def _odds(p: float) -> str:
    return chance(p).removeprefix("= ")
