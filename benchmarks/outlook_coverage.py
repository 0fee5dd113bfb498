"""Do the outlook's intervals and probabilities hold what they say? Written to benchmarks/results/outlook_coverage.md.

    python -m benchmarks.outlook_coverage          about ten minutes on one core
    python -m benchmarks.outlook_coverage 100      so many drawn studies of each loss, printed and not written

Studies are drawn from curves whose truth is known at 2, 4, 8 and 16 times the rows (drawn_curves.py), and judged by the
same code as any run. Everything comes from fixed seeds.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from textwrap import wrap
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.drawn_curves import FAMILIES, GAPS, LARGEST, TASKS, Pair, draw_pair, draw_study
from fathometer.verdict.compare import Contrast, contrast
from fathometer.verdict.crossover import STEP, Crossover
from fathometer.verdict.forecast import ENGINES_APART, LEADING, UNLIKELY
from fathometer.verdict.outlook import FACTORS, LearningCurve, Outlook, foresee

PAGE = Path(__file__).parent / "results" / "outlook_coverage.md"
STUDIES = {"errors": 2_000, "squares": 1_000}
NAMES = {"errors": "error rates (points)", "squares": "squared errors (RMSE, % of the level)"}
OUTCOMES = ("deep", "tie", "classical")
BINS = 5
CONFIDENT = 0.95

ABOUT = """
Made by `python -m benchmarks.outlook_coverage`. Pairs of data learning curves are drawn from known laws (powers with
floors, exponentials, powers whose exponent changes), and what a study of them leaves is simulated: 3-5 folds, 200-2,000
test rows a fold, paired rows, noise of the training rows, four or five nested sizes (`benchmarks/drawn_curves.py`). The
code that judges is that of any run. The laws are ours. Their spread was set before any result was seen, so that the
gain of a doubling, the share of ties and the share of leaders who are overtaken are near those of LCDB 1.1, which the
forecast was fitted to; other laws give other figures. Real curves are not always monotone; these are, but for noise.
"""
ABOUT_CROSSING = """
Of the family that is said to be behind now. The 80 % interval of the rows is open where it ends beyond 16 times; a pair
that never crosses counts as crossing there. It speaks of all futures, and not of those in which there is a crossing:
among these it must hold less. *Said*: studies in which the verdict asks who would overtake, because one family is
likelier than not ahead by more than the margin, the curves are smooth and the engines agree.
"""

Record = dict[str, Any]


def judge(loss: str, number: int) -> tuple[Record, list[Record], list[Record], list[Record]]:
    """One drawn study: its crossover, its gaps by factor, its forecasts of curves, its measured points."""
    rng = np.random.default_rng((7, sorted(TASKS).index(loss), number))
    pair = draw_pair(loss, rng)
    outcome = draw_study(pair, rng)
    families = contrast(outcome, "classical", "deep")
    curves, outlook = foresee(outcome, families)
    if outlook is None or outlook.crossover is None:
        raise RuntimeError(f"no outlook of drawn study {number}")
    is_smooth = all(curves[name].behaviour not in ("rising", "rough") for name in FAMILIES)
    study: Record = {
        "loss": loss,
        "number": number,
        "smooth": is_smooth,
        "spoken": is_smooth and outlook.disagreement <= ENGINES_APART,
        "test": pair.rows // 4,
    }
    gaps = [study | gap for gap in _gaps(pair, outlook, families)]
    crossing = study | _crossing(pair, outlook, outlook.crossover)
    forecasts = [study | one for one in _forecasts(pair, curves)]
    return crossing, gaps, forecasts, [study | one for one in _measured(pair, curves)]


def _gaps(pair: Pair, outlook: Outlook, families: Contrast) -> Iterable[Record]:
    """At every factor: the truth, the probabilities, the interval, and what persistence would say."""
    margin = TASKS[pair.loss].margin
    for ahead in outlook.factors:
        truth = pair.gap(ahead.factor)
        yield {
            "factor": ahead.factor,
            "truth": truth,
            "outcome": three(truth, margin),
            "stays": three(families.gap, margin),
            **{name: getattr(ahead, f"p_{name}") for name in OUTCOMES},
            "inside": ahead.low <= truth <= ahead.high,
            "reach": reach(truth, ahead.gap, ahead.low, ahead.high),
            "width": ahead.high - ahead.low,
            "missed": abs(ahead.gap - truth),
            "stays_missed": abs(families.gap - truth),
            "inside_95": families.low <= truth <= families.high,
        }


def reach(truth: float, middle: float, low: float, high: float) -> float:
    """How far the truth is from the middle, as a share of the way to the end of the interval on its side."""
    side = high - middle if truth > middle else middle - low
    return abs(truth - middle) / max(side, 1e-12)


def three(gap: float, margin: float) -> str:
    """Who is better by more than the margin, or "tie"."""
    return "deep" if gap > margin else "classical" if gap < -margin else "tie"


def _crossing(pair: Pair, outlook: Outlook, crossover: Crossover) -> Record:
    """When the one behind overtakes in truth, on the forecast's own grid of sizes, and when it was said to."""
    sign = 1.0 if crossover.leader == "classical" else -1.0  # above 0 the other leads
    octaves = np.arange(0.0, math.log2(LARGEST) + STEP / 2, STEP)
    leads = [sign * pair.gap(2.0**octave) > 0 for octave in octaves]
    first = next((i for i in range(len(leads)) if all(leads[i:])), None)
    rows = math.inf if first is None else pair.rows * 2.0 ** octaves[first]
    low, high = (math.inf if end is None else end for end in (crossover.low_rows, crossover.high_rows))
    margin = TASKS[pair.loss].margin
    return {
        "crossed": first is not None,
        "clear": sign * pair.gap(LARGEST) > margin,
        "p": crossover.p_by[int(LARGEST)],
        "p_clear": crossover.p_by_margin[int(LARGEST)],
        "inside": low <= rows * 1.001 and rows <= high * 1.001,
        "leader": crossover.leader,
        "mistaken": leads[0],
        "leads": getattr(outlook.factors[0], f"p_{crossover.leader}") >= LEADING,
    }


