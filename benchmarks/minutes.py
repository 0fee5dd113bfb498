"""Does a short run tell what a longer one would? Written to benchmarks/results/minutes.md.

    python -m benchmarks.minutes                        every table, 60 s and then 300 s
    python -m benchmarks.minutes wage adult_with_header these alone
    python -m benchmarks.minutes --short 60 --times 25  another length, another factor (2, 5 or 25)
    python -m benchmarks.minutes --runs FOLDER          keep the runs there; those that are there are judged again
    python -m benchmarks.minutes --report               write the page again from what is stored

What was measured is kept in minutes.json beside the page and not measured again. Needs the development data
(`FATHOMETER_DATA`); a table whose file is absent is left out. Nothing else may run on the machine meanwhile.
"""

from __future__ import annotations

import argparse
import json
import math
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import wrap
from typing import Any

import numpy as np

import fathometer as fm
from benchmarks.outlook_coverage import OUTCOMES, three
from benchmarks.tables import TABLES, read_table, table_by_name

RESULTS = Path(__file__).parent / "results"
STORED, PAGE = RESULTS / "minutes.json", RESULTS / "minutes.md"
SHORT, TIMES = 60.0, 5.0
SEED = 0
SURE = (0.95, 0.8)
FAMILIES = ("classical", "deep")
CHOSEN_ON = frozenset(
    {
        "letters_like",
        "california_housing",
        "digits",
        "bike_sharing_hourly",
        "ames_housing",
        "telco_churn",
        "mammography",
        "credit_scoring",
        "cps1988_wages",
        "wage",
    }
)
"""The tables on which the constants of verdict/cut_off.py and verdict/minutes.py were chosen; the others judge."""

ABOUT = """
Made by `python -m benchmarks.minutes`: each table is compared twice on the same rows and folds, with a short budget and
with a longer one. What the short run's outlook says of that time is held against what the long run measured. Gaps are
classical less deep loss, in points of accuracy or per cent of the loss's level: above 0 deep learning is better. *Gap
stays*: the short run's measured gap taken for that of the long one (its probabilities: what the short run believes of
now). *Inside*: the gap's 80 % interval holds the long run's measured gap; *change inside*: the same of how far it
moves, which leaves out what both runs share, the luck of the test rows. *Turned round*: a family was named, plainly or
as likely, and the long run measured the other ahead by more than the margin, or named it.
"""

Found = dict[str, Any]


@dataclass(frozen=True)
class Judged:
    """What a short run said of more time, and what came. said: the answer's probabilities of now."""

    name: str
    unit: str
    margin: float
    times: float
    now: float
    said: Mapping[str, float]
    answers: tuple[str, str]
    forecast: Mapping[str, Any]
    p_turned: float
    came: float

    @property
    def outcome(self) -> str:
        """What the long run measured."""
        return three(self.came, self.margin)

    @property
    def guess(self) -> str:
        """The likeliest outcome by the forecast."""
        return max(OUTCOMES, key=lambda name: float(self.forecast[f"p_{name}"]))

    @property
    def stays(self) -> str:
        """The outcome that the short run measured."""
        return three(self.now, self.margin)

    @property
    def is_inside(self) -> bool:
        """Whether the gap's interval holds what was measured."""
        return bool(self.forecast["low"] <= self.came <= self.forecast["high"])

    @property
    def is_change_inside(self) -> bool:
        """Whether the interval of the change holds how far it moved."""
        moved = self.came - self.now
        return bool(self.forecast["change_low"] <= moved <= self.forecast["change_high"])

    def turned(self, name: str) -> bool:
        """Whether the long run speaks for the other family than this one."""
        other = {"deep": "classical", "classical": "deep"}[name]
        return self.outcome == other or self.answers[1] == other

    def loss(self, chances: Mapping[str, float]) -> float:
        """Log-loss of three probabilities."""
        return -math.log(max(chances[self.outcome], 1e-3))


def measured(name: str, seconds: float, run: Path) -> Found:
    """One run's answer, gap and outlook as plain data; a run that is there is judged, and not repeated."""
    table = table_by_name(name)
    if (run / "result.json").exists():
        result = fm.judge(run).to_json()
    else:
        frame = read_table(table).reset_index(drop=True)
        result = fm.compare(frame, table.target, budget=seconds, out=run, seed=SEED).to_json()
    verdict = result["verdict"]
    gap = verdict["families"] or {}
    return {
        "created": result["created"],
        "unit": result["metric"]["gap_unit"],
        "answer": verdict["answer"],
        "sentence": verdict["sentence"],
        "more_time": verdict["more_time"],
        "catching_up": verdict["catching_up"],
        **{f"p_{outcome}": verdict[f"p_{outcome}"] for outcome in OUTCOMES},
        **{key: gap.get(key) for key in ("gap", "low", "high", "margin", "folds")},
        "minutes": result["minutes"],
    }


def measure(names: Iterable[str], short: float, times: float, runs: Path) -> None:
    """Measure what is not stored yet, storing each run at once."""
    for name in names:
        for seconds in (short, short * times):
            stored, key = _stored(), f"{name} {seconds:g}"
            run = runs / key.replace(" ", "-")
            if key in stored and not (run / "result.json").exists():
                continue
            try:
                stored[key] = measured(name, seconds, run)
            except FileNotFoundError as error:
                print(f"left out {name}: {error}")
                break
            STORED.write_text(json.dumps(stored, indent=1) + "\n", encoding="utf-8")
            print(key, stored[key]["sentence"], stored[key]["more_time"], flush=True)


