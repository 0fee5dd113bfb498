"""The answer: which of the two is needed here, how sure that is, and what would decide it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from fathometer.data.sentences import counted
from fathometer.study.budget import FAMILIES, PRETRAINED
from fathometer.study.outcome import Outcome
from fathometer.verdict.axes import Standing
from fathometer.verdict.compare import Contrast, contrast
from fathometer.verdict.forecast import more_rows
from fathometer.verdict.minutes import foresee_minutes
from fathometer.verdict.more_time import more_time, overtaken_by, reserved, to_say
from fathometer.verdict.outlook import LearningCurve, Outlook
from fathometer.verdict.posterior import FOLDS_LEAST, Belief, Spread, believe, t_cumulative
from fathometer.verdict.pretrained import PretrainedView, pretrained_view
from fathometer.verdict.wording import (
    COSTS_APART,
    TITLES,
    amount,
    duration,
    exactly,
    ratio,
    rounded,
    sentence,
)

WINNER = 0.80  # probability from which a winner is named
LEANING = 0.60
SIGNAL = 0.975  # probability of beating the baseline at all, from which that is sure
NO_SIGNAL = 0.90  # below which it is said that nothing does; between the two, neither
TESTED_LEAST = 300  # test rows
RAREST_LEAST = 20  # test rows of the rarest class
LEARNERS_LEAST = (
    3  # different ones of each family on every fold: less is a straw man, however good the one may be
)
CLUSTERS_LEAST = 10  # groups, or different rows, that were tested
ROWS_MOST = 16  # times the rows in hand: beyond that nothing is promised


@dataclass(frozen=True)
class Verdict:
    """What to do.

    answer: "classical", "deep", "together", "tie", "no_signal", "leaning_classical", "leaning_deep", "leaning_tie",
        "cannot_tell", or "pretrained" where a pre-trained model is better than the better of the two.
    sentence: the answer in words. p_deep, p_tie, p_classical: probabilities that deep learning is better by more
        than the margin, that the difference is within it, and that classical ML is better by more.
    use: which competitor's model to use. weak: why no winner may be named, or nothing. next_step: what would decide.
    more_rows: what more data would change, in words; empty where nothing was asked of the curves.
    more_time: what more time would change, in words; empty where nothing is known of it. catching_up: the family for
        whose sake the answer only leans, because it was cut off while it was catching up; or nothing.
    pretrained: the pre-trained model against the better of the two, where the run has one; all the rest but `answer`,
        `sentence`, `use` and `signal` is of the two.
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
    more_rows: str = ""
    more_time: str = ""
    catching_up: str = ""
    pretrained: PretrainedView | None = None


def decide(
    outcome: Outcome,
    table: Mapping[str, Standing],
    outlook: Outlook | None = None,
    curves: Mapping[str, LearningCurve] | None = None,
) -> Verdict:
    """The verdict on what has been measured; uses no clock and no chance, so it can be drawn again any time.

    What is said of now rests on what was measured at all rows alone. The curves and the outlook say what more rows
    would change.
    """
    if outcome.folds == 0:
        return _nothing_yet(outcome)
    families = contrast(outcome, "classical", "deep")
    better = "deep" if families.gap > 0 else "classical"
    together = contrast(outcome, better, "together")
    signal = {name: _signal(outcome, name) for name in ("classical", "deep", "together")}
    weak = (*_weak(outcome), *_unsure_of_signal(signal))
    answer = _answer(families, together, signal, weak)
    minutes = foresee_minutes(outcome, families)
    catching_up, aside = overtaken_by(answer, minutes), ""
    if catching_up and minutes is not None:
        aside = to_say(catching_up, answer, minutes)
        weak = (*weak, reserved(catching_up, answer, minutes))
        answer = f"leaning_{answer}"
    use = _use(answer, better, table)
    belief = families.belief
    verdict = Verdict(
        answer=answer,
        sentence=f"{sentence(answer, outcome, families, together, table, use, bool(weak))} {aside}".rstrip(),
        p_deep=belief.above,
        p_tie=belief.within,
        p_classical=belief.below,
        use=use,
        weak=weak,
        next_step="" if catching_up else _next_step(answer, outcome, families, weak),
        families=families,
        together=together,
        signal=signal,
        more_rows=more_rows(answer, outcome, outlook, curves or {}),
        more_time=more_time(answer, outcome, minutes),
        catching_up=catching_up,
    )
    return _with_pretrained(verdict, outcome, table, better)


