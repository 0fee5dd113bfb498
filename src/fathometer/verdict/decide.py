"""The answer: which of the two is needed here, how sure that is, and what would decide it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from fathometer.study.outcome import Outcome
from fathometer.verdict.axes import Standing
from fathometer.verdict.compare import Contrast, contrast
from fathometer.verdict.posterior import t_cumulative

WINNER = 0.80  # probability from which a winner is named
LEANING = 0.60
SIGNAL = 0.975  # probability of beating the baseline at all, below which there is no signal
FOLDS_LEAST = 3  # fewer cannot show how much training rows matter
TESTED_LEAST = 300  # test rows
RAREST_LEAST = 20  # test rows of the rarest class

TITLES = {
    "classical": "classical ML",
    "deep": "deep learning",
    "together": "both together",
    "baseline": "the baseline",
}


@dataclass(frozen=True)
class Verdict:
    """What to do.

    answer: "classical", "deep", "together", "tie", "no_signal", "leaning_classical", "leaning_deep", "leaning_tie",
        or "cannot_tell".
    sentence: the answer in words. p_deep, p_tie, p_classical: probabilities that deep learning is better by more
        than the margin, that the difference is within it, and that classical ML is better by more.
    use: which competitor's model to use. weak: why no winner may be named, or nothing. next_step: what would decide.
    """

    answer: str
    sentence: str
    p_deep: float
    p_tie: float
    p_classical: float
    use: str
    weak: tuple[str, ...]
    next_step: str
    families: Contrast | None
    together: Contrast | None
    signal: Mapping[str, float]


def decide(outcome: Outcome, table: Mapping[str, Standing]) -> Verdict:
    """The verdict on what has been measured; uses no clock and no chance, so it can be drawn again any time."""
    if outcome.folds == 0:
        return _nothing_yet(outcome)
    families = contrast(outcome, "classical", "deep")
    better, other = ("deep", "classical") if families.gap > 0 else ("classical", "deep")
    together = contrast(outcome, better, "together")
    signal = {name: _signal(outcome, name) for name in ("classical", "deep", "together")}
    weak = _weak(outcome)
    answer = _answer(families, together, signal, weak)
    use = _use(answer, better, table)
    sentence = _sentence(answer, outcome, families, together, table, use)
    belief = families.belief
    return Verdict(
        answer=answer,
        sentence=sentence,
        p_deep=belief.above,
        p_tie=belief.within,
        p_classical=belief.below,
        use=use,
        weak=weak,
        next_step=_next_step(answer, outcome, families, weak, better, other),
        families=families,
        together=together,
        signal=signal,
    )


def _nothing_yet(outcome: Outcome) -> Verdict:
    done = {trial.family for trial in outcome.trials if trial.status == "done"}
    missing = [TITLES[name] for name in ("classical", "deep") if name not in done]
    what = " and ".join(missing) or "the same fold in both families"
    failures = [f"{t.title}: {t.reason}" for t in outcome.trials if t.status != "done" and t.reason]
    because = f" First reason recorded: {failures[0]}" if failures else ""
    return Verdict(
        answer="cannot_tell",
        sentence=f"Cannot tell yet: no finished trial of {what}.{because}",
        p_deep=1 / 3,
        p_tie=1 / 3,
        p_classical=1 / 3,
        use="baseline",
        weak=("no fold was finished by both families",),
        next_step="Give it more time: resume the run with a larger --budget.",
        families=None,
        together=None,
        signal={},
    )


def _signal(outcome: Outcome, name: str) -> float:
    """Probability that a competitor beats the baseline at all, on the deciding metric or on the fitting loss.

    Two looks, because an accuracy can stay at the commonest class's share although the probabilities have learned.
    """
    looks = [contrast(outcome, "baseline", name)]
    if outcome.task.fitting_metric != outcome.task.metric:
        looks.append(contrast(_under_fitting_metric(outcome), "baseline", name))
    return max(_positive(look) for look in looks)


def _positive(look: Contrast) -> float:
    """Probability of a positive gap without the prior, which speaks of families and not of the baseline."""
    from_spread = look.spread
    if from_spread.scale <= 0:
        return 0.5 if from_spread.mean <= 0 else 1.0
    return t_cumulative(from_spread.mean / from_spread.scale, from_spread.freedom)


def _under_fitting_metric(outcome: Outcome) -> Outcome:
    """The same predictions, judged by the loss they were fitted to."""
    task = replace(outcome.task, metric=outcome.task.fitting_metric)
    results = {
        name: tuple(
            replace(fold, losses=task.losses(outcome.target[fold.rows], fold.prediction)) for fold in folds
        )
        for name, folds in outcome.results.items()
    }
    return replace(outcome, task=task, results=results)


def _answer(
    families: Contrast, together: Contrast, signal: Mapping[str, float], weak: tuple[str, ...]
) -> str:
    if max(signal.values()) < SIGNAL:
        return "no_signal"
    belief = families.belief
    shares = {"deep": belief.above, "tie": belief.within, "classical": belief.below}
    if together.belief.above >= WINNER and not weak:
        return "together"
    name = max(shares, key=lambda key: shares[key])
    if shares[name] >= WINNER and not weak:
        return name
    if shares[name] >= LEANING:
        return f"leaning_{name}"
    return "cannot_tell"


def _use(answer: str, better: str, table: Mapping[str, Standing]) -> str:
    """Which model to take; where the difference does not matter, the cheaper one."""
    if answer == "no_signal":
        return "baseline"
    if answer in ("classical", "deep", "together"):
        return answer
    if answer in ("leaning_classical", "leaning_deep"):
        return answer.removeprefix("leaning_")
    if answer == "cannot_tell":
        return better
    return cheaper(table)


def cheaper(table: Mapping[str, Standing]) -> str:
    """The family whose answers cost less processor time a row."""
    return min(("classical", "deep"), key=lambda name: (table[name].microseconds_per_row, name))


def _sentence(
    answer: str,
    outcome: Outcome,
    families: Contrast,
    together: Contrast,
    table: Mapping[str, Standing],
    use: str,
) -> str:
    measure = outcome.task.measure
    rows = int(outcome.run["data"]["rows"])
    gap = f"{abs(families.gap):.2g} {families.unit}"
    margin = f"{families.margin:g} {families.unit}"
    belief = families.belief
    scores = ", ".join(
        f"{TITLES[name]} {_score(table[name], measure.unit)}" for name in ("classical", "deep")
    )
    ahead = TITLES["deep" if families.gap > 0 else "classical"]
    if answer == "classical":
        return (
            f"Classical ML is enough: P(better by more than {margin}) = {belief.below:.0%} at your {rows:,} rows, "
            f"ahead by {gap} ({measure.title}: {scores})."
        )
    if answer == "deep":
        return (
            f"Deep learning pays: P(better by more than {margin}) = {belief.above:.0%} at your {rows:,} rows, "
            f"ahead by {gap} ({measure.title}: {scores})."
        )
    if answer == "together":
        return (
            f"Use both together: P(better than {TITLES[together.first]} alone by more than {margin}) = "
            f"{together.belief.above:.0%}, {together.gap:.2g} {together.unit} ahead of it ({measure.title}: {scores}, "
            f"together {_score(table['together'], measure.unit)}). It spent both families' time."
        )
    if answer == "tie":
        return (
            f"No practical difference: P(within {margin}) = {belief.within:.0%} ({measure.title}: {scores}). "
            f"Take the cheaper, {TITLES[use]}: {_ratio(table)} less processor time per answer."
        )
    if answer == "no_signal":
        return (
            f"No signal: nothing beats the baseline, which ignores the inputs ({measure.title}: {scores}, baseline "
            f"{_score(table['baseline'], measure.unit)}). Other columns are needed, not another model."
        )
    if answer == "leaning_tie":
        return (
            f"Leaning to no practical difference (P(within {margin}) = {belief.within:.0%}); {ahead} is ahead by {gap} "
            f"({measure.title}: {scores})."
        )
    if answer.startswith("leaning"):
        p = belief.above if answer == "leaning_deep" else belief.below
        return (
            f"Leaning to {TITLES[use]} (P(better by more than {margin}) = {p:.0%}), ahead by {gap} "
            f"({measure.title}: {scores})."
        )
    return (
        f"Cannot tell on this budget: {ahead} is ahead by {gap}, and the 95 % interval of the gap is "
        f"{-families.high:.2g} to {-families.low:.2g} {families.unit} in classical ML's favour "
        f"({measure.title}: {scores})."
    )


def _score(standing: Standing, unit: str) -> str:
    if standing.score is None:
        return "not measured"
    low, high = standing.score.low, standing.score.high
    space = " " if unit else ""
    digits = 1 if unit == "%" else None
    shown = [f"{v:.{digits}f}" if digits else f"{v:.4g}" for v in (standing.score.score, low, high)]
    return f"{shown[0]}{space}{unit} [{shown[1]}, {shown[2]}]"


def _ratio(table: Mapping[str, Standing]) -> str:
    costs = sorted(max(table[name].microseconds_per_row, 1e-9) for name in ("classical", "deep"))
    return f"{costs[1] / costs[0]:.1f} times"


def _weak(outcome: Outcome) -> tuple[str, ...]:
    """Why the evidence is too thin for a winner's name."""
    results = outcome.results["classical"]
    tested = np.unique(np.concatenate([fold.rows for fold in results]))
    reasons = []
    if len(results) < FOLDS_LEAST:
        reasons.append(f"only {len(results)} of {FOLDS_LEAST} folds needed are finished by both families")
    if len(tested) < TESTED_LEAST:
        reasons.append(f"only {len(tested)} rows could be tested on, fewer than {TESTED_LEAST}")
    if outcome.task.outputs > 1:
        rarest = int(np.bincount(outcome.target[tested], minlength=outcome.task.outputs).min())
        if rarest < RAREST_LEAST:
            reasons.append(f"the rarest class has only {rarest} tested rows, fewer than {RAREST_LEAST}")
    return tuple(reasons)


