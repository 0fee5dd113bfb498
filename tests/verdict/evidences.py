"""Evidence made by hand: a run where nothing special was found, and what a test changes of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
from outcomes import CLASSES, ENCODER, NUMBERS, by_errors, outcome, table

from fathometer.study.outcome import Outcome
from fathometer.verdict.ablation import Ablation, Engineered
from fathometer.verdict.axes import Standing
from fathometer.verdict.calibration import Bin, Calibration
from fathometer.verdict.catching_up import CatchUp, Lead
from fathometer.verdict.compare import Contrast
from fathometer.verdict.crossover import Crossover, Overtaking
from fathometer.verdict.cut_off import CutOff, Reach
from fathometer.verdict.decide import Verdict
from fathometer.verdict.evidence import Earlier, Evidence
from fathometer.verdict.fairness import Comparison, Fairness
from fathometer.verdict.minutes import Later, Level, Minutes, Spent, Turn
from fathometer.verdict.odds import Odds
from fathometer.verdict.outlook import Ahead, Gain, LearningCurve, Outlook
from fathometer.verdict.posterior import Belief, Spread
from fathometer.verdict.pretrained import PretrainedView
from fathometer.verdict.reasons import REASONS
from fathometer.verdict.simplicity import Simplicity

ROWS = 3_000


@cache
def a_study(numbers: bool = False) -> Outcome:
    """Two families that err on different tenths of the rows."""
    rng = np.random.default_rng(0)
    if numbers:
        target = rng.normal(size=ROWS)
        told = {
            name: target + scale * rng.normal(size=ROWS)
            for name, scale in (("classical", 0.3), ("deep", 0.4))
        }
        return outcome({"baseline": 0 * target, "together": told["classical"], **told}, target, task=NUMBERS)
    codes = (rng.permutation(ROWS) < 0.4 * ROWS).astype(np.int64)
    wrong = {name: rng.random(ROWS) < 0.1 for name in ("classical", "deep", "together")}
    return outcome(by_errors(codes, wrong), codes, task=CLASSES)


@cache
def _table(numbers: bool) -> Mapping[str, Standing]:
    return table(a_study(numbers))


def evidence(*, numbers: bool = False, **parts: Any) -> Evidence:
    """Evidence of a tie of 3,000 rows with nothing but an outcome, a table and a verdict, and these parts."""
    given: dict[str, Any] = {"outcome": a_study(numbers), "table": _table(numbers), "verdict": verdict("tie")}
    return Evidence(**given | parts)


def standings_with(**changes: Mapping[str, Any]) -> dict[str, Standing]:
    """The table with these fields of these competitors changed."""
    return {name: replace(standing, **changes.get(name, {})) for name, standing in _table(False).items()}


def contrast(gap: float = 0.1, half: float = 0.3, first: str = "classical", second: str = "deep") -> Contrast:
    belief = Belief(above=0.9, within=0.08, below=0.02, positive=0.95)
    return Contrast(
        first, second, gap, gap - half, gap + half, "points", 0.5, belief, Spread(gap, half / 2, 4.0), 5
    )


def verdict(answer: str, **changes: Any) -> Verdict:
    """A verdict with this answer, sure of it."""
    name = answer.removeprefix("leaning_")
    sure = 0.7 if answer.startswith("leaning_") else 0.9
    sign = {"deep": 1.0, "classical": -1.0}.get(name, 0.0)
    chances = {f"p_{one}": sure if one == name else (1 - sure) / 2 for one in ("deep", "tie", "classical")}
    given: dict[str, Any] = {
        "answer": answer,
        "sentence": "A sentence.",
        **(chances if name in ("deep", "tie", "classical") else dict.fromkeys(chances, 1 / 3)),
        "use": {"tie": "classical", "no_signal": "baseline", "cannot_tell": "deep"}.get(name, name),
        "weak": (),
        "next_step": "",
        "families": contrast(0.1 + 1.1 * sign if sign > 0 else 0.1 - 1.3 * abs(sign)),
        "together": contrast(1.2, 0.4, "deep", "together"),
        "signal": {"classical": 0.999, "deep": 0.999, "together": 0.999},
    }
    return Verdict(**given | changes)


def pretrained(
    better: float = 0.9, by_16: float = 0.08, outlook: bool = True, **changes: Any
) -> PretrainedView:
    """A pre-trained model ahead of deep learning by 2 points, caught up by 16 times the rows with this probability."""
    found = contrast(2.0, 0.5, "deep", "pretrained")
    leads = tuple(
        Lead(factor, round(2_400 * factor), better, 0.05, 0.05, 2.0, 1.0, 3.0) for factor in (1.0, 4.0)
    )
    ahead = CatchUp(2_400, leads, crossover(by_16, leader="pretrained", median_rows=9_000.0), 0.1, "", "")
    given: dict[str, Any] = {
        "against": "deep",
        "contrast": found,
        "p_better": better,
        "p_same": (1 - better) / 2,
        "p_worse": (1 - better) / 2,
        "between": "deep",
        "encoders": (ENCODER,),
        "sentence": "A sentence.",
        "outlook": ahead if outlook else None,
    }
    return PretrainedView(**given | changes)


def curve(gain: float = 0.1, half: float = 0.2, still: str = "plateau", **changes: Any) -> LearningCurve:
    given: dict[str, Any] = {
        "points": (),
        "forecast": (),
        "smooth": (),
        "gain_last_doubling": None,
        "gain_next_doubling": Gain(gain, gain - half, gain + half),
        "rows_for_95_percent": None,
        "behaviour": "well",
        "still": still,
        "note": "",
    }
    return LearningCurve(**given | changes)


def outlook(
    ties: Mapping[int, float] | None = None, deep: Mapping[int, float] | None = None, **changes: Any
) -> Outlook:
    """A forecast with P(tie) and P(deep better) at 1, 2, 4, 8 and 16 times 2,400 rows; .2 and .1 where not named.

    At present the crossover's leader leads.
    """
    leader = changes.get("crossover", crossover()).leader
    deep = {1: 0.7 if leader == "deep" else 0.1} | dict(deep or {})
    factors = []
    for factor in (1, 2, 4, 8, 16):
        p_tie, p_deep = (ties or {}).get(factor, 0.2), deep.get(factor, 0.1)
        factors.append(
            Ahead(float(factor), 2_400 * factor, p_deep, p_tie, 1 - p_tie - p_deep, -1.2, -2.1, -0.3)
        )
    given: dict[str, Any] = {
        "rows": 2_400,
        "factors": tuple(factors),
        "crossover": crossover(),
        "disagreement": 0.1,
        "note": "",
    }
    return Outlook(**given | changes)


def crossover(by_16: float = 0.08, **changes: Any) -> Crossover:
    """Classical ML ahead now, overtaken by 16 times the rows with this probability."""
    chances = {2: by_16 / 4, 4: by_16 / 2, 10: by_16 * 3 / 4, 16: by_16}
    given: dict[str, Any] = {
        "leader": "classical",
        "p_by": chances,
        "p_by_margin": chances,
        "p_never": 1 - by_16,
        "median_rows": None,
        "low_rows": None,
        "high_rows": None,
        "overtook": None,
    }
    return Crossover(**given | changes)


def calibration(ece: float, ece_after: float | None = 0.02) -> Calibration:
    bins = tuple(Bin(0.1 * k, 0.1 * k, 300) for k in range(10))
    return Calibration(0.1, 0.3, ece, 1.4, ece_after, 0.29, bins)


def simplicity(price: float, half: float = 0.2, title: str = "additive curves") -> Simplicity:
    return Simplicity(title, 88.0, 87.0, 89.0, price, price - half, price + half, 12)


def ablation(classical: float, deep: float, half: float = 0.5) -> Ablation:
    pairs = {
        name: Engineered(f"a {name} learner", 90.0, 90.0 - gain, gain, gain - half, gain + half)
        for name, gain in (("classical", classical), ("deep", deep))
    }
    return Ablation(2, 3, pairs, "A sentence.")


def fairness(column: str = "sex", positive: str | None = "yes", **differences: float) -> Fairness:
    """The difference in selection rate of these competitors, plus and minus .04."""
    compared = {
        name: Comparison((), {"selection_rate": (value, value - 0.04, value + 0.04)})
        for name, value in differences.items()
    }
    return Fairness(column, positive, compared, (), "")


def importance(**gaps: float) -> dict[str, Any]:
    return {
        "importance": [{"column": n, "gap": gap, "low": gap - 1, "high": gap + 1} for n, gap in gaps.items()]
    }


def robustness(half: float = 0.5, **losses: float) -> dict[str, Any]:
    return {
        "robustness": [
            {
                "what": code,
                "code": code,
                "score": 80.0,
                "loss_of_score": loss,
                "low": loss - half,
                "high": loss + half,
            }
            for code, loss in losses.items()
        ]
    }


def latency(one: float, thousand: float) -> dict[str, Any]:
    return {
        "latency": {"one_row_ms": [one, 2 * one], "thousand_rows_ms": [thousand, 2 * thousand], "answers": 30}
    }


def train_gap(gap: float) -> dict[str, Any]:
    return {"train_gap": {"train_score": 99.0, "test_score": 99.0 - gap, "gap": gap, "rows": 1_000}}


def surrogate(fidelity: float, leaves: int = 8) -> dict[str, Any]:
    return {
        "surrogate": {
            "leaves": leaves,
            "depth": 4,
            "fidelity": fidelity,
            "low": fidelity - 0.02,
            "high": fidelity + 0.02,
        }
    }


def earlier(*answers: str) -> tuple[Earlier, ...]:
    """The answers of a quarter, a half and all of a minute."""
    shares = (0.25, 0.5, 1.0)
    return tuple(
        Earlier(share, 60 * share, answer, "A sentence.", 0.3, 0.4, 0.3, 3)
        for share, answer in zip(shares, answers, strict=False)
    )


def odds(p_deep: float, p_tie: float, p_classical: float) -> Odds:
    return Odds(p_deep, p_tie, p_classical, "Of 265 public tables.")


def overtook(rows: float, low: float, high: float) -> Overtaking:
    return Overtaking(rows, low, high)


def minutes(p_turned: float = 0.4, leader: str = "classical") -> Minutes:
    """Classical ML ahead now, and a network with an eighth of its epochs that would overtake near two minutes."""
    level = {name: Level(86.0, 84.0, 88.0) for name in ("classical", "deep")}
    now = Later(1.0, 60.0, 0.02, 0.03, 0.95, -2.0, -2.6, -1.4, 0.0, 0.0, 0.0, level)
    then = Later(5.0, 300.0, 0.55, 0.1, 0.35, 0.7, -2.0, 3.4, 2.7, 0.1, 5.3, level)
    cut = Reach(0.8, (CutOff("a network", 0.8, 0.12, 0.2, 1.0),), 2, False)
    return Minutes(
        seconds=60.0,
        families={"classical": Reach(0.0, (), 3, False), "deep": cut},
        promised={"classical": 0.0, "deep": 2.7},
        factors=(now, then),
        turn=Turn(leader, {2: 0.4, 5: 0.6, 25: 0.7}, 140.0, 70.0, None),
        p_turned=p_turned,
        measured={"deep": (Spent(30.0, 80.0, 2), Spent(60.0, 86.0, 5))},
    )


def full() -> Evidence:
    """Evidence in which every part says something."""
    probe = {
        **importance(age=30.0, town=1.0, plan=0.5),
        **latency(2.0, 50.0),
        **train_gap(9.0),
        **surrogate(0.97),
        **robustness(missing_10=3.0, shifted=1.0),
        "skipped": {"stability": "out of time"},
    }
    light = {**probe, **latency(0.1, 2.0), **train_gap(1.0), **robustness(missing_10=0.5, shifted=0.2)}
    return evidence(
        verdict=verdict(
            "deep", weak=("only 2 folds of the 3 needed are finished",), pretrained=pretrained(0.7, 0.6)
        ),
        curves={"classical": curve(), "deep": curve(1.0, 0.4, "rising"), "together": curve()},
        outlook=outlook(
            crossover=crossover(0.7, leader="deep", median_rows=9_000.0, overtook=overtook(700, 300, 1_400))
        ),
        calibration={
            "classical": calibration(0.02),
            "deep": calibration(0.12),
            "together": calibration(0.02),
        },
        fairness=fairness(deep=0.2, classical=0.1),
        simplicity=simplicity(2.0),
        ablation=ablation(3.0, 0.2),
        earlier=earlier("classical", "leaning_deep", "deep"),
        odds=odds(0.1, 0.5, 0.4),
        measures={"classical": light, "deep": probe, "together": probe},
        minutes=minutes(),
    )


def said(code: str, given: Evidence) -> str | None:
    """What the reason of this code says of it."""
    return next(reason for reason in REASONS if reason.code == code).find(given)
