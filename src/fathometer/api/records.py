"""What the verbs give back: a run and what came of it, and what data is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from fathometer.bundle import Bundle, open_bundle
from fathometer.core.files import writing_to
from fathometer.data.schema import Schema
from fathometer.data.table import Table
from fathometer.kind import all_unstructured
from fathometer.report import write_report
from fathometer.study.ledger import Ledger
from fathometer.study.outcome import Outcome
from fathometer.study.prepare import Understood, sentences
from fathometer.verdict.axes import Attempt, Standing, leaderboard
from fathometer.verdict.decide import Verdict
from fathometer.verdict.evidence import Evidence
from fathometer.verdict.odds import Odds, odds
from fathometer.verdict.outlook import facts_of
from fathometer.verdict.reasons import find_reasons
from fathometer.verdict.reasons.reason import Found
from fathometer.verdict.result import as_json
from fathometer.verdict.wording import busy, understood


@dataclass(frozen=True, repr=False)
class Study:
    """A run and what came of it. Read from the run's folder, so it can be opened any time later."""

    folder: Path
    evidence: Evidence

    @property
    def outcome(self) -> Outcome:
        """What the record says of each competitor on every fold."""
        return self.evidence.outcome

    @property
    def standings(self) -> Mapping[str, Standing]:
        """Each competitor's column of the table."""
        return self.evidence.table

    @property
    def verdict(self) -> Verdict:
        """The answer."""
        return self.evidence.verdict

    def __repr__(self) -> str:
        return f"Study({str(self.folder)!r}): {self.verdict.sentence}"

    @property
    def table(self) -> pd.DataFrame:
        """One row per competitor: score and interval, trials, cost, speed, size."""
        columns = []
        for name, standing in self.standings.items():
            facts = asdict(standing)
            found = facts.pop("score")
            ends = {key: found[key] for key in ("score", "low", "high")} if found else {}
            columns.append({"name": name, **ends, **{k: v for k, v in facts.items() if k != "name"}})
        return pd.DataFrame(columns).set_index("name")

    @property
    def leaderboard(self) -> pd.DataFrame:
        """One row per recipe tried, failures included."""
        return pd.DataFrame([asdict(attempt) for attempt in self.attempts])

    @cached_property
    def attempts(self) -> list[Attempt]:
        """Every recipe tried, failures included."""
        return leaderboard(self.outcome)

    def report(self, out: str | Path | None = None) -> list[Path]:
        """Write the report: report.html, report.md and report.json, into the run's folder unless told otherwise."""
        folder = Path(out) if out is not None else self.folder
        with writing_to(folder, "Name another folder."):
            return write_report(self.to_json(), folder)

    @cached_property
    def reasons(self) -> tuple[Found, ...]:
        """Why the answer is what it is, what supports it, and what warns against it; each with its code."""
        return find_reasons(self.evidence)

    @cached_property
    def model(self) -> Bundle:
        """The model that was left in the run folder; `model.predict(frame)` answers."""
        return open_bundle(self.folder / "model")

    @property
    def ended(self) -> str:
        """Why it last ended: "budget", "plan" (nothing left to try) or "interrupted"; empty when it was killed."""
        return Ledger(self.folder).ended() or ""

    @property
    def busy(self) -> str:
        """That the machine kept the families from working, as a sentence; empty where it did not."""
        return busy(self.outcome, self.standings, self.ended)

    @property
    def understood(self) -> list[str]:
        """What was understood of the data, in sentences."""
        return understood(self.outcome)

    def to_json(self) -> dict[str, Any]:
        """What result.json holds (docs/result.md)."""
        total = Ledger(self.folder).cpu_seconds()
        return as_json(self.evidence, self.attempts, total, self.ended)


@dataclass(frozen=True)
class Inspection:
    """What the data is, before any training."""

    table: Table
    understood: Understood | None
    schema: Schema

    @property
    def sentences(self) -> list[str]:
        """What was understood, in sentences."""
        return sentences(self.table, self.understood) if self.understood else list(self.table.notes)

    @cached_property
    def odds(self) -> Odds | None:
        """What is to be expected before any training, from the shape of the data alone.

        None without a target, and where all columns are words or pictures: the odds were learned from tables.
        """
        if self.understood is None or all_unstructured(self.schema.kinds.values()):
            return None
        task, rows = self.understood.task, self.understood.rows
        return odds(facts_of(task, rows.answers, len(self.schema.columns)), task.name)