def _with_pretrained(
    verdict: Verdict, outcome: Outcome, table: Mapping[str, Standing], better: str
) -> Verdict:
    """The verdict on the two, and on the pre-trained model beside them; the same verdict where there is none.

    It is the answer where it is better than the better of the two as surely as a winner between them must be.
    """
    if PRETRAINED not in outcome.results:
        return verdict
    own = _signal(outcome, PRETRAINED)
    # a straw man among the two is no matter here, but for the one it is compared with
    may_pay = own >= SIGNAL and not _weak(outcome, thin=(better,))
    view = pretrained_view(
        outcome, table, better, verdict.answer, sure=WINNER, likely=LEANING, may_pay=may_pay
    )
    verdict = replace(verdict, signal={**verdict.signal, PRETRAINED: own}, pretrained=view)
    if may_pay and view.p_better >= WINNER:
        without = verdict.sentence[:1].lower() + verdict.sentence[1:]
        said = f"{view.sentence} Without it: {without}"
        return replace(verdict, answer=PRETRAINED, sentence=said, use=PRETRAINED, weak=(), next_step="")
    if verdict.answer == "no_signal" and own >= NO_SIGNAL:
        said = f"Cannot tell on this budget: neither family beats the baseline. {view.sentence}"
        step = "A longer budget, or more rows, would tell whether the pre-trained model is better."
        return replace(verdict, answer="cannot_tell", sentence=said, use=PRETRAINED, next_step=step)
    is_likely = own >= SIGNAL and view.p_better >= LEANING
    use = PRETRAINED if is_likely else verdict.use
    return replace(verdict, sentence=f"{verdict.sentence} {view.sentence}", use=use)


