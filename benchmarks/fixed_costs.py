"""What a trial of each learner costs that is not learning: `python -m benchmarks.fixed_costs`.

Every learner is fitted on 824 rows of nine numbers through the real engine, preloaded as in a run, and the processor
seconds of the whole process are set against those that its fit and predictions took, and against a job that does
nothing. Written to benchmarks/results/fixed_costs.md. Part of `make bench`.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from fathometer.data.sources import ReadOptions, read_table
from fathometer.engine import Job
from fathometer.engines.local import Local
from fathometer.learner import LEARNERS
from fathometer.study.prepare import as_facts, understand
from fathometer.study.request import Request
from fathometer.study.run import PRELOADED, begin
from fathometer.study.trial import Order, run_trial, wait_a_moment

PAGE = Path(__file__).parent / "results" / "fixed_costs.md"
ROWS, COLUMNS = 824, 9
TIMES = 3
SECONDS = 20.0
MEMORY = 8 << 30


def measure() -> dict[str, tuple[float, float, float]]:
    """learner -> processor seconds of the whole trial, of its fit, of its predictions; the least of a few trials."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({f"x{k}": rng.normal(size=ROWS) for k in range(COLUMNS)})
    frame["target"] = frame["x0"] + rng.normal(size=ROWS)
    found: dict[str, tuple[float, float, float]] = {}
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "run"
        table, request = read_table(frame, ReadOptions()), Request("target", {})
        understood = understand(table, request)
        begin(
            folder,
            understood.rows,
            understood.splits,
            as_facts(table, understood, request),
            understood.clusters,
        )
        engine = Local(workers=1, preload=PRELOADED)
        for outcome in engine.map(_jobs(folder)):
            name = outcome.job.key.split("/")[0]
            if outcome.status == "done":
                value = outcome.value if isinstance(outcome.value, dict) else {}
                took = (outcome.cpu_seconds, value.get("fit_seconds", 0.0), value.get("predict_seconds", 0.0))
                found[name] = min(found.get(name, took), took)
        engine.close()
    return found


def _jobs(folder: Path) -> Iterator[Job]:
    yield Job("warm", wait_a_moment, {}, 60.0, 60.0, MEMORY)
    for number in range(TIMES):
        yield Job(f"nothing/{number}", wait_a_moment, {}, 60.0, 60.0, MEMORY)
        for name in LEARNERS.usable():
            learner = LEARNERS.get(name)
            if "regression" not in learner.solves or learner.family == "pretrained":
                continue
            scratch = folder / "trials" / f"{name}-{number}"
            scratch.mkdir(parents=True)
            order = Order(str(folder), name, {}, "r0f0", 1, SECONDS, SECONDS, str(scratch), {})
            yield Job(f"{name}/{number}", run_trial, {"order": order}, 60.0, 60.0, MEMORY)


def main() -> None:
    """Measure and write the page; with a file of figures as argument, beside those."""
    found = measure()
    before = json.loads(Path(sys.argv[1]).read_text()) if len(sys.argv) > 1 else {}
    unit = found.pop("nothing")[0]
    found.pop("warm", None)
    lines = [
        "# What a trial costs that is not learning",
        "",
        f"Made by `python -m benchmarks.fixed_costs`: {ROWS} rows of {COLUMNS} numbers, a number to predict, one trial",
        f"of each learner through the engine, the least of {TIMES}. A job that does nothing took {1000 * unit:.0f} ms",
        "of processor time; beside: how many times that a trial took above fit and predictions.",
        "",
        "| learner | trial, s | fit, s | predictions, s | the rest, in jobs that do nothing | trial before, s |",
        "|---|---|---|---|---|---|",
    ]
    for name, (whole, fit, predict) in sorted(found.items()):
        was = f"{before[name]:.2f}" if name in before else ""
        rest = (whole - fit - predict) / unit
        lines.append(f"| {name} | {whole:.2f} | {fit:.2f} | {predict:.2f} | {rest:.1f} | {was} |")
    PAGE.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