def _forecasts(pair: Pair, curves: dict[str, LearningCurve]) -> Iterable[Record]:
    """The 80 % forecast of each curve, and what a doubling brings; widths and misses in gap units."""
    for name in FAMILIES:
        curve, truth = curves[name], pair.curves[name]
        unit = _unit(pair)
        for expected in curve.forecast:
            true = _score(pair, truth.at(expected.factor))
            yield {
                "what": f"{expected.factor:g} times",
                "inside": expected.low <= true <= expected.high,
                "reach": reach(true, expected.score, expected.low, expected.high),
                "width": unit * (expected.high - expected.low),
                "missed": unit * abs(expected.score - true),
                "stays_missed": unit * abs(curve.points[-1].score - true),
            }
        for what, gain, before, after in (
            ("gain of the last doubling", curve.gain_last_doubling, 0.5, 1.0),
            ("gain of the next doubling", curve.gain_next_doubling, 1.0, 2.0),
        ):
            if gain is not None:
                true = unit * (truth.at(before) - truth.at(after))
                yield {
                    "what": what,
                    "inside": gain.low <= true <= gain.high,
                    "reach": reach(true, gain.gain, gain.low, gain.high),
                    "width": gain.high - gain.low,
                    "missed": abs(gain.gain - true),
                    "stays_missed": abs(true),
                }


def _measured(pair: Pair, curves: dict[str, LearningCurve]) -> Iterable[Record]:
    for name in FAMILIES:
        for point in curves[name].points:
            true = _score(pair, pair.curves[name].at(1 / point.divisor))
            yield {
                "divisor": point.divisor,
                "inside": point.low <= true <= point.high,
                "width": _unit(pair) * (point.high - point.low),
            }


def _score(pair: Pair, error: float) -> float:
    return 100.0 - error if pair.loss == "errors" else error


def _unit(pair: Pair) -> float:
    """Gap units of one unit of the score; the present RMSE is about 1."""
    return 1.0 if pair.loss == "errors" else 100.0


