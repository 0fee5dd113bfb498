"""What the acceptance checks share: where the data lies, a run in a temporary folder, one line of the page."""

import os
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fathometer as fm

DATA = Path(os.environ.get("FATHOMETER_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))


@dataclass(frozen=True)
class Check:
    """One line of the page."""

    name: str
    expected: str
    got: str
    passed: bool


def run(data: Any, target: str | None, budget: float, **options: object) -> tuple[fm.Study, float]:
    """A study in a temporary folder, and its wall seconds."""
    folder = Path(tempfile.mkdtemp(prefix="acceptance-"))
    started = time.monotonic()
    study = fm.compare(data, target, budget=budget, out=folder / "run", **options)  # type: ignore[arg-type]
    return study, time.monotonic() - started


def in_time(name: str, study: fm.Study, seconds: float) -> Check:
    """The budget's promise: within budget + max(10 %, 30 s), and with an answer."""
    budget = float(study.outcome.run["budget"])
    allowed = budget + max(0.1 * budget, 30.0)
    peak = max(standing.peak_bytes for standing in study.standings.values())
    got = f"{seconds:.0f} s, {study.outcome.folds} folds in both families, peak {peak / 1e6:.0f} MB a trial"
    return Check(
        f"{name}: budget kept", f"<= {allowed:.0f} s", got, seconds <= allowed and study.outcome.folds > 0
    )


def score(study: fm.Study, name: str) -> float:
    """A competitor's score."""
    found = study.standings[name].score
    return float("nan") if found is None else found.score