def _nothing_yet(outcome: Outcome) -> Verdict:
    done = {trial.family for trial in outcome.trials if trial.status == "done"}
    missing = [TITLES[name] for name in ("classical", "deep") if name not in done]
    what = f"of {' and '.join(missing)}" if missing else "of both families on one fold"
    failures = [f"{t.title}: {t.reason}" for t in outcome.trials if t.status != "done" and t.reason]
    because = f" First reason recorded: {failures[0].rstrip('.')}." if failures else ""
    return Verdict(
        answer="cannot_tell",
        sentence=f"Cannot tell yet: no finished trial {what}.{because}",
        p_deep=1 / 3,
        p_tie=1 / 3,
        p_classical=1 / 3,
        use="baseline",
        weak=("no fold was finished by both families",),
        next_step=(
            "Put right what the reason says (run.log in the run's folder has more), or resume with a larger --budget."
            if failures
            else "Give it more time: resume the run with a larger --budget."
        ),
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
    spread = look.spread
    if spread.scale <= 0:
        return 0.5 if spread.mean <= 0 else 1.0
    return t_cumulative(spread.mean / spread.scale, spread.freedom)


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
    if math.isinf(families.spread.scale):
        return "cannot_tell"
    if max(signal.values()) < NO_SIGNAL:
        return "no_signal"
    if max(signal.values()) < SIGNAL:
        return "cannot_tell"
    shares = _shares(families.belief)
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
    """The family whose answers cost less processor time a row; where that is much alike, the one that trains faster."""
    names = ("classical", "deep")
    if ratio(table, "microseconds_per_row") >= COSTS_APART:
        return min(names, key=lambda name: (table[name].microseconds_per_row, name))
    return min(names, key=lambda name: (table[name].training_seconds, name))


def _shares(belief: Belief) -> dict[str, float]:
    return {"deep": belief.above, "tie": belief.within, "classical": belief.below}


def _weak(outcome: Outcome, thin: tuple[str, ...] = FAMILIES) -> tuple[str, ...]:
    """Why the evidence is too thin for a winner's name. `thin`: families that must have had time for their learners."""
    results = outcome.results["classical"]
    tested = np.unique(np.concatenate([fold.rows for fold in results]))
    reasons = []
    if len(results) < FOLDS_LEAST:
        done = f"only {counted(len(results), 'fold')} of the {FOLDS_LEAST} needed"
        reasons.append(f"{done} {'is' if len(results) == 1 else 'are'} finished by both families")
    if len(tested) < TESTED_LEAST:
        reasons.append(f"only {counted(len(tested), 'row')} could be tested on, fewer than {TESTED_LEAST}")
    clusters = len(np.unique(outcome.clusters[tested]))
    if clusters < CLUSTERS_LEAST:
        reasons.append(f"only {clusters} different groups were tested on, fewer than {CLUSTERS_LEAST}")
    reasons += [
        f"only {counted(outcome.tried(family), 'learner')} of {TITLES[family]} could be tried on every fold, of "
        f"{outcome.suited[family]} that suit the data"
        for family in _thin_families(outcome)
        if family in thin
    ]
    if outcome.task.outputs > 1:
        rarest = _rarest(outcome, tested)
        if rarest < RAREST_LEAST:
            has = f"the rarest class has only {counted(rarest, 'tested row')}"
            reasons.append(f"{has}, fewer than {RAREST_LEAST}")
    return tuple(reasons)


def _thin_families(outcome: Outcome) -> list[str]:
    """Families that had no time to show what they can do; a plan of few recipes is short on purpose."""
    if outcome.run.get("recipes"):
        return []
    return [
        family
        for family, suited in outcome.suited.items()
        if outcome.tried(family) < min(LEARNERS_LEAST, suited)
    ]


def _unsure_of_signal(signal: Mapping[str, float]) -> tuple[str, ...]:
    best = max(signal.values())
    if not NO_SIGNAL <= best < SIGNAL:
        return ()
    return (f"it is not sure that anything beats the baseline, which ignores the inputs (P = {best:.0%})",)


def _rarest(outcome: Outcome, tested: npt.NDArray[np.intp]) -> int:
    return int(np.bincount(outcome.target[tested], minlength=outcome.task.outputs).min())


def _next_step(answer: str, outcome: Outcome, families: Contrast, weak: tuple[str, ...]) -> str:
    """What would turn a leaning or a "cannot tell" into an answer: from the width of the gap's interval."""
    if answer in ("classical", "deep", "together", "tie"):
        return ""
    if answer == "no_signal" and outcome.not_reached:
        return "A longer budget would try the learners that were not reached: resume the run with a larger --budget."
    if answer == "no_signal":
        return "Look for columns that say more about the target, or check that the target column is the right one."
    if _thin_families(outcome):
        return "A longer budget would let every learner be tried: resume the run with a larger --budget."
    steps = [step for step in (_more_folds(outcome, families), _more_rows(outcome, families)) if step]
    if steps:
        return f"This would decide it: {', or '.join(steps)}."
    if abs(families.gap) > 2 * families.margin:
        return (
            "The difference varies too much from fold to fold to say what would decide it. A longer budget, or another "
            "look at the data for groups or time, may."
        )
    return (
        f"Even {ROWS_MOST} times the rows would hardly settle a difference of {amount(families.gap, families.unit)} "
        f"against a margin of {exactly(families.margin, families.unit)}. Choose by cost, or name another --margin."
    )


def _more_folds(outcome: Outcome, families: Contrast) -> str:
    """The folds that did not fit into the budget, where they would decide: by the rows that they would test."""
    done, planned = outcome.folds, _planned_folds(outcome.run)
    rows = int(outcome.run["data"]["rows"])
    tested = len(np.unique(np.concatenate([fold.rows for fold in outcome.results["classical"]])))
    spread = families.spread
    # further passes over the same rows tell little that is new
    if done >= planned or (done >= FOLDS_LEAST and tested >= rows):
        return ""
    needed = min(FOLDS_LEAST, planned) - done
    if done >= FOLDS_LEAST:
        needed = min(round(done * rows / tested), planned) - done
        then = Spread(spread.mean, spread.scale * math.sqrt(tested / rows), spread.freedom)
        if needed < 1 or not _decides(then, families.margin):
            return ""
    budget = duration(float(outcome.run["budget"]) * (done + needed) / done)
    return f"{counted(needed, 'further fold')}, by resuming the run with a budget of about {budget} in all"


def _more_rows(outcome: Outcome, families: Contrast) -> str:
    """So many more rows, if the gap stays what it is."""
    spread = families.spread
    if math.isinf(spread.scale):
        return "rows of more groups"
    if outcome.folds < min(FOLDS_LEAST, _planned_folds(outcome.run)):
        return ""  # more rows would make the missing folds slower still
    rows = int(outcome.run["data"]["rows"])
    tested = np.unique(np.concatenate([fold.rows for fold in outcome.results["classical"]]))
    least = TESTED_LEAST / len(tested)
    if outcome.task.outputs > 1:
        least = max(least, RAREST_LEAST / max(_rarest(outcome, tested), 1))
    for factor in np.geomspace(1.05, ROWS_MOST, 40):
        narrower = Spread(spread.mean, spread.scale / math.sqrt(factor), spread.freedom)
        if factor >= least and _decides(narrower, families.margin):
            more = counted(rounded(rows * (factor - 1)), "more row")
            gap = amount(families.gap, families.unit)
            return f"about {more}, if the difference {f'stays at {gap}' if families.gap else 'stays away'}"
    return ""


def _decides(spread: Spread, margin: float) -> bool:
    """Whether this would be enough for a plain answer."""
    return max(_shares(believe(spread, margin)).values()) >= WINNER


def _planned_folds(run: Mapping[str, Any]) -> int:
    """A short plan leaves the repeats out."""
    splits = run["splits"]
    return int(splits["first"]) if run.get("recipes") else len(splits["folds"])
