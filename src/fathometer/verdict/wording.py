"""The answer in words: every sentence the verdict may say, and how its numbers are written."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import PurePath

from fathometer.data.sentences import counted
from fathometer.study.outcome import Outcome
from fathometer.verdict.axes import Standing
from fathometer.verdict.compare import Contrast

TITLES = {
    "classical": "classical ML",
    "deep": "deep learning",
    "together": "both together",
    "baseline": "the baseline",
    "pretrained": "the pre-trained model",
}
ENCODER_NAME_MOST = 60  # letters
BUSY = 0.7  # share of its time below which a family was kept from working
COSTS_APART = (
    1.5  # times: on a busy machine the same work differs by up to half, so costs closer than this are alike
)


def sentence(
    answer: str,
    outcome: Outcome,
    families: Contrast,
    together: Contrast,
    table: Mapping[str, Standing],
    use: str,
    is_weak: bool,
) -> str:
    """The answer, with the probability and the scores it rests on."""
    unit, title = outcome.task.measure.unit, outcome.task.measure.title
    margin = exactly(families.margin, families.unit)
    belief = families.belief
    ahead = f"ahead by {amount(families.gap, families.unit)}"
    scores = f"{title}: " + ", ".join(
        f"{TITLES[name]} {_score(table[name], unit)}" for name in ("classical", "deep")
    )
    rows = f"at your {counted(int(outcome.run['data']['rows']), 'row')}"
    if answer == "classical":
        sure = f"P(better by more than {margin}) {chance(belief.below)} {rows}"
        return f"Classical ML is enough: {sure}, {ahead} ({scores})."
    if answer == "deep":
        sure = f"P(better by more than {margin}) {chance(belief.above)} {rows}"
        return f"Deep learning pays: {sure}, {ahead} ({scores})."
    if answer == "together":
        alone = TITLES[together.first]
        sure = f"P(better than {alone} alone by more than {margin}) {chance(together.belief.above)}"
        best = f"together {_score(table['together'], unit)}"
        gain = f"ahead of it by {amount(together.gap, together.unit)}"
        return f"Use both together: {sure}, {gain} ({scores}, {best}). It spent both families' time."
    if answer == "tie":
        sure = f"P(difference within {margin}) {chance(belief.within)}"
        return f"No practical difference: {sure} ({scores}). {_cheaper(table, use)}"
    if answer == "no_signal":
        needed = "Other columns, or more rows, are" if is_weak else "Other columns are"
        base = f"baseline {_score(table['baseline'], unit)}"
        found = f"nothing beats the baseline, which ignores the inputs ({scores}, {base})"
        if outcome.not_reached:
            return (
                f"No signal found with what was tried: {found}. The budget did not reach "
                f"{counted(len(outcome.not_reached), 'learner')}: {', '.join(outcome.not_reached)}."
            )
        return f"No signal: {found}. {needed} needed, not another model."
    if answer == "leaning_tie":
        sure = f"P(difference within {margin}) {chance(belief.within)}"
        return f"Leaning to no practical difference: {sure} ({scores})."
    if answer.startswith("leaning"):
        p = belief.above if answer == "leaning_deep" else belief.below
        sure = f"P(better by more than {margin}) {chance(p)}"
        return f"Leaning to {TITLES[use]}: {sure}, {ahead} ({scores})."
    return f"Cannot tell on this budget: {_ahead(families)} ({scores})."


def pretrained_pays(outcome: Outcome, found: Contrast, standing: Standing, names: Sequence[str]) -> str:
    """The answer where the pre-trained model is the one to use."""
    than = f"P(better than {TITLES[found.first]} by more than {exactly(found.margin, found.unit)})"
    rows = f"at your {counted(int(outcome.run['data']['rows']), 'row')}"
    score = f"{outcome.task.measure.title} {_score(standing, outcome.task.measure.unit)}"
    ahead = f"ahead by {amount(found.gap, found.unit)} ({encoder_names(names)}{score})"
    return f"A pre-trained model pays: {than} {chance(found.belief.above)} {rows}, {ahead}."


def pretrained_aside(
    outcome: Outcome, found: Contrast, standing: Standing, names: Sequence[str], sure: float, likely: float
) -> str:
    """What the pre-trained model is worth where it is not the answer.

    Args:
        sure, likely: probabilities from which something is said plainly, and from which it is said to be probable.
    """
    margin, belief = exactly(found.margin, found.unit), found.belief
    score = (
        f"({encoder_names(names)}{outcome.task.measure.title} {_score(standing, outcome.task.measure.unit)})"
    )
    other, by = TITLES[found.first], amount(found.gap, found.unit)
    if belief.within >= likely:
        probably = "" if belief.within >= sure else "probably "
        alike = f"P(difference within {margin}) {chance(belief.within)}"
        return f"The pre-trained model is {probably}as good as {other}: {alike} {score}."
    if found.gap == 0:
        return f"As measured, the pre-trained model and {other} are level {score}."
    side, word, p = (
        ("ahead of", "better", belief.above) if found.gap > 0 else ("behind", "worse", belief.below)
    )
    opening = "The pre-trained model is" if p >= likely else "As measured, the pre-trained model is"
    open_ = "" if p >= likely else ", which may be noise"
    return f"{opening} {side} {other} by {by}{open_}: P({word} by more than {margin}) {chance(p)} {score}."


def encoder_names(names: Sequence[str]) -> str:
    """Such as "all-MiniLM-L6-v2, "; of a folder its last part; nothing that a terminal would obey."""
    last = [PurePath(name).name or name for name in names]
    plain = ["".join(letter for letter in name if letter.isprintable())[:ENCODER_NAME_MOST] for name in last]
    return "".join(f"{name}, " for name in plain if name.strip())


def busy(outcome: Outcome, table: Mapping[str, Standing], ended: str) -> str:
    """That the families were kept from working, where they were; a replay repeats trials and has no budget."""
    used = [
        table[name].cpu_seconds / table[name].share_seconds
        for name in ("classical", "deep")
        if table[name].share_seconds
    ]
    if ended != "budget" or outcome.run.get("replay") or not used or max(used) >= BUSY:
        return ""
    shown = " and ".join(f"{100 * part:.0f} %" for part in used)
    return (
        f"The machine was busy: the families could use only {shown} of their shares of processor time before the "
        "budget was over. A quieter machine, or a longer budget, would say more."
    )


def judged(outcome: Outcome) -> str:
    """On which folds was judged: as planned, and how many of them were finished where that is fewer."""
    planned, first, done = outcome.run["splits"]["sentence"], outcome.run["splits"]["first"], outcome.folds
    if done >= first:
        return str(planned)
    return (
        f"{planned}; only {done} of these {first} {'was' if done == 1 else 'were'} finished by both families"
    )


def understood(outcome: Outcome) -> list[str]:
    """What was understood of the data, in sentences; of the folds, those that were finished."""
    plan = f"Judged {outcome.run['splits']['sentence']}."
    return [f"Judged {judged(outcome)}." if one == plan else one for one in outcome.run["understood"]]


def amount(value: float, unit: str) -> str:
    """A difference without its sign, in two digits: "0.25 points", "1 point", "120 %", "under 0.01 points"."""
    size = abs(value)
    if size == 0:
        text = "0"
    elif size < 0.01:
        text = "under 0.01"
    else:
        text = f"{size:,.0f}" if size >= 100 else f"{float(f'{size:.2g}'):g}"
    return _with_unit(text, unit)


def exactly(value: float, unit: str) -> str:
    """A figure that was chosen, not measured."""
    return _with_unit(f"{value:g}", unit)


def _with_unit(text: str, unit: str) -> str:
    return f"{text} {'point' if unit == 'points' and text == '1' else unit}"


def chance(p: float) -> str:
    """A probability after its name: "= 97 %"; never 0 or 100, which nobody can measure."""
    if p > 0.99:
        return "> 99 %"
    if p < 0.01:
        return "< 1 %"
    return f"= {100 * p:.0f} %"


def duration(seconds: float) -> str:
    """About so long: "40 seconds", "4 minutes", "3 hours"."""
    if seconds < 90:
        return counted(max(10, 10 * math.ceil(seconds / 10)), "second")
    if seconds < 90 * 60:
        return counted(math.ceil(seconds / 60), "minute")
    return counted(math.ceil(seconds / 3600), "hour")


def rounded(value: float) -> int:
    """Upwards to two leading digits: more the estimate is not worth."""
    if value < 10:
        return max(1, math.ceil(value))
    power = int(10 ** (int(math.log10(value)) - 1))
    return math.ceil(value / power) * power


def _ahead(families: Contrast) -> str:
    """Who is ahead, and how far that may be off; negative where the other may be ahead."""
    if families.gap == 0:
        measured = "neither is ahead"
    else:
        name = TITLES["deep" if families.gap > 0 else "classical"]
        measured = f"{name} is ahead by {amount(families.gap, families.unit)}"
    ends = (families.low, families.high) if families.gap >= 0 else (-families.high, -families.low)
    if not all(map(math.isfinite, ends)):
        return f"{measured}, and how far that may be off cannot be said yet"
    low, high = (_signed(end) for end in ends)
    return f"{measured}, 95 % interval {low} to {high} {families.unit}"


def _signed(value: float) -> str:
    if value == 0:
        return "0"
    text = amount(value, "").strip()
    if text.startswith("under"):
        return "0.00"
    return f"-{text}" if value < 0 else text


def _score(standing: Standing, unit: str) -> str:
    if standing.score is None:
        return "not measured"
    space = " " if unit else ""
    ends = (standing.score.low, standing.score.high)
    shown = [f"{value:.1f}" if unit == "%" else _level(value) for value in (standing.score.score, *ends)]
    interval = f" [{shown[1]}, {shown[2]}]" if all(map(math.isfinite, ends)) else ""
    return f"{shown[0]}{space}{unit}{interval}"


def _level(value: float) -> str:
    """Four digits, and every digit before the point."""
    return f"{value:,.0f}" if 1_000 <= abs(value) < 1e15 else f"{value:.4g}"


def ratio(table: Mapping[str, Standing], cost: str) -> float:
    """How many times the dearer family costs of the cheaper one; `cost`: a field of `Standing`."""
    low, high = sorted(max(float(getattr(table[name], cost)), 1e-9) for name in ("classical", "deep"))
    return high / low


def _cheaper(table: Mapping[str, Standing], use: str) -> str:
    answering, training = (ratio(table, cost) for cost in ("microseconds_per_row", "training_seconds"))
    if answering >= COSTS_APART:
        return f"Take the cheaper, {TITLES[use]}: the other needs {_times(answering)} the processor time per answer."
    if training >= COSTS_APART:
        return (
            f"Both cost about the same per answer; take {TITLES[use]}: the other needs {_times(training)} the "
            "processor time to train."
        )
    return f"Both cost about the same per answer and to train; take {TITLES[use]}."


def _times(value: float) -> str:
    return f"{value:,.0f} times" if value >= 10 else f"{value:.1f} times"
