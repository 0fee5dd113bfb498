"""Runs killed at random moments and gone on with: `python -m benchmarks.acceptance_crash [kills]`.

The suite kills at four chosen moments (tests/study/test_crash.py); here the moments are drawn, over several runs.
Checked after every kill: the record opens, nothing that was in it is gone, no trial is twice in it, no process is left.
After the last: a verdict, a model that predicts. Writes benchmarks/results/acceptance_crash.md.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
import psutil

import fathometer as fm
from fathometer.study.ledger import Ledger

PAGE = Path(__file__).resolve().parent / "results" / "acceptance_crash.md"
KILLS_EACH = 5  # of one run
BUDGET = 60
LATEST = 14.0  # seconds after its start at which a sitting is killed


def main(kills: int) -> None:
    """Kill so many times in all, and write the page."""
    rng = np.random.default_rng(0)
    lines, began, killed = [], time.monotonic(), 0
    with tempfile.TemporaryDirectory(prefix="crash-") as name:
        table = Path(name) / "table.csv"
        _write_table(table, rng)
        while killed < kills:
            several = min(KILLS_EACH, kills - killed)
            lines.append(_one_run(Path(name) / f"run-{killed}", table, several, rng))
            print(lines[-1], flush=True)
            killed += several
    text = "\n".join(
        [
            "# Runs killed at random moments",
            "",
            f"{killed} kills (SIGKILL) at random moments, {KILLS_EACH} of each run, each run then let to its end, in "
            f"{time.monotonic() - began:.0f} s. Nothing lost, nothing twice, no process left, a verdict and a model "
            "each time; otherwise this page would not have been written.",
            "",
            "| killed at, s | trials in the record at each kill | trials at the end | seconds to resume | answer |",
            "|---|---|---|---|---|",
            *lines,
            "",
        ]
    )
    PAGE.write_text(text, encoding="utf-8")


def _write_table(path: Path, rng: np.random.Generator) -> None:
    x = rng.normal(size=(600, 8))
    said = np.where(x[:, 0] + x[:, 1] * x[:, 2] + rng.normal(size=600) * 0.3 > 0, "yes", "no")
    pd.DataFrame(x, columns=list("abcdefgh")).assign(answer=said).to_csv(path, index=False)


def _one_run(folder: Path, table: Path, kills: int, rng: np.random.Generator) -> str:
    moments, counts = [], []
    known: list[str] = []
    for _ in range(kills):
        begun = (folder / "run.json").exists()
        command = _resume(folder) if begun else _compare(folder, table)
        moment = float(rng.uniform(0.5, LATEST))
        _kill_after(command, moment)
        after = _keys(folder)
        assert after[: len(known)] == known, "a finished trial is gone"
        assert len(set(after)) == len(after), "a trial is there twice"
        known = after
        moments.append(f"{moment:.1f}")
        counts.append(str(len(after)))
    started = time.monotonic()
    command = _resume(folder) if (folder / "run.json").exists() else _compare(folder, table)
    done = subprocess.run(command, capture_output=True, text=True)
    seconds = time.monotonic() - started
    assert done.returncode == 0, done.stderr
    after = _keys(folder)
    assert after[: len(known)] == known
    assert len(set(after)) == len(after)
    result = json.loads(done.stdout)
    assert len(fm.predict(folder, table)) == 600
    assert fm.judge(folder).to_json() == result
    answer = result["verdict"]["answer"]
    return f"| {', '.join(moments)} | {', '.join(counts)} | {len(after)} | {seconds:.0f} | {answer} |"


def _compare(folder: Path, table: Path) -> list[str]:
    options = ["-t", "answer", "-o", str(folder), "-b", f"{BUDGET}s", "--json"]
    return [sys.executable, "-m", "fathometer", "compare", str(table), *options]


def _resume(folder: Path) -> list[str]:
    return [sys.executable, "-m", "fathometer", "compare", "--resume", str(folder), "--json"]


def _kill_after(command: list[str], seconds: float) -> None:
    seen: dict[int, psutil.Process] = {}
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        end = time.monotonic() + seconds
        while time.monotonic() < end and process.poll() is None:
            seen |= {child.pid: child for child in psutil.Process(process.pid).children(recursive=True)}
            time.sleep(0.05)
        if process.poll() is None:
            os.kill(process.pid, signal.SIGKILL)
    _, alive = psutil.wait_procs(list(seen.values()), timeout=30)
    assert not alive, "processes are left"


def _keys(folder: Path) -> list[str]:
    return [trial.key for trial in Ledger(folder).trials()]


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 20)