def page(found: Sequence[pd.DataFrame]) -> str:
    """Everything as Markdown."""
    crossings, gaps, forecasts, points = found
    return "\n".join(
        [
            "# Do the intervals and probabilities of the outlook hold what they say?",
            "",
            *wrap(ABOUT.strip(), 110),
            "",
            *_short(crossings, gaps, forecasts, points),
            *_drawn(gaps, crossings),
            *_gap_section(gaps),
            *_calibration_section(gaps),
            *_forecast_section(forecasts),
            *_points_section(points),
            *_crossing_section(crossings),
            "",
        ]
    )


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    return [*lines, *(f"| {' | '.join(row)} |" for row in rows), ""]


def _share(values: Any) -> str:
    return f"{100 * float(np.mean(values)):.1f} %" if len(values) else "-"


def _middle(values: Any) -> str:
    return f"{float(np.median(values)):.2f}" if len(values) else "-"


def _short(
    crossings: pd.DataFrame, gaps: pd.DataFrame, forecasts: pd.DataFrame, points: pd.DataFrame
) -> list[str]:
    """The page in a few lines, error rates before squared errors."""

    def both(table: pd.DataFrame, column: str) -> str:
        return " and ".join(_share(table[table.loss == loss][column]) for loss in NAMES)

    later, four = gaps[gaps.factor > 1], gaps[gaps.factor == 4].copy()
    four["right"] = four[list(OUTCOMES)].idxmax(axis=1) == four.outcome
    four["stayed"] = four.stays == four.outcome
    hardly = crossings[crossings.spoken & crossings.leads & (crossings.p < UNLIKELY)]
    ahead = forecasts[forecasts.what.str.endswith("times")]
    return [
        "In short, for error rates and for squared errors:",
        "",
        f"- The 80 % interval of the gap at 2 to 16 times holds the truth in {both(later, 'inside')}.",
        f"- At 4 times the likeliest outcome is right in {both(four, 'right')}; that the gap stays, in "
        f"{both(four, 'stayed')}.",
        f"- 80 % forecasts of a family's curve hold in {both(ahead, 'inside')}, on curves as smooth as these.",
        f"- 95 % intervals of measured points hold in {both(points, 'inside')}.",
        f"- Of those of whom it is said that they would hardly overtake within 16 times, {both(hardly, 'crossed')} "
        f"lead there all the same, {both(hardly, 'clear')} by more than the margin.",
        "",
    ]


def _drawn(gaps: pd.DataFrame, crossings: pd.DataFrame) -> list[str]:
    rows = []
    for loss, of in gaps.groupby("loss", sort=False):
        now, later = of[of.factor == 1], of[of.factor == 4]
        quantiles = " / ".join(f"{v:.1f}" for v in now.truth.quantile([0.05, 0.25, 0.5, 0.75, 0.95]))
        mine = crossings[crossings.loss == loss]
        rows.append(
            (
                NAMES[str(loss)],
                f"{len(now):,}",
                quantiles,
                f"{_share(now.outcome == 'tie')}, {_share(later.outcome == 'tie')}",
                _share(mine.crossed),
                _share(now.spoken),
            )
        )
    spread = ", ".join(f"{100 * g:g}" for g in GAPS)
    head = (
        "what",
        "studies",
        "present gap, 5/25/50/75/95 %",
        "ties now, at 4 times",
        "the other leads at 16 times",
        "said",
    )
    return [
        "## What was drawn",
        "",
        f"Present gaps are normal around 0 with a standard deviation of {spread} % of the error, a third each.",
        "*Said*: curves are smooth and the engines agree; for the rest the verdict says *cannot extrapolate*.",
        "",
        *_table(head, rows),
    ]


