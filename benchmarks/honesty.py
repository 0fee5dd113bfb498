"""Does the verdict name winners that are none? Written to benchmarks/results/honesty.md.

    python -m benchmarks.honesty simulate   thousands of studies drawn from a law, without training
    python -m benchmarks.honesty same       real fits: both families are LightGBM under other seeds
    python -m benchmarks.honesty noise      real fits of both families to targets that are noise
    python -m benchmarks.honesty fresh      the same on tables that nothing was chosen by
    python -m benchmarks.honesty report     put together what they have found

Each part writes its findings as JSON beside the page. Everything comes from fixed seeds.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn import datasets

from fathometer.data.sources import ReadOptions, read_table
from fathometer.engine import Job
from fathometer.engines.inline import Inline
from fathometer.study.budget import FAMILIES
from fathometer.study.ledger import Ledger, Trial
from fathometer.study.outcome import measure
from fathometer.study.prepare import as_facts, understand
from fathometer.study.request import Request
from fathometer.study.run import begin
from fathometer.study.trial import Order, run_trial
from fathometer.testing.studies import judged, random_law, winner
from fathometer.verdict.axes import standings
from fathometer.verdict.decide import SIGNAL, WINNER, Verdict, decide
from fathometer.verdict.posterior import PRIOR_FREEDOM, PRIOR_SCALE

RESULTS = Path(__file__).parent / "results"
BANDS = ((300, 1_000), (1_000, 3_000), (3_000, 10_000), (10_000, 20_000))
LOSSES = ("errors", "squares", "logs")
STUDIES = 1_000  # in each band, for each loss
GAPS = {"errors": (0.5, 1.0, 2.0, 4.0), "squares": (2.0, 5.0, 10.0), "logs": (2.0, 5.0, 10.0)}
POWER_ROWS = (500, 1_000, 2_000, 5_000, 20_000)
POWER_STUDIES = 300
LIMIT = 0.02

Recipe = tuple[str, dict[str, Any]]  # learner, settings
BOOSTING: tuple[Recipe, ...] = (
    ("boosting", {"rate": 0.1, "rounds": 150, "leaves": 20}),
    ("boosting", {"rate": 0.1, "rounds": 150, "leaves": 8, "at_random": True}),
)
USUAL: dict[str, tuple[Recipe, ...]] = {
    "classical": (("linear", {}), ("boosting", {"rate": 0.1, "rounds": 150, "leaves": 20})),
    "deep": (("mlp", {}),),
}


def simulate() -> dict[str, Any]:
    """Winners named among equal families, by size and loss; and gaps found, by size."""
    false: dict[str, dict[str, Any]] = {}
    for loss in LOSSES:
        for low, high in BANDS:
            rng = np.random.default_rng((1, low))
            beliefs = [judged(random_law(rng, (low, high), loss), rng) for _ in range(STUDIES)]
            named = [winner(belief, WINNER) for belief in beliefs]
            false[f"{loss} {low} {high}"] = {
                "winners": sum(name != "" for name in named),
                "ties": sum(belief.within >= WINNER for belief in beliefs),
                "studies": STUDIES,
            }
    power: dict[str, dict[str, float]] = {}
    for loss, gaps in GAPS.items():
        for gap in gaps:
            for rows in POWER_ROWS:
                rng = np.random.default_rng((2, rows))
                laws = [
                    replace(random_law(rng, (rows, rows + 1), loss), gap=gap) for _ in range(POWER_STUDIES)
                ]
                named = [winner(judged(law, rng), WINNER) for law in laws]
                found = {
                    "found": named.count("second"),
                    "wrong": named.count("first"),
                    "studies": POWER_STUDIES,
                }
                power.setdefault(f"{loss} {gap:g}", {})[str(rows)] = found  # type: ignore[assignment]
    return {"false": false, "power": power}


def same() -> dict[str, Any]:
    """Both families the same learner: every winner named is a false one."""
    return {name: _judge(frame, dict.fromkeys(FAMILIES, BOOSTING)) for name, frame in _signal_tables()}


def noise() -> dict[str, Any]:
    """Targets that are noise: the answer must be that there is no signal."""
    return {name: _judge(frame, USUAL) for name, frame in _noise_tables(4)}


def fresh() -> dict[str, Any]:
    """The same on tables drawn after the threshold of "no signal" was set."""
    return {name: _judge(frame, USUAL) for name, frame in _noise_tables(5)}


def _judge(frame: pd.DataFrame, recipes: dict[str, tuple[Recipe, ...]]) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        verdict, scores = _study(Path(folder), frame, recipes)
    gap = verdict.families
    return {
        "rows": len(frame),
        "answer": verdict.answer,
        "p_deep": round(verdict.p_deep, 4),
        "p_tie": round(verdict.p_tie, 4),
        "p_classical": round(verdict.p_classical, 4),
        "gap": None if gap is None else [round(gap.gap, 4), round(gap.low, 4), round(gap.high, 4), gap.unit],
        "signal": {name: round(p, 4) for name, p in verdict.signal.items()},
        "weak": list(verdict.weak),
        "scores": scores,
    }


def _study(
    folder: Path, frame: pd.DataFrame, recipes: dict[str, tuple[Recipe, ...]]
) -> tuple[Verdict, dict[str, list[float]]]:
    """A run made by hand: the same preparation, trials and judgement as `compare`, the plan alone is ours."""
    table = read_table(frame, ReadOptions())
    request = Request("target", {})
    understood = understand(table, request)
    facts = as_facts(table, understood, request) | {"budget": 60.0, "workers": 1, "family_share": 0.4}
    begin(folder, understood.rows, understood.splits, facts, understood.clusters)
    folds = understood.splits.folds[: understood.splits.first]
    engine, ledger = Inline(), Ledger(folder)
    plan = {"baseline": (("baseline", {}),), **recipes}
    for fold in folds:
        for place, (family, several) in enumerate(plan.items()):
            for turn, (learner, settings) in enumerate(several):
                seed = 1_000 * place + 10 * turn + int(fold.name[-1])
                _try(folder, ledger, engine, (family, learner, settings), fold.name, seed)
    outcome = measure(folder)
    standing = standings(outcome)
    scores = {
        name: [round(v, 5) for v in (one.score.score, one.score.low, one.score.high)]
        for name, one in standing.items()
        if one.score is not None
    }
    return decide(outcome, standing), scores


def _try(
    folder: Path, ledger: Ledger, engine: Inline, what: tuple[str, str, dict[str, Any]], fold: str, seed: int
) -> None:
    family, learner, settings = what
    scratch = ledger.scratch()
    order = Order(str(folder), learner, settings, fold, seed, 2.5, 60.0, str(scratch), {})
    job = Job("one", run_trial, {"order": order}, 60.0, 60.0, 10**11)
    (outcome,) = engine.map(iter([job]))
    if outcome.status != "done":
        raise RuntimeError(f"{learner} on {fold}: {outcome.reason}\n{outcome.trace}")
    key = f"{fold}-{family}-{learner}-{seed}"
    trial = Trial(
        key, family, learner, learner, settings, 1, fold, seed, "presets", "done",
        cpu_seconds=outcome.cpu_seconds, **outcome.value,
    )  # fmt: skip
    ledger.commit(trial, scratch)


def _signal_tables() -> Iterator[tuple[str, pd.DataFrame]]:
    """Tables with something to learn: generated ones of many shapes, and parts of those that scikit-learn brings."""
    rng = np.random.default_rng(3)
    for number in range(24):
        classes = int(rng.integers(2, 5))
        x, y = datasets.make_classification(
            int(rng.integers(400, 2_500)), int(rng.integers(8, 20)), n_informative=5, n_redundant=2,
            n_classes=classes, n_clusters_per_class=2, class_sep=rng.uniform(0.4, 1.5),
            flip_y=rng.uniform(0, 0.2), random_state=number,
        )  # fmt: skip
        yield f"classes {number}", _table(x, np.array([f"c{k}" for k in y]))
    for number in range(20):
        make = (datasets.make_friedman1, datasets.make_friedman2, datasets.make_friedman3)[number % 3]
        size = int(rng.integers(400, 2_500))
        x, y = make(size, noise=0.0, random_state=number)
        noisy = y + rng.uniform(0.2, 1.5) * y.std() * rng.standard_t(4, size)
        yield f"numbers {number}", _table(x, noisy)
    real = (
        ("digits", datasets.load_digits, True, 900), ("breast cancer", datasets.load_breast_cancer, True, 569),
        ("diabetes", datasets.load_diabetes, False, 442), ("wine", datasets.load_wine, True, 178),
    )  # fmt: skip
    for name, load, is_classes, most in real:
        x, y = load(return_X_y=True)
        for draw in range(5):
            rows = rng.permutation(len(x))[: int(most * rng.uniform(0.75, 1))]
            yield (
                f"{name} {draw}",
                _table(x[rows], np.array([f"c{k}" for k in y[rows]]) if is_classes else y[rows]),
            )


def _noise_tables(seed: int) -> Iterator[tuple[str, pd.DataFrame]]:
    rng = np.random.default_rng(seed)
    for number in range(44):
        rows = int(np.exp(rng.uniform(np.log(150), np.log(1_500))))
        x = rng.normal(size=(rows, int(rng.integers(3, 15))))
        kind = number % 4
        if kind == 0:
            yield (
                f"two classes {number}",
                _table(x, np.where(rng.random(rows) < rng.uniform(0.2, 0.8), "a", "b")),
            )
        elif kind == 1:
            yield (
                f"several classes {number}",
                _table(x, rng.choice(list("abcd"), rows, p=[0.4, 0.3, 0.2, 0.1])),
            )
        elif kind == 2:
            yield f"numbers {number}", _table(x, rng.normal(size=rows) * 50)
        else:
            yield f"heavy-tailed numbers {number}", _table(x, rng.standard_t(3, rows))


def _table(x: Any, y: Any) -> pd.DataFrame:
    frame = pd.DataFrame(x, columns=[f"x{k}" for k in range(x.shape[1])])
    frame["kind"] = np.random.default_rng(len(x)).choice(["red", "green", "blue"], len(x))
    return frame.assign(target=y)


def report() -> str:
    """The page."""
    found = {name: json.loads((RESULTS / f"honesty_{name}.json").read_text()) for name in PARTS}
    return "\n".join(
        [
            "# Does the verdict name winners that are none?",
            "",
            f"Made by `python -m benchmarks.honesty`. A winner is named from P >= {WINNER:.2f}; the prior on the gap "
            f"is a Student-t of {PRIOR_FREEDOM:g} degrees of freedom, {PRIOR_SCALE:g} margins wide.",
            "",
            *_simulated(found["simulate"]),
            *_same(found["same"]),
            *_noise(found["noise"], "the threshold of *no signal* was set after seeing these"),
            *_noise(found["fresh"], "drawn after that threshold was set"),
        ]
    )


def _simulated(found: dict[str, Any]) -> list[str]:
    lines = [
        "## Equal families, simulated",
        "",
        "Per-row losses of two families from one law, with folds that share training rows, rows that stay hard from",
        "pass to pass, copies of rows, errors of 5-40 %, disagreement of 1-20 %, heavy tails",
        f"(`fathometer/testing/studies.py`). The limit is {LIMIT:.0%} of studies with a winner, in every band.",
        "",
        "| loss | rows | studies | a winner is named | a tie is named |",
        "|---|---|---|---|---|",
    ]
    total = named = 0
    for name, item in found["false"].items():
        loss, low, high = name.split()
        total, named = total + item["studies"], named + item["winners"]
        lines.append(
            f"| {loss} | {int(low):,}-{int(high):,} | {item['studies']} | {item['winners'] / item['studies']:.1%} | "
            f"{item['ties'] / item['studies']:.0%} |"
        )
    lines += [
        f"| all | | {total} | **{named / total:.2%}** | |",
        "",
        "Below 300 tested rows no winner is named whatever the numbers.",
        "",
        "## Unequal families, simulated: how often the better one is named",
        "",
        "In brackets: how often the worse one is. Gaps in points of accuracy (errors) or per cent of the loss.",
        "",
        "| loss, gap | " + " | ".join(f"{rows:,} rows" for rows in POWER_ROWS) + " |",
        "|---" * (len(POWER_ROWS) + 1) + "|",
    ]
    for name, by_rows in found["power"].items():
        shown = [
            f"{by_rows[str(rows)]['found'] / by_rows[str(rows)]['studies']:.0%} ({by_rows[str(rows)]['wrong']})"
            for rows in POWER_ROWS
        ]
        lines.append(f"| {name} | " + " | ".join(shown) + " |")
    return [*lines, ""]


def _same(found: dict[str, Any]) -> list[str]:
    answers = [item["answer"] for item in found.values()]
    winners = {name: item for name, item in found.items() if item["answer"] in FAMILIES}
    inside = sum(item["gap"][1] <= 0 <= item["gap"][2] for item in found.values())
    return [
        "## The same learner as both families, fitted",
        "",
        f"{len(found)} tables of up to 2,500 rows, generated or from scikit-learn; five folds; both families are",
        "LightGBM with two settings, under other seeds. (Naming *both together* is no error: more seeds make a better",
        "mean.)",
        "",
        f"- a family is named as winner: **{len(winners)} of {len(found)}** ({', '.join(winners) or 'none'})",
        *[f"- {name}: {answers.count(name)}" for name in sorted(set(answers))],
        f"- the true gap, 0, lies inside the 95 % interval: {inside} of {len(found)}",
        "",
    ]


def _noise(found: dict[str, Any], which: str) -> list[str]:
    silent = sum(item["answer"] == "no_signal" for item in found.values())
    others = {name: item for name, item in found.items() if item["answer"] != "no_signal"}
    inside = 0
    for item in found.values():
        base = item["scores"]["baseline"][0]
        inside += all(item["scores"][f][1] <= base <= item["scores"][f][2] for f in FAMILIES)
    return [
        f"## Targets that are noise, fitted: {which}",
        "",
        f"{len(found)} tables of 150-1,500 rows whose target has nothing to do with the columns: two or four classes,",
        "normal or heavy-tailed numbers. Classical: linear, LightGBM; deep: a perceptron. Signal is said from",
        f"P >= {SIGNAL}.",
        "",
        f"- answer *no signal*: **{silent} of {len(found)}**",
        f"- the baseline's score lies inside both families' 95 % intervals: {inside} of {len(found)}",
        *[
            f"- {name}: {item['answer']}, signal {max(item['signal'].values()):.3f}, {item['rows']} rows"
            for name, item in others.items()
        ],
        "",
    ]


PARTS = {"simulate": simulate, "same": same, "noise": noise, "fresh": fresh}


def main(names: list[str]) -> None:
    """Run the parts asked for, or all, and write the page when all are there."""
    for name in names or PARTS:
        if name in PARTS:
            found = PARTS[name]()
            (RESULTS / f"honesty_{name}.json").write_text(json.dumps(found, indent=1) + "\n")
    if all((RESULTS / f"honesty_{name}.json").exists() for name in PARTS):
        (RESULTS / "honesty.md").write_text(report())


if __name__ == "__main__":
    main(sys.argv[1:])
