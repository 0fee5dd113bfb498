"""What more time would change, in words, and when that forbids a winner's name."""

from __future__ import annotations

import math

from fathometer.data.sentences import opened
from fathometer.study.outcome import Outcome
from fathometer.verdict.cut_off import CutOff, Reach
from fathometer.verdict.minutes import FACTOR_MOST, LOOKED_AT, Later, Minutes
from fathometer.verdict.wording import TITLES, amount, chance, duration, exactly

CATCHING_UP = (
    0.2  # probability that a loser that was cut off is ahead at five times the time: a name takes .8
)
LIKELY = 0.5  # from which an overtaking is given its minutes
UNLIKELY = 0.1  # below which it is said that there will hardly be one
OTHER = {"classical": "deep", "deep": "classical"}
TIMES = "five times the minutes"


def overtaken_by(answer: str, minutes: Minutes | None) -> str:
    """The family that would be wronged by this answer, or nothing.

    It was cut off while it was still gaining, and with five times the time it would be ahead of the family that is
    named with a probability that a winner may not have against it; or, where no difference is named, it is likelier
    than not ahead by more than the margin then.
    """
    then = None if minutes is None else minutes.at(LOOKED_AT)
    if minutes is None or then is None:
        return ""
    if answer in OTHER:
        loser, turn = OTHER[answer], minutes.turn
        is_gaining = bool(minutes.families[loser].learners)
        is_led = turn is not None and turn.leader == answer
        near = turn is not None and turn.p_by[int(LOOKED_AT)] >= CATCHING_UP
        return loser if is_gaining and is_led and near else ""
    if answer == "tie":
        for family, found in minutes.families.items():
            if found.learners and then.better(family) >= LIKELY:
                return family
    return ""


def reserved(family: str, answer: str, minutes: Minutes) -> str:
    """Why the answer only leans: as a reason in a list of them."""
    then = minutes.at(LOOKED_AT)
    title = TITLES[family]
    gaining = _cut_off(minutes.families[family])
    if then is None or not gaining:
        return f"{title} was ended by the clock while it was still gaining"
    ahead = minutes.turn.p_by[int(LOOKED_AT)] if answer in OTHER and minutes.turn else then.better(family)
    what = "ahead" if answer in OTHER else "better by more than the margin"
    is_so = chance(ahead).replace("=", "is").replace(">", "is over").replace("<", "is under")
    return (
        f"{title} was ended by the clock while it was still gaining ({gaining}), and with {TIMES} the chance that it "
        f"is {what} {is_so}"
    )


def to_say(family: str, answer: str, minutes: Minutes) -> str:
    """The same as a sentence to add to the answer."""
    again = option(LOOKED_AT * minutes.seconds)
    why = reserved(family, answer, minutes)
    return f"But {why}: compare again with --budget {again}."


def more_time(answer: str, outcome: Outcome, minutes: Minutes | None) -> str:
    """The outlook as two or three sentences; empty where there is none."""
    then = None if minutes is None else minutes.at(LOOKED_AT)
    if minutes is None or then is None:
        return ""
    if all(found.is_over and not found.learners for found in minutes.families.values()):
        return "More time would change nothing: both families had come to their end with time left."
    told = [_gap(answer, outcome, minutes, then), _gaining(outcome, minutes), _overtaking(minutes)]
    return " ".join(sentence for sentence in told if sentence)


def option(seconds: float) -> str:
    """A length of time as --budget takes it: "90s", "5m", "2h"."""
    if seconds < 90:
        return f"{math.ceil(seconds)}s"
    if seconds < 90 * 60:
        return f"{math.ceil(seconds / 60)}m"
    return f"{math.ceil(seconds / 3600)}h"


def _gap(answer: str, outcome: Outcome, minutes: Minutes, then: Later) -> str:
    """Who would be ahead, by how much, and whether that is another answer."""
    unit = outcome.task.measure.gap_unit
    name = "deep" if then.gap > 0 else "classical"
    low, high = (then.low, then.high) if then.gap > 0 else (-then.high, -then.low)
    ends = f"80 % interval {_signed(low)} to {_signed(high)}"
    ahead = f"{TITLES[name]} ahead by {amount(then.gap, unit)}" if then.gap else "neither ahead"
    margin = exactly(outcome.task.margin, unit)
    now = answer.removeprefix("leaning_")
    if now in OTHER:
        sure = f"P({TITLES[OTHER[now]]} better by more than {margin}) {chance(then.better(OTHER[now]))}"
    elif now == "tie":
        sure = f"P(difference still within {margin}) {chance(then.p_tie)}"
    else:
        sure = f"P({TITLES[name]} better by more than {margin}) {chance(then.better(name))}"
    return f"With {TIMES} ({duration(then.seconds)}), {ahead} is expected ({ends}); {sure}."


def _gaining(outcome: Outcome, minutes: Minutes) -> str:
    """Of the families whose learners would gain more than the margin, what was cut off."""
    told = []
    for family, found in minutes.families.items():
        promised = minutes.promised[family]
        if promised >= outcome.task.margin and (said := _cut_off(found)):
            told.append(
                f"{opened(TITLES[family])} was ended by the clock while it was still gaining ({said})."
            )
    return " ".join(told)


def _cut_off(found: Reach) -> str:
    """The learner that matters most of those that were cut off, and how far it came."""
    if not found.learners:
        return ""
    return said_of(found.learners[0])


def said_of(learner: CutOff) -> str:
    """Such as "TabM had 12 % of its epochs, and would take 15 % off its loss by twice the steps"."""
    done = "" if learner.done is None else f"had {100 * learner.done:.0f} % of its epochs, and "
    return f"{learner.title} {done}would take {100 * learner.gain:.0f} % off its loss by twice the steps"


def _overtaking(minutes: Minutes) -> str:
    """When, where it is likelier than not that one leads by more than the margin: of two that are level none can."""
    turn = minutes.turn
    if turn is None or minutes.factors[0].better(turn.leader) < LIKELY:
        return ""
    behind = opened(TITLES[OTHER[turn.leader]])
    by = turn.p_by[int(FACTOR_MOST)]
    if turn.seconds is not None and turn.seconds > minutes.seconds:
        ends = " to ".join(_end(end, minutes) for end in (turn.low, turn.high))
        return f"{behind} would overtake near {duration(turn.seconds)} (80 % interval {ends})."
    if by < UNLIKELY:
        return f"{behind} would hardly overtake within {FACTOR_MOST:g} times the minutes (P {chance(by)})."
    who = TITLES[OTHER[turn.leader]]
    return f"Whether {who} would overtake within {FACTOR_MOST:g} times the minutes is open (P {chance(by)})."


def _end(seconds: float | None, minutes: Minutes) -> str:
    if seconds is None:
        return f"beyond {duration(FACTOR_MOST * minutes.seconds)}"
    return "now" if seconds <= minutes.seconds else duration(seconds)


def _signed(value: float) -> str:
    return f"{'-' if value < 0 else ''}{amount(value, '').strip()}"