def _gap_section(gaps: pd.DataFrame) -> list[str]:
    rows = []
    for (loss, factor), of in gaps.groupby(["loss", "factor"], sort=False):
        said = of[of.spoken]
        right = of[list(OUTCOMES)].idxmax(axis=1) == of.outcome
        rows.append(
            (
                NAMES[str(loss)],
                f"{factor:g}",
                _share(of.inside),
                _share(said.inside),
                f"{of.reach.quantile(0.8):.2f}",
                _middle(of.width),
                f"{of.missed.mean():.2f} ({of.stays_missed.mean():.2f})",
                f"{_share(right)} ({_share(of.stays == of.outcome)})",
                f"{_log_loss(of):.2f}",
                _confident(of),
            )
        )
    now = gaps[gaps.factor == 1]
    head = (
        "what",
        "times the rows",
        "80 % interval holds",
        "where said",
        "times the width would",
        "median width",
        "mean miss (gap stays)",
        "three outcomes right (gap stays)",
        "log-loss",
        f"P >= {CONFIDENT}: how often, wrong",
    )
    return [
        "## The gap",
        "",
        "At 1 times it is the measured gap and the verdict's own probabilities. *Gap stays* takes the measured gap for",
        "the gap at every size. *Times the width would*: the factor by which intervals must be wider to hold what is",
        "stated; below 1 they are wider than needed.",
        "",
        *_table(head, rows),
        f"The present gap's 95 % interval holds the truth in {_share(now.inside_95)} of studies.",
        "",
        *_by_test_rows(gaps),
    ]


def _by_test_rows(gaps: pd.DataFrame) -> list[str]:
    later = gaps[gaps.factor > 1]
    bands = pd.cut(later.test, [0, 400, 800, 2_001], labels=["200-400", "400-800", "800-2,000"])
    rows = [
        (NAMES[str(loss)], str(band), f"{len(of) // len(FACTORS):,}", _share(of.inside), _middle(of.width))
        for (loss, band), of in later.groupby(["loss", bands], sort=False, observed=True)
    ]
    return _table(
        ("what", "test rows a fold", "studies", "80 % interval holds, 2-16 times", "median width"),
        sorted(rows),
    )


def _log_loss(of: pd.DataFrame) -> float:
    chance = np.select([of.outcome == name for name in OUTCOMES], [of[name] for name in OUTCOMES])
    return float(-np.log(np.clip(chance, 1e-3, 1.0)).mean())


def _confident(of: pd.DataFrame) -> str:
    chances = of[list(OUTCOMES)]
    sure = chances.max(axis=1) >= CONFIDENT
    wrong = (chances.idxmax(axis=1) != of.outcome)[sure]
    return f"{_share(sure)}, {_share(wrong)}"


def _calibration_section(gaps: pd.DataFrame) -> list[str]:
    lines = [
        "## The probabilities",
        "",
        "What was said of a family being better by more than the margin, at 2 to 16 times the rows, against how often",
        "it was so. ECE: mean distance of the two.",
        "",
    ]
    rows = []
    for loss, of in gaps[gaps.factor > 1].groupby("loss", sort=False):
        for name in ("deep", "classical"):
            cells, error = reliability(of[name].to_numpy(), (of.outcome == name).to_numpy())
            rows.append((NAMES[str(loss)], f"P({name})", *cells, f"{error:.3f}"))
    head = ("what", "", *(f"{20 * b}-{20 * (b + 1)} %" for b in range(BINS)), "ECE")
    return [*lines, *_table(head, rows)]


def reliability(
    said: np.ndarray[Any, np.dtype[np.float64]], came: np.ndarray[Any, np.dtype[np.bool_]]
) -> tuple[list[str], float]:
    """Per bin "said: came (how many)", and the expected calibration error."""
    bins = np.minimum((said * BINS).astype(int), BINS - 1)
    cells, error = [], 0.0
    for number in range(BINS):
        at = bins == number
        if not at.any():
            cells.append("-")
            continue
        error += float(at.mean()) * abs(float(said[at].mean()) - float(came[at].mean()))
        cells.append(f"{said[at].mean():.2f}: {came[at].mean():.2f} ({at.sum():,})")
    return cells, error