def _next_step(
    answer: str,
    outcome: Outcome,
    families: Contrast,
    weak: tuple[str, ...],
    better: str,
    other: str,
) -> str:
    """What would turn a leaning or a "cannot tell" into an answer: computed from the width of the gap's interval."""
    if answer in ("classical", "deep", "together", "tie"):
        return ""
    if answer == "no_signal":
        return "Look for columns that say more about the target, or check that the target column is the right one."
    distance = abs(abs(families.gap) - families.margin)
    needed = max(distance, 0.25 * families.margin) / 0.84  # a normal curve has 80 % below 0.84 scales
    factor = (families.spread.scale / needed) ** 2
    rows = int(outcome.run["data"]["rows"])
    done, planned = outcome.folds, _planned_folds(outcome.run)
    steps = []
    if done < planned:
        missing = planned - done
        minutes = float(outcome.run["budget"]) / max(done, 1) * missing / 60
        steps.append(
            f"the {missing} folds of {planned} that did not fit into the budget (about {minutes:.0f} minutes)"
        )
    if factor > 1.05:
        steps.append(
            f"about {_rounded(rows * (factor - 1)):,} more rows, if the gap stays at {families.gap:+.2g}"
        )
    if not steps:
        steps.append(f"more rows; the gap of {families.gap:+.2g} {families.unit} lies too near the margin")
    return "This would decide it: " + ", or ".join(steps) + "."


def _planned_folds(run: Mapping[str, Any]) -> int:
    """A short plan leaves the repeats out."""
    splits = run["splits"]
    return int(splits["first"]) if run.get("recipes") else len(splits["folds"])


def _rounded(value: float) -> int:
    """Two leading digits are all the estimate is worth."""
    if value < 10:
        return max(1, round(value))
    power = 10 ** (int(np.log10(value)) - 1)
    return int(round(value / power) * power)