def judge(name: str, short: Found, long: Found, times: float) -> Judged | None:
    """None where one of the runs has no gap, or the short one no outlook."""
    factors = (short["minutes"] or {}).get("factors", [])
    then = next((step for step in factors if step["factor"] == times), None)
    if then is None or short["gap"] is None or long["gap"] is None:
        return None
    return Judged(
        name=name,
        unit=short["unit"],
        margin=short["margin"],
        times=times,
        now=short["gap"],
        said={outcome: short[f"p_{outcome}"] for outcome in OUTCOMES},
        answers=(short["answer"], long["answer"]),
        forecast=then,
        p_turned=short["minutes"]["p_turned"],
        came=long["gap"],
    )


def page(stored: Mapping[str, Found], short: float, times: float) -> str:
    """Everything stored of this pair of budgets, as Markdown."""
    judged, without = [], []
    for name in (table.name for table in TABLES):
        pair = [stored.get(f"{name} {seconds:g}") for seconds in (short, short * times)]
        if pair[0] is None or pair[1] is None:
            continue
        one = judge(name, pair[0], pair[1], times)
        without += [name] if one is None else []
        judged += [] if one is None else [one]
    return "\n".join(
        [
            "# Does a short run tell what a longer one would?",
            "",
            *wrap(ABOUT.strip(), 110),
            "",
            f"{short:g} s against {short * times:g} s.",
            "",
            *_summary(judged),
            *_tables(judged),
            *([f"Without a gap or an outlook on one side: {', '.join(without)}.", ""] if without else []),
        ]
    )


def _summary(judged: Sequence[Judged]) -> list[str]:
    lines = [
        "| tables | how many | right of three outcomes | gap stays | log-loss (gap stays) | inside 80 % | "
        "change inside | turned round, of named plainly | of P >= 95 % now | of P >= 80 % now |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    groups = {
        "all": judged,
        "nothing was chosen by them": [one for one in judged if one.name not in CHOSEN_ON],
        "the constants were chosen on them": [one for one in judged if one.name in CHOSEN_ON],
    }
    for words, group in groups.items():
        if not group:
            continue
        named = [(one, one.answers[0]) for one in group if one.answers[0] in FAMILIES]
        likely = [
            [(one, name) for one in group for name in FAMILIES if one.said[name] >= least] for least in SURE
        ]
        loss = float(np.mean([one.loss({k: one.forecast[f"p_{k}"] for k in OUTCOMES}) for one in group]))
        stays = float(np.mean([one.loss(one.said) for one in group]))
        told = [
            _count(one.guess == one.outcome for one in group),
            _count(one.stays == one.outcome for one in group),
            f"{loss:.2f} ({stays:.2f})",
            _count(one.is_inside for one in group),
            _count(one.is_change_inside for one in group),
            *(_count(one.turned(name) for one, name in pairs) for pairs in (named, *likely)),
        ]
        lines.append(f"| {words} | {len(group)} | {' | '.join(told)} |")
    return [*lines, ""]


def _tables(judged: Sequence[Judged]) -> list[str]:
    lines = [
        "| table | short run | gap | forecast [80 %] | P deep / tie / classical | P turned | long run | gap | inside |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for one in judged:
        then = one.forecast
        chances = " / ".join(f"{then[f'p_{outcome}']:.0%}" for outcome in OUTCOMES)
        mark = "" if one.name in CHOSEN_ON else " (judges)"
        lines.append(
            f"| {one.name}{mark} | {one.answers[0]} | {one.now:.2f} {one.unit} | {then['gap']:.2f} "
            f"[{then['low']:.2f}, {then['high']:.2f}] | {chances} | {one.p_turned:.0%} | {one.answers[1]} | "
            f"{one.came:.2f} | {'yes' if one.is_inside else '**no**'} |"
        )
    return [*lines, ""]


def _count(values: Iterable[bool]) -> str:
    listed = list(values)
    return f"{sum(listed)} of {len(listed)}"


def _stored() -> dict[str, Found]:
    stored: dict[str, Found] = json.loads(STORED.read_text(encoding="utf-8")) if STORED.exists() else {}
    return stored


def main() -> None:
    """Measure what is missing, and write the page."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("tables", nargs="*", help="names of tables; all unless given")
    parser.add_argument("--short", type=float, default=SHORT, help="seconds of the short run")
    parser.add_argument("--times", type=float, default=TIMES, choices=(2.0, 5.0, 25.0))
    parser.add_argument("--runs", type=Path, help="keep the runs there, and judge those that are there again")
    parser.add_argument("--report", action="store_true", help="write the page from what is stored")
    asked = parser.parse_args()
    names = asked.tables or [table.name for table in TABLES]
    if not asked.report:
        with tempfile.TemporaryDirectory() as scratch:
            runs = asked.runs or Path(scratch)
            runs.mkdir(parents=True, exist_ok=True)
            measure(names, asked.short, asked.times, runs)
    PAGE.write_text(page(_stored(), asked.short, asked.times), encoding="utf-8")


if __name__ == "__main__":
    main()