def _forecast_section(forecasts: pd.DataFrame) -> list[str]:
    rows = []
    for (loss, what), of in forecasts.groupby(["loss", "what"], sort=False):
        nominal = 0.95 if "last" in str(what) else 0.8
        rows.append(
            (
                NAMES[str(loss)],
                str(what),
                f"{nominal:.0%}",
                _share(of.inside),
                _share(of[of.smooth].inside),
                f"{of.reach.quantile(nominal):.2f}",
                _middle(of.width),
                f"{of.missed.mean():.2f} ({of.stays_missed.mean():.2f})",
            )
        )
    head = (
        "what",
        "forecast",
        "stated",
        "holds",
        "smooth curves",
        "times the width would",
        "median width",
        "mean miss (no change)",
    )
    return ["## Each family's curve", "", *_table(head, rows)]


def _points_section(points: pd.DataFrame) -> list[str]:
    rows = []
    for (loss, divisor), of in points.groupby(["loss", "divisor"], sort=True):
        rows.append((NAMES[str(loss)], f"1/{divisor}", _share(of.inside), _middle(of.width)))
    return [
        "## Measured points of the curves, 95 % intervals",
        "",
        *_table(("what", "rows", "holds", "median width"), rows),
    ]


def _crossing_section(crossings: pd.DataFrame) -> list[str]:
    lines = [
        "## The crossover within 16 times the rows",
        "",
        *wrap(ABOUT_CROSSING.strip(), 110),
        "",
    ]
    rows, cells = [], []
    groups = [
        (f"{NAMES[str(loss)]}{words}", of[chosen])
        for loss, of in crossings.groupby("loss", sort=False)
        for words, chosen in (("", of.p >= 0), (", said", of.spoken & of.leads))
    ]
    for name, of in groups:
        unlikely = of[of.p < UNLIKELY]
        rows.append(
            (
                f"{name}: {len(of):,}",
                _share(of.inside),
                f"{_share(of[of.crossed].inside)} of {int(of.crossed.sum()):,}",
                f"{_share(unlikely.crossed)} of {len(unlikely):,}",
                f"{_share(unlikely.clear)}",
                f"{float(((of.p - of.crossed) ** 2).mean()):.3f}",
                f"{area(of.p.to_numpy(), of.crossed.to_numpy()):.2f}",
                _share(of.mistaken),
            )
        )
        for p, came in (("p", "crossed"), ("p_clear", "clear")):
            found, error = reliability(of[p].to_numpy(), of[came].to_numpy())
            words = "leads" if p == "p" else "leads by more than the margin"
            cells.append((name, words, *found, f"{error:.3f}"))
    head = (
        "what",
        "80 % interval holds",
        "of those that cross",
        f"said < {UNLIKELY:.0%}, and crossed",
        "by more than the margin",
        "Brier",
        "AUC",
        "leader named wrongly",
    )
    said = ("what", "the other at 16 times", *(f"{20 * b}-{20 * (b + 1)} %" for b in range(BINS)), "ECE")
    return [*lines, *_table(head, rows), *_table(said, cells)]


def area(said: np.ndarray[Any, np.dtype[np.float64]], came: np.ndarray[Any, np.dtype[np.bool_]]) -> float:
    """Area under the ROC curve, ties counted half."""
    ranks = pd.Series(said).rank().to_numpy()
    positive = int(came.sum())
    if positive in (0, len(came)):
        return math.nan
    return float((ranks[came].sum() - positive * (positive + 1) / 2) / (positive * (len(came) - positive)))


def measure(studies: dict[str, int], told: Callable[[str], None]) -> tuple[pd.DataFrame, ...]:
    """All drawn studies as four tables."""
    found: tuple[list[Record], ...] = ([], [], [], [])
    for loss, count in studies.items():
        for number in range(count):
            crossing, *several = judge(loss, number)
            found[0].append(crossing)
            for kept, made in zip(found[1:], several, strict=True):
                kept.extend(made)
            if (number + 1) % 250 == 0:
                told(f"{loss}: {number + 1} of {count}")
    return tuple(pd.DataFrame(records) for records in found)


def main(arguments: list[str]) -> None:
    """Measure and write the page; with a number, only so many studies of each loss, printed."""
    studies = dict.fromkeys(STUDIES, int(arguments[0])) if arguments else STUDIES
    text = page(measure(studies, lambda line: print(line, file=sys.stderr, flush=True)))
    if arguments:
        print(text)
    else:
        PAGE.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
