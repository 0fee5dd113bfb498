"""Latency and throughput beside the bare call and beside other servers; then a long run.

`python -m benchmarks.serving.run [--soak 600]`, with MLFLOW, MLSERVER, BENTOML in the environment naming the Python of
an environment of each (they cannot live in one). Writes benchmarks/results/serving.md. Nothing else may run meanwhile.
"""

from __future__ import annotations

import argparse
import os
import platform
import tempfile
import time
from pathlib import Path
from typing import Any

import pandas as pd

import fathometer as fm
from benchmarks.checks import DATA
from benchmarks.serving.load import closed, paced
from benchmarks.serving.servers import Server, memory, ours, peers, running

PAGE = Path(__file__).resolve().parents[1] / "results" / "serving.md"
ROUNDS = 3  # of all servers in turn, so that a slow minute hits all of them
SECONDS = 6.0
BUSY = 8  # connections that keep a server busy
WARM = 1.5


def main() -> None:
    """Measure and write the page."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--soak", type=float, default=0.0, help="seconds of the long run")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--seconds", type=float, default=SECONDS)
    parser.add_argument(
        "--bundle", type=Path, action="append", default=[], help="measure these; made unless given"
    )
    arguments = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="serving-"))
    frame = pd.read_csv(DATA / "tabular" / "telco_churn.csv").drop(columns=["customerID", "Churn"])
    bundles = arguments.bundle or made(folder)
    lines = [
        "# Serving", "",
        f"`python -m benchmarks.serving.run --soak {arguments.soak:g}`; {os.cpu_count()} cores, "
        f"Python {platform.python_version()}, loopback, one worker each, one thread for numbers, "
        "client on the same machine. Median of rounds in turn.", "",
    ]  # fmt: skip
    for bundle in bundles:
        place = folder / f"run-{bundle.stem}"
        place.mkdir()
        lines += measured(bundle, place, frame, arguments.rounds, arguments.seconds)
    if arguments.soak:
        lines += soaked(bundles[0], folder, frame, arguments.soak)
    PAGE.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print("\n".join(lines))


def made(folder: Path) -> list[Path]:
    """One gradient-boosted model, and the whole classical ensemble, of the same data."""
    found = []
    for name, size, learners in (("small", "small", ("boosting",)), ("ensemble", "best", ())):
        study = fm.compare(
            DATA / "tabular" / "telco_churn.csv", "Churn", budget=60, out=folder / name, model=size,
            learners=(*learners, "mlp") if learners else (),
        )  # fmt: skip
        found.append(
            fm.pack(study.folder, folder / f"{name}.fathom", family="classical" if size == "best" else None)
        )
    return found


def measured(bundle: Path, folder: Path, frame: pd.DataFrame, rounds: int, seconds: float) -> list[str]:
    """The table of one bundle."""
    named = {
        name: Path(os.environ[name.upper()])
        for name in ("mlflow", "mlserver", "bentoml")
        if name.upper() in os.environ
    }
    servers = [*ours(bundle, folder), *peers(bundle, folder, named)]
    found: dict[str, list[dict[str, float]]] = {server.name: [] for server in servers}
    for _ in range(rounds):
        for server in servers:
            found[server.name].append(_round(server, frame, seconds))
            print(server.name, found[server.name][-1], flush=True)
    middle = {
        name: {key: _median([one[key] for one in several]) for key in several[0]}
        for name, several in found.items()
    }
    bare = middle["bare call"]
    model = fm.open_model(bundle)
    members = {key for mix in model.mixes[model.default] for key in mix}
    lines = [
        f"## {bundle.stem}: {len(members)} members, {len(model.schema.names)} columns", "",
        "| server | one row, p50 ms | p99 ms | of the bare call's p50 | requests/s, 1 row "
        "| rows/s, 100 a request | errors |",
        "|---|---|---|---|---|---|---|",
    ]  # fmt: skip
    for name, one in middle.items():
        lines.append(
            f"| {name} | {one['p50']:.2f} | {one['p99']:.2f} | {one['p50'] / bare['p50']:.2f} | {one['rate1']:.0f} | "
            f"{100 * one['rate100']:.0f} | {one['errors']:.0f} |"
        )
    return [*lines, ""]


def _round(server: Server, frame: pd.DataFrame, seconds: float) -> dict[str, float]:
    one, hundred = server.question(frame.iloc[[7]]), server.question(frame.iloc[:100])
    with running(server, one) as (port, _):
        closed(port, one, 1, WARM)
        single = closed(port, one, 1, seconds)
        closed(port, hundred, 2, WARM)
        busy1, busy100 = (closed(port, question, BUSY, seconds) for question in (one, hundred))
    errors = sum(sum(result.errors.values()) for result in (single, busy1, busy100))
    return {
        "p50": single.percentile(0.5), "p99": single.percentile(0.99), "rate1": busy1.rate, "rate100": busy100.rate,
        "errors": float(errors),
    }  # fmt: skip


def soaked(bundle: Path, folder: Path, frame: pd.DataFrame, seconds: float) -> list[str]:
    """A long run at four fifths of the highest rate: errors, and how memory grew after the first tenth."""
    server = ours(bundle, folder)[1]
    question = server.question(frame.iloc[[7]])
    with running(server, question) as (port, process):
        highest = closed(port, question, BUSY, 10).rate
        first = paced(port, question, BUSY, 0.1 * seconds, 0.8 * highest)
        before = memory(process)
        rest = paced(port, question, BUSY, 0.9 * seconds, 0.8 * highest)
        after = memory(process)
        stopped = time.monotonic()
        process.terminate()
        process.wait(30)
        stopped = time.monotonic() - stopped
    errors: dict[str, Any] = {
        key: first.errors.get(key, 0) + rest.errors.get(key, 0) for key in {*first.errors, *rest.errors}
    }
    count = len(first.seconds) + len(rest.seconds)
    growth = 100 * (after / before - 1)
    return [
        f"## {seconds:.0f} s at 80 % of the highest rate ({bundle.stem}, one row a request, predictions logged)", "",
        f"{count:,} answers at {0.8 * highest:.0f} a second, errors: {errors or 'none'}; "
        f"p50 {rest.percentile(0.5):.2f} ms, p99 {rest.percentile(0.99):.2f} ms, counted from when each was due; "
        "memory "
        f"{before / 1e6:.1f} MB after a tenth of it, {after / 1e6:.1f} MB at the end ({growth:+.2f} %); "
        f"ended {stopped:.1f} s after SIGTERM.", "",
    ]  # fmt: skip


def _median(values: list[float]) -> float:
    return sorted(values)[len(values) // 2]


if __name__ == "__main__":
    main()
